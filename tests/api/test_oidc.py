"""Logins at a provider that is not ours, and everything that can be wrong with what comes back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from evidence_vault.api.app import create_app
from tests.api.people import Office, Somebody, open_office, people_vault
from tests.identity.oidc_server import CLIENT, SECRET, new_key, running, visit
from tests.pipeline.vaults import SetClock

pytestmark = [pytest.mark.socket, pytest.mark.slow]

KEYS = [new_key("one")]


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("provider"), keys=KEYS) as found:
        yield found


class Wall:
    """The time of the wall: a provider that is not ours has no other."""

    def __call__(self) -> Any:
        from datetime import UTC, datetime

        return datetime.now(UTC)


@pytest.fixture
def office(tmp_path: Path, issuer: str) -> Iterator[Office]:
    provider = {
        "name": "court",
        "issuer": issuer,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "mfa_acr": ["urn:several"],
    }
    vault = people_vault(
        tmp_path,
        Wall(),  # type: ignore[arg-type]
        oidc=[provider],
        private_endpoints=[urlsplit(issuer).netloc],
        base_url="http://127.0.0.1:8460",
    )
    with TestClient(create_app(vault), raise_server_exceptions=False) as client:
        yield open_office(vault, client)
    vault.database.dispose()


def begin(office: Office, role: str | None = None) -> tuple[str, dict[str, str]]:
    """Begin a login; the address, and the cookie of the browser."""
    office.client.cookies.clear()
    answer = office.client.post("/v1/oidc/court/login", json={"role": role})
    assert answer.status_code == 200, answer.text
    cookie = answer.headers["set-cookie"].partition(";")[0]
    office.client.cookies.clear()
    return answer.json()["url"], {"Cookie": cookie}


def come_back(office: Office, back: dict[str, str], cookie: dict[str, str]) -> Any:
    answer = office.client.get("/v1/oidc/callback", params=back, headers=cookie)
    office.client.cookies.clear()
    return answer


def linked(office: Office, issuer: str, subject: str) -> Somebody:
    person = office.add("Holder")
    office.done(office.first, "POST", f"/people/{person.id}/roles", {"role": "RH"})
    office.done(office.first, "POST", f"/people/{person.id}/logins", {"issuer": issuer, "subject": subject})
    return person


def refused(answer: Any) -> bool:
    return bool(answer.status_code == 401 and answer.json()["type"].endswith("/login-refused"))


def test_login_of_a_linked_subject_is_let_in_by_cookie(office: Office, issuer: str) -> None:
    person = linked(office, issuer, "holder-1")
    url, cookie = begin(office)
    asked = parse_qs(urlsplit(url).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge"} <= set(asked)
    answer = come_back(office, visit(url, "holder-1"), cookie)
    assert answer.status_code == 200, answer.text
    opened = answer.json()
    assert (opened["actor_id"], opened["auth"], opened["secret"]) == (person.id, "oidc", None)
    session = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("evidence-vault=es_"))
    assert "SameSite=Strict" in session
    headers = {"Cookie": session.partition(";")[0], "Evidence-Session": "cookie"}
    assert office.client.get("/v1/me", headers=headers).json()["actor_id"] == person.id


def test_login_by_several_factors_is_told_as_such(office: Office, issuer: str) -> None:
    linked(office, issuer, "holder-2")
    url, cookie = begin(office)
    answer = come_back(office, visit(url, "holder-2|urn:several"), cookie)
    assert answer.json()["auth"] == "oidc-mfa"


def test_unknown_subject_is_refused_and_told_his_own_subject(office: Office) -> None:
    url, cookie = begin(office)
    answer = come_back(office, visit(url, "stranger"), cookie)
    assert refused(answer)
    assert "stranger" in answer.json()["detail"]
    assert "set-cookie" not in answer.headers


def test_state_and_code_are_good_once(office: Office, issuer: str) -> None:
    linked(office, issuer, "holder-3")
    url, cookie = begin(office)
    back = visit(url, "holder-3")
    assert come_back(office, back, cookie).status_code == 200
    assert refused(come_back(office, back, cookie))  # the same answer again
    other, other_cookie = begin(office)
    state = parse_qs(urlsplit(other).query)["state"][0]
    assert refused(come_back(office, {**back, "state": state}, other_cookie))  # the code in another login


def test_code_of_another_login_has_the_wrong_verifier_and_nonce(office: Office, issuer: str) -> None:
    linked(office, issuer, "holder-4")
    attackers, _ = begin(office)
    victims, cookie = begin(office)
    stolen = visit(attackers, "holder-4")
    state = parse_qs(urlsplit(victims).query)["state"][0]
    assert refused(come_back(office, {**stolen, "state": state}, cookie))


def test_login_in_another_browser_is_refused(office: Office, issuer: str) -> None:
    linked(office, issuer, "holder-5")
    url, cookie = begin(office)
    back = visit(url, "holder-5")
    for other in ({}, {"Cookie": "evidence-vault-login=another"}):
        assert refused(come_back(office, back, other))
    if not refused(come_back(office, back, cookie)):  # a state that came in another browser is used up
        raise AssertionError("let in")


def test_answer_of_another_issuer_is_refused(office: Office, issuer: str) -> None:
    linked(office, issuer, "holder-6")
    url, cookie = begin(office)
    back = visit(url, "holder-6")
    assert back.get("iss") in (None, issuer)
    assert refused(come_back(office, {**back, "iss": "https://evil.example"}, cookie))


@pytest.mark.parametrize(
    "back", [{"state": "x" * 43, "code": "y"}, {"state": "x" * 43, "error": "access_denied"}]
)
def test_made_up_answer_is_refused(office: Office, back: dict[str, str]) -> None:
    _, cookie = begin(office)
    assert refused(come_back(office, back, cookie))


def test_relinked_login_takes_two_and_ends_what_was(office: Office, issuer: str) -> None:
    person = linked(office, issuer, "holder-7")
    alone = {"issuer": issuer, "subject": "the-administrator-himself"}
    answer = office.ask(office.first, "POST", f"/people/{person.id}/logins", alone)
    assert answer.status_code == 403
    url, cookie = begin(office)
    session = come_back(office, visit(url, "holder-7"), cookie).headers.get_list("set-cookie")[-1]
    office.confirmed(person, "link", issuer=issuer, subject="holder-7b")
    headers = {"Cookie": session.partition(";")[0], "Evidence-Session": "cookie"}
    assert office.client.get("/v1/me", headers=headers).status_code == 401
    url, cookie = begin(office)
    assert refused(come_back(office, visit(url, "holder-7"), cookie))
    url, cookie = begin(office)
    assert come_back(office, visit(url, "holder-7b"), cookie).status_code == 200
    again = {
        "kind": "link",
        "person_id": office.second.id,
        "reason": "r",
        "issuer": issuer,
        "subject": "holder-7b",
    }
    assert office.ask(office.first, "POST", "/proposals", again).status_code == 409  # it is somebody's


def test_disabled_person_is_refused_though_the_provider_vouches(office: Office, issuer: str) -> None:
    person = linked(office, issuer, "holder-8")
    office.done(office.first, "POST", f"/people/{person.id}/disable", {"reason": "left"})
    url, cookie = begin(office)
    assert refused(come_back(office, visit(url, "holder-8"), cookie))


def test_provider_down_is_said_and_lets_nobody_in(tmp_path: Path) -> None:
    provider = {"name": "court", "issuer": "http://127.0.0.1:9", "client_id": CLIENT}
    vault = people_vault(tmp_path, SetClock(), oidc=[provider], private_endpoints=["127.0.0.1:9"])
    with TestClient(create_app(vault), raise_server_exceptions=False) as client:
        answer = client.post("/v1/oidc/court/login", json={})
        assert answer.status_code == 503
        assert "127.0.0.1:9" in json.dumps(answer.json())
        assert client.post("/v1/oidc/nobody/login", json={}).status_code == 404
        assert client.get("/v1/oidc").json() == {"providers": ["court"]}
    vault.database.dispose()
