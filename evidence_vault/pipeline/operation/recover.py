"""Recover: bring a restored, older database up to what was published, and to every deposit beside it.

    (1) plan        how far the log went (published checkpoint and notes, guard), and what the journals hold of it
    (2) re-adopt    each published leaf, at its index, from the event's own bytes; the heads and notes on the way
    (3) replay      the deposits that no leaf holds yet: they wait for the log like new ones
    (4) read        the contents that came back, against the digests of their events

The log goes on where everyone saw it stop, or not at all: a leaf whose event is lost can't be re-adopted, for
without the event's nonce its subject could never go on, and a log with leaves that nobody can explain looks
just like one that hides something. Then nothing is changed, the vault stays read-only, and the lost leaves are
named (ADR 0016).

Durable after return: all of it; every receipt whose journal is here is honoured by the same event and the same
bytes. A crash midway means: the database is a part of the way up and still read-only; run it again. No file is
deleted, no published file is written, and no key signs anything.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress

from sqlalchemy.orm import Session

from anchors.base import TreeHead
from anchors.values import value
from evidence_vault.core.events import parse_leaf_entry
from evidence_vault.core.merkle import Frontier, leaf_hash, root_hash
from evidence_vault.core.note_keys import parse_vkey
from evidence_vault.core.notes import Unverified, parse_note, parse_signatures, verify_signatures
from evidence_vault.core.tiles import WIDTH, Tile, TileNodeReader, parse_entries, width_at
from evidence_vault.errors import EvidenceError, FormatError, IntegrityError, ReadOnly
from evidence_vault.pipeline.log.sequence import stored_frontier
from evidence_vault.pipeline.log.shown import guard_head, open_own, own_keys, published_heads
from evidence_vault.pipeline.operation.audit import write_audit_line
from evidence_vault.pipeline.operation.recover_rows import insert_found, is_whole
from evidence_vault.pipeline.operation.recover_sources import (
    Deposits,
    FoundDeposit,
    FoundEvent,
    find_deposits,
    find_events,
)
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import cosignatures, events, log

STEP_DEPOSITS = 100
"""In one transaction."""


@value
class LostLeaf:
    """A published leaf of which no journal holds the event."""

    index: int
    event_sha256: bytes


@value
class Plan:
    """What recovery is to do. head: the database's; target: how far the log was shown or signed."""

    head: TreeHead
    target: TreeHead
    lost: tuple[LostLeaf, ...]
    deposits: Deposits
    unlogged: tuple[FoundDeposit, ...]

    @property
    def leaves(self) -> int:
        """How many leaves the database lacks."""
        return self.target.size - self.head.size

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to do."""
        return self.leaves > 0 or bool(self.deposits.found)


@value
class Recovered:
    """What was done. damaged: contents that came back and are missing or not what their event says, and why."""

    leaves: int
    deposits: int
    replayed: int
    damaged: tuple[str, ...]


def plan_recovery(vault: Vault) -> Plan:
    """(1) Changes nothing. Raises IntegrityError where database and public log are two histories."""
    shown = published_heads(vault)
    with suppress(ReadOnly, FormatError):  # missing or damaged: for `log adopt`, when all else is here again
        shown.append(guard_head(vault))
    deposits = find_deposits(vault)
    with vault.database.read() as session:
        row = log.current_row(session)
        frontier = stored_frontier(row)
    head = frontier.tree_head()
    target = max((head, *(one.head for one in shown)), key=lambda one: one.size)
    logged: set[bytes] = set()
    lost: list[LostLeaf] = []
    if target.size > head.size:
        _check_tiles(vault, target)
        for start, entries in _published_entries(vault, head.size, target.size):
            found = find_events(vault, deposits, entries, start=start)
            with vault.database.read() as session:
                for index, entry in enumerate(entries, start):
                    event_sha256, _ = parse_leaf_entry(entry)
                    logged.add(event_sha256)
                    if events.find_event(session, event_sha256) is None:
                        one = found.get(event_sha256)
                        if one is None or not is_whole(one):
                            lost.append(LostLeaf(index=index, event_sha256=event_sha256))
            frontier = frontier.extend([leaf_hash(entry) for entry in entries])
        if frontier.tree_head() != target:
            raise IntegrityError(
                f"the database's {head.size} leaves",
                f"the beginning of the published log of {target.size}",
                "another history: this database went on after it was restored",
            )
    unlogged = sorted(
        (one for sha256, one in deposits.found.items() if sha256 not in logged),
        key=lambda one: (one.event.at, one.item_id),
    )
    return Plan(head=head, target=target, lost=tuple(lost), deposits=deposits, unlogged=tuple(unlogged))


def recover(vault: Vault, plan: Plan) -> Recovered:
    """(2) to (4). The vault is not served meanwhile. Raises IntegrityError; what is done by then stays done."""
    if plan.lost:
        first = plan.lost[0]
        raise IntegrityError(
            f"leaf {first.index}",
            f"the event {first.event_sha256.hex()} in a journal",
            f"none; so with {len(plan.lost)} of {plan.leaves} published leaves",
        )
    with vault.public.one_publisher():
        for steps in _steps(vault, plan):
            _readopt(vault, plan.deposits, steps)
        for start in range(0, len(plan.unlogged), STEP_DEPOSITS):
            _replay(vault, plan.unlogged[start : start + STEP_DEPOSITS])
    damaged = tuple(filter(None, (_content_problem(vault, one) for one in plan.deposits.found.values())))
    done = Recovered(
        leaves=plan.leaves,
        deposits=len(plan.deposits.found) - len(plan.unlogged),
        replayed=len(plan.unlogged),
        damaged=damaged,
    )
    write_audit_line(
        vault,
        "recover",
        {
            "from": plan.head.size,
            "to": plan.target.size,
            "deposits": done.deposits,
            "replayed": done.replayed,
        },
    )
    return done


@value
class _Step:
    """Leaves [start, start + len(entries)); is_noted: a published note states the head after them."""

    start: int
    entries: tuple[bytes, ...]
    is_noted: bool


def _steps(vault: Vault, plan: Plan) -> Iterator[list[_Step]]:
    """Yield the steps from head to target in groups for one transaction each, a step never beyond a note."""
    noted = set(vault.public.note_sizes(above=plan.head.size))
    for start, entries in _published_entries(vault, plan.head.size, plan.target.size):
        at, end, group = start, start + len(entries), list[_Step]()
        for stop in [*(size for size in range(start + 1, end) if size in noted), end]:
            part = tuple(entries[at - start : stop - start])
            group.append(_Step(start=at, entries=part, is_noted=stop in noted))
            at = stop
        yield group


def _readopt(vault: Vault, deposits: Deposits, steps: Sequence[_Step]) -> None:
    """(2) Put leaves where everyone saw them, in one transaction under the lock of the tree head."""
    entries = [entry for step in steps for entry in step.entries]
    found = find_events(vault, deposits, entries, start=steps[0].start)
    _bring_back(vault, [one.deposit for one in found.values() if one.deposit is not None])
    with vault.database.write(alone=True) as session:
        row = log.lock_tree_head(session)
        frontier, epoch = stored_frontier(row), row.epoch
        for step in steps:
            if frontier.size != step.start:
                raise IntegrityError("tree head", step.start, frontier.size)
            ids = [_event_id(vault, session, found, entry) for entry in step.entries]
            log.insert_leaves(session, first_index=step.start, event_ids=ids)
            old_size = frontier.size
            frontier = frontier.extend([leaf_hash(entry) for entry in step.entries])
            if not log.swap_tree_head(
                session, old_size=old_size, old_epoch=epoch, frontier=frontier, at=vault.clock()
            ):
                raise IntegrityError("tree head", f"({old_size}, epoch {epoch})", "another")
            epoch += 1
            if step.is_noted:
                _keep_note(vault, session, frontier)


def _event_id(vault: Vault, session: Session, found: dict[bytes, FoundEvent], entry: bytes) -> int:
    """Return the row of the event behind a published leaf, which must be in its slot."""
    event_sha256, slot = parse_leaf_entry(entry)
    row = events.find_event(session, event_sha256)
    if row is None:
        event_id = insert_found(vault, session, found[event_sha256])
        row = events.get_event(session, event_id)
    if row.slot != slot:
        raise IntegrityError(f"event {event_sha256.hex()}, slot", slot.hex(), row.slot.hex())
    return row.id


def _keep_note(vault: Vault, session: Session, frontier: Frontier) -> None:
    """Keep the published note of this size, and the lines under it by keys that are known here, as rows."""
    head = frontier.tree_head()
    note, lines = vault.public.note(head.size)
    if open_own(vault, note, place=f"{head.size}.note") != head:
        raise IntegrityError(f"{head.size}.note", head.root_hash.hex(), "another root")
    now = vault.clock()
    log.add_checkpoint(session, size=head.size, note=note, note_sha256=hashlib.sha256(note).digest(), at=now)
    log.mark_published(session, head.size, at=now)
    trusted = [*own_keys(vault), *(parse_vkey(witness.vkey) for witness in vault.settings.witnesses)]
    for line in parse_signatures(lines) if lines else ():
        verified = verify_signatures(parse_note(note).text, [line], trusted=trusted)
        if not isinstance(verified, Unverified):
            cosignatures.add_cosignature(session, head.size, line, verified.signatures[0], at=now)


def _replay(vault: Vault, deposits: Sequence[FoundDeposit]) -> None:
    """(3) Record deposits that no leaf holds; acknowledged or not, what was handed in is kept."""
    _bring_back(vault, deposits)
    with vault.database.write() as session:
        for one in deposits:
            insert_found(vault, session, FoundEvent(event=one.event, parts={}, deposit=one))


def _bring_back(vault: Vault, deposits: Sequence[FoundDeposit]) -> None:
    """Before the commit: content with a row lies in its place. A crash between means: found again, not aside."""
    for one in deposits:
        if one.is_aside:
            vault.blobs.bring_back(one.item_id)


def _content_problem(vault: Vault, one: FoundDeposit) -> str | None:
    """(4) Return what is wrong with a content that came back."""
    if one.event.fields["mode"] != "content":
        return None
    try:
        digest = vault.blobs.digest(one.item_id).sha256.hex()
    except EvidenceError as error:
        return str(error)
    digests = one.event.fields["digests"]
    said = digests["sha256"] if isinstance(digests, dict) else None
    return None if digest == said else f"{one.item_id}: expected {said}, found {digest}"


def _check_tiles(vault: Vault, target: TreeHead) -> None:
    """The public files must show the whole log up to what was signed."""
    root = root_hash(target.size, TileNodeReader(vault.public.read_tile, target.size))
    if root != target.root_hash:
        raise IntegrityError(f"root of the tiles at size {target.size}", target.root_hash.hex(), root.hex())


def _published_entries(vault: Vault, start: int, end: int) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the entries [start, end), a public bundle at a time: with two tokens each about 5 MB in memory."""
    while start < end:
        index = start // WIDTH
        tile = Tile(level="entries", index=index, width=width_at(end, "entries", index))
        entries = parse_entries(vault.public.read_tile(tile), tile=tile)[start - WIDTH * index :]
        yield start, entries
        start += len(entries)
