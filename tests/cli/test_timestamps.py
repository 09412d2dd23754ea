"""`timestamps retry`: what was refused for good is asked again when an operator says so, with a new request."""

from pathlib import Path

import pytest

from anchors.rfc3161.errors import RefusedError
from evidence_vault.cli.main import main
from evidence_vault.core.events import Subject
from evidence_vault.errors import IntegrityError
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.models import Job
from evidence_vault.store.queries import events, items, job_batches, jobs
from evidence_vault.workers.runner import timestamp_work
from tests.pipeline.running import run_once
from tests.pipeline.vaults import FakeAuthority, deposit, new_vault

REFUSED = ["ITEM_RECEIVED", "TIMESTAMP_FAILED"]


def refusing(count: int) -> FakeAuthority:
    return FakeAuthority(failures=[RefusedError("tsa", "unacceptedPolicy")] * count)


def write_settings(home: Path, *names: str) -> None:
    tables = [
        f'[[authorities]]\nname = "{name}"\ngroup = "{name}"\nurl = "http://127.0.0.1:1/"\n'
        'log_class = "development"\nroots_pem = "-"\n'
        for name in names
    ]
    (home / "vault.toml").write_text("\n".join(tables))


def told(vault: Vault, item_id: str) -> list[str]:
    with vault.database.read() as session:
        return [row.type for row in events.events_of(session, Subject(kind="item", id=item_id))]


def jobs_of(vault: Vault, item_id: str) -> dict[str, Job]:
    with vault.database.read() as session:
        return {job.target: job for job in jobs.jobs_of(session, Subject(kind="item", id=item_id))}


def work(vault: Vault) -> None:
    run_once(vault, timestamp_work(vault))


def test_retry_asks_again_with_a_new_request_and_the_refusal_stays_in_the_history(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tsa = refusing(2)
    vault = new_vault(tmp_path, submitters={"tsa": tsa}, token_interval_s=1e9)
    write_settings(tmp_path, "tsa")
    done = deposit(vault)
    work(vault)
    assert told(vault, done.item_id) == REFUSED
    with vault.database.read() as session:
        refused = [job.state for job in jobs.jobs_of(session, Subject(kind="item", id=done.item_id))]
    assert refused == ["FAILED"]
    tsa.failures.clear()
    asked, prepared = len(tsa.asked), tsa.prepared

    assert main(["timestamps", "retry", "--home", str(tmp_path)]) == 0
    assert "tsa is asked again for " in capsys.readouterr().out
    assert jobs_of(vault, done.item_id)["tsa"].progress is None  # what was refused isn't sent again
    vault.clock.now = jobs_of(vault, done.item_id)["tsa"].run_at  # type: ignore[attr-defined]
    work(vault)

    assert len(tsa.asked) > asked
    assert tsa.prepared > prepared
    assert told(vault, done.item_id) == [*REFUSED, "TIMESTAMP_OBTAINED"]
    with vault.database.read() as session:
        item = items.get_item(session, done.item_id)
        assert item is not None
        progress = items.item_progress(session, item)
    assert (progress.tokens, progress.refused) == (("tsa",), ())
    assert main(["timestamps", "retry", "--home", str(tmp_path)]) == 0
    assert "nothing was refused" in capsys.readouterr().out


def test_retry_of_one_item_or_one_authority_leaves_all_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault = new_vault(tmp_path, submitters={"one": refusing(9), "two": refusing(9)}, token_interval_s=1e9)
    write_settings(tmp_path, "one", "two")
    first, second = deposit(vault, b"1").item_id, deposit(vault, b"2").item_id
    work(vault)
    assert main(["timestamps", "retry", first, "--authority", "two", "--home", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "two is asked again for 1\n"
    states = {
        (item, name): job.state for item in (first, second) for name, job in jobs_of(vault, item).items()
    }
    assert states == {
        (first, "one"): "FAILED",
        (first, "two"): "READY",
        (second, "one"): "FAILED",
        (second, "two"): "FAILED",
    }
    assert main(["timestamps", "retry", second, "--home", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "one is asked again for 1\ntwo is asked again for 1\n"


def test_retry_of_an_authority_that_is_gone_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault = new_vault(tmp_path, submitters={"tsa": refusing(1)}, token_interval_s=1e9)
    write_settings(tmp_path, "other")
    item_id = deposit(vault).item_id
    work(vault)
    assert main(["timestamps", "retry", "--authority", "tsa", "--home", str(tmp_path)]) == 64
    assert "none of the settings: other" in capsys.readouterr().err
    assert main(["timestamps", "retry", "--home", str(tmp_path)]) == 0  # nobody would send it
    assert jobs_of(vault, item_id)["tsa"].state == "FAILED"


@pytest.mark.db
def test_retry_is_for_kinds_whose_failures_are_not_final(tmp_path: Path) -> None:
    vault = new_vault(tmp_path, submitters={"tsa": refusing(2)}, token_interval_s=1e9)
    item_id = deposit(vault).item_id
    work(vault)
    with vault.database.write() as session:
        with pytest.raises(IntegrityError):
            job_batches.retry_failed(session, "export", ["tsa"], subject_id=None, at=vault.clock())
        again = job_batches.retry_failed(session, "timestamp", ["tsa"], subject_id=item_id, at=vault.clock())
    assert again == {"tsa": 1}
    found = jobs_of(vault, item_id)["tsa"]
    assert (found.state, found.tries, found.last_error, found.progress) == ("READY", 0, None, None)
