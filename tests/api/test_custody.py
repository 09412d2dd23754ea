"""Contents read again, and what the platform says of itself, over HTTP."""

from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from evidence_vault.pipeline.custody.sweep import sweep_round
from evidence_vault.pipeline.platform.incidents import tell_incident
from evidence_vault.pipeline.vault import Vault
from tests.api.conftest import Bearer

pytestmark = pytest.mark.socket


def test_fixity_is_shown_and_told_to_all_without_naming_the_item(
    client: TestClient, vault: Vault, owner: dict[str, str]
) -> None:
    item = client.post("/v1/items", content=b"x" * 100_000, headers=owner).json()["id"]
    path = f"/v1/items/{item}/fixity"
    nothing = {"state": None, "checked_at": None, "sound_at": None}
    assert client.get(path, headers=owner).json() == nothing
    vault.blobs.path_of(item).unlink()
    assert sweep_round(vault, wait=lambda _s: False) == 1
    view = client.get(path, headers=owner).json()
    assert (view["state"], view["sound_at"]) == ("missing", None)
    history = client.get(f"/v1/items/{item}/events", headers=owner).json()["events"]
    assert [event["event"]["type"] for event in history] == ["ITEM_RECEIVED", "FIXITY_FAILED"]
    ready = client.get("/readyz").json()
    assert ready["ready"]
    assert ready["fixity"]["failing"] == 1
    platform = client.get("/v1/platform")
    assert [one["kind"] for one in platform.json()["incidents"]] == ["fixity"]
    assert item not in platform.text
    assert item not in client.get("/readyz").text


def test_fixity_of_somebody_else_is_not_shown(
    client: TestClient, owner: dict[str, str], bearer: Bearer
) -> None:
    item = client.post("/v1/items", content=b"x", headers=owner).json()["id"]
    assert client.get(f"/v1/items/{item}/fixity", headers=bearer()).status_code == 404
    assert client.get(f"/v1/items/{item}/fixity").status_code == 401


def test_platform_is_shown_to_anybody(client: TestClient, vault: Vault) -> None:
    began = vault.clock() - timedelta(days=1)
    tell_incident(vault, kind="hosting", began_at=began, ended_at=None, summary="Moved.")
    told = client.get("/v1/platform").json()
    assert told["statement"]["operator"] == "none declared"
    assert told["statement"]["filings"] == []
    assert told["statement"]["software"].startswith("evidence-vault ")
    [incident] = told["incidents"]
    assert (incident["kind"], incident["ended_at"], incident["summary"]) == ("hosting", None, "Moved.")
