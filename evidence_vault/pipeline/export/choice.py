"""Chooses which checkpoints a bundle carries: the cut, and those that bound its events in time.

Which travel: for each item the first timed one above its deposit and the last timed one before it (they bound it
from both sides), the first timed one above each attestation, the cut, the first and the newest anchored ones that
cover it, each with the one the contract links it to; with `full_chain`, every anchored one since the item's first.
And as many more, up to 32 together with those of attestations, as bound the other events of custody
(`bounds`).
"""

from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from anchors.base import TreeHead
from anchors.ethereum.proof import KIND, PART, parse_proof
from anchors.ethereum.verify import TrustedContract, decode_prev, verify_inclusion
from anchors.values import value
from evidence_vault.core.events import Subject, parse_event
from evidence_vault.errors import IntegrityError
from evidence_vault.pipeline.export.bounds import sizes_around_custody, thinned
from evidence_vault.pipeline.export.statements import MAX_SIZES, sizes_above_statements
from evidence_vault.pipeline.times.revocation import evidence_parts
from evidence_vault.store.models import Item
from evidence_vault.store.queries import bundles, events, log

MAX_ANCHORS = 900
"""With full_chain: a month of hourly anchors. A verifier reads 1,000; the rest is room for other kinds."""

MAX_MORE_BYTES = 4 * 2**20
"""Of tokens, and of the evidence about their certificates, that more checkpoints may bring: an authority's list of
revoked certificates may have a megabyte, and travels with each token."""


@value
class Choice:
    """What a bundle is cut from. published: the size up to which events may travel. cut: as in EXPORTED.

    timed, anchored: sizes of checkpoints whose proofs travel. linked: sizes that anchors name as the one before.
    """

    published: int
    cut: TreeHead
    timed: tuple[int, ...]
    anchored: tuple[int, ...]
    linked: tuple[int, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """All checkpoints that travel, but the one that will cover EXPORTED."""
        return tuple(sorted({self.cut.size, *self.timed, *self.anchored, *self.linked}))


def choose(
    session: Session,
    items: Sequence[Item],
    *,
    case: Subject | None = None,
    authorities: Sequence[str],
    full_chain: bool,
) -> Choice | None:
    """Return the choice, or None while no published, timed checkpoint covers every item.

    authorities: who stamps checkpoints; where not all have answered, as many as did are enough.
    """
    checkpoint = log.latest_published(session)
    indexes = log.leaf_indexes(session, [item.event_id for item in items])
    if checkpoint is None or len(indexes) < len(items):
        return None
    published = checkpoint.size
    for enough in range(max(1, len(authorities)), 0, -1):
        cut = bundles.newest_timed(session, published=published, tokens=enough)
        if cut is not None and cut > max(indexes.values()):
            break
    else:
        return None
    item_ids = [item.id for item in items]
    stated = sizes_above_statements(session, item_ids, cut, published=published, tokens=enough)
    timed = {cut, *stated}
    first = before = None
    for index in sorted(indexes.values()):
        if before is not None and first is not None and index < first:
            continue  # between the same two as the item before
        first = bundles.first_timed_above(session, index, published=published, tokens=enough)
        before = bundles.last_timed_before(session, index, tokens=enough)
        timed.update(size for size in (first, before) if size is not None)
    about = [Subject(kind="item", id=item_id) for item_id in item_ids] + ([case] if case else [])
    around = sizes_around_custody(
        session, about, authorities=authorities, cut=cut, published=published, tokens=enough
    )
    room = min(MAX_SIZES - len(stated), MAX_MORE_BYTES // max(1, _weight(session, cut)))
    timed |= set(thinned(sorted(around - timed), room))
    anchored = _anchored(session, indexes.values(), published=published, full_chain=full_chain)
    newest = max(indexes.values())
    if not any(size > newest for size in anchored) and bundles.anchor_is_on_its_way(
        session, newest, published=published
    ):
        return None  # a second later the bundle can carry it
    head = log.tree_head_at(session, cut)
    if head is None:
        raise IntegrityError(f"tree head {cut}", "the head of a published checkpoint", "none")
    return Choice(
        published=published,
        cut=TreeHead(size=cut, root_hash=head.root_hash),
        timed=tuple(sorted(timed)),
        anchored=tuple(anchored),
        linked=tuple(sorted(_linked(session, {*timed, *anchored}, published=published))),
    )


def _weight(session: Session, size: int) -> int:
    """Return how many bytes the tokens of a checkpoint like this one bring along."""
    subject = Subject(kind="checkpoint", id=str(size))
    stamped = [row.id for row in events.events_of(session, subject) if row.type == "CHECKPOINT_TIMESTAMPED"]
    tokens = events.proof_parts_of_all(session, stamped).values()
    evidence = (evidence_parts(session, parts["chain.pem"]) for parts in tokens)
    return sum(len(body) for parts in (*tokens, *evidence) for body in parts.values())


def _anchored(session: Session, indexes: Iterable[int], *, published: int, full_chain: bool) -> Sequence[int]:
    """Sizes of the anchored checkpoints that travel, ascending; of each kind its own first and newest."""
    chosen: set[int] = set()
    for sizes in bundles.anchored_by_kind(session, published=published).values():
        for index in indexes:
            covering = [size for size in sizes if size > index]
            chosen.update(covering[:MAX_ANCHORS] if full_chain else (*covering[:1], *covering[-1:]))
    return sorted(chosen)


def _linked(session: Session, sizes: Iterable[int], *, published: int) -> set[int]:
    """Sizes of the checkpoints that the contract names as the anchor before.

    sizes: all whose events travel; one that is there for its tokens brings its anchor too.
    """
    linked: set[int] = set()
    for size in sorted(sizes):
        head = log.tree_head_at(session, size)
        subject = Subject(kind="checkpoint", id=str(size))
        for row in bundles.logged_events(session, subject, below=published):
            if row.event.type != "CHECKPOINT_ANCHORED" or head is None:
                continue
            if parse_event(row.event.raw).fields["anchor_kind"] != KIND:
                continue
            proof = parse_proof(events.proof_parts_of(session, row.event.id)[PART])
            own = TrustedContract(chain_id=proof.chain_id, contract=proof.contract, sender=proof.sender)
            tree_head = TreeHead(size=size, root_hash=head.root_hash)
            before = decode_prev(verify_inclusion(proof, tree_head=tree_head, trusted=own).prev)
            if before is not None:
                linked.add(before[0])
    return linked
