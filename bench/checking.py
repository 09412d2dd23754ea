"""`log fsck` over a log of a million leaves with their events: time, and the most memory of its process.

    fsck_1m          beside the same at a tenth of the leaves, ten times: it must grow no faster than the log
    fsck_1m_rss      beside that of the tenth: it must not grow

The vault is made with real events of a subject each, sequenced and published by the real stages.

python -m bench.checking HOME: what the measured process runs; it prints its figures as JSON.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

from sqlalchemy import insert

from bench.rows import Row
from bench.sequencing import new_bench_vault
from bench.timing import resident_mib
from evidence_vault.core.events import Subject, first_slot, next_slot
from evidence_vault.core.names import encode_id
from evidence_vault.pipeline.log.publish import publish
from evidence_vault.pipeline.log.sequence import sequence
from evidence_vault.pipeline.operation.fsck import fsck
from evidence_vault.pipeline.record import Draft, EventActor, compose_event
from evidence_vault.pipeline.vault import Vault, build_vault
from evidence_vault.settings import Settings
from evidence_vault.store.columns import table
from evidence_vault.store.models import Event, PendingEvent, SubjectHead

BATCH = 5_000
PUBLISH_EVERY = 50_000
"""Leaves between two checkpoints: a vault under load has far more, all of them cheap."""


def measure(*, short: bool) -> Iterator[Row]:
    """Yield the rows. short: 20,000 leaves instead of a million."""
    leaves = 20_000 if short else 1_000_000
    tenth, whole = _figures(leaves // 10), _figures(leaves)
    yield Row(
        name="fsck_1m",
        value=whole["fsck_s"],
        unit="s",
        reference="ten times a tenth of it",
        reference_value=10 * tenth["fsck_s"],
    )
    yield Row(
        name="fsck_1m_rss",
        value=whole["rss_mib"],
        unit="MiB",
        reference="a tenth of it",
        reference_value=tenth["rss_mib"],
    )


def _figures(leaves: int) -> Mapping[str, float]:
    """Make a vault of so many leaves, and check it in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        vault = new_bench_vault(home, f"sqlite:///{home / 'vault.db'}")
        try:
            _fill(vault, leaves)
        finally:
            vault.database.dispose()
        words = [sys.executable, "-m", "bench.checking", name]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        figures: Mapping[str, float] = json.loads(done.stdout)
        assert figures["leaves"] >= leaves
        return figures


def _fill(vault: Vault, leaves: int) -> None:
    made = _events(vault)
    for start in range(0, leaves, BATCH):
        rows = [next(made) for _ in range(start, min(start + BATCH, leaves))]
        with vault.database.write() as session:
            session.execute(insert(table(Event)), [event for event, _ in rows])
            session.execute(insert(table(PendingEvent)), [{"event_id": event["id"]} for event, _ in rows])
            session.execute(insert(table(SubjectHead)), [head for _, head in rows])
        while sequence(vault):
            pass
        if (start + BATCH) % PUBLISH_EVERY == 0:
            publish(vault)
    publish(vault)


def _events(vault: Vault) -> Iterator[tuple[dict[str, object], dict[str, object]]]:
    """Yield the rows of one deposit's event after the other: what a real one says, of items of their own."""
    digest = "d" * 64
    draft = Draft(
        subject=Subject(kind="item", id=encode_id("it", bytes(16))),
        type="ITEM_RECEIVED",
        actor=EventActor(id=encode_id("ac", bytes(16)), role="RH", auth="token"),
        fields={"mode": "content", "digests": {"sha256": digest}, "size": 4096, "secret": False},
        disclosures={"file_name": "photo.png", "media_type": "image/png"},
    )
    model = compose_event(vault, draft).event
    for number in count(1_000):  # far above the row ids that the vault has given
        item, nonce = Subject(kind="item", id=encode_id("it", vault.random(16))), vault.random(32)
        raw = model.raw
        for old, new in (
            (model.subject.id, item.id),
            (digest, vault.random(32).hex()),
            (model.nonce.hex(), nonce.hex()),
        ):
            raw = raw.replace(old.encode(), new.encode())
        sha256 = hashlib.sha256(raw).digest()
        subject = {"subject_kind": item.kind, "subject_id": item.id, "seq": 0}
        yield (
            {
                "id": number,
                "sha256": sha256,
                **subject,
                "type": model.type,
                "slot": first_slot(item),
                "raw": raw,
                "at": model.at,
            },
            {**subject, "event_sha256": sha256, "next_slot": next_slot(nonce)},
        )


def main() -> None:
    """Check the vault in this home."""
    home = Path(sys.argv[1])
    vault = build_vault(Settings.model_validate({}).model_copy(update={"home": home}))
    began = time.perf_counter()
    checked = fsck(vault)
    took = time.perf_counter() - began
    rss = resident_mib(os.getpid())
    print(json.dumps({"fsck_s": took, "rss_mib": rss, "leaves": checked.leaves}))


if __name__ == "__main__":
    main()
