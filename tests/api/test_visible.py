"""The feed and webhooks tell of what `access` lets somebody read now: to grantees, parties, the bench, auditors."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from evidence_vault.access.decisions import Requester
from evidence_vault.core.names import encode_time
from evidence_vault.pipeline.cases.visible import visible_to
from evidence_vault.pipeline.notices.feed import See, read_feed
from evidence_vault.pipeline.notices.webhooks import add_webhook
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.case_models import Case
from evidence_vault.store.models import Item
from evidence_vault.store.people_models import Actor, ActorRole, Organisation
from evidence_vault.store.queries import cases, grants, many_facts
from evidence_vault.workers.runner import advance_log
from tests.api.clients import Person, somebody
from tests.pipeline.notices.test_webhooks import URL, Receiver, tell
from tests.pipeline.vaults import SetClock

pytestmark = [pytest.mark.socket, pytest.mark.db]

Make = Callable[..., Person]


@pytest.fixture
def make(vault: Vault, client: TestClient) -> Make:
    return lambda role="RH", **more: somebody(vault, client, role, **more)


def told(vault: Vault, person: Person) -> set[str]:
    """The ids that the feed names to this person, besides the platform's."""
    advance_log(vault)
    answer = person.get("/feed?limit=500")
    assert answer.status_code == 200, answer.text
    assert answer.json()["at_end"]
    return {entry["subject"]["id"] for entry in answer.json()["entries"]} - {"platform"}


def ids_told(vault: Vault, see: See) -> set[str]:
    """The ids that a feed would name to whom this stands for."""
    with vault.database.read() as session:
        return {one.subject.id for one in read_feed(session, position=0, limit=500, see=see).entries}


def pass_time(vault: Vault, **time: float) -> None:
    assert isinstance(vault.clock, SetClock)
    vault.clock.advance(timedelta(**time).total_seconds())


def test_grantee_is_told_of_what_is_granted_until_it_ends(vault: Vault, make: Make) -> None:
    owner, lawyer, stranger = make(), make("AT"), make("AT")
    item, later, other = owner.deposit(b"1"), owner.deposit(b"2"), owner.deposit(b"3")
    end = encode_time(vault.clock() + timedelta(hours=1))
    owner.grants(lawyer, [item], expires_at=end)
    grant = owner.grants(lawyer, [later])["id"]
    assert told(vault, lawyer) == {item, later}
    assert told(vault, owner) == {item, later, other}
    assert told(vault, stranger) == set()
    pass_time(vault, hours=1)
    assert told(vault, lawyer) == {later}, "ended by the clock, before any worker noticed"
    assert owner.post(f"/grants/{grant}/revocation", {"reason": "done"}).status_code == 204
    assert told(vault, lawyer) == set()


def test_grant_to_see_the_state_alone_tells_no_history(vault: Vault, make: Make) -> None:
    owner, lawyer = make(), make("AT")
    item = owner.deposit()
    owner.grants(lawyer, [item], actions=["see-metadata"])
    assert lawyer.get(f"/items/{item}").status_code == 200
    assert told(vault, lawyer) == set()


def test_grant_that_has_not_begun_tells_nothing(vault: Vault, make: Make) -> None:
    owner, lawyer = make(), make("AT")
    item = owner.deposit()
    owner.grants(lawyer, [item], not_before=encode_time(vault.clock() + timedelta(days=1)))
    assert told(vault, lawyer) == set()
    pass_time(vault, days=1)
    assert told(vault, lawyer) == {item}


def test_case_is_told_to_parties_and_bench_as_its_confidentiality_says(vault: Vault, make: Make) -> None:
    judge, claimant, respondent, stranger = make("JU"), make(), make(), make()
    parties = [{"side": "claimant", "person": claimant.id}, {"side": "respondent", "person": respondent.id}]
    case = judge.opens(parties=parties, confidentiality="parties")
    sealed = judge.opens(parties=parties, confidentiality="bench")
    item = claimant.deposit()
    for one in (case, sealed):
        assert claimant.post(f"/cases/{one}/items", {"item": item}).status_code == 201
    assert told(vault, judge) == {case, sealed, item}
    assert told(vault, claimant) == {case, item}
    assert told(vault, respondent) == {case}, "a party sees the case, and not the other side's item"
    assert told(vault, stranger) == set()


def entries_of(vault: Vault, person: Person, case: str, query: str = "") -> list[dict[str, Any]]:
    """What the feed tells this person about the case."""
    advance_log(vault)
    entries = person.get(f"/feed?limit=500{query}").json()["entries"]
    return [entry for entry in entries if entry["subject"]["id"] == case]


def as_custody_shows(person: Person, case: str) -> set[int]:
    """The seqs of the case's events whose types the custody view shows him."""
    events = person.get(f"/cases/{case}/custody").json()["events"]
    return {one["seq"] for one in events if one["subject"] == case and one["type"] is not None}


def test_who_is_let_in_to_one_item_is_told_of_the_case_what_custody_shows_him(
    vault: Vault, make: Make
) -> None:
    judge, owner, other, expert = make("JU"), make(), make(), make("AP")
    parties = [{"side": "claimant", "person": owner.id}, {"side": "respondent", "person": other.id}]
    case = judge.opens(confidentiality="open", parties=parties)
    item, hidden = owner.deposit(b"1"), other.deposit(b"2")
    for who, one in ((owner, item), (other, hidden)):
        assert who.post(f"/cases/{case}/items", {"item": one}).status_code == 201
    add_webhook(
        vault,
        Requester(actor_id=expert.id, role="AP", scopes=frozenset({"read"}), auth="token"),
        url=URL,
        types=(),
    )
    owner.grants(expert, [item], case=case)
    other.grants(make("AT"), [hidden], case=case)
    assert judge.post(f"/cases/{case}/parties", {"side": "third-party"}).status_code == 201
    told = entries_of(vault, expert, case)
    assert [one["type"] for one in told] == ["CASE_OPENED", "ITEM_ADDED", "GRANTED"]
    assert {one["seq"] for one in told} == as_custody_shows(expert, case)
    # A filter finds nothing of what is hidden, and a page that holds nothing goes on behind it.
    assert entries_of(vault, expert, case, "&types=PARTY_NAMED") == []
    empty = expert.get("/feed?limit=1&types=PARTY_NAMED").json()
    assert (empty["entries"], empty["at_end"], empty["position"] > told[-1]["leaf_index"]) == ([], True, True)
    # A webhook tells no more.
    receiver = Receiver()
    tell(vault, receiver)
    data = [json.loads(body)["data"] for _, body in receiver.taken]
    sent = {one["seq"] for one in data if one["subject"]["id"] == case}
    assert sent == {one["seq"] for one in entries_of(vault, expert, case)}
    # Who sees the case as a whole is told of all of it, as ever.
    whole = {one["seq"] for one in entries_of(vault, judge, case)}
    assert whole == set(range(len(whole)))
    for party in (owner, other):
        assert {one["seq"] for one in entries_of(vault, party, case)} == whole


def test_right_to_more_of_a_case_that_comes_later_is_told_and_tells_the_past_to_who_asks_again(
    vault: Vault, make: Make
) -> None:
    judge, owner, expert = make("JU"), make(), make("AP")
    case = judge.opens(confidentiality="open", parties=[{"side": "claimant", "person": owner.id}])
    items = [owner.deposit(bytes([n])) for n in range(2)]
    for item in items:
        assert owner.post(f"/cases/{case}/items", {"item": item}).status_code == 201
    owner.grants(expert, items[:1], case=case)
    before = entries_of(vault, expert, case)
    position = expert.get("/feed?limit=500").json()["position"]
    later = owner.grants(expert, items[1:], case=case)["id"]
    told = entries_of(vault, expert, case, f"&position={position}")
    assert [one["type"] for one in told] == ["GRANTED"]
    again = entries_of(vault, expert, case)
    assert [one["type"] for one in again] == ["CASE_OPENED", "ITEM_ADDED", "ITEM_ADDED", "GRANTED", "GRANTED"]
    indexes = [one["leaf_index"] for one in again]
    assert indexes == sorted(indexes)
    assert all(one in again for one in before)
    assert owner.post(f"/grants/{later}/revocation", {"reason": "done"}).status_code == 204
    assert entries_of(vault, expert, case) == before


def test_auditor_is_told_of_all_items_and_of_no_case(vault: Vault, make: Make) -> None:
    owner, auditor, administrator = make(), make("AU"), make("AD")
    item, case = owner.deposit(), owner.opens()
    assert told(vault, auditor) == {item}
    assert told(vault, administrator) == set()
    assert told(vault, owner) == {item, case}


def test_mediation_is_told_inside_it_alone(vault: Vault, make: Make) -> None:
    mediator, one, two, judge = make("AM"), make(), make(), make("JU")
    parties = [{"side": "claimant", "person": one.id}, {"side": "respondent", "person": two.id}]
    court = judge.opens(parties=parties)
    mediation = mediator.opens(forum="mediation", mediation_only=True, parties=parties)
    item = one.deposit()
    assert one.post(f"/cases/{court}/items", {"item": item}).status_code == 201
    assert told(vault, judge) == {court, item}
    assert one.post(f"/cases/{mediation}/items", {"item": item}).status_code == 201
    assert told(vault, judge) == {court}, "the mediation keeps it"
    assert told(vault, mediator) == {mediation, item}
    consent = {"for_case": court, "items": [item]}
    assert one.post(f"/cases/{mediation}/consents", consent).status_code == 204
    assert told(vault, judge) == {court}, "one party is not every party"
    assert two.post(f"/cases/{mediation}/consents", consent).status_code == 204
    assert told(vault, judge) == {court, item}


@pytest.mark.parametrize("how", ["disabled", "role ended", "organisation left"])
def test_who_left_is_told_nothing_even_by_what_he_set_up_before(vault: Vault, make: Make, how: str) -> None:
    owner, lawyer = make(), make("AT")
    with vault.database.write() as session:
        session.add(Organisation(id="og_1", name="A firm", created_at=vault.clock()))
        session.flush()
        session.execute(update(Actor).where(Actor.id == lawyer.id).values(organisation_id="og_1"))
    item = owner.deposit()
    owner.grants(lawyer, [item])
    as_it_was = Requester(
        actor_id=lawyer.id, role="AT", scopes=frozenset({"read"}), auth="webhook", organisation_id="og_1"
    )
    advance_log(vault)
    see = visible_to(vault, as_it_was)
    assert item in ids_told(vault, see)
    with vault.database.write() as session:
        if how == "disabled":
            session.execute(update(Actor).where(Actor.id == lawyer.id).values(disabled_at=vault.clock()))
        elif how == "role ended":
            ended = update(ActorRole).where(ActorRole.actor_id == lawyer.id)
            session.execute(ended.values(ended_at=vault.clock()))
        else:
            session.execute(update(Actor).where(Actor.id == lawyer.id).values(organisation_id=None))
    assert item not in ids_told(vault, see)


def test_facts_of_many_are_those_of_one(vault: Vault, make: Make) -> None:
    mediator, judge, one, two, expert = make("AM"), make("JU"), make(), make(), make("AP")
    parties = [{"side": "claimant", "person": one.id}, {"side": "respondent", "person": two.id}]
    court = judge.opens(parties=parties)
    mediation = mediator.opens(forum="mediation", mediation_only=True, parties=parties)
    nobodys = mediator.opens(forum="mediation", mediation_only=True)
    items = [one.deposit(bytes([n])) for n in range(3)] + [two.deposit(b"x")]
    for item in items[:2]:
        assert one.post(f"/cases/{court}/items", {"item": item}).status_code == 201
    assert one.post(f"/cases/{mediation}/items", {"item": items[0]}).status_code == 201
    for party in (one, two):
        consent = {"for_case": court, "items": [items[0]]}
        assert party.post(f"/cases/{mediation}/consents", consent).status_code == 204
    one.grants(expert, items[1:3], view_limit=3)
    with vault.database.read() as session:
        known = list(session.scalars(select(Item.id)))
        known_cases = list(session.scalars(select(Case.id)))
        assert (len(known), set(known_cases)) == (4, {court, mediation, nobodys})
        for person in (mediator, judge, one, two, expert):
            many = many_facts.facts_of_items(session, person.id, known)
            every = many_facts.facts_of_items(session, person.id, known, all_of_them=True)
            for item in known:
                _, alone = grants.facts_of_item(session, person.id, item)
                assert every[item] == alone
                assert item not in many or many[item] == alone
            about = many_facts.facts_of_cases(session, person.id, known_cases)
            for case in about:
                assert about[case] == cases.facts_of_case(session, person.id, case)[1]
