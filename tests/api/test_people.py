"""Persons and their roles over HTTP: what one administrator may do, what takes two, and who tries otherwise."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from evidence_vault.core.events import VAULT
from evidence_vault.errors import SecondPersonNeeded
from evidence_vault.pipeline.people.people import first_administrator, make_program, operator_disables
from evidence_vault.pipeline.people.proposals import confirm
from evidence_vault.pipeline.record import EventActor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import events
from tests.api.people import PASSWORD, Office, Somebody
from tests.pipeline.vaults import SetClock

pytestmark = [pytest.mark.db, pytest.mark.socket]

LICENCE = {"licence_number": "31-0042", "jurisdiction": "cn-31"}


def role_events(vault: Vault) -> list[dict[str, Any]]:
    with vault.database.read() as session:
        rows = events.events_of(session, VAULT, from_seq=0)
        return [json.loads(row.raw) for row in rows if row.type == "ROLE_GIVEN"]


def kind(answer: Any) -> str:
    return str(answer.json()["type"].rpartition("/")[2])


def test_first_administrators_are_told_as_the_operators_and_are_two(office: Office) -> None:
    said = role_events(office.vault)
    assert [(one["change"], one["role"], one["actor"]["auth"], one["proposed_by"]) for one in said] == [
        ("given", "AD", "operator", None)
    ] * 2
    with pytest.raises(SecondPersonNeeded, match="2 administrators"):
        first_administrator(office.vault, name="A third", login="third")


def test_judge_is_made_by_two_and_the_event_names_both_and_no_name(office: Office) -> None:
    judge = office.with_role("Judge Jia", "judge", "JU")
    me = office.done(judge, "GET", "/me")
    assert (me["role"], me["auth"], me["name"]) == ("JU", "password", "Judge Jia")
    last = role_events(office.vault)[-1]
    assert (last["person"], last["role"], last["change"]) == (judge.id, "JU", "given")
    assert (last["actor"]["id"], last["proposed_by"]) == (office.second.id, office.first.id)
    assert last["actor"]["auth"] == "password"
    assert "Jia" not in json.dumps(role_events(office.vault))


def test_notary_takes_a_licence_which_stands_in_no_event(office: Office) -> None:
    person = office.add("Notary Ning", "notary")
    bare = {"kind": "role", "person_id": person.id, "reason": "r", "role": "NO"}
    assert office.ask(office.first, "POST", "/proposals", bare).status_code == 400
    office.reset(person)
    office.confirmed(person, role="NO", **LICENCE)
    shown = office.done(office.first, "GET", f"/people/{person.id}")["roles"][0]
    assert (shown["licence_number"], shown["jurisdiction"]) == ("31-0042", "cn-31")
    assert "31-0042" not in json.dumps(role_events(office.vault))


@pytest.mark.parametrize("role", ["JU", "AM", "CL", "TI", "AU", "AD", "NO", "AT", "AP"])
def test_one_administrator_alone_makes_nobody_powerful(office: Office, role: str) -> None:
    person = office.add("Somebody", "somebody")
    answer = office.ask(office.first, "POST", f"/people/{person.id}/roles", {"role": role})
    assert answer.status_code == 400
    licence = LICENCE if role in ("NO", "AT", "AP") else {}
    proposed = office.propose(person, role=role, **licence)
    again = office.ask(office.first, "POST", f"/proposals/{proposed['id']}/confirm")
    assert (again.status_code, kind(again)) == (403, "second-person")
    assert office.done(office.first, "GET", f"/people/{person.id}")["roles"] == []


def test_administrator_who_makes_himself_a_judge_is_stopped_at_every_door(office: Office) -> None:
    me = office.first
    assert office.ask(me, "POST", f"/people/{me.id}/roles", {"role": "JU"}).status_code == 400
    wish = {"kind": "role", "person_id": me.id, "reason": "r", "role": "JU"}
    proposed = office.ask(me, "POST", "/proposals", wish)
    assert (proposed.status_code, kind(proposed)) == (409, "conflict")  # nobody both runs it and judges
    assert office.ask(me, "POST", "/sessions/role", {"role": "JU"}).status_code == 404
    entered = office.ask(None, "POST", "/sessions", {"login": "first", "password": PASSWORD, "role": "JU"})
    assert (entered.status_code, kind(entered)) == (401, "login-refused")


def test_beneficiary_never_confirms(office: Office) -> None:
    proposed = office.propose(office.second, "reset")
    answer = office.ask(office.second, "POST", f"/proposals/{proposed['id']}/confirm")
    assert (answer.status_code, kind(answer)) == (403, "second-person")


def test_puppet_of_one_administrator_gets_no_power_before_two_handed_out_his_login(office: Office) -> None:
    puppet = office.rights_holder("Puppet", "puppet")  # the first administrator knows his password
    proposed = office.propose(puppet, role="JU")
    answer = office.ask(office.second, "POST", f"/proposals/{proposed['id']}/confirm")
    assert (answer.status_code, kind(answer)) == (403, "second-person")
    office.reset(puppet, "another password that he chose")
    assert office.ask(puppet, "GET", "/me").status_code == 401  # what spoke for him has ended
    office.done(office.second, "POST", f"/proposals/{proposed['id']}/confirm")


def test_puppets_code_that_one_administrator_holds_back_is_void_once_he_has_power(office: Office) -> None:
    person = office.add("Person", "person")
    code = office.done(office.first, "POST", f"/people/{person.id}/code")["code"]
    office.confirmed(person, role="JU")
    used = office.ask(None, "POST", "/enrolments", {"code": code, "password": PASSWORD})
    assert (used.status_code, kind(used)) == (401, "login-refused")
    again = office.ask(office.first, "POST", f"/people/{person.id}/code")
    assert (again.status_code, kind(again)) == (403, "second-person")


def test_neither_half_of_a_reset_lets_anybody_in(office: Office) -> None:
    person = office.rights_holder("Person", "person")
    proposed = office.propose(person, "reset")
    half = proposed["half"]
    other = office.done(office.second, "POST", f"/proposals/{proposed['id']}/confirm")["half"]
    assert half
    assert other
    for code in (half, other, f"{half}.{half}", f"{other}.{half}", f"{other}.{other}", f".{half}"):
        used = office.ask(None, "POST", "/enrolments", {"code": code, "password": PASSWORD})
        assert (used.status_code, kind(used)) == (401, "login-refused")
    assert office.ask(None, "POST", "/sessions", {"login": "person", "password": PASSWORD}).status_code == 401
    assert isinstance(office.vault.clock, SetClock)
    office.vault.clock.advance(61)  # so many wrong codes have to wait
    whole = {"code": f"{half}.{other}", "password": "a password of his own"}
    assert office.ask(None, "POST", "/enrolments", whole).status_code == 204
    assert office.ask(None, "POST", "/enrolments", whole).status_code == 401  # used up
    office.enter("person", password="a password of his own")


def test_proposer_under_a_second_account_of_his_name_does_not_confirm(office: Office) -> None:
    second_self = office.with_role("FIRST\u00a0 administrator", "first2", "AD")
    person = office.add("Somebody", "somebody")
    proposed = office.propose(person, role="JU")
    answer = office.ask(second_self, "POST", f"/proposals/{proposed['id']}/confirm")
    assert (answer.status_code, kind(answer)) == (403, "second-person")
    office.done(office.second, "POST", f"/proposals/{proposed['id']}/confirm")


def test_confirmation_by_many_at_once_happens_once(office: Office) -> None:
    third = office.with_role("Third Administrator", "third", "AD")
    person = office.add("Somebody", "somebody")
    proposed = office.propose(person, role="JU")
    path = f"/proposals/{proposed['id']}/confirm"
    before = len(role_events(office.vault))
    with ThreadPoolExecutor(6) as pool:
        asked = [office.second, third] * 3
        answers = list(pool.map(lambda who: office.ask(who, "POST", path).status_code, asked))
    assert sorted(answers).count(200) == 1
    assert set(answers) <= {200, 409, 503}
    assert len(role_events(office.vault)) == before + 1


def test_proposal_that_waited_too_long_or_whose_proposer_is_gone_is_void(office: Office) -> None:
    third = office.with_role("Third Administrator", "third", "AD")
    person = office.add("Somebody", "somebody")
    late, orphan = office.propose(person, role="JU"), office.propose(person, role="CL")
    office.done(office.second, "POST", f"/people/{office.first.id}/disable", {"reason": "left"})
    answer = office.ask(third, "POST", f"/proposals/{orphan['id']}/confirm")
    assert (answer.status_code, kind(answer)) == (403, "second-person")
    assert isinstance(office.vault.clock, SetClock)
    office.vault.clock.now += timedelta(days=14)
    third = office.enter("third")
    answer = office.ask(third, "POST", f"/proposals/{late['id']}/confirm")
    assert answer.status_code in (403, 409)
    assert office.done(third, "GET", "/proposals")["proposals"] == []


def test_refused_and_withdrawn_proposals_stay_undone(office: Office) -> None:
    person = office.add("Somebody", "somebody")
    for who in (office.first, office.second):
        proposed = office.propose(person, role="JU")
        office.done(who, "POST", f"/proposals/{proposed['id']}/refuse")
        answer = office.ask(office.second, "POST", f"/proposals/{proposed['id']}/confirm")
        assert (answer.status_code, kind(answer)) == (409, "conflict")


def test_change_by_two_moves_trusted_since_and_one_alone_does_not(office: Office) -> None:
    person = office.rights_holder("Person", "person")
    before = office.done(office.first, "GET", f"/people/{person.id}")["trusted_since"]
    assert isinstance(office.vault.clock, SetClock)
    office.vault.clock.advance(60)
    proposed = office.propose(person, "reset")
    assert office.done(office.first, "GET", f"/people/{person.id}")["trusted_since"] == before
    office.done(office.second, "POST", f"/proposals/{proposed['id']}/confirm")
    assert office.done(office.first, "GET", f"/people/{person.id}")["trusted_since"] > before


def test_ended_role_and_disabled_person_are_let_in_nowhere(office: Office) -> None:
    judge = office.with_role("Judge", "judge", "JU")
    holder = office.rights_holder("Holder", "holder")
    token = office.done(holder, "POST", "/tokens", {"label": "scan", "scopes": ["read"], "days": 1})["secret"]
    by_token = Somebody(holder.id, {"Authorization": f"Bearer {token}"})
    assert office.ask(by_token, "GET", "/me").status_code == 200
    office.done(office.first, "POST", f"/people/{judge.id}/roles/JU/end", {"reason": "retired"})
    office.done(office.first, "POST", f"/people/{holder.id}/disable", {"reason": "left"})
    for who in (judge, holder, by_token):
        assert office.ask(who, "GET", "/me").status_code == 401
    for login in ("judge", "holder"):
        answer = office.ask(None, "POST", "/sessions", {"login": login, "password": PASSWORD})
        assert (answer.status_code, kind(answer)) == (401, "login-refused")
    changes = [one["change"] for one in role_events(office.vault)]
    assert changes[-2:] == ["ended", "disabled"]


def test_erased_person_leaves_ids_and_no_name(office: Office) -> None:
    person = office.with_role("Notary Ning", "notary", "NO", **LICENCE)
    assert office.ask(office.first, "DELETE", f"/people/{person.id}/names").status_code == 409
    office.done(office.first, "POST", f"/people/{person.id}/disable", {"reason": "left"})
    office.done(office.first, "DELETE", f"/people/{person.id}/names")
    with office.vault.database.read() as session:
        for table in ("actors", "actor_roles", "logins", "proposals"):
            rows = str(session.execute(text(f"SELECT * FROM {table}")).all())
            assert "Ning" not in rows
            assert "31-0042" not in rows
            assert "notary" not in rows


@pytest.mark.parametrize("role", ["RH", "AU", "JU"])
def test_nobody_but_an_administrator_manages_people(office: Office, role: str) -> None:
    who = (
        office.rights_holder("Somebody", "somebody")
        if role == "RH"
        else office.with_role("Somebody", "somebody", role)
    )
    for method, path, body in (
        ("GET", "/people", None),
        ("GET", f"/people/{who.id}", None),
        ("POST", "/people", {"name": "x"}),
        ("POST", f"/people/{who.id}/roles", {"role": "RH"}),
        ("GET", "/organisations", None),
        ("POST", "/organisations", {"name": "x"}),
        ("GET", "/proposals", None),
        ("POST", "/proposals", {"kind": "reset", "person_id": who.id, "reason": "r"}),
        ("POST", f"/people/{who.id}/disable", {"reason": "r"}),
    ):
        answer = office.ask(who, method, path, body)
        assert (answer.status_code, kind(answer)) == (403, "not-permitted"), path


@pytest.mark.parametrize("member", ["role", "roles", "actor_id", "kind", "trusted_since", "scopes", "id"])
def test_mass_assignment_is_refused_and_changes_nothing(office: Office, member: str) -> None:
    holder = office.rights_holder("Holder", "holder")
    asks = [
        ("POST", "/people", {"name": "x", member: "AD"}, office.first),
        ("POST", "/tokens", {"label": "x", "scopes": ["read"], "days": 1, member: "AD"}, holder),
        ("PUT", "/me/password", {"old": PASSWORD, "new": PASSWORD + "!", member: "AD"}, holder),
        ("POST", "/me/pseudonyms", {"name": "x", member: "AD"}, holder),
    ]
    for method, path, body, who in asks:
        if member == "scopes" and path == "/tokens":
            continue
        assert office.ask(who, method, path, body).status_code == 400, path
    assert office.done(holder, "GET", "/me")["roles"] == ["RH"]


HOSTILE = [
    "' OR 1=1 --",
    "x'; DROP TABLE actors; --",
    "\x00",
    "a\r\nSet-Cookie: x=y",
    "\u202e",
    "%00",
    "{{7*7}}",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_in_every_field_is_text_or_refused(office: Office, hostile: str) -> None:
    person = office.add("Somebody", "somebody")
    asks: list[tuple[str, str, Any]] = [
        ("POST", "/sessions", {"login": hostile, "password": hostile, "role": hostile[:6]}),
        ("POST", "/enrolments", {"code": hostile, "password": "a good password here"}),
        ("POST", "/people", {"name": hostile, "login": hostile}),
        ("POST", "/organisations", {"name": hostile}),
        ("POST", "/proposals", {"kind": "role", "person_id": hostile, "reason": "r", "role": "JU"}),
        (
            "POST",
            "/proposals",
            {
                "kind": "role",
                "person_id": person.id,
                "reason": hostile,
                "role": "NO",
                "licence_number": hostile,
                "jurisdiction": hostile[:10],
            },
        ),
        (
            "POST",
            "/proposals",
            {"kind": "link", "person_id": person.id, "reason": "r", "issuer": hostile, "subject": hostile},
        ),
        ("POST", "/tokens", {"label": hostile, "scopes": [hostile], "days": 1}),
        ("POST", "/oidc/x/login", {"role": hostile[:6]}),
    ]
    for method, path, body in asks:
        answer = office.ask(office.first, method, path, body)
        assert answer.status_code < 500, (path, answer.text)
        assert "Set-Cookie: x=y" not in str(answer.headers)
        assert "set-cookie" not in answer.headers
    office.done(office.first, "GET", "/people")


def test_token_of_an_administrator_looks_and_changes_nothing(office: Office) -> None:
    wish = {"label": "report", "scopes": ["manage"], "days": 1}
    token = office.done(office.second, "POST", "/tokens", wish)["secret"]
    program = Somebody(office.second.id, {"Authorization": f"Bearer {token}"})
    person = office.add("Somebody", "somebody")
    proposed = office.propose(person, role="JU")
    assert office.ask(program, "GET", "/proposals").status_code == 200
    for path, body in (
        (f"/proposals/{proposed['id']}/confirm", None),
        (f"/proposals/{proposed['id']}/refuse", None),
        ("/proposals", {"kind": "role", "person_id": person.id, "reason": "r", "role": "JU"}),
        ("/people", {"name": "x"}),
        (f"/people/{person.id}/code", None),
    ):
        answer = office.ask(program, "POST", path, body)
        assert (answer.status_code, kind(answer)) == (403, "not-permitted"), path


def test_program_of_the_operator_with_power_is_told_and_is_nobodys_second(office: Office) -> None:
    _, facts = make_program(office.vault, name="Robot", role="AD", scopes=("manage",), life=timedelta(days=1))
    last = role_events(office.vault)[-1]
    assert (last["person"], last["role"], last["actor"]["auth"]) == (facts.actor_id, "AD", "operator")
    proposed = office.propose(office.add("Somebody", "somebody"), role="JU")
    robot = EventActor(id=facts.actor_id, role="AD", auth="password")
    with pytest.raises(SecondPersonNeeded, match="a program"):
        confirm(office.vault, by=robot, proposal_id=proposed["id"])
    before = len(role_events(office.vault))
    make_program(office.vault, name="Scanner", role="RH", scopes=("deposit",), life=timedelta(days=1))
    assert len(role_events(office.vault)) == before


def test_operator_disables_the_last_administrator_and_makes_another(office: Office) -> None:
    operator_disables(office.vault, person_id=office.first.id, reason="gone")
    assert office.ask(office.first, "GET", "/me").status_code == 401
    first_administrator(office.vault, name="A third", login="third")
    last = role_events(office.vault)[-2]
    assert (last["change"], last["actor"]["auth"]) == ("disabled", "operator")


def test_rights_holder_deposits_under_a_pseudonym_that_he_took_in_a_session(office: Office) -> None:
    holder = office.rights_holder("Whistle Blower", "blower")
    made = office.done(holder, "POST", "/me/pseudonyms", {"name": "Source 7"})
    source = Somebody(made["actor_id"], {"Authorization": f"Bearer {made['secret']}"})
    me = office.done(source, "GET", "/me")
    assert (me["kind"], me["name"], me["role"]) == ("pseudonym", "Source 7", "RH")
    deposited = office.client.post("/v1/items", content=b"what I saw", headers=source.headers)
    assert deposited.status_code == 201
    shown = office.ask(source, "GET", f"/items/{deposited.json()['id']}/custody")
    assert shown.json()["events"][0]["actor"]["id"] == source.id
    assert holder.id not in shown.text
    assert office.ask(holder, "GET", f"/items/{deposited.json()['id']}").status_code == 404
    assert office.ask(source, "POST", "/me/pseudonyms", {"name": "Source 8"}).status_code == 404
