"""What a killed worker held is free for the next start, where nobody else can be at work."""

from datetime import timedelta
from pathlib import Path

import pytest

from evidence_vault.core.events import Subject
from evidence_vault.pipeline.vault import Vault
from evidence_vault.service.compose import free_dead_leases
from evidence_vault.store.home_lock import place_of
from evidence_vault.store.queries import jobs
from tests.pipeline.vaults import deposit, new_vault


def lease_of(vault: Vault, item_id: str) -> str | None:
    with vault.database.read() as session:
        [job] = jobs.jobs_of(session, Subject(kind="item", id=item_id))
    return job.lease_owner


def claim(vault: Vault, owner: str) -> str:
    item_id = deposit(vault).item_id
    now = vault.clock() + timedelta(seconds=1)
    with vault.database.write() as session:
        until = now + timedelta(hours=1)
        assert jobs.claim_due(session, ["timestamp"], owner=owner, now=now, lease_until=until, limit=1)
    return item_id


@pytest.mark.db
def test_free_dead_leases_frees_those_of_this_home_and_on_sqlite_all(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    ours = claim(vault, f"{place_of(tmp_path)}-0a1b-timestamp-0")
    elsewhere = claim(vault, "killed-1")

    free_dead_leases(vault)

    assert lease_of(vault, ours) is None
    assert lease_of(vault, elsewhere) == (None if vault.database.is_sqlite else "killed-1")


def test_place_is_of_this_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    assert place_of(tmp_path) == place_of(tmp_path / "copy" / "..")
    assert place_of(tmp_path) != place_of(tmp_path / "copy")


def test_free_dead_leases_changes_nothing_while_read_only(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    item_id = deposit(vault).item_id
    now = vault.clock() + timedelta(seconds=1)
    with vault.database.write() as session:
        until = now + timedelta(hours=1)
        jobs.claim_due(session, ["timestamp"], owner="killed-1", now=now, lease_until=until, limit=1)
    vault.gate.shut("older than what was published")

    free_dead_leases(vault)

    assert lease_of(vault, item_id) == "killed-1"
