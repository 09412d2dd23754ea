"""Deposit: bytes and event on the disk, then one commit, then the receipt.

    (1) claim the idempotency key      a transaction of its own, only if there is a key
    (2) stream the content             hashed and written as it comes, refused as soon as it is too much
    (3) flush content and journal      under their final names: bytes and event survive a power cut
    (4) commit                         event, item, jobs, idempotency result: one transaction
    (5) return the receipt

Durable after return: the content, the event, the receipt and the work that follows from them.
A crash before the commit means: nobody was told anything. After (2) a file in `incoming` is swept; after (3)
an upload without a record is reported and quarantined. The key is free again when its lease ends.
A crash after it means: the depositor asks again with the same key and gets the same receipt.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from types import TracebackType
from typing import Self, assert_never

from anchors.values import value
from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_id
from evidence_vault.errors import Conflict, IntegrityError, VerificationError
from evidence_vault.pipeline.claims import Claim
from evidence_vault.pipeline.deposited import Deposited, Known, encode_journal
from evidence_vault.pipeline.record import Composed, Draft, compose_event, insert_composed
from evidence_vault.pipeline.vault import Vault
from evidence_vault.pipeline.wishes import Wish
from evidence_vault.store.blobs import BlobWriter, ContentDigest, Sealed
from evidence_vault.store.queries import idempotency, items, jobs


def begin_deposit(vault: Vault, wish: Wish) -> "Deposit":
    """Begin a deposit of content; use it in a `with`, `write` chunks as they come, then `commit`.

    Raises ReadOnly, FormatError (names), TooLarge (declared), InProgress (the same key elsewhere),
    UnavailableError (too many events wait for the log), StorageFull.
    """
    return Deposit(vault, wish)


def deposit_digests(vault: Vault, wish: Wish, *, digests: Mapping[str, str], size: int | None) -> Deposited:
    """Deposit digests of content that stays with its owner: hex by algorithm, `sha256` among them.

    Raises as `begin_deposit` and `Deposit.commit`; FormatError for digests that an event can't hold.
    """
    claim, outcome = Claim(vault, wish), _Outcome()
    with ExitStack() as undo:
        undo.callback(claim.release)
        ready = _compose(vault, wish, Known(mode="hash", digests=dict(digests), size=size, crc32=None))
        if claim.completed is not None:
            return _replayed(vault, wish, ready.known, claim.completed)
        vault.blobs.place_journal(ready.item_id, ready.journal())
        undo.callback(lambda: None if outcome.unknown else vault.blobs.remove(ready.item_id))
        _commit(vault, wish, ready, claim, outcome)
        undo.pop_all()
    return ready.deposited()


def deposit_stored(
    vault: Vault,
    wish: Wish,
    *,
    item_id: str,
    read_again: Callable[[ContentDigest, Callable[[], None]], Sealed],
    place: Callable[[bytes], None],
) -> Deposited:
    """Deposit content that lies here whole, as several requests have brought it, under the wish's key.

    read_again digests what the disk gives back, calling its second argument as it goes; place puts content and
    journal under their names. What is placed stays, whatever comes: the same key again finds it. Raises as
    `begin_deposit` and `Deposit.commit`.
    """
    claim, outcome = Claim(vault, wish), _Outcome()
    if claim.completed is not None:
        return _required(vault, claim.completed)
    with ExitStack() as undo:
        undo.callback(claim.release)
        content = ContentDigest(
            max_bytes=vault.settings.max_upload_bytes, extra_digests=vault.settings.extra_digests
        )
        known = _known_content(read_again(content, claim.keep), wish)
        ready = _compose(vault, wish, known, item_id=item_id)
        place(ready.journal())
        _commit(vault, wish, ready, claim, outcome)
        undo.pop_all()
    return ready.deposited()


class Deposit:
    """Content on its way in. Leaving the `with` without `commit` leaves nothing behind."""

    def __init__(self, vault: Vault, wish: Wish) -> None:
        """See `begin_deposit`."""
        self._vault, self._wish = vault, wish
        limit = vault.settings.max_upload_bytes
        if wish.declared_size is not None and wish.declared_size > limit:
            ContentDigest(max_bytes=limit).require_room(wish.declared_size)
        self._claim = Claim(vault, wish)
        self._finished = False
        self._outcome = _Outcome()
        self._writer: BlobWriter | None = None
        self._repeated: ContentDigest | None = None
        self._item_id = encode_id("it", vault.random(16))
        extra = vault.settings.extra_digests
        if self._claim.completed is not None:  # done before: only see whether the bytes are the same
            self._repeated = ContentDigest(max_bytes=limit, extra_digests=extra)
            return
        with ExitStack() as undo:
            undo.callback(self._claim.release)
            self._writer = vault.blobs.create(self._item_id, max_bytes=limit, extra_digests=extra)
            undo.pop_all()

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove everything and free the key, unless it was committed; bytes that may be known stay."""
        if self._finished:
            return
        if self._writer is not None and not self._outcome.unknown:
            self._writer.discard()
        self._claim.release()  # frees the key only if no item is bound to it

    def write(self, data: bytes) -> None:
        """Take the next bytes. Raises TooLarge, StorageFull, and Conflict if the key's lease was lost."""
        if self._writer is not None:
            self._writer.write(data)
        elif self._repeated is not None:
            self._repeated.update(data)
        self._claim.keep()

    def commit(self) -> Deposited:
        """End the content and commit; return the receipt of this deposit, or of the same one before.

        Raises VerificationError if the content is not what was declared, and Conflict if the key was used
        for another deposit. Whatever it raises, the depositor may try again with the same key.
        """
        if self._repeated is not None and self._claim.completed is not None:
            known = _known_content(self._repeated.sealed(), self._wish)
            return _replayed(self._vault, self._wish, known, self._claim.completed)
        assert self._writer is not None
        known = _known_content(self._writer.seal(), self._wish)
        ready = _compose(self._vault, self._wish, known, item_id=self._item_id)
        self._writer.place(ready.journal())
        _commit(self._vault, self._wish, ready, self._claim, self._outcome)
        self._finished = True
        return ready.deposited()


@value
class _Ready:
    """All that goes to the disk before the commit: ITEM_RECEIVED and its signed receipt."""

    item_id: str
    known: Known
    composed: Composed
    receipt: bytes

    def journal(self) -> bytes:
        """Return the journal of this deposit."""
        return encode_journal(self.receipt, self.composed, crc32=self.known.crc32)

    def deposited(self) -> Deposited:
        """Return the result once this is committed."""
        return Deposited(
            item_id=self.item_id,
            receipt=self.receipt,
            sha256=self.known.sha256,
            size=self.known.size,
            replayed=False,
        )


class _Outcome:
    """Whether COMMIT was reached: from then on only the database knows, and nothing may be removed."""

    unknown = False


def _commit(vault: Vault, wish: Wish, ready: _Ready, claim: Claim, outcome: _Outcome) -> None:
    """(4) Everything that makes the deposit real, in one transaction."""
    vault.gate.require_open()  # it may have been shut while the content came in
    known, composed = ready.known, ready.composed
    with vault.database.write() as session:
        recorded = insert_composed(session, composed)
        items.insert_item(
            session,
            item_id=ready.item_id,
            owner_id=wish.actor.on_behalf_of or wish.actor.id,
            event_id=recorded.event_id,
            mode=known.mode,
            secret=wish.secret,
            sha256=known.sha256,
            size=known.size,
            crc32=known.crc32,
            receipt=ready.receipt,
            at=composed.event.at,
        )
        jobs.add_jobs(
            session,
            "timestamp",
            composed.event.subject,
            _authorities(vault, wish, known),
            at=composed.event.at,
        )
        bound = wish.bound_sha256(mode=known.mode, digests=known.digests, size=known.size)
        claim.complete(session, bound_sha256=bound, item_id=ready.item_id)
        outcome.unknown = True  # an error from here on is the commit's own: it may have happened


def _compose(vault: Vault, wish: Wish, known: Known, *, item_id: str | None = None) -> _Ready:
    """Compose ITEM_RECEIVED and sign its receipt."""
    item_id = item_id or encode_id("it", vault.random(16))
    composed = compose_event(
        vault,
        Draft(
            subject=Subject(kind="item", id=item_id),
            type="ITEM_RECEIVED",
            actor=wish.actor,
            fields={
                "mode": known.mode,
                "digests": known.digests,
                "size": known.size,
                "secret": wish.secret,
            },
            disclosures=wish.disclosures(),
        ),
    )
    log_by = composed.event.at + timedelta(seconds=vault.settings.max_merge_delay_s)
    receipt = vault.receipt_signer.sign(composed.event, log_by=log_by)
    return _Ready(item_id=item_id, known=known, composed=composed, receipt=receipt)


def _known_content(sealed: Sealed, wish: Wish) -> Known:
    """Return what the content is. Raises VerificationError if the depositor declared otherwise."""
    if wish.declared_size is not None and wish.declared_size != sealed.size:
        raise VerificationError("declared size", wish.declared_size, sealed.size)
    if wish.declared_sha256 is not None and wish.declared_sha256 != sealed.sha256:
        raise VerificationError("declared digest", wish.declared_sha256, sealed.sha256)
    return Known(
        mode="content",
        digests={name: digest.hex() for name, digest in sealed.digests.items()},
        size=sealed.size,
        crc32=sealed.crc32,
    )


def _replayed(vault: Vault, wish: Wish, known: Known, before: idempotency.Completed) -> Deposited:
    """Return the receipt of the same deposit before. Raises Conflict if it was another."""
    if wish.bound_sha256(mode=known.mode, digests=known.digests, size=known.size) != before.request_sha256:
        raise Conflict("idempotency key", "it was used for other content or metadata")
    return _required(vault, before)


def _required(vault: Vault, before: idempotency.Completed) -> Deposited:
    found = find_deposited(vault, before.item_id)
    if found is None:
        raise IntegrityError("idempotency key", "the item it names", before.item_id)
    return found


def find_deposited(vault: Vault, item_id: str) -> Deposited | None:
    """Return what a deposit that is committed has left, or None if there is no such item."""
    with vault.database.read() as session:
        item = items.get_item(session, item_id)
    if item is None or item.sha256 is None:
        return None
    return Deposited(item_id=item.id, receipt=item.receipt, sha256=item.sha256, size=item.size, replayed=True)


def _authorities(vault: Vault, wish: Wish, known: Known) -> list[str]:
    """Return who shall stamp the content's digest; nobody outside learns a secret's."""
    match known.mode:
        case "content":
            pass
        case "hash":
            if wish.secret:
                return []
        case _:
            assert_never(known.mode)
    return [authority.name for authority in vault.settings.authorities if authority.stamps_items]
