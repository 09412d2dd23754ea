"""A gigabyte over HTTP, hashed and durable, beside three programs that do the same without HTTP.

upload_1gib       one request with the file as its body
upload_1gib_tus   the same by `deposit`'s own way: pieces of 32 MiB, each with its checksum, hashed again at the end
upload_1gib_rss   the most memory that a process of the server had resident in all of it, beside what it had before
upload_1gib_together   the same of all its processes together, what they share counted once

The floor is `openssl dgst -sha256`, `cp` and `sync` in turn, on the same file in the same minute. It reads pages
that are in memory, as the client does. The server does its three at once, so it may be faster.
"""

import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.rows import Row
from bench.served import ServedVault, served_vault
from bench.timing import in_turns, process, resident_mib, together_mib
from evidence_vault.cli.remote import Remote
from evidence_vault.cli.resumable import Patience, send_resumable

MIB = 1 << 20
ANSWER_BYTES = 1 << 16


def measure(*, short: bool) -> Iterator[Row]:
    """Yield the rows. short: 16 MiB instead of 1 GiB, and one round."""
    mib, rounds = (16, 1) if short else (1024, 5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        content, copy = folder / "content", folder / "copy"
        _write_random(content, mib=mib)
        digest, cp, sync = (
            process("openssl", "dgst", "-sha256", str(content)),
            process("cp", str(content), str(copy)),
            process("sync", str(copy)),
        )
        with served_vault(folder / "vault") as vault:
            _post(vault, _small(folder))  # what a first deposit loads is not of the upload
            idle, idle_together = resident_mib(vault.pid), together_mib(vault.pid)

            def floor() -> None:
                for step in (digest, cp, sync):
                    step()

            def tidy() -> None:
                copy.unlink(missing_ok=True)

            raw, pieces, three, _ = in_turns(
                lambda: _post(vault, content),
                lambda: _send_in_pieces(vault, content),
                floor,
                tidy,
                rounds=rounds,
            )
            peak, peak_together = resident_mib(vault.pid), together_mib(vault.pid)
    for row, took in (("upload_1gib", raw), ("upload_1gib_tus", pieces)):
        yield Row(
            name=row,
            value=mib / took,
            unit="MiB/s",
            reference="openssl dgst + cp + sync",
            reference_value=mib / three,
        )
    for row, most, before in (
        ("upload_1gib_rss", peak, idle),
        ("upload_1gib_together", peak_together, idle_together),
    ):
        yield Row(name=row, value=most, unit="MiB", reference="the same server, idle", reference_value=before)


def _post(vault: ServedVault, content: Path) -> None:
    """Deposit a file as one body. The client costs next to nothing: the system sends the file by itself."""
    head = (
        f"POST /v1/items HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {vault.token}\r\n"
        f"Content-Length: {content.stat().st_size}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", vault.port)) as connection, content.open("rb") as file:
        connection.sendall(head.encode("ascii"))
        connection.sendfile(file)
        _require(connection.recv(ANSWER_BYTES).startswith(b"HTTP/1.1 201 "))


def _send_in_pieces(vault: ServedVault, content: Path) -> None:
    """Deposit a file as `deposit` sends a large one, its own reading of the digest beforehand left out."""
    answer = send_resumable(
        Remote(url=f"http://127.0.0.1:{vault.port}", token=vault.token),
        content,
        size=content.stat().st_size,
        metadata={"filename": content.name},
        upload=None,
        began=lambda _upload: None,
        progress=lambda _sent: None,
        patience=Patience(60.0),
    )
    _require(answer.json()["deposited"] is not None)


def _require(is_deposited: bool) -> None:
    if not is_deposited:
        raise RuntimeError("the vault did not take the upload")


def _small(folder: Path) -> Path:
    path = folder / "small"
    path.write_bytes(secrets.token_bytes(2 * MIB))
    return path


def _write_random(path: Path, *, mib: int) -> None:
    piece = os.urandom(MIB)
    with path.open("wb") as file:
        for number in range(mib):
            file.write(number.to_bytes(8) + piece[8:])
