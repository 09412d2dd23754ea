"""The verifier as people meet it: a process that starts, reads one bundle, prints a report and ends.

verify_cold       the demonstration's bundle, beside `openssl ts -verify` on one of its tokens
verify_cold_ots   the same, beside `ots verify` on a proof that ends in a Bitcoin block
verify_1gib       a bundle of 1 GiB of content, beside SHA-256 of the same bytes by hashlib
…_rss             the most memory the process had resident, beside a Python that does nothing
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.rows import Row
from bench.timing import in_turns, peak_mib, process
from evidence_vault.cli.demonstration import demonstration_token, free_port, serving, wait_until_final
from evidence_vault.cli.deposit import deposit_file, read_local
from evidence_vault.cli.export import fetch_bundle
from evidence_vault.cli.remote import Remote
from evidence_vault.cli.trust import export_policy
from evidence_vault.service.create import create_home

BIN = Path(sys.executable).parent
DEVELOPMENT_PASSED = 5
GIB = 1 << 30

_HASH = """\
import hashlib, sys
with open(sys.argv[1], "rb", buffering=0) as file:
    print(hashlib.file_digest(file, "sha256").hexdigest())
"""

_OTS = """\
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation
from opentimestamps.core.op import OpAppend, OpSHA256
from opentimestamps.core.serialize import StreamSerializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile
import sys
with open(sys.argv[1], "rb") as content:
    proof = DetachedTimestampFile.from_fd(OpSHA256(), content)
step = proof.timestamp
for sibling in range(20):
    step = step.ops.add(OpAppend(bytes([sibling]) * 32)).ops.add(OpSHA256())
step.attestations.add(BitcoinBlockHeaderAttestation(900_000))
with open(sys.argv[1] + ".ots", "wb") as file:
    proof.serialize(StreamSerializationContext(file))
"""
"""Writes the proof that a calendar would give back: twenty steps to a block header."""


def measure(*, short: bool) -> Iterator[Row]:
    """Yield the rows. short: 16 MiB instead of 1 GiB, and three rounds."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _cold(Path(folder), rounds=3 if short else 15)
    with tempfile.TemporaryDirectory() as folder:
        yield from _large(Path(folder), size=16 << 20 if short else GIB, rounds=1 if short else 5)


def _cold(folder: Path, *, rounds: int) -> Iterator[Row]:
    process(str(BIN / "evidence-vault"), "demo", str(folder / "demo"))()
    bundle, policy = folder / "demo" / "bundle.zip", folder / "demo" / "trust.toml"
    ours = (str(BIN / "evidence-vault"), "verify", str(bundle), "--trust", str(policy))
    took = in_turns(
        process(*ours, expected=[DEVELOPMENT_PASSED]),
        process(*_openssl_line(bundle, folder)),
        process(*_ots_line(folder), expected=[0, 1]),  # 1: there is no Bitcoin node to ask for the header
        rounds=rounds,
    )
    yield Row(
        name="verify_cold", value=took[0], unit="s", reference="openssl ts -verify", reference_value=took[1]
    )
    yield Row(
        name="verify_cold_ots", value=took[0], unit="s", reference="ots verify", reference_value=took[2]
    )
    yield Row(
        name="verify_cold_rss",
        value=peak_mib(*ours, expected=[DEVELOPMENT_PASSED]),
        unit="MiB",
        reference="python -c pass",
        reference_value=peak_mib(sys.executable, "-c", "pass"),
    )


def _openssl_line(bundle: Path, folder: Path) -> tuple[str, ...]:
    """The line that the bundle's own README.txt gives for its first token, on the unpacked bundle."""
    process("unzip", "-q", str(bundle), "-d", str(folder / "open"))()
    (bag,) = (folder / "open").iterdir()
    lines = (bag / "README.txt").read_text("utf-8").replace("\\\n", " ").splitlines()
    words = next(line.split() for line in lines if line.strip().startswith("openssl ts -verify"))
    return tuple(str(bag / word) if (bag / word).is_file() else word for word in words)


def _ots_line(folder: Path) -> tuple[str, ...]:
    content = folder / "content"
    content.write_bytes(b"evidence")
    process(sys.executable, "-c", _OTS, str(content))()
    return (str(BIN / "ots"), "--no-cache", "--no-bitcoin", "verify", f"{content}.ots")


def _large(folder: Path, *, size: int, rounds: int) -> Iterator[Row]:
    content = folder / "content"
    _write_random(content, size)
    bundle, policy = _export(content, folder)
    ours = (str(BIN / "evidence-vault"), "verify", str(bundle), "--trust", str(policy))
    took = in_turns(
        process(*ours, expected=[DEVELOPMENT_PASSED]),
        process(sys.executable, "-c", _HASH, str(content)),
        rounds=rounds,
    )
    mib = size / (1 << 20)
    yield Row(
        name="verify_1gib",
        value=mib / took[0],
        unit="MiB/s",
        reference="SHA-256 alone (hashlib)",
        reference_value=mib / took[1],
    )
    yield Row(
        name="verify_1gib_rss",
        value=peak_mib(*ours, expected=[DEVELOPMENT_PASSED]),
        unit="MiB",
        reference="python -c pass",
        reference_value=peak_mib(sys.executable, "-c", "pass"),
    )


def _export(content: Path, folder: Path) -> tuple[Path, Path]:
    """A bundle of one item and a policy to judge it by, from a development vault of its own."""
    bundle, policy = folder / "bundle.zip", folder / "trust.toml"
    settings = create_home(folder / "vault", port=free_port()).settings
    remote = Remote(url=settings.base_url, token=demonstration_token(settings))
    with serving(settings, folder / "serve.log"):
        kept = deposit_file(remote, read_local(content), receipts=folder / "receipts")
        wait_until_final(remote, [kept.item_id])
        fetch_bundle(remote, kept.item_id, bundle)
        policy.write_text(export_policy(settings.home, tsa_groups=1, anchors=1, known_blocks=True), "utf-8")
    return bundle, policy


def _write_random(path: Path, size: int) -> None:
    piece = os.urandom(1 << 20)
    with path.open("wb") as file:
        for number in range(size >> 20):
            file.write(number.to_bytes(8) + piece[8:])
