"""How many events a second become leaves, durably: on SQLite, and on PostgreSQL where there is one.

The reference is the Merkle tree alone, over the same entries and in the same batches, without any database.
"""

import hashlib
import secrets
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import insert

from bench.rows import Row
from evidence_vault.core.events import encode_leaf_entry
from evidence_vault.core.merkle import Frontier, leaf_hash
from evidence_vault.pipeline.log.sequence import BATCH_LEAVES, sequence
from evidence_vault.pipeline.operation.opening import create_keys, open_log
from evidence_vault.pipeline.vault import Vault, build_vault, system_clock
from evidence_vault.settings import Settings
from evidence_vault.store.columns import table
from evidence_vault.store.models import Event, PendingEvent
from evidence_vault.store.schema import upgrade
from evidence_vault.store.session import Database
from tests.postgres import PostgresServer, programs

LEAVES = 100_000


def measure(*, short: bool) -> Iterable[Row]:
    """Return leaves per second on each engine."""
    leaves = 5_000 if short else LEAVES
    tree = tree_rate(leaves)
    with sqlite_url() as url:
        yield _row("sequence", sequence_rate(url, leaves=leaves), tree)
    if (bin_folder := programs()) is not None:
        server = PostgresServer(bin_folder)
        try:
            rate = sequence_rate(server.url("postgres"), leaves=leaves)
        finally:
            server.close()
        yield _row("sequence_postgresql", rate, tree)


def sequence_rate(database_url: str, *, leaves: int, batch: int = BATCH_LEAVES) -> float:
    """Return leaves per second of `sequence` on an empty database, in batches, each durably committed."""
    with tempfile.TemporaryDirectory() as home:
        vault = new_bench_vault(Path(home), database_url)
        try:
            while sequence(vault):
                pass
            _queue_events(vault.database, leaves)
            taken, began = 0, time.perf_counter()
            while done := sequence(vault, max_leaves=batch):
                taken += done
            took = time.perf_counter() - began
        finally:
            vault.database.dispose()
    assert taken == leaves
    return leaves / took


def tree_rate(leaves: int, *, batch: int = BATCH_LEAVES) -> float:
    """Return leaves per second of the tree alone."""
    entries = [encode_leaf_entry(*_digests(number)) for number in range(leaves)]
    began, frontier = time.perf_counter(), Frontier()
    for start in range(0, leaves, batch):
        frontier = frontier.extend([leaf_hash(entry) for entry in entries[start : start + batch]])
        frontier.tree_head()
    return leaves / (time.perf_counter() - began)


@contextmanager
def sqlite_url() -> Iterator[str]:
    """Yield the URL of an empty SQLite database on this machine's disk."""
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{Path(folder) / 'vault.db'}"


def _row(name: str, rate: float, tree: float) -> Row:
    return Row(name=name, value=rate, unit="leaves/s", reference="the tree alone", reference_value=tree)


def new_bench_vault(home: Path, database_url: str) -> Vault:
    """Open a vault with a log of its own, and nothing else."""
    settings = Settings.model_validate({}).model_copy(
        update={"home": home, "database_url": SecretStr(database_url)}
    )
    create_keys(settings, random=secrets.token_bytes)
    vault = build_vault(settings)
    upgrade(vault.database)
    open_log(vault, anchors=[])
    return vault


def _queue_events(database: Database, count: int) -> None:
    """Insert events as wide as real ones and queue them; what they say is not read here."""
    at, raw = system_clock(), b"x" * 900
    for start in range(0, count, 5_000):
        with database.write() as session:
            rows = [
                {
                    "id": 1_000 + number,
                    "sha256": _digests(number)[0],
                    "subject_kind": "item",
                    "subject_id": f"it_{number}",
                    "seq": 0,
                    "type": "ITEM_RECEIVED",
                    "slot": _digests(number)[1],
                    "raw": raw,
                    "at": at,
                }
                for number in range(start, min(start + 5_000, count))
            ]
            session.execute(insert(table(Event)), rows)
            session.execute(insert(table(PendingEvent)), [{"event_id": row["id"]} for row in rows])


def _digests(number: int) -> tuple[bytes, bytes]:
    return hashlib.sha256(b"e%d" % number).digest(), hashlib.sha256(b"s%d" % number).digest()
