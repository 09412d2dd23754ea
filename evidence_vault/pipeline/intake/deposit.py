"""Deposit: bytes and event on the disk, then one commit, then the receipt.

    small, in memory    check ─► hash ─► compose, sign ────────────────────┐
    large, as it comes  claim the key ─► hash, write ─► compose, flush ────┴─► commit in a group ─► receipt

A small content and its journal go to a pack with those of the whole group; a large one has files of its own, with
its journal beside it, and holds its idempotency key under a lease while it comes in. The rest is the same for both
and stands in `commit`.

Durable after return: the content, the event, the receipt and the work that follows from them.
A crash before the commit means: nobody was told anything. Of a large content a file in `incoming` is swept; once it
has its name it is an upload without a record, reported and quarantined; its key is free again when its lease ends.
A crash after it means: the depositor asks again with the same key and gets the same receipt.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from types import TracebackType
from typing import Self, assert_never

from evidence_vault.core.canonical import as_object
from evidence_vault.core.events import Subject, first_slot
from evidence_vault.core.names import encode_id
from evidence_vault.errors import IntegrityError, VerificationError
from evidence_vault.pipeline.groups import Tell
from evidence_vault.pipeline.intake.claims import Claim
from evidence_vault.pipeline.intake.commit import DepositTicket, Ready, deposited_before, enqueue, replayed
from evidence_vault.pipeline.intake.deposited import Deposited, Journal, Known
from evidence_vault.pipeline.intake.wishes import Wish, check_wish
from evidence_vault.pipeline.record import Draft, compose_event
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.blobs import BlobWriter, ContentDigest, Sealed
from evidence_vault.store.queries import idempotency
from evidence_vault.store.queries.events import Composed
from evidence_vault.store.segments import encode_blob


def begin_deposit(vault: Vault, wish: Wish) -> "Deposit":
    """Begin a deposit of content; use it in a `with`, `write` chunks as they come, then `commit`.

    Raises ReadOnly, FormatError (names), TooLarge (declared), InProgress (the same key elsewhere),
    Overloaded (too many events wait for the log), StorageFull.
    """
    return Deposit(vault, wish)


def require_acceptable(vault: Vault, wish: Wish) -> None:
    """Raise at once what can be known before the content: ReadOnly, FormatError (names), TooLarge (declared)."""
    vault.gate.require_open()
    check_wish(wish, vault.settings)
    if wish.declared_size is not None:
        ContentDigest(max_bytes=vault.settings.max_upload_bytes).require_room(wish.declared_size)


def submit_content(
    vault: Vault, wish: Wish, content: bytes, *, tell: Tell[Deposited] | None = None
) -> DepositTicket:
    """Hand in a whole content of at most `max_packed_bytes`; waits for nothing. See `Ticket` for the result.

    Raises as `require_acceptable`; VerificationError if it is not what was declared; Overloaded. The ticket
    raises Conflict, InProgress, CredentialEnded, StorageFull, Overloaded, UnavailableError.
    """
    require_acceptable(vault, wish)
    digest = ContentDigest(
        max_bytes=vault.settings.max_upload_bytes, extra_digests=vault.settings.extra_digests
    )
    digest.update(content)
    known = _known_content(digest.sealed(), wish)
    blob = encode_blob(content, digest.crc32)
    return enqueue(vault, _compose(vault, wish, known, blob=blob), tell)


def deposit_content(vault: Vault, wish: Wish, content: bytes) -> Deposited:
    """Deposit a whole small content. Raises as `submit_content` and its ticket."""
    return submit_content(vault, wish, content).result()


def submit_digests(
    vault: Vault,
    wish: Wish,
    *,
    digests: Mapping[str, str],
    size: int | None,
    tell: Tell[Deposited] | None = None,
) -> DepositTicket:
    """Hand in digests of content that stays with its owner: hex by algorithm, `sha256` among them.

    Raises as `submit_content`, and so does its ticket; FormatError for digests that an event can't hold.
    """
    require_acceptable(vault, wish)
    known = Known(mode="hash", digests=dict(digests), size=size, crc32=None)
    return enqueue(vault, _compose(vault, wish, known, blob=b""), tell)


def deposit_digests(vault: Vault, wish: Wish, *, digests: Mapping[str, str], size: int | None) -> Deposited:
    """Deposit digests. Raises as `submit_digests` and its ticket."""
    return submit_digests(vault, wish, digests=digests, size=size).result()


def deposit_stored(
    vault: Vault,
    wish: Wish,
    *,
    item_id: str,
    read_again: Callable[[ContentDigest, Callable[[], None]], Sealed],
    place: Callable[[bytes], None],
    before: Journal | None,
) -> Deposited:
    """Deposit content that lies here whole, as several requests have brought it, under the wish's key.

    read_again digests what the disk gives back, calling its second argument as it goes; place puts content and
    journal under their names. What is placed stays, whatever comes: the same key again finds it. before: the
    journal that lies there already, after a crash before the commit or a restore to before it: then its event and
    its receipt are what is committed, for somebody may have them. Raises as `begin_deposit` and `Deposit.commit`.
    """
    require_acceptable(vault, wish)
    claim = Claim(vault, wish)
    if claim.completed is not None:
        return _required(vault, claim.completed)
    with ExitStack() as undo:
        undo.callback(claim.release)
        content = ContentDigest(
            max_bytes=vault.settings.max_upload_bytes, extra_digests=vault.settings.extra_digests
        )
        known = _known_content(read_again(content, claim.keep), wish)
        if before is not None:
            ready = _ready_again(vault, wish, known, before, holder=claim.holder)
        else:
            ready = _compose(vault, wish, known, blob=None, item_id=item_id, holder=claim.holder)
        place(ready.journal())
        done = enqueue(vault, ready).result()
        undo.pop_all()
    return done


class Deposit:
    """Content on its way in. Leaving the `with` without `commit` leaves nothing behind."""

    def __init__(self, vault: Vault, wish: Wish) -> None:
        """See `begin_deposit`."""
        require_acceptable(vault, wish)
        self._vault, self._wish = vault, wish
        limit, extra = vault.settings.max_upload_bytes, vault.settings.extra_digests
        self._claim = Claim(vault, wish)
        self._finished = False
        self._ticket: DepositTicket | None = None
        self._writer: BlobWriter | None = None
        self._repeated: ContentDigest | None = None
        self._item_id = encode_id("it", vault.random(16))
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
        if self._writer is not None and not (self._ticket is not None and self._ticket.is_unknown):
            self._writer.discard()
        self._claim.release()  # frees the key only if no item is bound to it

    def write(self, data: bytes) -> None:
        """Take the next bytes. Raises TooLarge, StorageFull, and Conflict if the key's lease was lost."""
        if self._writer is not None:
            self._writer.write(data)
        elif self._repeated is not None:
            self._repeated.update(data)
        self._claim.keep()

    def amend(self, wish: Wish) -> None:
        """Say the rest about a deposit whose content came first: all but its key. Raises FormatError."""
        check_wish(wish, self._vault.settings)
        assert wish.idempotency_key == self._wish.idempotency_key
        self._wish = wish

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
        ready = _compose(
            self._vault, self._wish, known, blob=None, item_id=self._item_id, holder=self._claim.holder
        )
        self._writer.place(ready.journal())
        self._ticket = enqueue(self._vault, ready)
        done = self._ticket.result()
        self._finished = True
        return done


def _compose(
    vault: Vault,
    wish: Wish,
    known: Known,
    *,
    blob: bytes | None,
    item_id: str | None = None,
    holder: str | None = None,
) -> Ready:
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
    return Ready(
        wish=wish,
        known=known,
        composed=composed,
        receipt=vault.receipt_signer.sign(composed.event, log_by=log_by),
        log_by=log_by,
        blob=blob,
        binding=_binding(wish, known, item_id),
        targets=tuple(_authorities(vault, wish, known)),
        holder=holder,
    )


def _ready_again(vault: Vault, wish: Wish, known: Known, journal: Journal, *, holder: str) -> Ready:
    """Return the deposit that a journal holds. Raises IntegrityError unless it is of this content."""
    event = journal.receipt.event
    said = Known(
        mode="content",
        digests=as_object(event.fields["digests"]),
        size=known.size if event.fields["size"] == known.size else None,
        crc32=journal.crc32,
    )
    if (said.sha256, said.size, said.crc32) != (known.sha256, known.size, known.crc32):
        raise IntegrityError(event.subject.id, "the content of its journal", known.sha256.hex())
    return Ready(
        wish=wish,
        known=said,
        composed=Composed(event=event, slot=first_slot(event.subject), disclosures=dict(journal.disclosures)),
        receipt=journal.receipt_bytes,
        log_by=journal.receipt.log_by,
        blob=None,
        binding=journal.binding,
        targets=tuple(_authorities(vault, wish, said)),
        holder=holder,
    )


def _binding(wish: Wish, known: Known, item_id: str) -> idempotency.Binding | None:
    if wish.idempotency_key is None:
        return None
    return idempotency.Binding(
        scope=idempotency.Scope(actor_id=wish.actor.id, endpoint=wish.endpoint, key=wish.idempotency_key),
        request_sha256=wish.bound_sha256(mode=known.mode, digests=known.digests, size=known.size),
        item_id=item_id,
    )


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
    binding = _binding(wish, known, before.answer)
    assert binding is not None
    with vault.database.read() as session:
        return replayed(session, binding, before)


def _required(vault: Vault, before: idempotency.Completed) -> Deposited:
    found = find_deposited(vault, before.answer)
    if found is None:
        raise IntegrityError("idempotency key", "the item it names", before.answer)
    return found


def find_deposited(vault: Vault, item_id: str) -> Deposited | None:
    """Return what a deposit that is committed has left, or None if there is no such item."""
    with vault.database.read() as session:
        return deposited_before(session, item_id)


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
