"""Send one file: small ones in one request, large ones in pieces; the receipt must be about what was sent.

Every way may be repeated: a request carries an idempotency key, an upload is asked where it stands.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from anchors.values import value
from evidence_vault.api.fields import (
    HASH_MEDIA_TYPE,
    encode_content_disposition,
    encode_ext_value,
    encode_repr_digest,
)
from evidence_vault.cli.meter import Meter
from evidence_vault.cli.remote import Answer, Remote
from evidence_vault.cli.resumable import Patience, send_resumable
from evidence_vault.core.canonical import encode_canonical
from evidence_vault.core.receipt import Receipt, parse_receipt
from evidence_vault.durable import flush_folder, make_folder, write_flushed
from evidence_vault.errors import FormatError, UnavailableError, VerificationError

CHUNK_BYTES = 1 << 20
LARGE_BYTES = 64 << 20
"""From here on a file goes in pieces: below, sending it again costs a second."""

PATIENCE_S = 120.0

MAX_NAME_BYTES = 255
"""Of a file's name, in the file systems that people have."""


@value
class LocalFile:
    """A file as it is here. content: its bytes, where they are few."""

    path: Path
    size: int
    mtime_ns: int
    sha256: bytes
    content: bytes | None


@value
class Kept:
    """A deposit that the vault has acknowledged, and where its receipt is."""

    item_id: str
    receipt: Receipt
    receipt_file: Path


@value
class Way:
    """How a file is to be sent. key: its idempotency key; upload, began: of a large file, to go on with."""

    key: str
    hash_only: bool = False
    secret: bool = False
    note: str | None = None
    upload: str | None = None
    began: Callable[[str], None] = lambda _upload: None
    patience_s: float = PATIENCE_S
    quiet: bool = False


def read_local(path: Path, *, quiet: bool = False) -> LocalFile:
    """Read a file once and return what it is."""
    digest, size, kept = hashlib.sha256(), 0, b""
    with path.open("rb") as file:
        status = path.stat()
        meter = Meter("reading", status.st_size, quiet=quiet)
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            kept = chunk if size == 0 else b""
            size += len(chunk)
            meter(size)
    return LocalFile(
        path=path,
        size=size,
        mtime_ns=status.st_mtime_ns,
        sha256=digest.digest(),
        content=kept if size <= CHUNK_BYTES else None,
    )


def deposit_file(remote: Remote, local: LocalFile, way: Way | None = None, *, receipts: Path) -> Kept:
    """Send the file, or only its digest, and keep the receipt in the folder `receipts`.

    Raises FormatError, Conflict and UnavailableError as the vault tells them, VerificationError if its receipt
    is about something else.
    """
    way = way or Way(key=secrets.token_hex(16))
    for place, text in (("file name", local.path.name), ("note", way.note or "")):
        if text != text.encode("utf-8", "replace").decode("utf-8"):  # bytes of the shell that are no text
            raise FormatError(place, "text in UTF-8", text)
    patience = Patience(way.patience_s)
    if not way.hash_only and local.size >= LARGE_BYTES:
        return _keep_receipt(_send_large(remote, local, way, patience), local, receipts)
    while True:
        try:
            answer = _send_digest(remote, local, way) if way.hash_only else _send_content(remote, local, way)
        except UnavailableError as error:
            patience.wait(error)
        else:
            return _keep_receipt(answer, local, receipts)


def receipt_name(file_name: str, item_id: str) -> str:
    """Return how the receipt of a file is called: after both, or after the item alone if that is too long."""
    name = f"{file_name}.{item_id}.receipt.json"
    return name if len(os.fsencode(name)) <= MAX_NAME_BYTES else f"{item_id}.receipt.json"


def _fields(local: LocalFile, way: Way) -> dict[str, str]:
    return {
        "Content-Disposition": encode_content_disposition(local.path.name),
        "Idempotency-Key": way.key,
        **({} if way.note is None else {"Evidence-Note": encode_ext_value(way.note)}),
    }


def _send_digest(remote: Remote, local: LocalFile, way: Way) -> Answer:
    body = {"digests": {"sha256": local.sha256.hex()}, "size": local.size, "secret": way.secret}
    headers = {**_fields(local, way), "Content-Type": HASH_MEDIA_TYPE}
    return remote.repeatable("/v1/items", json.dumps(body).encode(), headers=headers)


def _send_content(remote: Remote, local: LocalFile, way: Way) -> Answer:
    headers = {
        **_fields(local, way),
        "Content-Type": "application/octet-stream",
        "Repr-Digest": encode_repr_digest(local.sha256),
        "Evidence-Secret": "?1" if way.secret else "?0",
    }
    if local.content is not None:
        return remote.repeatable("/v1/items", local.content, headers=headers)
    with local.path.open("rb") as file:
        meter = Meter("sending", local.size, quiet=way.quiet)
        return remote.upload("/v1/items", file, size=local.size, headers=headers, progress=meter)


def _send_large(remote: Remote, local: LocalFile, way: Way, patience: Patience) -> Answer:
    metadata: Mapping[str, str | None] = {
        "filename": local.path.name,
        "filetype": "application/octet-stream",
        "note": way.note,
        "secret": "true" if way.secret else None,
        "sha256": local.sha256.hex(),
    }
    answer = send_resumable(
        remote,
        local.path,
        size=local.size,
        metadata={key: text for key, text in metadata.items() if text is not None},
        upload=way.upload,
        began=way.began,
        progress=Meter("sending", local.size, quiet=way.quiet),
        patience=patience,
    )
    deposited = answer.json().get("deposited")
    return Answer(status=200, headers={}, body=json.dumps(deposited).encode())


def _keep_receipt(answer: Answer, local: LocalFile, receipts: Path) -> Kept:
    document = answer.json()
    try:
        raw = encode_canonical(document["receipt"])
    except (KeyError, TypeError):
        raise FormatError("the vault's answer", "a receipt", None) from None
    receipt = parse_receipt(raw)
    digests = receipt.event.fields["digests"]
    if digests != {**(digests if isinstance(digests, dict) else {}), "sha256": local.sha256.hex()}:
        raise VerificationError("the receipt's sha256", local.sha256, digests)
    item_id = receipt.event.subject.id
    make_folder(receipts)
    file = receipts / receipt_name(local.path.name, item_id)
    write_flushed(file, raw)
    flush_folder(receipts)  # durable before a journal says that it is done, for then nobody asks for it again
    return Kept(item_id=item_id, receipt=receipt, receipt_file=file)
