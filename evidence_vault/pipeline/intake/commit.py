"""Commit: one transaction for a whole group of deposits, and each gets the answer that it would get alone.

    (1) who may still     the tokens that let the depositors in are looked up again, all at once
    (2) keys              new idempotency keys are taken; one that was used is a repetition, or a conflict
    (3) room              beyond the backlog, deposits are put off
    (4) pack              small contents and their journals are written to a pack, and its flush begins
    (5) rows              meanwhile events, items, jobs of all; if the database refuses them, of one after the other
    (6) flushed           the pack's flush is waited for: bytes and events survive a power cut
    (7) commit            then each is told

Durable after return: everything of each deposit that has its receipt. No row is committed before the bytes and the
event that it names are on the disk. A crash before the commit means: nobody was told anything, and no row is there;
after (4) a pack holds records, whole or torn, that the database doesn't know and nothing reads as items before
`recover` has. If the flush fails, all rows are undone and nobody's deposit counts. A crash after the commit means:
whoever asks again with the same key gets the same receipt. An error of the commit itself means: nobody knows, each
depositor is told so, and nothing that may be theirs is removed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from anchors.values import replace, value
from evidence_vault.core.receipt import parse_receipt
from evidence_vault.errors import (
    Conflict,
    CredentialEnded,
    EvidenceError,
    IntegrityError,
    Overloaded,
    StorageFull,
    UnavailableError,
)
from evidence_vault.identity.actors import find_requesters
from evidence_vault.pipeline.backlog import RETRY_AFTER_S
from evidence_vault.pipeline.groups import Tell, Ticket
from evidence_vault.pipeline.intake.deposited import Deposited, Known, encode_journal
from evidence_vault.pipeline.intake.mandates import require_deposit
from evidence_vault.pipeline.intake.wishes import Wish
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.packs import Location, PackRecord
from evidence_vault.store.queries import idempotency, items
from evidence_vault.store.queries.deposits import NewDeposit, insert_deposits
from evidence_vault.store.queries.events import Composed
from evidence_vault.store.queries.idempotency import Binding, Completed
from evidence_vault.store.session import part_of


@value
class Ready:
    """A deposit of which all is known: it only has to be made durable.

    blob: the content as it is stored, for a pack; empty if there is none; None if content and journal are in
    files of their own already. holder: who has claimed the idempotency key; None: nobody yet.
    """

    wish: Wish
    known: Known
    composed: Composed
    receipt: bytes
    log_by: datetime
    blob: bytes | None
    binding: Binding | None
    targets: tuple[str, ...]
    holder: str | None

    @property
    def item_id(self) -> str:
        """The new item's id."""
        return self.composed.event.subject.id

    def journal(self) -> bytes:
        """Return the journal."""
        return encode_journal(self.receipt, self.composed, crc32=self.known.crc32, binding=self.binding)

    def deposited(self) -> Deposited:
        """Return the result once this is committed."""
        return Deposited(
            item_id=self.item_id,
            receipt=self.receipt,
            sha256=self.known.sha256,
            size=self.known.size,
            log_by=self.log_by,
            replayed=False,
        )


class DepositTicket(Ticket[Deposited]):
    """A deposit that waits for its group. is_unknown: COMMIT was reached; from then on only the database knows."""

    def __init__(self, ready: Ready, tell: Tell[Deposited] | None = None) -> None:
        super().__init__(tell)
        self.ready = ready
        self.is_unknown = False


def enqueue(vault: Vault, ready: Ready, tell: Tell[Deposited] | None = None) -> DepositTicket:
    """Let the deposit wait for the next group. Raises Overloaded."""
    ticket = DepositTicket(ready, tell)
    vault.groups.submit(ticket, lambda group: commit_group(vault, group))
    return ticket


def commit_group(vault: Vault, group: Sequence[Ticket[Deposited]]) -> Sequence[Ticket[Deposited]]:
    """Settle the tickets of a group; return those that wait for another of the group and come again.

    Raises what concerns all of them; for those that are not settled then it may be unknown what came of them.
    """
    tickets = [ticket for ticket in group if isinstance(ticket, DepositTicket)]
    vault.gate.require_open()  # it may have been shut while the content came in
    with vault.database.write() as session:
        running = _Group(vault, session)
        tickets = running.still_permitted(tickets)  # (1)
        tickets, again = running.with_keys(tickets)  # (2)
        tickets = running.with_room(tickets)  # (3)
        with running.packed(tickets) as places:  # (4)
            tickets = running.inserted(tickets, places)  # (5)
        # (6) the block's end has waited for the pack
        vault.backlog.add(len(tickets))
        for ticket in tickets:
            ticket.is_unknown = True  # an error from here on is the commit's own: it may have happened
    for ticket in tickets:
        ticket.settle(ticket.ready.deposited())
    return again


class _Group:
    """The steps of one group in its transaction; each returns the tickets that go on."""

    def __init__(self, vault: Vault, session: Session) -> None:
        self._vault, self._session = vault, session
        self._holder = vault.random(16).hex()
        self._now = vault.clock()
        self._lease_until = self._now + timedelta(seconds=vault.settings.upload_lease_s)

    def still_permitted(self, tickets: list[DepositTicket]) -> list[DepositTicket]:
        """Refuse whose token was revoked, ran out or became another's since it was looked at."""
        tokens = {t.ready.wish.token_sha256 for t in tickets if t.ready.wish.token_sha256 is not None}
        if not tokens:
            return tickets
        requesters = find_requesters(self._session, tokens, now=self._now)
        for ticket in tickets:
            wish = ticket.ready.wish
            if wish.token_sha256 is None:
                continue
            requester = requesters.get(wish.token_sha256)
            if requester is None or (requester.actor_id, requester.role) != (wish.actor.id, wish.actor.role):
                ticket.fail(CredentialEnded())
                continue
            try:
                acting = replace(requester, on_behalf_of=wish.actor.on_behalf_of)
                require_deposit(self._vault, acting, self._session)
            except EvidenceError as error:
                ticket.fail(error)
        return _unsettled(tickets)

    def with_keys(self, tickets: list[DepositTicket]) -> tuple[list[DepositTicket], list[DepositTicket]]:
        """Take the keys; answer repetitions. Who shares a key that the group has just taken comes again."""
        users: dict[idempotency.Scope, list[tuple[DepositTicket, Binding]]] = {}
        for ticket in tickets:
            if (binding := ticket.ready.binding) is not None:
                users.setdefault(binding.scope, []).append((ticket, binding))
        unclaimed = [binding for (ticket, binding), *_ in users.values() if not ticket.ready.holder]
        taken = set()
        if unclaimed:
            taken = idempotency.bind_new(self._session, unclaimed, holder=self._holder, now=self._now)
        again: dict[DepositTicket, None] = {}
        for scope, same in users.items():
            is_taken = scope in taken
            for ticket, binding in same[1:] if is_taken else same:
                if is_taken:
                    again[ticket] = None
                else:
                    self._take_used(ticket, binding)
                    is_taken = not ticket.is_settled
        return [ticket for ticket in _unsettled(tickets) if ticket not in again], list(again)

    def _take_used(self, ticket: DepositTicket, binding: Binding) -> None:
        """Keep a key that this deposit has held since its content began, or look at what was done under it."""
        session, until, holder = self._session, self._lease_until, ticket.ready.holder or self._holder
        try:
            if ticket.ready.holder is not None:
                idempotency.renew(session, binding.scope, holder=holder, lease_until=until)
            elif completed := idempotency.claim(
                session, binding.scope, holder=holder, now=self._now, lease_until=until
            ):
                ticket.settle(replayed(session, binding, completed))
                return
            idempotency.bind(session, binding)
        except (Conflict, UnavailableError, IntegrityError) as error:
            ticket.fail(error)

    def with_room(self, tickets: list[DepositTicket]) -> list[DepositTicket]:
        """Put off what the log can't take in by the time that receipts promise."""
        limit = self._vault.settings.max_pending_events
        room = self._vault.backlog.room(self._session, wanted=len(tickets), limit=limit)
        for ticket in tickets[room:]:
            self._refuse(ticket, too_many_pending())
        return tickets[:room]

    @contextmanager
    def packed(self, tickets: list[DepositTicket]) -> Iterator[dict[str, Location]]:
        """Write small contents and all journals that are in no file yet, flushed once: at the end of the block."""
        records = [
            PackRecord(item_id=t.ready.item_id, journal=t.ready.journal(), blob=t.ready.blob)
            for t in tickets
            if t.ready.blob is not None
        ]
        with self._vault.blobs.packing(records) as places:
            yield {record.item_id: place for record, place in zip(records, places, strict=True)}

    def inserted(self, tickets: list[DepositTicket], places: dict[str, Location]) -> list[DepositTicket]:
        """Insert the rows of all; what the database refuses together it is asked for one by one."""
        if not tickets:
            return []
        rows = [_new_deposit(ticket.ready, places.get(ticket.ready.item_id)) for ticket in tickets]
        try:
            with part_of(self._session):
                insert_deposits(self._session, rows)
        except StorageFull:
            raise  # it concerns all
        except (IntegrityError, UnavailableError) as error:
            if self._session.connection().invalidated:
                raise  # the server is gone: it concerns all
            if len(tickets) > 1:
                return [one for ticket in tickets for one in self.inserted([ticket], places)]
            self._refuse(tickets[0], error)
            return []
        return tickets

    def _refuse(self, ticket: DepositTicket, error: EvidenceError) -> None:
        """Nothing comes of this one: its key is free again."""
        if ticket.ready.binding is not None:
            idempotency.unbind(self._session, ticket.ready.binding)
        ticket.fail(error)


def replayed(session: Session, binding: Binding, before: Completed) -> Deposited:
    """Return the receipt of the same deposit before. Raises Conflict if it was another."""
    if binding.request_sha256 != before.request_sha256:
        raise Conflict("idempotency key", "it was used for other content or metadata")
    found = deposited_before(session, before.answer)
    if found is None:
        raise IntegrityError("idempotency key", "the item it names", before.answer)
    return found


def deposited_before(session: Session, item_id: str) -> Deposited | None:
    """Return what a deposit that is committed has left, or None if there is no such item."""
    item = items.get_item(session, item_id)
    if item is None or item.sha256 is None:
        return None
    return Deposited(
        item_id=item.id,
        receipt=item.receipt,
        sha256=item.sha256,
        size=item.size,
        log_by=parse_receipt(item.receipt).log_by,
        replayed=True,
    )


def too_many_pending() -> Overloaded:
    """Return the error for a backlog that is full."""
    return Overloaded("log", "too many events wait for it", retry_after_s=RETRY_AFTER_S)


def _unsettled(tickets: list[DepositTicket]) -> list[DepositTicket]:
    return [ticket for ticket in tickets if not ticket.is_settled]


def _new_deposit(ready: Ready, location: Location | None) -> NewDeposit:
    wish, known = ready.wish, ready.known
    return NewDeposit(
        composed=ready.composed,
        owner_id=wish.actor.on_behalf_of or wish.actor.id,
        mode=known.mode,
        secret=wish.secret,
        sha256=known.sha256,
        size=known.size,
        crc32=known.crc32,
        receipt=ready.receipt,
        location=location,
        targets=ready.targets,
    )
