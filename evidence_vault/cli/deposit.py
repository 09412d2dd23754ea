"""`evidence-vault deposit FILE…`: the digest is computed here and shown before anything is sent.

The receipt is kept beside the file (or in `--receipts DIR`): it is the vault's signed promise, and the
depositor's proof if the vault breaks it.
"""

import argparse
import hashlib
import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from anchors.values import value
from evidence_vault.api.fields import (
    HASH_MEDIA_TYPE,
    encode_content_disposition,
    encode_ext_value,
    encode_repr_digest,
)
from evidence_vault.cli.meter import Meter
from evidence_vault.cli.remote import Answer, Remote, add_remote_arguments, remote_from
from evidence_vault.cli.shown import shown
from evidence_vault.core.canonical import encode_canonical
from evidence_vault.core.receipt import Receipt, parse_receipt
from evidence_vault.errors import FormatError, VerificationError

CHUNK_BYTES = 1 << 20


@value
class LocalFile:
    """A file as it is here."""

    path: Path
    size: int
    sha256: bytes


@value
class Kept:
    """A deposit that the vault has acknowledged, and where its receipt is."""

    item_id: str
    receipt: Receipt
    receipt_file: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what to deposit")
    parser.add_argument(
        "--hash-only", action="store_true", help="send the digest and the size, not the content"
    )
    parser.add_argument("--secret", action="store_true", help="a trade secret: kept as such")
    parser.add_argument("--note", help="a note to keep with the item; a personal value, erasable")
    parser.add_argument(
        "--receipts", type=Path, metavar="DIR", help="where receipts go (default: beside the file)"
    )
    add_remote_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Deposit each file in turn."""
    remote = remote_from(args)
    for path in args.files:
        local = read_local(path)
        print(f"{shown(str(path))}")
        print(f"  sha256   {local.sha256.hex()}  (computed here, {local.size} bytes)")
        kept = deposit_file(
            remote,
            local,
            hash_only=args.hash_only,
            secret=args.secret,
            note=args.note,
            receipts=args.receipts or path.absolute().parent,
        )
        print(f"  item     {kept.item_id}")
        print("  digests  agree: the vault has the same, and so has its signed receipt")
        print(f"  receipt  {shown(str(kept.receipt_file))}")
        print(
            f"  promise  in the log by {kept.receipt.log_by:%Y-%m-%d %H:%M:%S} UTC; nothing to do until then"
        )
    return 0


def read_local(path: Path) -> LocalFile:
    """Read a file once and return what it is."""
    digest, size = hashlib.sha256(), 0
    total = path.stat().st_size
    meter = Meter("reading", total)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            meter(size)
    return LocalFile(path=path, size=size, sha256=digest.digest())


def deposit_file(
    remote: Remote,
    local: LocalFile,
    *,
    hash_only: bool = False,
    secret: bool = False,
    note: str | None = None,
    receipts: Path,
) -> Kept:
    """Send the file, or only its digest, and keep the receipt.

    Raises FormatError, Conflict and UnavailableError as the vault tells them, VerificationError if its receipt
    is about something else.
    """
    for place, text in (("file name", local.path.name), ("note", note or "")):
        if text != text.encode("utf-8", "replace").decode("utf-8"):  # bytes of the shell that are no text
            raise FormatError(place, "text in UTF-8", text)
    headers = {
        "Content-Disposition": encode_content_disposition(local.path.name),
        "Idempotency-Key": secrets.token_hex(16),
        **({} if note is None else {"Evidence-Note": encode_ext_value(note)}),
    }
    if hash_only:
        answer = _send_digest(remote, local, headers, secret=secret)
    else:
        answer = _send_content(remote, local, headers, secret=secret)
    return _keep_receipt(answer, local, receipts)


def _send_digest(remote: Remote, local: LocalFile, headers: Mapping[str, str], *, secret: bool) -> Answer:
    body = {"digests": {"sha256": local.sha256.hex()}, "size": local.size, "secret": secret}
    return remote.post(
        "/v1/items", json.dumps(body).encode(), headers={**headers, "Content-Type": HASH_MEDIA_TYPE}
    )


def _send_content(remote: Remote, local: LocalFile, headers: Mapping[str, str], *, secret: bool) -> Answer:
    with local.path.open("rb") as file:
        return remote.upload(
            "/v1/items",
            file,
            size=local.size,
            headers={
                **headers,
                "Content-Type": "application/octet-stream",
                "Repr-Digest": encode_repr_digest(local.sha256),
                "Evidence-Secret": "?1" if secret else "?0",
            },
            progress=Meter("sending", local.size),
        )


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
    receipts.mkdir(parents=True, exist_ok=True)
    file = receipts / f"{local.path.name}.{item_id}.receipt.json"
    file.write_bytes(raw)
    return Kept(item_id=item_id, receipt=receipt, receipt_file=file)
