"""Deposits don't go through the router, and nobody can tell."""

import asyncio

import pytest
from fastapi import Request
from fastapi.testclient import TestClient

from evidence_vault.api.app import DEPOSITS
from evidence_vault.api.caller import BEARER, bearer_token
from tests.api.conftest import Bearer

pytestmark = pytest.mark.socket  # an event loop makes a pair of them


@pytest.mark.parametrize(
    "sent",
    [
        None,
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer abc",
        b"bearer abc",
        b"BEARER  abc ",
        b"Bearer abc def",
        b" Bearer abc",
        b"Basic abc",
        b"Bearer\tabc",
        b"Bearer \xff",
    ],
)
def test_bearer_token_any_field_is_read_as_the_router_reads_it(sent: bytes | None) -> None:
    fields = [] if sent is None else [(b"authorization", sent), (b"authorization", b"Bearer second")]
    request = Request({"type": "http", "headers": fields})
    found = asyncio.run(BEARER(request))
    assert bearer_token(request) == (None if found is None else found.credentials)


def test_deposit_answers_with_the_headers_of_every_answer(client: TestClient, owner: dict[str, str]) -> None:
    ours = client.post(DEPOSITS, content=b"x", headers=owner).headers
    others = client.get("/v1/health", headers=owner).headers
    for name in ("x-content-type-options", "content-security-policy", "cache-control", "referrer-policy"):
        assert ours[name] == others[name]
    assert len(ours["request-id"]) == 16


def test_deposit_refused_is_a_problem_and_says_so(client: TestClient, bearer: Bearer) -> None:
    unknown = client.post(DEPOSITS, content=b"x", headers={"Authorization": "Bearer nonsense"})
    assert (unknown.status_code, unknown.json()["type"]) == (401, "/v1/problems/unauthorized")
    narrow = client.post(DEPOSITS, content=b"x", headers=bearer(scopes=("read",)))
    assert (narrow.status_code, narrow.headers["content-type"]) == (403, "application/problem+json")


def test_deposit_unforeseen_error_is_a_500_that_tells_nothing(
    client: TestClient, owner: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr("evidence_vault.api.deposits.submit_content", break_down)
    broken = client.post(DEPOSITS, content=b"x", headers=owner)
    assert (broken.status_code, broken.json()["type"]) == (500, "/v1/problems/internal")
    assert "secret" not in broken.text


def test_deposit_is_described_where_it_is_served(client: TestClient) -> None:
    described = client.get("/v1/openapi.json").json()["paths"][DEPOSITS]
    assert {"200", "201", "409", "413"} <= described["post"]["responses"].keys()
    assert described["post"]["security"] == [{"HTTPBearer": []}]
    assert client.get(DEPOSITS).status_code != 201  # other methods are the router's
    assert client.put(DEPOSITS).json()["type"] == "/v1/problems/method-not-allowed"
