"""Proofs and the tree: each measured in a process of its own, so that its memory is its own.

    rebuild_1m            all tiles of a million leaves, from their entries to files, beside pymerkle in memory
    proof_1m, _p95        one proof, inclusion or consistency, from tiles in files, beside pymerkle in memory
    proof_10m, _p95       the same at ten million leaves, beside a million: it must not grow
    …_rss                 the most memory of that process, beside its peer's

python -m bench.proofs TASK FOLDER LEAVES: what such a process runs; it prints its figures as JSON.
"""

import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.rows import Row
from bench.timing import percentile, resident_mib
from evidence_vault.core.merkle import leaf_hash, prove_consistency, prove_inclusion
from evidence_vault.core.tiles import Tile, TileNodeReader, build_tiles

PROOFS = 1_000
PEER_PROOFS = 500
BATCH = 1 << 16
"""Leaves whose tiles are made at once: a whole number of tiles, and little memory."""

PEER = "pymerkle, in memory"

Figures = Mapping[str, float]


def measure(*, short: bool) -> Iterator[Row]:
    """Yield the rows. short: 20,000 leaves instead of a million, 200,000 instead of ten."""
    million = 20_000 if short else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rebuilt, peer = _task("rebuild", folder / "1m", million), _task("pymerkle", folder, million)
        yield _row("rebuild_1m", "s", rebuilt["build_s"], PEER, peer["build_s"])
        yield _row("rebuild_1m_rss", "MiB", rebuilt["rss_mib"], PEER, peer["rss_mib"])
        small = _task("prove", folder / "1m", million)
        yield _row("proof_1m", "ms", small["median_ms"], PEER, peer["median_ms"])
        yield _row("proof_1m_p95", "ms", small["p95_ms"], PEER, peer["p95_ms"])
        yield _row("proof_1m_rss", "MiB", small["rss_mib"], PEER, peer["rss_mib"])
        _task("rebuild", folder / "10m", 10 * million)
        large = _task("prove", folder / "10m", 10 * million)
        for key, unit in (("median_ms", "ms"), ("p95_ms", "ms"), ("rss_mib", "MiB")):
            suffix = {"median_ms": "", "p95_ms": "_p95", "rss_mib": "_rss"}[key]
            yield _row(f"proof_10m{suffix}", unit, large[key], f"proof_1m{suffix}", small[key])


def _row(name: str, unit: str, value: float, reference: str, reference_value: float) -> Row:
    return Row(name=name, value=value, unit=unit, reference=reference, reference_value=reference_value)


def _task(task: str, folder: Path, leaves: int) -> Figures:
    """Run one task in a process of its own; return its figures and the most memory it had, as `rss_mib`."""
    words = [sys.executable, "-m", "bench.proofs", task, str(folder), str(leaves)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    figures: Figures = json.loads(done.stdout)
    return figures


def _entry(number: int) -> bytes:
    """As long as a leaf of ours: 65 bytes."""
    digest = hashlib.sha256(number.to_bytes(8)).digest()
    return b"\x00" + digest + digest


def rebuild(folder: Path, leaves: int) -> Figures:
    """Write the tiles of a log of so many leaves."""
    began = time.perf_counter()
    for start in range(0, leaves, BATCH):
        hashes = [leaf_hash(_entry(number)) for number in range(start, min(start + BATCH, leaves))]
        for tile, data in build_tiles(start, hashes, _reader(folder)).items():
            path = folder / tile.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return {"build_s": time.perf_counter() - began}


def prove(folder: Path, leaves: int) -> Figures:
    """Make proofs for leaves and older sizes taken at random, each with nothing read before."""
    chosen = random.Random(leaves)
    times = []
    for _ in range(PROOFS):
        index, older = chosen.randrange(leaves), chosen.randrange(1, leaves)
        for prove_one, of in ((prove_inclusion, index), (prove_consistency, older)):
            began = time.perf_counter()
            prove_one(of, leaves, TileNodeReader(_reader(folder), leaves))
            times.append(1000 * (time.perf_counter() - began))
    return {"median_ms": percentile(times, 0.5), "p95_ms": percentile(times, 0.95)}


def pymerkle(_folder: Path, leaves: int) -> Figures:
    """The same with pymerkle, which keeps its tree in memory."""
    from pymerkle import InmemoryTree  # noqa: PLC0415 - its memory belongs to this task alone

    began = time.perf_counter()
    tree = InmemoryTree(algorithm="sha256")
    for number in range(leaves):
        tree.append_entry(_entry(number))
    built = time.perf_counter() - began
    chosen = random.Random(leaves)
    times = []
    for _ in range(PEER_PROOFS):
        index, older = chosen.randrange(leaves), chosen.randrange(1, leaves)
        for prove_one, of in ((tree.prove_inclusion, index + 1), (tree.prove_consistency, older)):
            began = time.perf_counter()
            prove_one(of, leaves)
            times.append(1000 * (time.perf_counter() - began))
    return {"build_s": built, "median_ms": percentile(times, 0.5), "p95_ms": percentile(times, 0.95)}


def _reader(folder: Path) -> Callable[[Tile], bytes]:
    return lambda tile: (folder / tile.path).read_bytes()


TASKS: Mapping[str, Callable[[Path, int], Figures]] = {
    "rebuild": rebuild,
    "prove": prove,
    "pymerkle": pymerkle,
}

if __name__ == "__main__":
    found = dict(TASKS[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3])))
    found["rss_mib"] = resident_mib(os.getpid())
    print(json.dumps(found))
