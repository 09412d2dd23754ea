"""Send a large file in pieces over tus 1.0, each with its checksum, going on after whatever breaks in between."""

import base64
import hashlib
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from evidence_vault.cli.remote import Answer, Remote
from evidence_vault.errors import Conflict, UnavailableError

PIECE_BYTES = 32 << 20
"""What a broken connection costs at most, and what is in memory."""

T = TypeVar("T")
_TUS = {"Tus-Resumable": "1.0.0"}
_PIECE = {**_TUS, "Content-Type": "application/offset+octet-stream"}


class Patience:
    """How long a vault that doesn't answer is asked again: so many seconds without any progress."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.progress()

    def progress(self) -> None:
        """Something went through: begin to count anew."""
        self._since, self._pause_s = time.monotonic(), 0.25

    def wait(self, error: UnavailableError) -> None:
        """Pause before the next try, or raise the error when it has been long enough."""
        pause_s = max(self._pause_s, min(error.retry_after_s or 0.0, 30.0))
        if time.monotonic() + pause_s - self._since > self._seconds:
            raise error
        time.sleep(pause_s)
        self._pause_s = min(2 * self._pause_s, 10.0)


def send_resumable(
    remote: Remote,
    path: Path,
    *,
    size: int,
    metadata: dict[str, str],
    upload: str | None,
    began: Callable[[str], None],
    progress: Callable[[int], None],
    patience: Patience,
) -> Answer:
    """Send the file and return the vault's last word, with the receipt.

    upload: of an earlier run, to go on with; began is told a new one before its first byte leaves. Raises
    FormatError if the bytes are not what the metadata announces, UnavailableError when patience ends.
    """
    offset = None if upload is None else _ask(partial(_offset, remote, upload), patience)
    if upload is None or offset is None:
        upload, offset = _ask(lambda: _create(remote, size, metadata), patience), 0
        began(upload)
    with path.open("rb") as file:
        while offset < size:
            progress(offset)
            file.seek(offset)
            piece = file.read(PIECE_BYTES)
            try:
                offset = _send(remote, upload, piece, offset)
                patience.progress()
            except (Conflict, UnavailableError) as error:
                patience.wait(
                    error if isinstance(error, UnavailableError) else UnavailableError("vault", str(error))
                )
                found = _ask(partial(_offset, remote, upload), patience)
                if found is None:
                    raise Conflict("upload", "it has ended; the same command begins a new one") from None
                offset = found
    progress(size)
    return _ask(partial(remote.get, upload), patience)


def _create(remote: Remote, size: int, metadata: dict[str, str]) -> str:
    pairs = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in metadata.items())
    answer = remote.post(
        "/v1/uploads", headers={**_TUS, "Upload-Length": str(size), "Upload-Metadata": pairs}
    )
    return "/v1/uploads/" + answer.headers.get("location", "").rpartition("/")[2]


def _offset(remote: Remote, upload: str) -> int | None:
    """Return where the upload stands; None if there is none any more."""
    answer = remote.head(upload, headers=_TUS)
    return None if answer is None else int(answer.headers["upload-offset"])


def _send(remote: Remote, upload: str, piece: bytes, offset: int) -> int:
    checksum = base64.b64encode(hashlib.sha256(piece).digest()).decode()
    headers = {**_PIECE, "Upload-Offset": str(offset), "Upload-Checksum": f"sha256 {checksum}"}
    return int(remote.patch(upload, piece, headers=headers).headers["upload-offset"])


def _ask(question: Callable[[], T], patience: Patience) -> T:
    while True:
        try:
            return question()
        except UnavailableError as error:
            patience.wait(error)
