"""Cases, orders, mediation, delegation, refusals, the broken glass, over the API; and who tries to get in."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event as sql_event
from sqlalchemy import func, select
from starlette.testclient import TestClient

from evidence_vault.core.names import encode_id, encode_time
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.case_models import Refusals
from evidence_vault.store.queries import actors
from evidence_vault.workers.runner import advance_log, keep_access
from tests.api.clients import LICENCE, Person, history, somebody, types
from tests.pipeline.vaults import SetClock

pytestmark = [pytest.mark.socket, pytest.mark.db]

Make = Callable[..., Person]
UNKNOWN = encode_id("it", bytes(16))
NO_CASE = encode_id("cs", bytes(16))


@pytest.fixture
def make(vault: Vault, client: TestClient) -> Make:
    return lambda role="RH", **more: somebody(vault, client, role, **more)


def pass_time(vault: Vault, **time: float) -> None:
    assert isinstance(vault.clock, SetClock)
    vault.clock.advance(timedelta(**time).total_seconds())


def order_for(vault: Vault, case: str, lawyer: Person, items: list[str], **more: object) -> dict[str, Any]:
    return {
        "case": case,
        "court": "Intellectual Property Court",
        "number": "(2026) 1",
        "officer": "Officer",
        "lawyers": [{"person": lawyer.id, "licence": LICENCE, "name": "Lawyer"}],
        "items": items,
        "issued_at": encode_time(vault.clock()),
        "purpose": "to compare",
    } | more


# Cases.


def test_case_opened_with_parties_and_items_keeps_names_out_of_events(vault: Vault, make: Make) -> None:
    owner, clerk = make(), make("CL")
    item = owner.deposit()
    case = clerk.opens(
        number="(2026) 73",
        title="A v B",
        parties=[
            {"side": "claimant", "name": "Alpha", "person": owner.id},
            {"side": "respondent", "name": "Beta"},
        ],
    )
    added = owner.post(
        f"/cases/{case}/items", {"item": item, "copies": 2, "source": "phone", "proves": "sale"}
    )
    assert (added.status_code, added.json()["number"]) == (201, 1)
    shown = owner.get(f"/cases/{case}").json()
    assert (shown["number"], shown["title"]) == ("(2026) 73", "A v B")
    assert [(one["party"], one["name"], one["person"]) for one in shown["parties"]] == [
        (1, "Alpha", owner.id),
        (2, "Beta", None),
    ]
    assert [(one["number"], one["item"], one["proves"]) for one in shown["items"]] == [(1, item, "sale")]
    events = history(vault, "case", case)
    assert [one["type"] for one in events] == [
        "CASE_OPENED",
        "PARTY_NAMED",
        "PARTY_NAMED",
        "GRANTED",
        "ITEM_ADDED",
    ]
    assert not any(word in str(events) for word in ("Alpha", "Beta", "(2026)", "phone", "A v B"))
    assert clerk.get("/cases").json()["cases"][0]["id"] == case


def test_bench_sees_what_is_in_its_case_and_nothing_else(make: Make) -> None:
    owner, clerk, judge = make(), make("CL"), make("JU")
    item, kept = owner.deposit(b"1"), owner.deposit(b"2")
    case = clerk.opens(parties=[{"side": "claimant", "person": owner.id}])
    assert judge.get(f"/cases/{case}").status_code == 404
    clerk.grants(
        judge, [], case=case, actions=["open-content", "read-custody", "see-metadata", "order", "hold"]
    )
    assert judge.get(f"/items/{item}/content").status_code == 404
    owner.post(f"/cases/{case}/items", {"item": item})
    assert judge.get(f"/items/{item}/content").status_code == 200
    assert clerk.get(f"/items/{item}").status_code == 200
    assert clerk.get(f"/items/{item}/content").status_code == 404, "a clerk opens no content"
    assert judge.get(f"/items/{kept}").status_code == 404
    assert make("JU").get(f"/items/{item}").status_code == 404, "another judge"


def test_nobody_adds_another_s_item_or_to_another_s_case(make: Make) -> None:
    owner, stranger, clerk = make(), make(), make("CL")
    mine, theirs = owner.deposit(b"1"), stranger.deposit(b"2")
    case = clerk.opens(parties=[{"side": "claimant", "person": owner.id}])
    assert owner.post(f"/cases/{case}/items", {"item": theirs}).status_code == 404
    assert stranger.post(f"/cases/{case}/items", {"item": theirs}).status_code == 404
    assert stranger.post(f"/cases/{case}/items", {"item": mine}).status_code == 404
    assert clerk.post(f"/cases/{case}/items", {"item": mine}).status_code == 404
    assert owner.post(f"/cases/{NO_CASE}/items", {"item": mine}).status_code == 404
    bodies = [
        {k: v for k, v in one.json().items() if k != "instance"}
        for one in (
            stranger.get(f"/cases/{case}"),
            stranger.get(f"/cases/{NO_CASE}"),
            stranger.get("/cases/x"),
        )
    ]
    assert all(body == bodies[0] for body in bodies)


@pytest.mark.parametrize("role", ["AT", "NO", "AP", "TI", "AU", "AD"])
def test_roles_that_open_no_case(make: Make, role: str) -> None:
    assert make(role).post("/cases", {"forum": "court", "jurisdiction": "cn"}).status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        {"opened_by": "ac_x"},
        {"forum": "heaven"},
        {"jurisdiction": "C N"},
        {"id": NO_CASE},
        {"mediation_only": "no"},
    ],
    ids=str,
)
def test_case_takes_no_other_fields_or_values(make: Make, change: dict[str, object]) -> None:
    answer = make("JU").post("/cases", {"forum": "court", "jurisdiction": "cn"} | change)
    assert answer.status_code in (400, 422)


def test_history_of_a_case_is_for_whom_its_confidentiality_says(vault: Vault, make: Make) -> None:
    owner, clerk, lawyer = make(), make("CL"), make("AT")
    item = owner.deposit()
    for level, sees in {"open": (200, 200), "parties": (200, 404), "bench": (404, 404)}.items():
        case = clerk.opens(confidentiality=level, parties=[{"side": "claimant", "person": owner.id}])
        owner.post(f"/cases/{case}/items", {"item": item})
        owner.grants(lawyer, [item], case=case)
        seen = tuple(one.get(f"/cases/{case}/events").status_code for one in (owner, lawyer))
        assert seen == sees, level
        assert clerk.get(f"/cases/{case}/events").status_code == 200
        assert types(vault, "case", case).count("CUSTODY_READ") >= seen.count(200)


def test_a_party_s_account_is_given_once(make: Make) -> None:
    clerk, first, second = make("CL"), make(), make()
    case = clerk.opens(parties=[{"side": "claimant", "name": "Alpha"}])
    body = {"side": "claimant", "party": 1, "person": first.id}
    assert first.get(f"/cases/{case}").status_code == 404
    assert clerk.post(f"/cases/{case}/parties", body).status_code == 201
    assert first.get(f"/cases/{case}").status_code == 200
    assert clerk.post(f"/cases/{case}/parties", body | {"person": second.id}).status_code == 409
    assert first.post(f"/cases/{case}/parties", {"side": "claimant", "person": second.id}).status_code == 404


def test_nobody_is_both_appraiser_and_technical_investigator_in_a_case(vault: Vault, make: Make) -> None:
    owner, clerk, expert = make(), make("CL"), make("AP")
    item = owner.deposit()
    case = clerk.opens(parties=[{"side": "claimant", "person": owner.id}])
    owner.post(f"/cases/{case}/items", {"item": item})
    owner.grants(expert, [item], case=case)
    with vault.database.write() as session:
        actors.add_role(session, actor_id=expert.id, role="TI", at=vault.clock())
    body = {"grantee": expert.id, "role": "TI", "case": case, "actions": ["see-metadata"]}
    assert clerk.post("/grants", body).status_code == 409


def test_who_is_let_in_to_one_item_sees_no_other_line_of_the_list(make: Make) -> None:
    owner, clerk, expert = make(), make("CL"), make("AP")
    item, other = owner.deposit(b"1"), owner.deposit(b"2")
    case = clerk.opens(parties=[{"side": "claimant", "person": owner.id}])
    for one in (item, other):
        owner.post(f"/cases/{case}/items", {"item": one, "proves": "much"})
    owner.grants(expert, [item], case=case)
    assert [line["item"] for line in expert.get(f"/cases/{case}").json()["items"]] == [item]
    assert len(owner.get(f"/cases/{case}").json()["items"]) == 2


@pytest.mark.parametrize("level", ["open", "parties", "bench"])
def test_who_is_let_in_to_one_item_sees_of_the_case_no_party_and_no_order_of_others(
    vault: Vault, make: Make, level: str
) -> None:
    owner, other, judge, expert, lawyer = make(), make(), make("JU"), make("AP"), make("AT")
    parties = [
        {"side": "claimant", "name": "Alpha", "person": owner.id},
        {"side": "respondent", "name": "Beta", "person": other.id},
    ]
    case = judge.opens(confidentiality=level, number="(2026) 73", parties=parties)
    item, hidden = owner.deposit(b"1"), other.deposit(b"2")
    for who, one in ((owner, item), (other, hidden)):
        who.post(f"/cases/{case}/items", {"item": one, "source": "a shop"})
    owner.grants(expert, [item], case=case)
    order = judge.post("/orders", order_for(vault, case, lawyer, [hidden])).json()["id"]
    whole = judge.get(f"/cases/{case}").json()
    assert ([one["name"] for one in whole["parties"]], whole["orders"]) == (["Alpha", "Beta"], [order])
    answer = expert.get(f"/cases/{case}")
    seen = answer.json()
    assert (seen["number"], seen["forum"], seen["parties"], seen["orders"]) == ("(2026) 73", "court", [], [])
    assert [(one["item"], one["source"]) for one in seen["items"]] == [(item, "a shop")]
    for secret in ("Alpha", "Beta", owner.id, other.id, hidden, order):
        assert secret not in answer.text + expert.get(f"/cases/{case}/evidence").text
    under = lawyer.get(f"/cases/{case}").json()
    assert (under["parties"], under["orders"], [one["item"] for one in under["items"]]) == (
        [],
        [order],
        [hidden],
    )
    for party in (owner, other):
        assert party.get(f"/cases/{case}").json() == whole


def test_order_is_told_to_its_lawyers_in_every_view_of_the_case(vault: Vault, make: Make) -> None:
    owner, judge, lawyer, other = make(), make("JU"), make("AT"), make("AT")
    case = judge.opens(confidentiality="open", parties=[{"side": "claimant", "person": owner.id}])
    item = owner.deposit()
    owner.post(f"/cases/{case}/items", {"item": item})
    asked = order_for(vault, case, lawyer, [item], actions=["read-custody", "see-metadata"])
    mine = [judge.post("/orders", asked).json()["id"] for _ in range(2)]
    theirs = judge.post("/orders", asked | {"lawyers": [{"person": other.id, "licence": LICENCE}]})
    assert theirs.status_code == 201
    assert sorted(lawyer.get(f"/cases/{case}").json()["orders"]) == sorted(mine), "two on the same item"
    told = [
        (one["order"], one["disclosures"])
        for one in lawyer.get(f"/cases/{case}/custody").json()["events"]
        if one["type"] == "ORDER_REGISTERED"
    ]
    assert sorted(order for order, _ in told) == sorted(mine)
    shown = lawyer.get(f"/orders/{mine[0]}").json()
    assert all(values["officer"] == shown["officer"] for _, values in told), "no more than the order itself"
    assert theirs.json()["id"] not in lawyer.get(f"/cases/{case}/events").text


@pytest.mark.parametrize("role", ["JU", "AT"])
def test_who_sees_a_case_as_a_whole_sees_it_so_with_a_grant_on_one_item_too(
    vault: Vault, make: Make, role: str
) -> None:
    owner, clerk, reader = make(), make("CL"), make(role)
    parties = [{"side": "claimant", "name": "Alpha", "person": owner.id}]
    case = clerk.opens(confidentiality="open", parties=parties)
    items = [owner.deposit(bytes([n])) for n in range(2)]
    for item in items:
        owner.post(f"/cases/{case}/items", {"item": item})
    giver = clerk if role == "JU" else owner  # a seat on the bench; a party's mandate
    for _ in range(3):  # ids are random: one of them comes first
        owner.grants(reader, items[:1], case=case)
    giver.grants(reader, [], case=case, actions=["read-custody", "see-metadata"])
    for _ in range(3):
        owner.grants(reader, items[:1], case=case)
    assert reader.get(f"/cases/{case}").json() == clerk.get(f"/cases/{case}").json()
    assert all(one["event"] for one in reader.get(f"/cases/{case}/events").json()["events"])
    advance_log(vault)
    told = [one["type"] for one in reader.get("/feed?limit=500").json()["entries"]]
    assert {"PARTY_NAMED", "ITEM_ADDED"} <= set(told)


def test_who_is_let_in_to_one_item_reads_no_personal_value_of_the_case(make: Make) -> None:
    owner, clerk, expert = make(), make("CL"), make("AP")
    item, other = owner.deposit(b"1"), owner.deposit(b"2")
    case = clerk.opens(confidentiality="open", parties=[{"side": "claimant", "person": owner.id}])
    for one in (item, other):
        owner.post(f"/cases/{case}/items", {"item": one, "proves": "much"})
    owner.grants(expert, [item], case=case, actions=["read-custody", "see-metadata"])
    told = [event["disclosures"] for event in clerk.get(f"/cases/{case}/events").json()["events"]]
    assert any(values.get("proves") == "much" for values in told)
    answer = expert.get(f"/cases/{case}/events")
    assert "much" not in answer.text
    assert all(not event["disclosures"] for event in answer.json()["events"])


def test_who_is_let_in_to_one_item_reads_of_the_case_what_concerns_it(make: Make) -> None:
    owner, clerk, expert = make(), make("CL"), make("AP")
    item, other = owner.deposit(b"1"), owner.deposit(b"2")
    case = clerk.opens(confidentiality="open", parties=[{"side": "claimant", "person": owner.id}])
    for one in (item, other):
        owner.post(f"/cases/{case}/items", {"item": one})
    owner.grants(expert, [item], case=case)
    whole = clerk.get(f"/cases/{case}/events").json()["events"]
    assert {"ITEM_ADDED", "PARTY_NAMED"} <= {one["event"]["type"] for one in whole}
    answer = expert.get(f"/cases/{case}/events")
    seen = answer.json()["events"]
    assert other not in answer.text
    shown = [one["event"]["type"] for one in seen if one["event"] is not None]
    assert shown == ["CASE_OPENED", "ITEM_ADDED", "GRANTED", "CUSTODY_READ"]
    told = {name: [one[name] for one in seen[: len(whole)]] for name in ("seq", "sha256")}
    assert told == {name: [one[name] for one in whole] for name in told}, "that the others are there"


def test_jurisdiction_has_one_spelling(make: Make) -> None:
    clerk, owner = make("CL"), make()
    for wrong in ("CN", "Cn", "china", "cn-", "c", "cn\n"):
        answer = clerk.post("/cases", {"forum": "court", "jurisdiction": wrong})
        assert answer.status_code == 422
        assert "in lower case, like cn or us-vt" in answer.json()["detail"]
        body = {"grantee": clerk.id, "role": "AT", "items": [UNKNOWN], "actions": ["see-metadata"]}
        assert owner.post("/grants", body | {"jurisdiction": wrong}).status_code == 422
    assert clerk.post("/cases", {"forum": "court", "jurisdiction": "us-vt"}).status_code == 201


def test_seat_on_the_bench_is_given_for_nobody(make: Make) -> None:
    clerk, judge, owner, lawyer = make("CL"), make("JU"), make(), make("AT")
    case = clerk.opens(parties=[{"side": "claimant", "person": owner.id}])
    seat = {"grantee": judge.id, "role": "JU", "case": case, "actions": ["order", "see-metadata"]}
    given = clerk.post("/grants", seat).json()
    assert (given["given_by"], given["on_behalf_of"]) == (clerk.id, None)
    mandate = {"grantee": lawyer.id, "role": "AT", "case": case, "actions": ["deposit"]}
    assert owner.post("/grants", mandate).json()["on_behalf_of"] == owner.id
    assert clerk.post(f"/grants/{given['id']}/revocation").status_code == 204


def test_nobody_sits_in_a_case_of_his_own(vault: Vault, make: Make) -> None:
    judge, holder, other = make("JU"), make(), make()
    with vault.database.write() as session:
        actors.add_role(session, actor_id=holder.id, role="JU", at=vault.clock())
        actors.add_role(session, actor_id=other.id, role="JU", at=vault.clock())
    own = holder.opens()
    case = judge.opens(parties=[{"side": "claimant", "person": holder.id}])
    seat = {"grantee": holder.id, "role": "JU", "actions": ["order"]}
    assert holder.post("/grants", seat | {"case": own}).status_code == 409
    assert judge.post("/grants", seat | {"case": case}).status_code == 409
    assert judge.post("/grants", seat | {"case": case, "grantee": other.id}).status_code == 201
    party = {"side": "respondent"}
    assert judge.post(f"/cases/{case}/parties", party | {"person": other.id}).status_code == 409
    assert judge.post(f"/cases/{case}/parties", party | {"person": judge.id}).status_code == 409
    mine = {"forum": "court", "jurisdiction": "cn", "parties": [party | {"person": judge.id}]}
    assert judge.post("/cases", mine).status_code == 409


# Orders.


def test_order_opens_its_items_to_its_lawyers_until_its_day(vault: Vault, make: Make) -> None:
    owner, judge, lawyer, respondent = make(), make("JU"), make("AT"), make()
    item, asked, kept = owner.deposit(b"1"), respondent.deposit(b"2"), respondent.deposit(b"3")
    case = judge.opens(parties=[{"side": "claimant", "person": owner.id}])
    owner.post(f"/cases/{case}/items", {"item": item})
    wish = order_for(vault, case, lawyer, [item, asked], respondent=respondent.id)
    made = judge.post("/orders", wish)
    assert made.status_code == 201, made.text
    order = made.json()
    assert order["expires_at"] == encode_time(vault.clock() + timedelta(days=15))
    assert (order["number"], order["lawyers"][0]["licence"], order["items"]) == (
        "(2026) 1",
        LICENCE,
        sorted([item, asked]),
    )
    assert lawyer.get(f"/items/{asked}/content").content == b"2"
    assert lawyer.get(f"/items/{kept}").status_code == 404
    assert lawyer.post(f"/items/{asked}/exports").status_code == 404
    opened = [event for event in history(vault, "item", asked) if event["type"] == "DOWNLOADED"][-1]
    assert (opened["type"], opened["why"]["basis"], opened["why"]["case"]) == ("DOWNLOADED", "order", case)
    seen = respondent.get(f"/orders/{order['id']}/access").json()["accesses"]
    assert [one["type"] for one in seen] == ["DOWNLOADED", "ACCESS_REFUSED"]
    assert [(one["item"], one["actor"], one["order"]) for one in seen] == [
        (asked, lawyer.id, order["id"])
    ] * 2
    for one in (judge, lawyer):
        assert len(one.get(f"/orders/{order['id']}/access").json()["accesses"]) == 2
    assert judge.get(f"/cases/{case}/access").json()["accesses"][0]["order"] == order["id"]
    assert make("AT").get(f"/orders/{order['id']}").status_code == 404
    text = str(history(vault, "case", case))
    assert not any(word in text for word in (LICENCE, "Officer", "(2026)", "Lawyer", "to compare"))
    pass_time(vault, days=15)
    assert lawyer.get(f"/items/{asked}/content").status_code == 404
    told = {"asked": 3, "produced": [asked], "refused": [item], "not_found": 1}
    back = lawyer.post(f"/orders/{order['id']}/return", told)
    assert back.status_code == 201, back.text
    assert back.json()["returned"]["not_found"] == 1
    assert types(vault, "case", case)[-1] == "ORDER_RETURNED"
    for wrong in ({"produced": [kept]}, {"asked": 1}, {"refused": [asked]}):
        assert lawyer.post(f"/orders/{order['id']}/return", told | wrong).status_code == 400
    assert respondent.post(f"/orders/{order['id']}/return", told).status_code == 404


def test_forged_orders(vault: Vault, make: Make) -> None:
    owner, judge, lawyer, other = make(), make("JU"), make("AT"), make()
    item, foreign = owner.deposit(b"1"), other.deposit(b"2")
    case = judge.opens(parties=[{"side": "claimant", "person": owner.id}])
    owner.post(f"/cases/{case}/items", {"item": item})
    good = order_for(vault, case, lawyer, [item])
    assert make("JU").post("/orders", good).status_code == 404, "a judge of another case"
    for one in (owner, lawyer, make("AD"), make("AU"), make("NO")):
        assert one.post("/orders", good).status_code == 404
    unknown = judge.post("/orders", good | {"items": [UNKNOWN]})
    outside = judge.post("/orders", good | {"items": [foreign]})
    assert unknown.status_code == outside.status_code == 404, "what is not in the case nor the respondent's"
    now = vault.clock()
    for wrong in (
        {"expires_at": encode_time(now + timedelta(days=31))},
        {"issued_at": encode_time(now + timedelta(days=1))},
        {"issued_at": encode_time(now - timedelta(days=20))},
        {"lawyers": [{"person": lawyer.id, "licence": "another"}]},
        {"lawyers": [{"person": owner.id, "licence": LICENCE}]},
        {"actions": ["order"]},
    ):
        assert judge.post("/orders", good | wrong).status_code == 400, wrong
    assert lawyer.get(f"/items/{item}").status_code == 404
    assert "ORDER_REGISTERED" not in types(vault, "case", case)


def test_revoked_order_ends_its_grants(vault: Vault, make: Make) -> None:
    owner, judge, lawyer = make(), make("JU"), make("AT")
    item = owner.deposit()
    case = judge.opens(parties=[{"side": "claimant", "person": owner.id}])
    owner.post(f"/cases/{case}/items", {"item": item})
    order = judge.post("/orders", order_for(vault, case, lawyer, [item])).json()
    assert owner.post(f"/grants/{order['grants'][0]}/revocation").status_code == 404, "a court's, not his"
    assert owner.post(f"/orders/{order['id']}/revocation").status_code == 404
    assert judge.post(f"/orders/{order['id']}/revocation").status_code == 204
    assert lawyer.get(f"/items/{item}").status_code == 404
    assert [e["cause"] for e in history(vault, "item", item) if e["type"] == "GRANT_REVOKED"] == ["order"]


# Mediation.


def test_mediation_keeps_what_is_in_it_until_every_party_consents(make: Make) -> None:
    one, two, mediator, judge, lawyer = make(), make(), make("AM"), make("JU"), make("AT")
    item = one.deposit()
    parties = [{"side": "claimant", "person": one.id}, {"side": "respondent", "person": two.id}]
    mediation = mediator.opens(forum="mediation", mediation_only=True, parties=parties)
    court = judge.opens(parties=parties)
    assert one.post(f"/cases/{mediation}/items", {"item": item}).status_code == 201
    assert mediator.get(f"/items/{item}/content").status_code == 200
    assert mediator.post(f"/items/{item}/exports").status_code == 404, "a bundle would leave it"
    assert one.post(f"/cases/{court}/items", {"item": item}).status_code == 409
    outside = {"grantee": lawyer.id, "role": "AT", "items": [item], "actions": ["see-metadata"]}
    assert one.post("/grants", outside).status_code == 409
    consent = {"for_case": court, "items": [item]}
    assert one.post(f"/cases/{mediation}/consents", consent).status_code == 204
    assert mediator.post(f"/cases/{mediation}/consents", consent).status_code == 404, "no party"
    assert one.post(f"/cases/{court}/items", {"item": item}).status_code == 409
    assert two.post(f"/cases/{mediation}/consents", consent).status_code == 204
    assert one.post(f"/cases/{court}/items", {"item": item}).status_code == 201
    assert judge.get(f"/items/{item}/content").status_code == 200
    other = judge.opens(parties=parties)
    assert one.post(f"/cases/{other}/items", {"item": item}).status_code == 409, "for that case alone"


def test_mediation_is_opened_by_its_forum_alone(make: Make) -> None:
    body = {"forum": "mediation", "jurisdiction": "cn", "mediation_only": True}
    assert make("RH").post("/cases", body).status_code == 403
    assert make("AM").post("/cases", body).status_code == 201


# Delegation.


def test_lawyer_deposits_for_a_holder_by_his_mandate(vault: Vault, make: Make) -> None:
    owner, lawyer = make(), make("AT")
    acting = {"On-Behalf-Of": owner.id}
    deposit = {"url": "/v1/items", "content": b"x", "headers": {**lawyer.headers, **acting}}
    assert lawyer.client.post(**deposit).status_code == 403  # type: ignore[arg-type]
    case = owner.opens()
    mandate = owner.grants(lawyer, [], case=case, actions=["deposit", "see-metadata"])["id"]
    made = lawyer.client.post(**deposit)  # type: ignore[arg-type]
    assert made.status_code == 201, made.text
    item = made.json()["id"]
    actor = history(vault, "item", item)[0]["actor"]
    assert (actor["id"], actor["role"], actor["on_behalf_of"]) == (lawyer.id, "AT", owner.id)
    assert owner.get(f"/items/{item}").status_code == 200, "it is the holder's"
    assert lawyer.get(f"/items/{item}").status_code == 404, "and his alone"
    assert lawyer.post(f"/cases/{case}/items", {"item": item}, **acting).status_code == 201
    other = {**lawyer.headers, "On-Behalf-Of": make().id}
    assert lawyer.client.post("/v1/items", content=b"x", headers=other).status_code == 403
    keyed = {**lawyer.headers, **acting, "Idempotency-Key": "k"}
    second = make()
    other_case = second.opens()
    second.grants(lawyer, [], case=other_case, actions=["deposit"])
    assert lawyer.client.post("/v1/items", content=b"y", headers=keyed).status_code == 201
    for_another = keyed | {"On-Behalf-Of": second.id}
    assert lawyer.client.post("/v1/items", content=b"y", headers=for_another).status_code == 409
    owner.post(f"/grants/{mandate}/revocation")
    assert lawyer.client.post(**deposit).status_code == 403  # type: ignore[arg-type]


@pytest.mark.parametrize("named", ["ac_x", "' OR 1=1 --", "ac_0g2491650n2rbhg68t3ce1t7gz\t"])
def test_on_behalf_of_is_an_actor_or_refused(make: Make, named: str) -> None:
    assert make("AT").get("/items", **{"On-Behalf-Of": named}).status_code == 400


def test_only_lawyers_act_for_others(make: Make) -> None:
    owner, other = make(), make()
    item = owner.deposit()
    assert other.get(f"/items/{item}", **{"On-Behalf-Of": owner.id}).status_code == 403


# Refusals, and the administrator.


def test_refusals_are_counted_by_the_hour_and_cost_bounded_rows(vault: Vault, make: Make) -> None:
    owner, stranger, lawyer = make(), make(), make("AT")
    item = owner.deposit()
    grant = owner.grants(lawyer, [item])["id"]
    owner.post(f"/grants/{grant}/revocation")
    before = len(history(vault, "item", item))
    for number in range(30):
        stranger.get(f"/items/{item if number % 2 else UNKNOWN}")
        lawyer.get(f"/items/{item}/content")
    refused = history(vault, "item", item)[before:]
    assert [(one["type"], one["reason"], one["actor"]["id"]) for one in refused] == [
        ("ACCESS_REFUSED", "revoked", lawyer.id)
    ]
    with vault.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Refusals)) == 2
    keep_access(vault)
    assert "REFUSALS_COUNTED" not in types(vault, "vault", "vault")
    pass_time(vault, hours=2)
    keep_access(vault)
    keep_access(vault)
    counted = {e["principal"]: e["refusals"] for e in history(vault, "vault", "vault")}
    assert counted == {stranger.id: 30, lawyer.id: 30}
    lawyer.get(f"/items/{item}/content")
    assert types(vault, "item", item).count("ACCESS_REFUSED") == 2


@pytest.mark.parametrize("path", ["", "/events", "/content", "/access", "/receipt", "/proofs"])
def test_refused_and_unknown_take_the_same_statements(vault: Vault, make: Make, path: str) -> None:
    owner, stranger, secret_case = make(), make("AT"), make("AM")
    item = owner.deposit(b"x", **{"Evidence-Secret": "?1"})
    mediation = secret_case.opens(
        forum="mediation", mediation_only=True, parties=[{"side": "claimant", "person": owner.id}]
    )
    owner.post(f"/cases/{mediation}/items", {"item": item})
    stranger.get(f"/items/{item}{path}")  # the first refusal of an hour makes its row
    counts = []
    for name in (item, UNKNOWN, "it_1", "x" * 200):
        statements: list[str] = []

        def note(_c: Any, _cur: Any, statement: str, *_: Any, into: list[str] = statements) -> None:
            into.append(statement)

        sql_event.listen(vault.database.engine, "before_cursor_execute", note)
        assert stranger.get(f"/items/{name}{path}").status_code == 404
        sql_event.remove(vault.database.engine, "before_cursor_execute", note)
        counts.append(statements)
    assert all(one == counts[0] for one in counts)
    assert counts[0]


def test_administrator_opens_nothing_but_the_glass(vault: Vault, make: Make) -> None:
    owner, admin, auditor, judge = make(), make("AD"), make("AU"), make("JU")
    item = owner.deposit(b"in need")
    for path in ("", "/events", "/proofs", "/receipt", "/content", "/access"):
        assert admin.get(f"/items/{item}{path}").status_code == 404
    body = {"grantee": admin.id, "role": "AD", "items": [item], "actions": ["see-metadata"]}
    assert owner.post("/grants", body).status_code == 422
    assert admin.post(f"/items/{item}/break-glass", {}).status_code == 422
    for one in (judge, auditor, owner):
        assert one.post(f"/items/{item}/break-glass", {"reason": "curious"}).status_code == 404
    answer = admin.post(f"/items/{item}/break-glass", {"reason": "the disk is failing"})
    assert (answer.status_code, answer.content) == (200, b"in need")
    viewed = history(vault, "item", item)[-1]
    assert (viewed["type"], viewed["why"]["basis"], viewed["actor"]["id"]) == (
        "VIEWED",
        "break-glass",
        admin.id,
    )
    broken = history(vault, "vault", "vault")[-1]
    assert (broken["type"], broken["item"]) == ("BREAK_GLASS", item)
    assert "disk" not in str(broken)
    for one in (owner, auditor):
        notices = one.get("/notices").json()["notices"]
        assert [(n["kind"], n["subject"], n["seq"]) for n in notices] == [
            ("break-glass", item, viewed["seq"])
        ]
    assert judge.get("/notices").json()["notices"] == []
    assert admin.post(f"/items/{UNKNOWN}/break-glass", {"reason": "x"}).status_code == 404


def test_auditor_reads_histories_without_personal_values(vault: Vault, make: Make) -> None:
    owner, auditor = make(), make("AU")
    item = owner.deposit(b"x", **{"Content-Disposition": 'attachment; filename="zhang-san.jpg"'})
    answer = auditor.get(f"/items/{item}/events")
    assert answer.status_code == 200
    assert "zhang-san" not in answer.text
    assert "zhang-san" in owner.get(f"/items/{item}/events").text
    assert types(vault, "item", item)[-1] == "CUSTODY_READ"
    assert auditor.get(f"/items/{item}").status_code == 404
    assert auditor.get(f"/items/{item}/content").status_code == 404


def test_narrow_token_is_told_so_without_a_look_at_any_item(make: Make) -> None:
    reader = make("RH", scopes=("read",))
    item = make().deposit()
    for name in (item, UNKNOWN):
        body = {"grantee": reader.id, "role": "AT", "items": [name], "actions": ["see-metadata"]}
        assert reader.post("/grants", body).status_code == 403
        assert reader.get(f"/items/{name}/content").status_code == 403
