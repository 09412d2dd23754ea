"""Attestations over HTTP: who may, what is told, and what nobody may send."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from evidence_vault.access.decisions import ALL_SCOPES
from evidence_vault.api.app import create_app
from evidence_vault.core.attestation import Attestation, Withdrawal, encode_statement
from evidence_vault.core.events import ROLES
from evidence_vault.core.names import encode_id
from evidence_vault.pipeline.vault import Vault
from tests.api.conftest import Bearer
from tests.pipeline.attesting import KNOWN, NOTARY, body_of, signed
from tests.pipeline.vaults import new_vault

pytestmark = pytest.mark.socket

UNKNOWN = encode_id("it", bytes(16))


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = new_vault(tmp_path, **KNOWN)
    yield made
    made.database.dispose()


@pytest.fixture
def client(vault: Vault) -> Iterator[TestClient]:
    with TestClient(create_app(vault), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def notary(bearer: Bearer) -> dict[str, str]:
    return bearer("NO")


@pytest.fixture
def item(client: TestClient, owner: dict[str, str]) -> str:
    return str(client.post("/v1/items", content=b"evidence", headers=owner).json()["id"])


def types_of(client: TestClient, item: str, owner: dict[str, str]) -> list[str]:
    answer = client.get(f"/v1/items/{item}/events", headers=owner).json()
    return [str(event["event"]["type"]) for event in answer["events"]]


def drafted(client: TestClient, item: str, headers: dict[str, str], **changes: Any) -> Attestation:
    """A statement of what the vault says, as any client would make it."""
    facts = client.get(f"/v1/items/{item}/attestation-draft", headers=headers).json()
    said: dict[str, Any] = {
        "origin": facts["origin"],
        "item": facts["item"],
        "case": None,
        "head_seq": facts["head"]["seq"],
        "head_sha256": bytes.fromhex(facts["head"]["event_sha256"]),
        "digests": facts["digests"],
        "examined": (("content", "hashed"),),
        "not_examined": (),
        "result": "matches",
        "remark": "",
    }
    return Attestation(**{**said, **changes})


def test_statement_names_a_case_that_holds_the_item_or_none(
    client: TestClient, vault: Vault, owner: dict[str, str], notary: dict[str, str], item: str
) -> None:
    opened = [
        client.post("/v1/cases", json={"forum": "court", "jurisdiction": "cn"}, headers=owner).json()["id"]
        for _ in range(2)
    ]
    added = client.post(f"/v1/cases/{opened[0]}/items", json={"item": item}, headers=owner)
    assert added.status_code == 201, added.text
    path, answers = f"/v1/items/{item}/attestations", []
    for case in (opened[1], encode_id("cs", bytes(16))):
        body = body_of(signed(vault, drafted(client, item, notary, case=case)))
        answers.append(client.post(path, json=body, headers=notary))
    assert [answer.status_code for answer in answers] == [422, 422]
    assert all("a case that holds the item, or null" in answer.json()["detail"] for answer in answers)
    body = body_of(signed(vault, drafted(client, item, notary, case=opened[0])))
    assert client.post(path, json=body, headers=notary).status_code == 201
    [shown] = client.get(path, headers=owner).json()["attestations"]
    assert shown["statement"]["case"] == opened[0]


def test_notary_checks_drafts_attests_and_withdraws(
    client: TestClient, vault: Vault, owner: dict[str, str], notary: dict[str, str], item: str
) -> None:
    checked = client.post(f"/v1/items/{item}/fixity-checks", headers=notary)
    assert checked.status_code == 201
    assert checked.json()["result"] == "intact"
    draft = client.get(f"/v1/items/{item}/attestation-draft", headers=notary).json()
    assert draft["head"] == {key: checked.json()[key] for key in ("seq", "event_sha256")}
    assert draft["checked"]["seq"] == checked.json()["seq"]
    body = body_of(signed(vault, drafted(client, item, notary)))
    path, keyed = f"/v1/items/{item}/attestations", {**notary, "Idempotency-Key": "k-1"}
    done = client.post(path, json=body, headers=keyed)
    assert done.status_code == 201, done.text
    assert client.post(path, json=body, headers=keyed).content == done.content
    assert client.post(path, json={**body, "chain": None}, headers=keyed).status_code == 409
    assert client.post(path, json=body, headers=notary).status_code == 409, "a replay without a key"
    assert done.json()["signature"]["status"] == "trusted"
    assert done.json()["signature"]["signer"] == "CN=A Notary"
    assert types_of(client, item, owner) == ["ITEM_RECEIVED", "FIXITY_CHECKED", "ATTESTED"]
    [shown] = client.get(f"/v1/items/{item}/attestations", headers=owner).json()["attestations"]
    assert shown["withdrawn"] is None
    assert shown["role"] == "NO"
    assert shown["statement"]["examined"] == [{"what": "content", "how": "hashed"}]
    proofs = client.get(f"/v1/items/{item}/proofs", headers=owner).json()
    assert proofs["timestamps"] == [], "a statement is no time-stamp"
    taken_back = Withdrawal(
        origin=vault.settings.origin,
        item=item,
        attested_seq=shown["seq"],
        attested_sha256=bytes.fromhex(shown["event_sha256"]),
        statement_sha256=bytes.fromhex(shown["statement_sha256"]),
        reason="A mistake.",
    )
    path = f"/v1/items/{item}/attestations/{shown['seq']}/withdrawal"
    body = body_of(signed(vault, taken_back))
    done = client.post(path, json=body, headers=keyed)
    assert done.status_code == 201
    assert client.post(path, json=body, headers=keyed).content == done.content
    [shown] = client.get(f"/v1/items/{item}/attestations", headers=notary).json()["attestations"]
    assert shown["withdrawn"]["reason"] == "A mistake."
    assert shown["withdrawn"]["signature"]["status"] == "trusted"
    again = client.post(path, json=body_of(signed(vault, taken_back, None)), headers=notary)
    assert again.status_code == 409


def test_draft_is_one_event_however_often_it_is_asked_for(
    client: TestClient, owner: dict[str, str], notary: dict[str, str], item: str
) -> None:
    for _ in range(3):
        client.get(f"/v1/items/{item}/attestation-draft", headers=notary)
    assert types_of(client, item, owner) == ["ITEM_RECEIVED", "VIEWED"]


@pytest.mark.parametrize("role", [role for role in ROLES if role not in ("NO", "AP", "SYSTEM")])
def test_nobody_else_attests_and_refused_looks_like_unknown(
    role: str, client: TestClient, vault: Vault, bearer: Bearer, item: str
) -> None:
    """A technical investigator's opinion is sealed to the bench: another thing than this."""
    body = body_of(signed(vault, drafted(client, item, bearer("NO"))))
    other = bearer(role)
    for method, path, sent in (
        ("POST", "fixity-checks", None),
        ("GET", "attestation-draft", None),
        ("POST", "attestations", body),
        ("POST", "attestations/1/withdrawal", body),
        ("GET", "attestations", None),
    ):
        refused = client.request(method, f"/v1/items/{item}/{path}", json=sent, headers=other)
        unknown = client.request(method, f"/v1/items/{UNKNOWN}/{path}", json=sent, headers=other)
        assert refused.status_code == unknown.status_code == 404
        assert {**refused.json(), "instance": ""} == {**unknown.json(), "instance": ""}


def test_token_without_the_scope_is_told_so(client: TestClient, bearer: Bearer, item: str) -> None:
    narrow = bearer("NO", tuple(scope for scope in ALL_SCOPES if scope != "attest"))
    answer = client.get(f"/v1/items/{item}/attestation-draft", headers=narrow)
    assert answer.status_code == 403
    assert 'scope="attest"' in answer.headers["www-authenticate"]


def test_statement_moved_to_another_item_is_refused_by_name(
    client: TestClient, vault: Vault, owner: dict[str, str], notary: dict[str, str], item: str
) -> None:
    other = str(client.post("/v1/items", content=b"evidence", headers=owner).json()["id"])
    body = body_of(signed(vault, drafted(client, item, notary)))
    answer = client.post(f"/v1/items/{other}/attestations", json=body, headers=notary)
    assert answer.status_code == 422
    assert answer.json()["type"] == "/v1/problems/statement-refused"
    assert "statement item" in answer.json()["detail"]
    assert "ATTESTED" not in types_of(client, other, owner)


def test_signature_in_pem_is_taken_too(
    client: TestClient, vault: Vault, notary: dict[str, str], item: str
) -> None:
    submission = signed(vault, drafted(client, item, notary))
    assert submission.signature is not None
    text = base64.encodebytes(submission.signature).decode()
    body = {**body_of(submission), "signature": f"-----BEGIN CMS-----\n{text}-----END CMS-----\n"}
    assert client.post(f"/v1/items/{item}/attestations", json=body, headers=notary).status_code == 201


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'{"statement":"%%%"}', 400),
        (b'{"statement":""}', 400),
        (b'{"statement":"eA=="}', 400),
        (b'{"statement":"eA==","seq":7}', 400),
        (b'{"statement":"eA==","signature":"\\u0000"}', 400),
        (b'{"statement":"eA==","chain":"-----BEGIN CERTIFICATE-----"}', 400),
        (b'{"statement":"' + b"A" * 200_000 + b'"}', 400),
        (b" " * 600_000, 413),
    ],
)
def test_body_that_is_none_is_refused_and_nothing_recorded(
    body: bytes, status: int, client: TestClient, notary: dict[str, str], item: str
) -> None:
    headers = {**notary, "Content-Type": "application/json"}
    answer = client.post(f"/v1/items/{item}/attestations", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert client.get(f"/v1/items/{item}/attestations", headers=notary).json()["attestations"] == []


def test_body_of_another_type_is_refused(client: TestClient, notary: dict[str, str], item: str) -> None:
    answer = client.post(f"/v1/items/{item}/attestations", content=b'{"statement":"eA=="}', headers=notary)
    assert answer.status_code == 415


def test_stranger_cannot_send_a_large_body(client: TestClient, item: str) -> None:
    answer = client.post(f"/v1/items/{item}/attestations", content=b" " * 600_000)
    assert answer.status_code == 401


def test_hash_deposit_has_nothing_to_read_again_but_can_be_attested(
    client: TestClient, vault: Vault, owner: dict[str, str], notary: dict[str, str]
) -> None:
    headers = {**owner, "Content-Type": "application/vnd.evidence-vault.hash+json"}
    made = client.post("/v1/items", content=b'{"digests":{"sha256":"' + b"ab" * 32 + b'"}}', headers=headers)
    item = str(made.json()["id"])
    assert client.post(f"/v1/items/{item}/fixity-checks", headers=notary).status_code == 409
    body = body_of(signed(vault, drafted(client, item, notary)))
    assert client.post(f"/v1/items/{item}/attestations", json=body, headers=notary).status_code == 201


def test_reading_again_at_once_is_too_soon(client: TestClient, notary: dict[str, str], item: str) -> None:
    """The test's clock stands, so no time passes between the two."""
    assert client.post(f"/v1/items/{item}/fixity-checks", headers=notary).status_code == 201
    answer = client.post(f"/v1/items/{item}/fixity-checks", headers=notary)
    assert (answer.status_code, answer.json()["type"]) == (429, "/v1/problems/too-soon")
    assert "read again at" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) >= 1


def test_words_that_hide_are_data(
    client: TestClient, vault: Vault, notary: dict[str, str], item: str
) -> None:
    remark = 'fine\u202e"}<script>\u2066'
    statement = drafted(client, item, notary, remark=remark)
    body = body_of(signed(vault, statement))
    assert client.post(f"/v1/items/{item}/attestations", json=body, headers=notary).status_code == 201
    [shown] = client.get(f"/v1/items/{item}/attestations", headers=notary).json()["attestations"]
    assert shown["statement"]["remark"] == remark
    assert encode_statement(statement).count(b"\n") == 1


def test_list_comes_in_pages(client: TestClient, vault: Vault, notary: dict[str, str], item: str) -> None:
    for number in range(5):
        body = body_of(signed(vault, drafted(client, item, notary, remark=f"{number}"), NOTARY))
        assert client.post(f"/v1/items/{item}/attestations", json=body, headers=notary).status_code == 201
    first = client.get(f"/v1/items/{item}/attestations?limit=3", headers=notary).json()
    rest = client.get(f"/v1/items/{item}/attestations?from_seq={first['next']}", headers=notary).json()
    remarks = [one["statement"]["remark"] for one in first["attestations"] + rest["attestations"]]
    assert remarks == ["0", "1", "2", "3", "4"]
    assert rest["next"] is None
