"""What `required` means: tokens are not there before it has answered, and whoever waits is told."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from anchors.rfc3161.errors import RefusedError
from evidence_vault.api.progress import describe_standing
from evidence_vault.api.schemas import Stage
from evidence_vault.errors import UnavailableError
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import items
from evidence_vault.workers.runner import timestamp_work
from tests.pipeline.running import run_once
from tests.pipeline.vaults import FakeAuthority, SetClock, authority, deposit, new_vault

DOWN = UnavailableError("two", "HTTP status 500")


def two(home: Path, *, required: bool, failures: list[Exception]) -> tuple[Vault, FakeAuthority, SetClock]:
    """Authority one answers at once; two is required or not, and fails so often."""
    clock, other = SetClock(), FakeAuthority(failures=failures)
    vault = new_vault(
        home,
        clock=clock,
        submitters={"one": FakeAuthority(), "two": other},
        authorities=[authority("one"), authority("two").model_copy(update={"required": required})],
    )
    return vault, other, clock


def stages(vault: Vault, item_id: str) -> tuple[Mapping[str, Stage], str]:
    with vault.database.read() as session:
        item = items.get_item(session, item_id)
        assert item is not None
        told = describe_standing(session, vault.settings, item, items.item_progress(session, item))
    return {stage.name: stage for stage in told.stages}, told.next


def work(vault: Vault, clock: SetClock, seconds: int = 3) -> None:
    for _ in range(seconds):
        run_once(vault, timestamp_work(vault))
        clock.advance(1)


@pytest.mark.db
def test_required_authority_keeps_item_and_record_open_until_it_answers(tmp_path: Path) -> None:
    vault, other, clock = two(tmp_path, required=True, failures=[DOWN] * 100)
    item = deposit(vault).item_id
    work(vault, clock)
    told, sentence = stages(vault, item)
    for name in ("timestamped", "dated"):
        assert told[name].state == "waiting"
        assert (told[name].by, told[name].awaited) == (["one"], ["two"])
        [trouble] = told[name].trouble
        assert trouble.reason == "two: HTTP status 500"
        assert trouble.next_at
    assert told["logged"].state == "done"  # the log waits for nobody
    assert "a time-stamp over the content" in sentence
    other.failures.clear()
    clock.advance(3600)
    work(vault, clock)
    told, _ = stages(vault, item)
    for name in ("timestamped", "dated"):
        assert (told[name].state, told[name].by, told[name].awaited) == ("done", ["one", "two"], [])
        assert told[name].trouble == []


def test_optional_authority_is_shown_and_waited_for_by_nobody(tmp_path: Path) -> None:
    vault, _, clock = two(tmp_path, required=False, failures=[DOWN] * 100)
    item = deposit(vault).item_id
    work(vault, clock)
    told, sentence = stages(vault, item)
    for name in ("timestamped", "dated"):
        assert (told[name].state, told[name].by, told[name].awaited) == ("done", ["one"], ["two"])
        assert [one.authority for one in told[name].trouble] == ["two"]
    assert "can be exported" in sentence


@pytest.mark.parametrize("required", [True, False])
def test_refusal_for_good_is_told_and_keeps_only_what_is_required_open(
    tmp_path: Path, required: bool
) -> None:
    refusals: list[Exception] = [
        RefusedError("two", "status rejection; unacceptedPolicy") for _ in range(100)
    ]
    vault, _, clock = two(tmp_path, required=required, failures=refusals)
    item = deposit(vault).item_id
    work(vault, clock)
    told, _ = stages(vault, item)
    assert told["timestamped"].state == ("waiting" if required else "done")
    assert told["dated"].state == ("waiting" if required else "done")
    [trouble] = [one for one in told["timestamped"].trouble if one.authority == "two"]
    assert "unacceptedPolicy" in trouble.reason
    assert trouble.next_at == ""


def test_authority_that_was_added_later_opens_nothing_again(tmp_path: Path) -> None:
    vault, _, clock = two(tmp_path, required=True, failures=[])
    item = deposit(vault).item_id
    work(vault, clock)
    vault.settings.authorities.append(authority("three"))
    assert stages(vault, item)[0]["dated"].state == "done"
