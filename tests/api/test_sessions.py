"""Sessions: what lets somebody in, what ends it, and what an attacker on the wire or in the browser gets."""

import statistics
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from evidence_vault.api.app import create_app
from tests.api.people import CHEAPEST, PASSWORD, Office, Somebody, open_office, people_vault
from tests.pipeline.vaults import SetClock

pytestmark = [pytest.mark.db, pytest.mark.socket]
OTHER = "another password that he chose"


def clock(office: Office) -> SetClock:
    assert isinstance(office.vault.clock, SetClock)
    return office.vault.clock


def refused(office: Office, who: Somebody) -> bool:
    return bool(office.ask(who, "GET", "/me").status_code == 401)


def test_login_unknown_wrong_and_disabled_are_one_answer(office: Office) -> None:
    holder = office.rights_holder("Holder", "holder")
    gone = office.rights_holder("Gone", "gone")
    office.done(office.first, "POST", f"/people/{gone.id}/disable", {"reason": "left"})
    office.add("Never enrolled", "never")
    answers = []
    for login, password in (
        ("nobody-has-this", PASSWORD),
        ("holder", OTHER),
        ("gone", PASSWORD),
        ("never", PASSWORD),
        ("no such login!", PASSWORD),
        ("holder", ""),
    ):
        answer = office.ask(None, "POST", "/sessions", {"login": login, "password": password})
        body = {k: v for k, v in answer.json().items() if k != "instance"}
        answers.append((answer.status_code, sorted(set(answer.headers) - {"request-id"}), body))
    assert all(answer == answers[0] for answer in answers)
    assert not refused(office, holder)


def test_login_unknown_takes_as_long_as_wrong(tmp_path: Path) -> None:
    vault = people_vault(tmp_path, identity=CHEAPEST)

    def took(office: Office, login: str) -> float:
        began = time.perf_counter()
        office.ask(None, "POST", "/sessions", {"login": login, "password": OTHER})
        clock(office).advance(4000)  # no counting against it
        return time.perf_counter() - began

    with TestClient(create_app(vault), raise_server_exceptions=False) as client:
        office = open_office(vault, client)
        office.rights_holder("Holder", "holder")
        took(office, "holder"), took(office, "nobody")
        pairs = [(took(office, "holder"), took(office, f"nobody{n}")) for n in range(12)]
    vault.database.dispose()
    known, unknown = (statistics.median(times) for times in zip(*pairs, strict=True))
    assert 0.5 < known / unknown < 2.0


def test_session_idle_and_absolute_end(office: Office) -> None:
    holder = office.rights_holder("Holder", "holder")
    for _ in range(23):  # used every half hour but a minute: eleven hours and some
        clock(office).advance(29 * 60)
        assert not refused(office, holder)
    clock(office).advance(29 * 60)
    assert not refused(office, holder)
    clock(office).advance(29 * 60)
    assert refused(office, holder)  # twelve hours are over, however busy
    again = office.enter("holder")
    clock(office).advance(30 * 60)
    assert refused(office, again)


def test_login_rotates_a_session_that_came_along(office: Office) -> None:
    holder = office.rights_holder("Holder", "holder")
    planted = holder.headers
    body = {"login": "holder", "password": PASSWORD}
    answer = office.client.post("/v1/sessions", json=body, headers=planted)
    assert answer.status_code == 201
    assert answer.json()["secret"] not in planted["Authorization"]
    assert refused(office, holder)


@pytest.mark.parametrize("planted", ["es_" + "A" * 43, "anything", "ev_" + "A" * 43])
def test_session_fixation_a_planted_secret_is_never_the_session(office: Office, planted: str) -> None:
    office.rights_holder("Holder", "holder")
    body = {"login": "holder", "password": PASSWORD, "cookie": True}
    headers = {"Cookie": f"evidence-vault={planted}", "Evidence-Session": "cookie"}
    answer = office.client.post("/v1/sessions", json=body, headers=headers)
    assert answer.status_code == 201
    assert planted not in answer.headers["set-cookie"]
    fixed = office.client.get("/v1/me", headers=headers)
    assert fixed.status_code == 401


def test_role_change_is_a_new_secret_that_ends_when_the_old_one_would(office: Office) -> None:
    judge = office.with_role("Judge", "judge", "JU")
    office.done(office.first, "POST", f"/people/{judge.id}/roles", {"role": "RH"})
    clock(office).advance(600)
    before = office.enter("judge", role="JU")
    changed = office.done(before, "POST", "/sessions/role", {"role": "RH"})
    assert changed["role"] == "RH"
    assert refused(office, before)
    after = Somebody(judge.id, {"Authorization": f"Bearer {changed['secret']}"})
    assert office.done(after, "GET", "/me")["role"] == "RH"
    assert office.ask(after, "POST", "/sessions/role", {"role": "NO"}).status_code == 404
    assert office.done(after, "GET", "/me")["role"] == "RH"


def test_logout_ends_one_and_logout_everywhere_all(office: Office) -> None:
    one = office.rights_holder("Holder", "holder")
    two, three = office.enter("holder"), office.enter("holder")
    assert len(office.done(three, "GET", "/sessions")["sessions"]) == 3
    office.done(one, "DELETE", "/sessions/current")
    assert refused(office, one)
    assert not refused(office, two)
    office.done(two, "DELETE", "/sessions")
    assert refused(office, two)
    assert refused(office, three)


def test_password_change_ends_the_other_sessions(office: Office) -> None:
    own = office.rights_holder("Holder", "holder")
    other = office.enter("holder")
    wrong = {"old": OTHER, "new": OTHER}
    assert office.ask(own, "PUT", "/me/password", wrong).status_code == 401
    office.done(own, "PUT", "/me/password", {"old": PASSWORD, "new": OTHER})
    assert not refused(office, own)
    assert refused(office, other)
    assert office.ask(None, "POST", "/sessions", {"login": "holder", "password": PASSWORD}).status_code == 401
    office.enter("holder", password=OTHER)


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaaa", "my name is holder!", "x" * 257])
def test_password_that_is_no_good_is_refused_unquoted(office: Office, password: str) -> None:
    own = office.rights_holder("Holder", "holder")
    answer = office.ask(own, "PUT", "/me/password", {"old": PASSWORD, "new": password})
    assert answer.status_code == 400
    assert password not in answer.text


def test_token_makes_no_token_no_session_and_no_password(office: Office) -> None:
    holder = office.rights_holder("Holder", "holder")
    made = office.done(
        holder, "POST", "/tokens", {"label": "scan", "scopes": ["read", "deposit"], "days": 30}
    )
    token = Somebody(holder.id, {"Authorization": f"Bearer {made['secret']}"})
    me = office.done(token, "GET", "/me")
    assert (me["auth"], me["scopes"], me["role"]) == ("token", ["deposit", "read"], "RH")
    more = {"label": "scan", "scopes": ["read"], "days": 30}
    for method, path, body in (
        ("POST", "/tokens", more),
        ("POST", "/sessions/role", {"role": "RH"}),
        ("PUT", "/me/password", {"old": PASSWORD, "new": OTHER}),
        ("POST", "/me/pseudonyms", {"name": "x"}),
    ):
        assert office.ask(token, method, path, body).status_code == 404, path
    assert office.ask(holder, "DELETE", f"/tokens/{'0' * 16}").status_code == 404
    office.done(holder, "DELETE", f"/tokens/{made['id']}")
    assert refused(office, token)
    assert office.ask(holder, "DELETE", f"/tokens/{made['id']}").status_code == 404


def test_token_of_somebody_else_is_not_there(office: Office) -> None:
    one, two = office.rights_holder("One", "one"), office.rights_holder("Two", "two")
    made = office.done(one, "POST", "/tokens", {"label": "scan", "scopes": ["read"], "days": 1})
    assert office.ask(two, "DELETE", f"/tokens/{made['id']}").status_code == 404
    assert office.done(two, "GET", "/tokens")["tokens"] == []


def test_cookie_is_kept_from_scripts_and_counts_only_from_this_origin(office: Office) -> None:
    office.rights_holder("Holder", "holder")
    body = {"login": "holder", "password": PASSWORD, "cookie": True}
    answer = office.client.post("/v1/sessions", json=body)
    assert answer.json()["secret"] is None
    set_cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in set_cookie
    assert "SameSite=Strict" in set_cookie
    cookie = set_cookie.partition(";")[0]
    office.client.cookies.clear()

    def status(method: str, **fields: str) -> int:
        headers = {"Cookie": cookie, **{name.replace("_", "-"): text for name, text in fields.items()}}
        return office.client.request(method, "/v1/sessions", headers=headers).status_code

    assert status("GET", Evidence_Session="cookie") == 200
    assert status("GET", Sec_Fetch_Site="same-origin") == 200
    for site in ("cross-site", "same-site"):
        assert status("GET", Sec_Fetch_Site=site) == 401
    assert status("GET") == 401
    assert status("DELETE") == 401
    assert status("DELETE", Sec_Fetch_Site="same-origin") == 401
    assert status("DELETE", Evidence_Session="cookie") == 204
    assert status("GET", Evidence_Session="cookie") == 401


def test_cookie_deposits_with_the_field_and_not_without(office: Office) -> None:
    office.rights_holder("Holder", "holder")
    body = {"login": "holder", "password": PASSWORD, "cookie": True}
    cookie = office.client.post("/v1/sessions", json=body).headers["set-cookie"].partition(";")[0]
    office.client.cookies.clear()
    without = office.client.post("/v1/items", content=b"evidence", headers={"Cookie": cookie})
    assert without.status_code == 401
    headers = {"Cookie": cookie, "Evidence-Session": "cookie"}
    done = office.client.post("/v1/items", content=b"evidence", headers=headers)
    assert done.status_code == 201
    seen = office.client.get(f"/v1/items/{done.json()['id']}/events", headers=headers).json()
    assert seen["events"][0]["event"]["actor"]["auth"] == "password"


def test_logged_out_session_deposits_nothing_though_it_was_remembered(office: Office) -> None:
    holder = office.rights_holder("Holder", "holder")
    assert office.client.post("/v1/items", content=b"1", headers=holder.headers).status_code == 201
    other = office.enter("holder")
    office.done(other, "DELETE", "/sessions")
    assert office.client.post("/v1/items", content=b"2", headers=holder.headers).status_code == 401


def test_flood_of_guesses_waits_and_locks_nobody_out_for_good(office: Office) -> None:
    office.rights_holder("Holder", "holder")  # let in from here: this place is known
    statuses = [
        office.ask(None, "POST", "/sessions", {"login": "holder", "password": f"wrong {n}"}).status_code
        for n in range(8)
    ]
    assert statuses[:6] == [401] * 6
    assert statuses[-1] == 429
    waiting = office.ask(None, "POST", "/sessions", {"login": "holder", "password": PASSWORD})
    assert waiting.status_code == 429
    assert int(waiting.headers["retry-after"]) <= 60
    for _ in range(20):  # whoever goes on and on costs him a minute, not a day
        clock(office).advance(61)
        office.ask(None, "POST", "/sessions", {"login": "holder", "password": "wrong"})
    clock(office).advance(61)
    office.enter("holder")


def test_flood_over_many_names_waits_by_address(office: Office) -> None:
    statuses = [
        office.ask(None, "POST", "/sessions", {"login": f"name{n}", "password": "wrong"}).status_code
        for n in range(26)
    ]
    assert statuses[:18] == [401] * 18
    assert 429 in statuses[18:]
    office.enter("first")  # who was let in from here before is let in


def test_flood_of_logins_ends_the_oldest_session(office: Office) -> None:
    first = office.rights_holder("Holder", "holder")
    for _ in range(office.vault.settings.identity.max_sessions):
        clock(office).advance(1)
        last = office.enter("holder")
    assert refused(office, first)
    assert not refused(office, last)


def test_body_that_is_too_large_or_no_json_is_refused_before_it_is_read(office: Office) -> None:
    for body, media_type, status in (
        (b"x" * 20_000, "application/json", 413),
        (b"{", "application/json", 400),
        (b"[" * 10_000, "application/json", 400),
        (b"login=a&password=b", "application/x-www-form-urlencoded", 415),
        (b'{"login": "a", "password": "b"}', "text/plain", 415),
    ):
        answer = office.client.post("/v1/sessions", content=body, headers={"Content-Type": media_type})
        assert answer.status_code == status
