"""The verifier as people meet it: a process that starts, reads one bundle, prints a report and ends.

verify_cold       the bundle of one image, beside `openssl ts -verify` on one of its tokens
verify_cold_ots   the same, beside `ots verify` on a proof that ends in a Bitcoin block
verify_1gib       a bundle of 1 GiB of content, beside SHA-256 of the same bytes by hashlib
…_rss             the most memory the process had resident, beside a Python that does nothing
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.rows import Row
from bench.timing import in_turns, peak_mib, process
from evidence_vault.cli.demonstration import demonstration_token, free_port, serving, wait_until_final
from evidence_vault.cli.deposit import deposit_file, read_local
from evidence_vault.cli.export import fetch_bundle
from evidence_vault.cli.remote import Remote
from evidence_vault.cli.samples import encode_png
from evidence_vault.cli.trust_export import export_policy
from evidence_vault.service.create import create_home

BIN = Path(sys.executable).parent
DEVELOPMENT_PASSED = 5
MIB = 1 << 20

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
    """Yield the rows. short: 16 MiB instead of 1 GiB, and fewer rounds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small, large = folder / "small", folder / "large"
        small.write_bytes(encode_png(256, 256))
        mib = 16 if short else 1024
        _write_random(large, mib=mib)
        small_bundle, large_bundle = _export(folder, [small, large])
        yield from _cold(folder, small_bundle, small, rounds=3 if short else 15)
        yield from _large(folder, large_bundle, large, mib=mib, rounds=1 if short else 5)


def _cold(folder: Path, bundle: Path, content: Path, *, rounds: int) -> Iterator[Row]:
    ours = _verify_line(folder, bundle)
    took = in_turns(
        process(*ours, expected=[DEVELOPMENT_PASSED]),
        process(*_openssl_line(folder, bundle)),
        process(*_ots_line(content), expected=[0, 1]),  # 1: there is no Bitcoin node to ask for the header
        rounds=rounds,
    )
    yield Row(
        name="verify_cold", value=took[0], unit="s", reference="openssl ts -verify", reference_value=took[1]
    )
    yield Row(
        name="verify_cold_ots", value=took[0], unit="s", reference="ots verify", reference_value=took[2]
    )
    yield _memory("verify_cold_rss", ours)


def _large(folder: Path, bundle: Path, content: Path, *, mib: int, rounds: int) -> Iterator[Row]:
    ours = _verify_line(folder, bundle)
    took = in_turns(
        process(*ours, expected=[DEVELOPMENT_PASSED]),
        process(sys.executable, "-c", _HASH, str(content)),
        rounds=rounds,
    )
    yield Row(
        name="verify_1gib",
        value=mib / took[0],
        unit="MiB/s",
        reference="SHA-256 alone (hashlib)",
        reference_value=mib / took[1],
    )
    yield _memory("verify_1gib_rss", ours)


def _memory(name: str, words: Sequence[str]) -> Row:
    return Row(
        name=name,
        value=peak_mib(*words, expected=[DEVELOPMENT_PASSED]),
        unit="MiB",
        reference="python -c pass",
        reference_value=peak_mib(sys.executable, "-c", "pass"),
    )


def _export(folder: Path, contents: Sequence[Path]) -> list[Path]:
    """A bundle of each content, from a development vault, and in trust.toml a policy to judge them by."""
    settings = create_home(folder / "vault", port=free_port()).settings
    remote = Remote(url=settings.base_url, token=demonstration_token(settings))
    bundles = [content.with_suffix(".zip") for content in contents]
    with serving(settings, folder / "serve.log"):
        kept = [
            deposit_file(remote, read_local(content), receipts=folder / "receipts").item_id
            for content in contents
        ]
        wait_until_final(remote, kept)
        for item_id, bundle in zip(kept, bundles, strict=True):
            fetch_bundle(remote, f"/v1/items/{item_id}", bundle)
        policy = export_policy(settings.home, tsa_groups=1, anchors=1, known_blocks=True)
        (folder / "trust.toml").write_text(policy, "utf-8")
    return bundles


def _verify_line(folder: Path, bundle: Path) -> tuple[str, ...]:
    return (str(BIN / "evidence-vault"), "verify", str(bundle), "--trust", str(folder / "trust.toml"))


def _openssl_line(folder: Path, bundle: Path) -> tuple[str, ...]:
    """The line that the bundle's own README.txt gives for its first token, on the unpacked bundle."""
    process("unzip", "-q", str(bundle), "-d", str(folder / "open"))()
    (bag,) = (folder / "open").iterdir()
    lines = (bag / "README.txt").read_text("utf-8").replace("\\\n", " ").splitlines()
    words = next(line.split() for line in lines if line.strip().startswith("openssl ts -verify"))
    return tuple(str(bag / word) if (bag / word).is_file() else word for word in words)


def _ots_line(content: Path) -> tuple[str, ...]:
    process(sys.executable, "-c", _OTS, str(content))()
    return (str(BIN / "ots"), "--no-cache", "--no-bitcoin", "verify", f"{content}.ots")


def _write_random(path: Path, *, mib: int) -> None:
    piece = os.urandom(MIB)
    with path.open("wb") as file:
        for number in range(mib):
            file.write(number.to_bytes(8) + piece[8:])
