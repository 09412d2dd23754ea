"""Incidents noted and ended over HTTP: by an administrator who is logged in, each once."""

import pytest

from evidence_vault.core.names import encode_time
from tests.api.people import Office

pytestmark = pytest.mark.socket

BAD = (400, 422)


def test_incident_is_noted_once_ended_once_and_told_to_anybody(office: Office) -> None:
    now = encode_time(office.vault.clock())
    body = {"kind": "hosting", "began_at": "2026-01-01T00:00:00Z", "summary": "Moved to another house."}
    keyed = {**office.first.headers, "Idempotency-Key": "one"}

    def send(path: str, body: object) -> tuple[int, dict[str, object]]:
        answer = office.client.post(f"/v1{path}", json=body, headers=keyed)
        return answer.status_code, answer.json()

    status, noted = send("/incidents", body)
    assert (status, noted["ended_at"]) == (201, None)
    assert send("/incidents", body) == (201, noted)
    assert send("/incidents", body | {"summary": "Another."})[0] == 409
    assert office.ask(None, "GET", "/incidents").json() == {"incidents": [noted]}
    ready = office.client.get("/readyz").json()["incidents"]
    assert ready == ["hosting since 2026-01-01T00:00:00.000Z: Moved to another house."]
    end = f"/incidents/{noted['name']}/end"
    assert send(end, {"ended_at": "2025-12-31T00:00:00Z"})[0] in BAD
    status, ended = send(end, {"ended_at": now})
    assert (status, ended["ended_at"]) == (201, now)
    assert send(end, {"ended_at": now}) == (201, ended)
    assert office.ask(office.first, "POST", end, {"ended_at": now}).status_code == 409
    assert office.ask(None, "GET", "/platform").json()["incidents"] == [ended]
    assert office.client.get("/readyz").json()["incidents"] == []


def test_incident_by_anybody_else_or_of_the_vault_s_own_kinds_is_refused(office: Office) -> None:
    body = {"kind": "hosting", "began_at": "2026-01-01T00:00:00Z", "summary": "Moved."}
    holder = office.rights_holder("Holder", "holder")
    assert office.ask(None, "POST", "/incidents", body).status_code == 401
    assert office.ask(holder, "POST", "/incidents", body).status_code == 403
    for wrong in (
        {"kind": "fixity"},
        {"kind": "Hosting"},
        {"began_at": "2999-01-01T00:00:00Z"},
        {"ended_at": "2025-01-01T00:00:00Z"},
        {"began_at": "2026-01-01T00:00:00"},
        {"summary": "a\x00b"},
        {"summary": ""},
        {"name": "outage-1"},
    ):
        assert office.ask(office.first, "POST", "/incidents", body | wrong).status_code in BAD, wrong
    unknown = office.ask(office.first, "POST", "/incidents/none/end", {"ended_at": body["began_at"]})
    assert unknown.status_code in BAD
    assert office.ask(None, "GET", "/incidents").json() == {"incidents": []}


def test_program_of_an_administrator_notes_no_incident(office: Office) -> None:
    made = office.done(office.first, "POST", "/tokens", {"label": "monitor", "scopes": ["manage"], "days": 1})
    headers = {"Authorization": f"Bearer {made['secret']}"}
    body = {"kind": "hosting", "began_at": "2026-01-01T00:00:00Z", "summary": "Moved."}
    assert office.client.post("/v1/incidents", json=body, headers=headers).status_code == 403
