"""The feed and webhooks over HTTP: one's own, and nobody else's."""

import pytest
from starlette.testclient import TestClient

from evidence_vault.identity.tokens import digest_token
from evidence_vault.pipeline.vault import Vault
from evidence_vault.workers.runner import advance_log
from tests.api.conftest import Bearer

pytestmark = pytest.mark.socket

HOOK = {"url": "https://receiver.example/in"}


def test_feed_pages_through_what_is_ones_own(
    client: TestClient, vault: Vault, owner: dict[str, str], bearer: Bearer
) -> None:
    items = [client.post("/v1/items", content=bytes([n]), headers=owner).json()["id"] for n in range(3)]
    client.post("/v1/items", content=b"another's", headers=bearer())
    advance_log(vault)
    first = client.get("/v1/feed", params={"limit": 2}, headers=owner).json()
    assert [entry["subject"]["id"] for entry in first["entries"]] == ["platform", items[0]]
    assert first["at_end"] is False
    rest = client.get("/v1/feed", params={"position": first["position"]}, headers=owner).json()
    assert [entry["subject"]["id"] for entry in rest["entries"]] == items[1:]
    assert rest["at_end"] is True
    again = client.get("/v1/feed", params={"position": rest["position"]}, headers=owner).json()
    assert (again["entries"], again["position"]) == ([], rest["position"])
    told = client.get("/v1/feed", params={"types": "EXPORTED"}, headers=owner).json()
    assert told["entries"] == []


@pytest.mark.parametrize(
    ("params", "status"),
    [({"position": "-1"}, 422), ({"limit": "501"}, 422), ({"types": "X"}, 400), ({"position": "1e3"}, 422)],
)
def test_feed_refuses_odd_questions(
    client: TestClient, owner: dict[str, str], params: dict[str, str], status: int
) -> None:
    assert client.get("/v1/feed", params=params, headers=owner).status_code == status


def test_feed_and_webhooks_need_the_scope(client: TestClient, bearer: Bearer) -> None:
    narrow = bearer(scopes=("deposit",))
    assert client.get("/v1/feed", headers=narrow).status_code == 403
    assert client.post("/v1/webhooks", json=HOOK, headers=narrow).status_code == 403
    assert client.get("/v1/webhooks", headers=narrow).status_code == 403
    assert client.get("/v1/feed").status_code == 401


def test_webhook_shows_its_secret_once_and_belongs_to_who_made_it(
    client: TestClient, owner: dict[str, str], bearer: Bearer
) -> None:
    made = client.post("/v1/webhooks", json={**HOOK, "types": ["EXPORTED"]}, headers=owner)
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    listed = client.get("/v1/webhooks", headers=owner).json()["webhooks"]
    assert [one["id"] for one in listed] == [made.json()["id"]]
    assert "secret" not in listed[0]
    token = owner["Authorization"].removeprefix("Bearer ")
    assert listed[0]["token"] == digest_token(token).hex()[:16]
    other = bearer()
    assert client.get("/v1/webhooks", headers=other).json() == {"webhooks": [], "next": None}
    path = f"/v1/webhooks/{made.json()['id']}"
    refused = client.delete(path, headers=other)
    unknown = client.delete("/v1/webhooks/wh_" + "0" * 26, headers=other)
    assert (refused.status_code, unknown.status_code) == (404, 404)
    assert {**refused.json(), "instance": ""} == {**unknown.json(), "instance": ""}
    assert client.delete(path, headers=owner).status_code == 204
    assert client.get("/v1/webhooks", headers=owner).json()["webhooks"][0]["end_reason"] == "taken back"
    for _ in range(2):
        client.post("/v1/webhooks", json=HOOK, headers=owner)
    first = client.get("/v1/webhooks?limit=2", headers=owner).json()
    rest = client.get(f"/v1/webhooks?limit=2&after={first['next']}", headers=owner).json()
    assert ([len(one["webhooks"]) for one in (first, rest)], rest["next"]) == ([2, 1], None)


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://127.0.0.1/"},
        {"url": "https://a.example/", "actor_id": "ac_0"},
        {"url": "https://a.example/", "role": "AU"},
        {"url": 1},
        {"url": "https://a.example/", "types": ["' OR 1=1 --"]},
        {},
        [],
    ],
)
def test_webhook_refuses_what_is_not_for_the_caller_to_say(
    client: TestClient, owner: dict[str, str], body: object
) -> None:
    refused = client.post("/v1/webhooks", json=body, headers=owner)
    assert refused.status_code in (400, 422)
    assert client.get("/v1/webhooks", headers=owner).json() == {"webhooks": [], "next": None}
