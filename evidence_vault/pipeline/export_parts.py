"""Chooses and collects what a bundle holds: the cut, the checkpoints that travel, and every sealed part.

Which checkpoints travel: for each item the first timed one above its deposit and the last one timed before it (they
bound it from both sides), the first timed one above each attestation, the cut, the first and the newest anchored
ones that cover it, each with the one the contract links it to. With `full_chain`, every anchored one since the
item's first.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy.orm import Session

from anchors.base import TreeHead
from anchors.ethereum.proof import KIND, PART, parse_proof
from anchors.ethereum.verify import TrustedContract, decode_prev, verify_inclusion
from anchors.opentimestamps.proof import OTS_PART
from anchors.values import value
from evidence_vault.core import layout
from evidence_vault.core.canonical import Json, encode_canonical
from evidence_vault.core.events import LOG, PLATFORM, Subject, parse_event
from evidence_vault.core.names import NETWORK_CLASSES
from evidence_vault.errors import IntegrityError
from evidence_vault.pipeline.export_readme import Stamp, write_readme
from evidence_vault.pipeline.export_statements import StatementLine, sizes_above_statements, statement_parts
from evidence_vault.pipeline.revocation import evidence_parts
from evidence_vault.settings import Settings
from evidence_vault.store.models import Event, Item
from evidence_vault.store.queries import bundles, events, log

TOKEN_EVENTS = ("TIMESTAMP_OBTAINED", "CHECKPOINT_TIMESTAMPED")
MAX_ANCHORS = 900
"""With full_chain: a month of hourly anchors. A verifier reads 1,000; the rest is room for other kinds."""


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


@value
class Part:
    """A sealed file: its digest, and its bytes; body None for an item's content, which stays a blob."""

    sha256: bytes
    body: bytes | None


def choose(session: Session, items: Sequence[Item], *, tokens: int, full_chain: bool) -> Choice | None:
    """Return the choice, or None while no published, timed checkpoint covers every item.

    tokens: how many authorities stamp checkpoints; where not all have answered, as many as did.
    """
    checkpoint = log.latest_published(session)
    indexes = log.leaf_indexes(session, [item.event_id for item in items])
    if checkpoint is None or len(indexes) < len(items):
        return None
    published = checkpoint.size
    for enough in range(max(1, tokens), 0, -1):
        cut = bundles.newest_timed(session, published=published, tokens=enough)
        if cut is not None and cut > max(indexes.values()):
            break
    else:
        return None
    timed = {
        cut,
        *sizes_above_statements(
            session, [item.id for item in items], cut, published=published, tokens=enough
        ),
    }
    for index in indexes.values():
        first = bundles.first_timed_above(session, index, published=published, tokens=enough)
        before = bundles.last_timed_before(session, index, tokens=enough)
        timed.update(size for size in (first, before) if size is not None)
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


def collect(
    session: Session,
    settings: Settings,
    *,
    bundle_id: str,
    items: Sequence[Item],
    choice: Choice,
    withheld: bool = False,
) -> dict[str, Part]:
    """Return every sealed part by path. The subjects of the items, and the log's, are locked by the caller.

    withheld: the contents stay here.
    """
    parts: dict[str, Part] = {}
    disclosed: dict[str, Json] = {}
    stamps: list[Stamp] = []
    statements: list[StatementLine] = []
    evidence: set[bytes] = set()
    for item in items:
        content = layout.content_path(item.id)
        if item.mode == "content" and withheld:
            parts[layout.no_content_path(item.id)] = _part(layout.WITHHELD)
        elif item.mode == "content" and item.sha256 is not None:
            parts[content] = Part(sha256=item.sha256, body=None)
        else:
            parts[layout.no_content_path(item.id)] = _part(layout.NEVER_DEPOSITED)
        subject = Subject(kind="item", id=item.id)
        rows = events.events_of(session, subject)
        _add_events(session, parts, stamps, subject, rows, stamped=content if content in parts else None)
        stated = statement_parts(session, item.id, carried=evidence)
        statements += stated.lines
        parts.update((path, _part(body)) for path, body in stated.parts.items())
        for event_id, texts in events.disclosures_of(session, [row.id for row in rows]).items():
            seq = next(row.seq for row in rows if row.id == event_id)
            disclosed[f"{item.id}/{seq}"] = list[Json](texts[name] for name in sorted(texts))
    # The log's own events as of now, not of the cut: the checkpoint M may be signed by a key that the newest names.
    _add_events(session, parts, stamps, LOG, events.events_of(session, LOG), stamped=None)
    logged = bundles.logged_events(session, PLATFORM, below=choice.cut.size)
    _add_events(session, parts, stamps, PLATFORM, [row.event for row in logged], stamped=None)
    for size in sorted({*choice.timed, *choice.anchored}):
        subject = Subject(kind="checkpoint", id=str(size))
        logged = bundles.logged_events(session, subject, below=choice.published)
        note = layout.note_path(size)
        _add_events(session, parts, stamps, subject, [row.event for row in logged], stamped=note)
    bundle = layout.encode_bundle_json(
        origin=settings.origin, bundle_id=bundle_id, item_ids=[item.id for item in items]
    )
    parts[layout.BUNDLE_JSON] = _part(bundle)
    if disclosed:
        parts[layout.DISCLOSURES] = _part(encode_canonical(disclosed))
    networks = _networks_of(settings, parts)
    parts[layout.README] = _part(
        write_readme(bundle_id=bundle_id, stamps=stamps, networks=networks, statements=statements)
    )
    return parts


def _networks_of(settings: Settings, parts: Mapping[str, Part]) -> list[str]:
    """The networks whose proofs travel, as the settings know them, each with what its word is worth."""
    bodies = [part.body for path, part in parts.items() if path.startswith("proof/anchors/") and part.body]
    ethereum = [
        (f'"chain_id":{one.chain_id},', f"{one.name}, chain {one.chain_id}", one.log_class)
        for one in settings.networks
    ]
    bitcoin = [
        (f'"network":"{one.network}"', f"bitcoin {one.network}", one.log_class) for one in settings.bitcoin
    ]
    return [
        f"{name}: {NETWORK_CLASSES[log_class]}"
        for said, name, log_class in (*ethereum, *bitcoin)
        if any(said.encode() in body for body in bodies)
    ]


def _add_events(
    session: Session,
    parts: dict[str, Part],
    stamps: list[Stamp],
    subject: Subject,
    rows: Iterable[Event],
    *,
    stamped: str | None,
) -> None:
    """The events of a subject, with the proofs that they record. stamped: the file that its tokens are over."""
    for row in rows:
        parts[layout.event_path(subject, row.seq)] = _part(row.raw)
        if row.type in TOKEN_EVENTS:
            folder = layout.timestamp_folder(subject, row.seq)
            proof = events.proof_parts_of(session, row.id)
            evidence = evidence_parts(session, proof["chain.pem"])
            for name, body in {**proof, **evidence}.items():
                parts[f"{folder}/{name}"] = _part(body)
            if stamped is not None:
                stamps.append(Stamp(folder=folder, over=stamped, response=proof["response.tsr"]))
        elif row.type == "CHECKPOINT_ANCHORED":
            proof = events.proof_parts_of(session, row.id)
            parts[layout.anchor_path(int(subject.id), row.seq)] = _part(proof[PART])
            if OTS_PART in proof:
                parts[layout.ots_path(int(subject.id), row.seq)] = _part(proof[OTS_PART])


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


def _part(body: bytes) -> Part:
    return Part(sha256=hashlib.sha256(body).digest(), body=body)


def sealed_digests(parts: Mapping[str, Part]) -> bytes:
    """Return parts.txt."""
    return layout.encode_digest_lines(
        {path: part.sha256 for path, part in parts.items() if layout.is_sealed(path)}
    )
