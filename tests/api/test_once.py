"""Requests that come twice under one key: done once, answered the same; and who asks more of a key."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from starlette.testclient import TestClient

from anchors.values import replace
from evidence_vault.access.decisions import ALL_SCOPES
from evidence_vault.access.facts import Requester
from evidence_vault.core.names import encode_time
from evidence_vault.errors import Conflict, FormatError, UnavailableError
from evidence_vault.pipeline.cases.cases import CaseWish, open_case
from evidence_vault.pipeline.once import Call, once
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.case_models import Case, Refusals
from evidence_vault.store.models import Event, IdempotencyKey
from evidence_vault.store.queries import idempotency
from tests.api.clients import LICENCE, LOOK, Person, somebody
from tests.pipeline.vaults import OWNER

pytestmark = pytest.mark.socket

Make = Callable[..., Person]
KEY = {"Idempotency-Key": "k-1"}

NOT_KEYED = {
    "/v1/items/{item_id}/fixity-checks": "each is a look of its own, and may take hours",
    "/v1/items/{item_id}/break-glass": "each hands out, and each is told",
    "/v1/items/{item_id}/transfers/{seq}/acceptance": "reads contents; again is a conflict",
    "/v1/items/{item_id}/transfers/{seq}/refusal": "again is a conflict",
    "/v1/items/{item_id}/holds/{seq}/release": "again is a conflict",
    "/v1/cases/{case_id}/holds/{seq}/release": "again is a conflict",
    "/v1/grants/{grant_id}/revocation": "again is nothing new",
    "/v1/grants/{grant_id}/undertakings": "again is nothing new",
    "/v1/orders/{order_id}/revocation": "again is nothing new",
    "/v1/orders/{order_id}/revelations": "each tells, and each is told; the answer is kept nowhere",
    "/v1/uploads": "makes no item; one that nobody goes on with ends",
    "/v1/verify": "writes nothing",
    "/v1/webhooks": "its secret is told once",
}
"""What takes no key, and why a repetition does no harm. Logins, people and tokens answer with secrets, once."""
HOUSE = (
    *("/v1/sessions", "/v1/oidc", "/v1/enrolments", "/v1/me", "/v1/tokens"),
    *("/v1/people", "/v1/organisations", "/v1/proposals"),
)


@pytest.fixture
def make(vault: Vault, client: TestClient) -> Make:
    return lambda role="RH", **more: somebody(vault, client, role, **more)


def count(vault: Vault, table: type[Any]) -> int:
    with vault.database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_every_call_that_does_something_takes_a_key_or_says_why_not(client: TestClient) -> None:
    app = client.app
    assert isinstance(app, FastAPI)
    without = {
        path
        for path, methods in app.openapi()["paths"].items()
        if "post" in methods
        and "Idempotency-Key" not in {one["name"] for one in methods["post"].get("parameters", ())}
        and not path.startswith(HOUSE)
    }
    assert without == set(NOT_KEYED)


@pytest.mark.db
def test_every_act_that_is_asked_for_twice_is_done_once_and_answered_the_same(
    vault: Vault, make: Make
) -> None:
    judge, owner, other, lawyer = make("JU"), make(), make(), make("AT")
    item, second = owner.deposit(), owner.deposit(b"second")

    def twice(person: Person, path: str, body: dict[str, Any], changed: dict[str, Any]) -> Any:
        first = person.post(path, body, **KEY)
        assert first.status_code in (201, 202, 204), (path, first.text)
        told = count(vault, Event)
        again = person.post(path, body, **KEY)
        assert (again.status_code, again.content) == (first.status_code, first.content), path
        refused = person.post(path, changed, **KEY)
        assert (refused.status_code, refused.json()["type"]) == (409, "/v1/problems/conflict"), path
        assert count(vault, Event) == told, path
        return first.json() if first.content else None

    opened: dict[str, Any] = {
        "forum": "court",
        "jurisdiction": "cn",
        "parties": [{"side": "claimant", "person": owner.id}, {"side": "respondent", "person": other.id}],
    }
    case = twice(judge, "/cases", opened, {**opened, "jurisdiction": "de"})["id"]
    twice(judge, f"/cases/{case}/parties", {"side": "third-party"}, {"side": "witness"})
    line = {"item": item, "proves": "sale"}
    assert twice(owner, f"/cases/{case}/items", line, {"item": second})["number"] == 1
    mediator = make("AM")
    mediation = mediator.opens(
        forum="mediation", mediation_only=True, parties=[{"side": "claimant", "person": owner.id}]
    )
    owner.post(f"/cases/{mediation}/items", {"item": second})
    consent = {"for_case": case, "items": [second]}
    twice(owner, f"/cases/{mediation}/consents", consent, {**consent, "items": [second, second, item]})
    grant = {"grantee": lawyer.id, "role": "AT", "items": [item], "actions": list(LOOK)}
    given = twice(owner, "/grants", grant, {**grant, "onward": True})["id"]
    order = {
        "case": case,
        "court": "Court",
        "lawyers": [{"person": lawyer.id, "licence": LICENCE}],
        "items": [item],
        "issued_at": encode_time(vault.clock()),
    }
    ordered = twice(judge, "/orders", order, {**order, "court": "Another"})["id"]
    twice(lawyer, f"/orders/{ordered}/return", {"asked": 1, "produced": [item]}, {"asked": 2})
    twice(owner, f"/items/{item}/holds", {"reason": "wait"}, {})
    twice(judge, f"/cases/{case}/holds", {"reference": "(2026) 1"}, {})
    twice(owner, f"/items/{item}/transfers", {"receiver": other.id}, {"receiver": judge.id})
    objection = {"ground": "legality", "case": case, "text": "no"}
    seq = twice(judge, f"/items/{item}/objections", objection, {**objection, "text": "yes"})["seq"]
    answer = {"outcome": "answered", "text": "so"}
    twice(owner, f"/items/{item}/objections/{seq}/answers", answer, {**answer, "text": "not so"})
    receipt = {"case": case, "received_at": encode_time(vault.clock())}
    twice(judge, f"/items/{item}/court-receipts", receipt, {**receipt, "number": "2"})
    shown = {"case": case, "presented_at": encode_time(vault.clock())}
    twice(judge, f"/items/{item}/presentations", shown, {**shown, "place": "room 2"})
    export = owner.post(f"/items/{item}/exports", **KEY)
    assert owner.post(f"/items/{item}/exports", **KEY).json()["id"] == export.json()["id"]
    assert owner.post(f"/items/{item}/exports").json()["id"] != export.json()["id"]
    assert owner.post(f"/grants/{given}/confirmation", **KEY).status_code == 204
    told = count(vault, Event)
    assert owner.post(f"/grants/{given}/confirmation", **KEY).status_code == 204
    assert count(vault, Event) == told
    assert owner.post(f"/grants/{given}/confirmation").status_code == 204
    assert count(vault, Event) > told


def test_key_is_its_owners_in_his_role_and_for_whom_he_acts(vault: Vault, make: Make) -> None:
    one, other, lawyer = make("CL"), make("CL"), make("AT")
    body = {"forum": "court", "jurisdiction": "cn"}
    first = one.post("/cases", body, **KEY).json()["id"]
    assert other.post("/cases", body, **KEY).json()["id"] != first
    assert one.post("/cases", {**body, "mediation_only": False}, **KEY).json()["id"] == first, "as by default"
    assert one.post("/cases", body).json()["id"] != first, "without a key each is one of its own"
    assert one.post(f"/cases/{first}/parties", {"side": "a"}, **KEY).status_code == 201, "another endpoint"
    second = one.opens()
    elsewhere = one.post(f"/cases/{second}/parties", {"side": "a"}, **KEY)
    assert elsewhere.status_code == 409, "the same endpoint of another case"
    call = Call(caller=_requester(lawyer), endpoint="x", said="x", key="k")
    on_behalf = replace(call, caller=replace(call.caller, on_behalf_of=OWNER.id))
    as_owner = replace(call, caller=replace(call.caller, role="RH"))
    assert len({call.sha256(), on_behalf.sha256(), as_owner.sha256()}) == 3


def test_key_of_what_was_refused_is_free_and_the_refusal_counted(vault: Vault, make: Make) -> None:
    owner, stranger, clerk = make(), make(), make("CL")
    item, case = owner.deposit(), clerk.opens()
    before = count(vault, IdempotencyKey)
    assert stranger.post(f"/cases/{case}/items", {"item": item}, **KEY).status_code == 404
    assert stranger.post(f"/items/{item}/transfers", {"receiver": owner.id}, **KEY).status_code == 404
    assert clerk.post("/grants", {"grantee": "?", "role": "AT", "actions": []}, **KEY).status_code in (
        400,
        422,
    )
    assert count(vault, IdempotencyKey) == before
    with vault.database.read() as session:
        assert session.scalar(select(Refusals.refusals).where(Refusals.principal_id == stranger.id)) == 2
    clerk.post(f"/cases/{case}/parties", {"side": "claimant", "person": stranger.id})
    own = stranger.deposit()
    assert stranger.post(f"/cases/{case}/items", {"item": own}, **KEY).status_code == 201


@pytest.mark.parametrize("key", ["", "two words", "k" * 201, "k\x7f"])
def test_key_that_is_none_is_refused(make: Make, key: str) -> None:
    answer = make("CL").post("/cases", {"forum": "court", "jurisdiction": "cn"}, **{"Idempotency-Key": key})
    assert answer.status_code == 400


def test_key_that_comes_twice_is_refused(make: Make) -> None:
    clerk = make("CL")
    headers = [*clerk.headers.items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    body = {"forum": "court", "jurisdiction": "cn"}
    assert clerk.client.post("/v1/cases", json=body, headers=headers).status_code == 400


@pytest.mark.db
def test_many_at_once_under_one_key_open_one_case(vault: Vault, make: Make) -> None:
    clerk, start = _requester(make("CL")), Barrier(6)
    wish = CaseWish(forum="court", jurisdiction="cn")
    call = Call(caller=clerk, endpoint="POST /v1/cases", said="one", key="k")

    def ask() -> str:
        start.wait()
        for _ in range(50):
            try:
                return once(vault, call, lambda inner: open_case(inner, clerk, wish))
            except UnavailableError:  # told to try again
                continue
        raise AssertionError("never answered")

    with ThreadPoolExecutor(6) as pool:
        answers = {one.result() for one in [pool.submit(ask) for _ in range(6)]}
    assert len(answers) == 1
    assert count(vault, Case) == 1


@pytest.mark.db
@pytest.mark.parametrize("broken", ["claim", "bind_answer"])
def test_crash_before_the_commit_leaves_neither_act_nor_key(
    vault: Vault, make: Make, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    clerk = _requester(make("CL"))
    call = Call(caller=clerk, endpoint="POST /v1/cases", said="one", key="k")
    wish = CaseWish(forum="court", jurisdiction="cn")

    def act(inner: Vault) -> str:
        return open_case(inner, clerk, wish)

    def die(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(idempotency, broken, die)
        with pytest.raises(KeyboardInterrupt):
            once(vault, call, act)
    assert (count(vault, Case), count(vault, IdempotencyKey)) == (0, 0)
    case = once(vault, call, act)
    assert once(vault, call, act) == case
    with pytest.raises(Conflict):
        once(vault, replace(call, said="another"), act)
    with pytest.raises(FormatError):
        once(vault, replace(call, key="\n"), act)


def test_act_of_a_read_only_vault_leaves_its_key_free(vault: Vault, make: Make) -> None:
    clerk = make("CL")
    vault.gate.shut("a test")
    answer = clerk.post("/cases", {"forum": "court", "jurisdiction": "cn"}, **KEY)
    assert (answer.status_code, count(vault, IdempotencyKey)) == (503, 0)


def _requester(person: Person) -> Requester:
    return Requester(actor_id=person.id, role=person.role, scopes=frozenset(ALL_SCOPES), auth="token")
