"""Every error is a problem document, the framework's own too; every answer has its headers; nothing leaks."""

import logging
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from evidence_vault.api.problems import KINDS, MEDIA_TYPE, PATH
from evidence_vault.identity.tokens import encode_token
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.blobs import BlobStore
from tests.api.conftest import Bearer

pytestmark = pytest.mark.socket


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("GET", "/", 404, "not-found"),
        ("GET", "/v1/nothing", 404, "not-found"),
        ("GET", "/v1/log/tile/0/../../../keys/log.key", 404, "not-found"),
        ("GET", "/v1/problems/none", 404, "not-found"),
        ("DELETE", "/v1/items", 405, "method-not-allowed"),
        ("PUT", "/healthz", 405, "method-not-allowed"),
        ("GET", "/v1/items", 401, "unauthorized"),
        ("POST", "/v1/items", 401, "unauthorized"),
    ],
)
def test_error_is_a_problem_document(
    client: TestClient, method: str, path: str, status: int, name: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    body = answer.json()
    assert body["type"] == f"{PATH}/{name}"
    assert body["title"] == KINDS[name].title
    assert body["status"] == status
    assert body["instance"] == f"urn:request:{answer.headers['request-id']}"
    assert client.get(body["type"]).json()["title"] == KINDS[name].title


def test_method_not_allowed_names_those_that_are(client: TestClient) -> None:
    assert client.delete("/v1/items").headers["allow"] == "POST"


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer ev_short",
        "Basic dTpw",
        f"Bearer {encode_token(bytes(32))}",
        "Bearer é",
    ],
)
def test_token_wrong_or_missing_401(client: TestClient, sent: str) -> None:
    headers = {"Authorization": sent.encode("utf-8")} if sent else {}
    answer = client.get("/v1/items", headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer realm="evidence-vault"')


def test_token_wrong_is_refused_before_the_body_is_read(client: TestClient) -> None:
    read = []

    def body() -> Iterator[bytes]:
        read.append(1)
        yield b"x"

    answer = client.post(
        "/v1/items", content=body(), headers={"Authorization": "Bearer ev_x", "Expect": "100-continue"}
    )
    assert (answer.status_code, read) == (401, [])


def test_query_out_of_bounds_422_names_the_place(client: TestClient, owner: dict[str, str]) -> None:
    answer = client.get("/v1/items?limit=0", headers=owner)
    assert (answer.status_code, answer.json()["type"]) == (422, f"{PATH}/invalid")
    assert answer.json()["place"] == "query.limit"


def test_unforeseen_failure_tells_nothing(
    client: TestClient,
    owner: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret inside")

    monkeypatch.setattr(BlobStore, "packing", fail)
    with caplog.at_level(logging.INFO, logger="evidence_vault"):
        answer = client.post("/v1/items", content=b"x", headers=owner)
    assert (answer.status_code, answer.json()["type"]) == (500, f"{PATH}/internal")
    assert "secret inside" not in answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["instance"] == f"urn:request:{answer.headers['request-id']}"


@pytest.mark.parametrize("path", ["/healthz", "/v1/items", "/v1/trust.toml", "/v1/docs", "/nothing"])
def test_every_answer_has_its_headers(client: TestClient, path: str) -> None:
    headers = client.get(path, headers={"Origin": "https://evil.example"}).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"]
    assert len(headers["request-id"]) == 16
    assert not [name for name in headers if name.startswith("access-control")]


def test_log_line_has_ids_but_no_names_tokens_or_queries(
    client: TestClient, owner: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = client.post(
            "/v1/items?who=Somebody-else",
            content=b"contents",
            headers={**owner, "Content-Disposition": "attachment; filename=private-name.txt"},
        )
    record = next(r for r in caplog.records if r.getMessage() == "request")
    assert record.__dict__["request_id"] == answer.headers["request-id"]
    assert (record.__dict__["method"], record.__dict__["path"]) == ("POST", "/v1/items")
    assert record.__dict__["status"] == 201
    everything = " ".join(str(r.__dict__) for r in caplog.records if r.name.startswith("evidence_vault"))
    for word in ("private-name", "contents", "Somebody-else", owner["Authorization"][7:], "Somebody"):
        assert word not in everything


def test_openapi_names_every_endpoint_and_the_problem(client: TestClient) -> None:
    page = client.get("/v1/openapi.json").json()
    assert {(path, method) for path, methods in page["paths"].items() for method in methods} == {
        ("/healthz", "get"),
        ("/readyz", "get"),
        ("/v1/cases", "get"),
        ("/v1/cases", "post"),
        ("/v1/cases/{case_id}", "get"),
        ("/v1/cases/{case_id}/access", "get"),
        ("/v1/cases/{case_id}/consents", "post"),
        ("/v1/cases/{case_id}/custody", "get"),
        ("/v1/cases/{case_id}/events", "get"),
        ("/v1/cases/{case_id}/exports", "post"),
        ("/v1/cases/{case_id}/evidence", "get"),
        ("/v1/cases/{case_id}/holds", "post"),
        ("/v1/cases/{case_id}/holds/{seq}/release", "post"),
        ("/v1/cases/{case_id}/items", "post"),
        ("/v1/cases/{case_id}/opinions", "get"),
        ("/v1/cases/{case_id}/opinions", "post"),
        ("/v1/cases/{case_id}/opinions/{item_id}/unsealing", "post"),
        ("/v1/cases/{case_id}/parties", "post"),
        ("/v1/cases/{case_id}/report", "get"),
        ("/v1/enrolments", "post"),
        ("/v1/exports/{export_id}", "get"),
        ("/v1/exports/{export_id}/bundle", "get"),
        ("/v1/feed", "get"),
        ("/v1/grants", "get"),
        ("/v1/grants", "post"),
        ("/v1/grants/{grant_id}", "get"),
        ("/v1/grants/{grant_id}/confirmation", "post"),
        ("/v1/grants/{grant_id}/revocation", "post"),
        ("/v1/grants/{grant_id}/undertakings", "post"),
        ("/v1/incidents", "get"),
        ("/v1/incidents", "post"),
        ("/v1/incidents/{name}/end", "post"),
        ("/v1/items", "get"),
        ("/v1/items", "post"),
        ("/v1/items/{item_id}", "get"),
        ("/v1/items/{item_id}/access", "get"),
        ("/v1/items/{item_id}/attestation-draft", "get"),
        ("/v1/items/{item_id}/attestations", "get"),
        ("/v1/items/{item_id}/attestations", "post"),
        ("/v1/items/{item_id}/attestations/{seq}/withdrawal", "post"),
        ("/v1/items/{item_id}/break-glass", "post"),
        ("/v1/items/{item_id}/content", "get"),
        ("/v1/items/{item_id}/court-receipts", "post"),
        ("/v1/items/{item_id}/custody", "get"),
        ("/v1/items/{item_id}/events", "get"),
        ("/v1/items/{item_id}/exports", "post"),
        ("/v1/items/{item_id}/fixity", "get"),
        ("/v1/items/{item_id}/fixity-checks", "post"),
        ("/v1/items/{item_id}/holds", "get"),
        ("/v1/items/{item_id}/holds", "post"),
        ("/v1/items/{item_id}/holds/{seq}/release", "post"),
        ("/v1/items/{item_id}/objections", "get"),
        ("/v1/items/{item_id}/objections", "post"),
        ("/v1/items/{item_id}/objections/{seq}/answers", "post"),
        ("/v1/items/{item_id}/presentations", "post"),
        ("/v1/items/{item_id}/proofs", "get"),
        ("/v1/items/{item_id}/receipt", "get"),
        ("/v1/items/{item_id}/transfers", "post"),
        ("/v1/items/{item_id}/transfers/{seq}/acceptance", "post"),
        ("/v1/items/{item_id}/transfers/{seq}/refusal", "post"),
        ("/v1/log/checkpoint", "get"),
        ("/v1/log/checkpoints/{path}", "get"),
        ("/v1/log/tile/{path}", "get"),
        ("/v1/log/vkey", "get"),
        ("/v1/me", "get"),
        ("/v1/me/password", "put"),
        ("/v1/me/pseudonyms", "post"),
        ("/v1/notices", "get"),
        ("/v1/oidc", "get"),
        ("/v1/oidc/callback", "get"),
        ("/v1/oidc/{provider}/login", "post"),
        ("/v1/orders", "post"),
        ("/v1/orders/{order_id}", "get"),
        ("/v1/orders/{order_id}/access", "get"),
        ("/v1/orders/{order_id}/return", "post"),
        ("/v1/orders/{order_id}/revocation", "post"),
        ("/v1/organisations", "get"),
        ("/v1/organisations", "post"),
        ("/v1/people", "get"),
        ("/v1/people", "post"),
        ("/v1/people/{person_id}", "get"),
        ("/v1/people/{person_id}/code", "post"),
        ("/v1/people/{person_id}/disable", "post"),
        ("/v1/people/{person_id}/logins", "post"),
        ("/v1/people/{person_id}/names", "delete"),
        ("/v1/people/{person_id}/roles", "post"),
        ("/v1/people/{person_id}/roles/{role}/end", "post"),
        ("/v1/items/{item_id}/report", "get"),
        ("/v1/orders/{order_id}/revelations", "post"),
        ("/v1/platform", "get"),
        ("/v1/problems/{name}", "get"),
        ("/v1/proposals", "get"),
        ("/v1/proposals", "post"),
        ("/v1/proposals/{proposal_id}/confirm", "post"),
        ("/v1/proposals/{proposal_id}/refuse", "post"),
        ("/v1/retentions", "get"),
        ("/v1/sessions", "delete"),
        ("/v1/sessions", "get"),
        ("/v1/sessions", "post"),
        ("/v1/sessions/current", "delete"),
        ("/v1/sessions/role", "post"),
        ("/v1/tokens", "get"),
        ("/v1/tokens", "post"),
        ("/v1/tokens/{token_id}", "delete"),
        ("/v1/transfers", "get"),
        ("/v1/trust.toml", "get"),
        ("/v1/undertaking", "get"),
        ("/v1/uploads", "options"),
        ("/v1/uploads", "post"),
        ("/v1/uploads/{upload_id}", "delete"),
        ("/v1/uploads/{upload_id}", "get"),
        ("/v1/uploads/{upload_id}", "head"),
        ("/v1/uploads/{upload_id}", "patch"),
        ("/v1/verify", "post"),
        ("/v1/webhooks", "get"),
        ("/v1/webhooks", "post"),
        ("/v1/webhooks/{webhook_id}", "delete"),
    }
    deposit = page["paths"]["/v1/items"]["post"]
    assert deposit["security"] == [{"HTTPBearer": []}]
    assert "application/vnd.evidence-vault.hash+json" in deposit["requestBody"]["content"]
    for methods in page["paths"].values():
        for method, operation in methods.items():
            failed = operation["responses"]["500"]
            assert (MEDIA_TYPE in failed.get("content", {})) == (method != "head")
            assert "default" not in operation["responses"]
            assert operation.get("summary")


def test_every_kind_of_problem_explains_itself(client: TestClient) -> None:
    for name, kind in KINDS.items():
        told = client.get(f"{PATH}/{name}").json()
        assert told == {
            "type": f"{PATH}/{name}",
            "title": kind.title,
            "status": kind.status,
            "advice": kind.advice,
        }


def test_health_and_readiness_of_a_good_vault(client: TestClient, vault: Vault, bearer: Bearer) -> None:
    assert client.get("/healthz").text == "ok\n"
    told = client.get("/readyz").json()
    assert [authority.pop("name") for authority in told.pop("authorities")] == ["tsa"]
    assert told.pop("fixity") == {"failing": 0, "finished_at": None, "since": None}
    empty: dict[str, list[str]] = {
        key: [] for key in ("reasons", "witnesses", "networks", "damaged", "incidents")
    }
    assert told == {"ready": True, **empty}


def test_readiness_names_damage_and_the_vault_goes_on(
    client: TestClient, vault: Vault, bearer: Bearer
) -> None:
    vault.damage["0f" * 16] = f"packs/{'0f' * 16}.evp: expected a pack header, found "
    told = client.get("/readyz")
    assert (told.status_code, told.json()["damaged"]) == (200, [vault.damage["0f" * 16]])
    assert client.post("/v1/items", content=b"x", headers=bearer()).status_code == 201
