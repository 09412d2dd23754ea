"""One request's bytes on their way into a resumable upload: written, flushed, and only then counted.

Durable after `keep`: the offset it returns. A crash before means: the upload stands where it was last counted.
With a checksum the request's bytes are kept all or not at all; without, every 64 MiB counts, and what came of
a request that broke off.
"""

import hashlib
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from sqlalchemy.orm import Session

from anchors.values import replace, value
from evidence_vault.errors import CredentialEnded, TooLarge, VerificationError, WrongOffset
from evidence_vault.identity.actors import find_requesters
from evidence_vault.pipeline.intake.mandates import require_deposit
from evidence_vault.pipeline.intake.uploads import held_row, hold, keep_for
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.partial import PartialFile
from evidence_vault.store.queries import uploads
from evidence_vault.store.upload_models import ResumableUpload

FLUSH_EVERY_BYTES = 64 << 20
"""What a crash in the middle of a long request costs at most, if it has no checksum over the whole."""


@value
class Checksum:
    """What a request's bytes must digest to. algorithm: as hashlib calls it."""

    algorithm: str
    digest: bytes


class Receiving:
    """One request's bytes for an upload. Use it in a `with`; `keep`, `keep_partly` or `forget` ends it."""

    def __init__(
        self,
        vault: Vault,
        row: ResumableUpload,
        *,
        offset: int,
        checksum: Checksum | None,
        token_sha256: bytes | None,
    ) -> None:
        """Take the upload for this request. token_sha256: of its token; bytes count only while it is good.

        Raises ReadOnly, Locked (another request writes), WrongOffset, Gone, Conflict (it is done).
        """
        vault.gate.require_open()
        self._vault, self._checksum, self._token_sha256 = vault, checksum, token_sha256
        self._hash = (
            None if checksum is None else hashlib.new(checksum.algorithm)
        )  # only of what is on its way
        with ExitStack() as undo:
            self._file = undo.enter_context(hold(vault, row))
            self.row = held_row(vault, row, self._file)
            if self.row.received != offset:
                raise WrongOffset("Upload-Offset", self.row.received)
            self._file.go_on(offset)
            undo.pop_all()
        self._durable = self._at = offset

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the upload go."""
        self.close()

    def close(self) -> None:
        """Let the upload go; what was not counted is cut off by the next request."""
        self._file.close()

    @property
    def file(self) -> PartialFile:
        """The file, held."""
        return self._file

    def write(self, data: bytes) -> None:
        """Take the next bytes. Raises TooLarge beyond the announced length, StorageFull."""
        if self._at + len(data) > self.row.size:
            raise TooLarge("Upload-Length", self.row.size)
        if self._hash is not None:
            self._hash.update(data)
        self._file.write(data)
        self._at += len(data)
        if self._checksum is None and self._at - self._durable >= FLUSH_EVERY_BYTES:
            self._count()

    def keep(self) -> int:
        """Make durable what has come, and return the offset: the end of a request, or where its client left.

        Raises VerificationError if it isn't what its checksum says; then nothing of the request is kept.
        """
        if self._checksum is not None and self._hash is not None:
            found = self._hash.digest()
            if found != self._checksum.digest:
                self.forget()
                raise VerificationError("Upload-Checksum", self._checksum.digest, found)
        self._count()
        return self._durable

    def keep_partly(self) -> None:
        """Keep what has come of a request that broke off: nothing, if its checksum was to be over the whole."""
        if self._checksum is None:
            self._count()
        else:
            self.forget()

    def forget(self) -> None:
        """Cut off what this request has brought since the last count."""
        self._file.go_on(self._durable)
        self._at = self._durable

    def _count(self) -> None:
        """Flush, then commit the offset: an offset that was told is never taken back."""
        if self._at == self._durable:
            return
        self._file.flush()
        with self._vault.database.write() as session:
            self._require_permitted(session)
            uploads.advance(
                session,
                self.row.id,
                received_before=self._durable,
                received=self._at,
                token_sha256=self._token_sha256,
                expires_at=self._vault.clock() + keep_for(self._vault),
            )
        self._durable = self._at

    def _require_permitted(self, session: Session) -> None:
        """Raise unless the token is still good for this: a request may take hours, a right may end meanwhile."""
        if self._token_sha256 is None:
            return
        found = find_requesters(session, {self._token_sha256}, now=self._vault.clock())
        requester = found.get(self._token_sha256)
        if requester is None or requester.actor_id != self.row.actor_id:
            raise CredentialEnded
        acting = replace(requester, on_behalf_of=self.row.wish.get("on_behalf_of"))
        require_deposit(self._vault, acting, session)
