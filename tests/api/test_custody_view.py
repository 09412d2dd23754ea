"""The judge's view: what each proof has come to, who may see what of it, and that reading it is on record."""

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from evidence_vault.api.tables import encode_table
from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_id, encode_time
from evidence_vault.pipeline.platform.incidents import tell_incident
from evidence_vault.pipeline.record import Draft, append_event, system_actor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.workers.runner import advance_log
from tests.api.clients import LICENCE, LOOK, Person, history, somebody, types
from tests.pipeline.vaults import SetClock

pytestmark = [pytest.mark.socket, pytest.mark.db]

Make = Callable[..., Person]


@pytest.fixture
def make(vault: Vault, client: TestClient) -> Make:
    return lambda role="RH", **more: somebody(vault, client, role, **more)


def read(person: Person, path: str) -> dict[str, Any]:
    answer = person.get(path)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def told(page: dict[str, Any]) -> list[tuple[str, int, str | None]]:
    return [(one["subject"], one["seq"], one["type"]) for one in page["events"]]


def pass_time(vault: Vault, **time: float) -> None:
    assert isinstance(vault.clock, SetClock)
    vault.clock.advance(timedelta(**time).total_seconds())


def test_owner_sees_how_far_each_proof_has_come_and_leaves_no_mark(vault: Vault, make: Make) -> None:
    owner = make()
    item = owner.deposit(b"a photo", **{"Content-Disposition": 'attachment; filename="photo.jpg"'})
    (event,) = read(owner, f"/items/{item}/custody")["events"]
    assert (event["state"], event["leaf_index"], event["reached"]) == ("pending", None, [])
    advance_log(vault)
    page = read(owner, f"/items/{item}/custody")
    event = page["events"][0]
    assert event["reached"][:2] == ["logged", "published"]
    assert event["leaf_index"] < page["log_size"]
    assert (event["type"], event["actor"]["id"], event["basis"]) == ("ITEM_RECEIVED", owner.id, None)
    assert event["disclosures"] == {"file_name": "photo.jpg"}
    assert event["event"] == history(vault, "item", item)[0]
    assert "CUSTODY_READ" not in types(vault, "item", item)


def test_grantees_reading_is_on_record_before_he_reads(vault: Vault, make: Make) -> None:
    owner, lawyer, stranger = make(), make("AT"), make("AT")
    item = owner.deposit()
    unknown = stranger.get(f"/items/{encode_id('it', bytes(16))}/custody")
    refused = stranger.get(f"/items/{item}/custody")
    assert (refused.status_code, unknown.status_code) == (404, 404)
    assert {**refused.json(), "instance": ""} == {**unknown.json(), "instance": ""}
    grant = owner.grants(lawyer, [item])["id"]
    page = read(lawyer, f"/items/{item}/custody")
    assert told(page) == [(item, 0, "ITEM_RECEIVED"), (item, 1, "GRANTED")]
    last = history(vault, "item", item)[-1]
    assert (last["type"], last["actor"]["id"], last["why"]["grant"]) == ("CUSTODY_READ", lawyer.id, grant)
    owner.post(f"/grants/{grant}/revocation", {"reason": "done"})
    assert lawyer.get(f"/items/{item}/custody").status_code == 404


def test_auditor_sees_the_chain_without_personal_values(vault: Vault, make: Make) -> None:
    owner, auditor, administrator = make(), make("AU"), make("AD")
    item = owner.deposit(b"x", **{"Content-Disposition": 'attachment; filename="secret plan.txt"'})
    assert administrator.get(f"/items/{item}/custody").status_code == 404
    page = read(auditor, f"/items/{item}/custody")
    assert (page["events"][0]["disclosures"], page["events"][0]["undisclosed"]) == ({}, 1)
    assert "secret plan" not in json.dumps(page)
    assert types(vault, "item", item)[-1] == "CUSTODY_READ"


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_of_one_reading_are_whole_and_end_though_reading_adds_events(
    vault: Vault, make: Make, limit: int
) -> None:
    owner, judge = make(), make("JU")
    case = judge.opens(parties=[{"side": "claimant", "person": owner.id}])
    items = [owner.deposit(bytes([n])) for n in range(2)]
    for item in items:
        assert owner.post(f"/cases/{case}/items", {"item": item, "source": "a shop"}).status_code == 201
    whole = told(read(owner, f"/cases/{case}/custody"))
    found, place = [], ""
    for _ in range(40):
        page = read(judge, f"/cases/{case}/custody?limit={limit}{place}")
        assert len(page["events"]) <= limit
        found += told(page)
        if page["next"] is None:
            break
        place = f"&place={page['next']}"
    assert found[: len(whole)] == whole
    assert len(found) == len(set(found))
    assert [kind for _, _, kind in found[len(whole) :]] == ["CUSTODY_READ"], "the owner's, of the case"


def test_case_shows_the_bench_its_items_in_one_order_and_records_each_reading(
    vault: Vault, make: Make
) -> None:
    judge, claimant, respondent, stranger = make("JU"), make(), make(), make("JU")
    parties = [{"side": "claimant", "person": claimant.id}, {"side": "respondent", "person": respondent.id}]
    case = judge.opens(parties=parties)
    item = claimant.deposit()
    assert claimant.post(f"/cases/{case}/items", {"item": item, "proves": "use"}).status_code == 201
    page = read(judge, f"/cases/{case}/custody")
    assert {one["subject"] for one in page["events"]} == {case, item}
    assert (page["items"], page["withheld"]) == ([item], 0)
    added = next(one for one in page["events"] if one["type"] == "ITEM_ADDED")
    assert added["disclosures"] == {"proves": "use"}
    assert types(vault, "item", item)[-1] == "CUSTODY_READ"
    other = read(respondent, f"/cases/{case}/custody")
    assert {one["subject"] for one in other["events"]} == {case}
    assert (other["items"], other["withheld"]) == ([], 1), "he is told that there is more"
    assert types(vault, "case", case)[-1] == "CUSTODY_READ"
    refused = stranger.get(f"/cases/{case}/custody")
    unknown = stranger.get(f"/cases/{encode_id('cs', bytes(16))}/custody")
    assert (refused.status_code, unknown.status_code) == (404, 404)


def test_who_is_let_in_to_one_item_sees_of_the_case_what_concerns_him(make: Make) -> None:
    judge, owner, expert = make("JU"), make(), make("AP")
    parties = [{"side": "claimant", "person": owner.id, "name": "Li Hua"}]
    case = judge.opens(parties=parties, confidentiality="open")
    shown, hidden = owner.deposit(b"1"), owner.deposit(b"2")
    for item in (shown, hidden):
        line = {"item": item, "source": f"of {item}"}
        assert owner.post(f"/cases/{case}/items", line).status_code == 201
    owner.grants(expert, [shown], case=case)
    page = read(expert, f"/cases/{case}/custody")
    assert page["items"] == [shown]
    assert page["withheld"] is None
    assert hidden not in json.dumps(page)
    assert "Li Hua" not in json.dumps(page)
    of_case = [one["type"] for one in page["events"] if one["kind"] == "case"]
    assert of_case[0] == "CASE_OPENED"
    assert of_case.count("ITEM_ADDED") == 1
    assert None in of_case, "he sees that there is more, and the chain of it"
    # A filter finds nothing of what is hidden.
    named = read(expert, f"/cases/{case}/custody?types=PARTY_NAMED")["events"]
    by_judge = read(expert, f"/cases/{case}/custody?actor={judge.id}")["events"]
    assert (named, [one["type"] for one in by_judge]) == ([], ["CASE_OPENED"])


def test_views_under_an_order_name_the_order(vault: Vault, make: Make) -> None:
    judge, owner, lawyer = make("JU"), make(), make("AT")
    case, item = judge.opens(parties=[{"side": "claimant", "person": owner.id}]), owner.deposit()
    assert owner.post(f"/cases/{case}/items", {"item": item}).status_code == 201
    body: dict[str, Any] = {
        "case": case,
        "court": "A court",
        "items": [item],
        "purpose": "infringement",
        "officer": "Wang",
    }
    body |= {"number": "1", "issued_at": encode_time(vault.clock())}
    body |= {"lawyers": [{"person": lawyer.id, "licence": LICENCE}], "actions": list(LOOK)}
    made = judge.post("/orders", body)
    assert made.status_code == 201, made.text
    assert lawyer.get(f"/items/{item}/content").status_code == 200
    page = read(owner, f"/items/{item}/custody?types=DOWNLOADED")
    assert [(one["actor"]["id"], one["basis"], one["order"]) for one in page["events"]] == [
        (lawyer.id, "order", made.json()["id"])
    ]


def test_filters_by_type_time_actor_and_subject(vault: Vault, make: Make) -> None:
    owner, lawyer = make(), make("AT")
    case, item = owner.opens(), owner.deposit()
    assert owner.post(f"/cases/{case}/items", {"item": item}).status_code == 201
    pass_time(vault, hours=1)
    noon = encode_time(vault.clock())
    owner.grants(lawyer, [item])
    lawyer.get(f"/items/{item}")
    path = f"/cases/{case}/custody"
    assert told(read(owner, f"{path}?actor={lawyer.id}")) == [(item, 2, "VIEWED")]
    assert told(read(owner, f"{path}?from={noon}")) == [(item, 1, "GRANTED"), (item, 2, "VIEWED")]
    assert {kind for _, _, kind in told(read(owner, f"{path}?until={noon}&types=GRANTED"))} == {"GRANTED"}
    assert {one[0] for one in told(read(owner, f"{path}?subject={case}"))} == {case}
    assert read(owner, f"{path}?subject={encode_id('it', bytes(16))}")["events"] == []
    for odd in ("types=NOTHING", "place=1", "place=-1-1", "limit=0", "from=now", "actor=x", "format=xml"):
        assert owner.get(f"{path}?{odd}").status_code in (400, 422), odd


def test_gaps_are_failed_contents_and_incidents_at_their_widest(vault: Vault, make: Make) -> None:
    owner = make()
    before = vault.clock()
    pass_time(vault, hours=1)
    tell_incident(vault, kind="flood", began_at=before, ended_at=before, summary="before all this")
    item = owner.deposit()
    received = encode_time(vault.clock())
    sha256 = history(vault, "item", item)[0]["digests"]["sha256"]
    pass_time(vault, days=2)
    found = {"cause": "missing", "expected_sha256": sha256, "found_sha256": None}
    _say(vault, item, "FIXITY_FAILED", found)
    assert [(gap["kind"], gap["began_at"], gap["ended_at"]) for gap in _gaps(owner, item)] == [
        ("fixity", received, None)
    ]
    pass_time(vault, days=1)
    _say(vault, item, "FIXITY_CHECKED", {"sha256": sha256})
    tell_incident(vault, kind="flood", began_at=vault.clock(), ended_at=None, summary="water")
    now = encode_time(vault.clock())
    assert [(gap["kind"], gap["began_at"], gap["ended_at"], gap["item"]) for gap in _gaps(owner, item)] == [
        ("fixity", received, now, item),
        ("flood", now, None, None),
    ]


def test_gap_of_one_among_many_items_is_told(
    vault: Vault, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence_vault.pipeline.custody.custody_gaps.AT_ONCE", 2)
    judge, owner = make("JU"), make()
    case = judge.opens(parties=[{"side": "claimant", "person": owner.id}])
    items = [owner.deposit(bytes([number])) for number in range(5)]
    for item in items:
        assert owner.post(f"/cases/{case}/items", {"item": item}).status_code == 201
    sha256 = history(vault, "item", items[3])[0]["digests"]["sha256"]
    found = {"cause": "missing", "expected_sha256": sha256, "found_sha256": None}
    for kind, fields in (("FIXITY_FAILED", found), ("FIXITY_CHECKED", {"sha256": sha256})) * 2:
        _say(vault, items[3], kind, fields)
    gaps = read(judge, f"/cases/{case}/custody")["gaps"]
    assert [(gap["kind"], gap["item"]) for gap in gaps] == [("fixity", items[3])] * 2


def _gaps(owner: Person, item: str) -> list[dict[str, Any]]:
    return list(read(owner, f"/items/{item}/custody")["gaps"])


def _say(vault: Vault, item: str, kind: str, fields: Any) -> None:
    with vault.database.write() as session:
        actor = system_actor(session)
        append_event(
            vault,
            session,
            Draft(subject=Subject(kind="item", id=item), type=kind, actor=actor, fields=fields),
        )


def test_table_is_the_same_page_and_runs_no_formula(make: Make) -> None:
    owner = make()
    name = '=HYPERLINK("x").jpg'
    item = owner.deposit(b"x", **{"Content-Disposition": 'attachment; filename="=cmd.jpg"'})
    case = owner.opens(title="@title")
    line = {"item": item, "source": name, "proves": "-1+1", "copies": 2}
    assert owner.post(f"/cases/{case}/items", line).status_code == 201
    answer = owner.get(f"/cases/{case}/evidence", Accept="text/csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert list(csv.reader(io.StringIO(answer.text))) == [
        ["number", "item", "source", "proves", "copies"],
        ["1", item, f"'{name}", "'-1+1", "2"],
    ]
    listed = owner.get(f"/cases/{case}/evidence").json()
    assert listed["evidence"] == [{"number": 1, "item": item, "source": name, "proves": "-1+1", "copies": 2}]
    first = owner.get(f"/cases/{case}/custody?format=csv&limit=1")
    (row,) = csv.DictReader(io.StringIO(first.text))
    assert (row["subject"], row["type"], row["actor"]) == (item, "ITEM_RECEIVED", owner.id)
    following = first.headers["link"].removeprefix("<").partition(">")[0].removeprefix("/v1")
    (row,) = csv.DictReader(io.StringIO(owner.get(following).text))
    assert row["subject"] == case
    assert row["disclosures"] == "title: @title"
    both = owner.get(f"/cases/{case}/evidence", Accept="text/csv, application/json")
    assert both.headers["content-type"] == "application/json"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_cell_that_begins_like_a_formula_gets_a_quote_mark(start: str) -> None:
    assert f"'{start}1" in encode_table(["a"], [{"a": f"{start}1"}])


def test_evidence_list_is_for_who_sees_the_case(make: Make) -> None:
    owner, stranger, expert = make(), make(), make("AP")
    case, one, two = owner.opens(), owner.deposit(b"1"), owner.deposit(b"2")
    for item in (one, two):
        assert owner.post(f"/cases/{case}/items", {"item": item}).status_code == 201
    owner.grants(expert, [two], case=case)
    assert stranger.get(f"/cases/{case}/evidence").status_code == 404
    assert [line["item"] for line in read(owner, f"/cases/{case}/evidence")["evidence"]] == [one, two]
    assert [line["item"] for line in read(expert, f"/cases/{case}/evidence")["evidence"]] == [two]
