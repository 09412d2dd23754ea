"""A grant revoked while a bundle is sealed: either the whole bundle was sealed before, or nothing was."""

import threading
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from evidence_vault.api.app import create_app
from evidence_vault.pipeline.export.export import advance_export
from evidence_vault.workers.runner import advance_due, singly
from tests.api.clients import Person, somebody, types
from tests.pipeline.story import begin_story

pytestmark = [pytest.mark.socket, pytest.mark.db]

ROUNDS = 2


def test_revocation_and_seal_at_the_same_time_are_one_after_the_other(tmp_path: Path) -> None:
    story = begin_story(tmp_path)
    vault = story.vault
    with TestClient(create_app(vault), raise_server_exceptions=False) as client:
        judge, one, expert = (somebody(vault, client, role) for role in ("JU", "RH", "AP"))
        case = judge.opens(confidentiality="open", parties=[{"side": "claimant", "person": one.id}])
        items = [one.deposit(bytes([number])) for number in range(2)]
        for item in items:
            assert one.post(f"/cases/{case}/items", {"item": item}).status_code == 201
        story.go_on(8)
        for number in range(ROUNDS):
            _race(one, expert, case, items, number)
            for item in items:
                told = types(vault, "item", item)
                assert told.count("EXPORTED") == types(vault, "case", case).count("EXPORTED")
                after = told[len(told) - told[::-1].index("GRANTED") :]
                if "EXPORTED" in after:
                    assert after.index("EXPORTED") < after.index("GRANT_REVOKED"), after
    story.chain.close()
    vault.database.dispose()


def _race(one: Person, expert: Person, case: str, items: list[str], number: int) -> None:
    vault = expert.client.app.state.vault  # type: ignore[attr-defined]
    may = ["export", "open-content", "read-custody", "see-metadata"]
    grant = one.grants(expert, items, case=case, actions=may)["id"]
    assert expert.post(f"/cases/{case}/exports").status_code == 202
    start = threading.Barrier(2)

    def seal() -> None:
        start.wait(10)
        advance_due(vault, "export", singly(advance_export), owner=f"worker {number}")

    worker = threading.Thread(target=seal)
    worker.start()
    start.wait(10)
    assert one.post(f"/grants/{grant}/revocation", {"reason": "over"}).status_code == 204
    worker.join(30)
