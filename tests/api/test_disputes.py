"""Holds, transfers, objections and receipts over the API, and those who have no business with them."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from evidence_vault.core.names import encode_id, encode_time
from evidence_vault.errors import Conflict
from evidence_vault.pipeline.custody.holds import require_erasable
from evidence_vault.pipeline.vault import Vault
from evidence_vault.workers.runner import keep_access
from tests.api.clients import Person, history, somebody, types
from tests.pipeline.vaults import SetClock

pytestmark = [pytest.mark.socket, pytest.mark.db]

Make = Callable[..., Person]
UNKNOWN = encode_id("it", bytes(16))
BAD = (400, 422)


@pytest.fixture
def make(vault: Vault, client: TestClient) -> Make:
    return lambda role="RH", **more: somebody(vault, client, role, **more)


def pass_time(vault: Vault, **time: float) -> None:
    assert isinstance(vault.clock, SetClock)
    vault.clock.advance(timedelta(**time).total_seconds())


def later(vault: Vault, **time: float) -> str:
    return encode_time(vault.clock() + timedelta(**time))


def in_case(judge: Person, owner: Person, other: Person | None = None) -> tuple[str, str]:
    """A case of the judge's with the owner, and perhaps another, as parties, and an item of the owner's in it."""
    parties = [{"side": "claimant", "person": owner.id}]
    parties += [{"side": "respondent", "person": other.id}] if other else []
    case, item = judge.opens(parties=parties), owner.deposit()
    assert owner.post(f"/cases/{case}/items", {"item": item}).status_code == 201
    return case, item


def holds(person: Person, item: str) -> list[tuple[str, str, int | None]]:
    found = person.get(f"/items/{item}/holds").json()["holds"]
    return [(hold["of"], hold["source"], hold["released_seq"]) for hold in found]


def erasable(vault: Vault, item: str) -> bool:
    try:
        with vault.database.read() as session:
            require_erasable(session, item, now=vault.clock())
    except Conflict:
        return False
    return True


def test_hold_is_released_by_its_own_source_alone(vault: Vault, make: Make) -> None:
    judge, other_judge, owner = make("JU"), make("JU"), make()
    case, item = in_case(judge, owner)
    other_case = other_judge.opens(parties=[{"side": "claimant", "person": owner.id}])
    assert owner.post(f"/cases/{other_case}/items", {"item": item}).status_code == 201
    assert erasable(vault, item)
    own = owner.post(f"/items/{item}/holds", {"reason": "wait"}).json()["seq"]
    bench = judge.post(f"/items/{item}/holds", {"case": case}).json()["seq"]
    whole = other_judge.post(f"/cases/{other_case}/holds", {"reference": "(2026) 1"}).json()["seq"]
    release = f"/items/{item}/holds/%d/release"
    assert owner.post(release % bench).status_code == 404
    assert other_judge.post(release % bench).status_code == 404
    assert judge.post(release % own).status_code == 404
    assert owner.post(f"/cases/{other_case}/holds/{whole}/release").status_code == 404
    assert owner.post(release % own, {"reason": "done"}).status_code == 204
    assert owner.post(release % own).status_code == 409
    assert not erasable(vault, item)
    assert judge.post(release % bench).status_code == 204
    assert not erasable(vault, item), "a hold of a case holds its items"
    assert other_judge.post(f"/cases/{other_case}/holds/{whole}/release").status_code == 204
    assert erasable(vault, item)
    assert types(vault, "item", item)[-4:] == [
        "HOLD_PLACED",
        "HOLD_PLACED",
        "HOLD_RELEASED",
        "HOLD_RELEASED",
    ]


def test_hold_by_anybody_else_is_refused_as_for_an_item_that_is_not_there(vault: Vault, make: Make) -> None:
    judge, owner, stranger = make("JU"), make(), make()
    case, item = in_case(judge, owner)
    lawyer, clerk, notary = make("AT"), make("CL"), make("NO")
    owner.grants(lawyer, [item])
    for person in (stranger, lawyer, clerk, notary, make("AD"), make("AU"), make("TI")):
        for body in ({}, {"case": case}):
            assert person.post(f"/items/{item}/holds", body).status_code == 404
            assert person.post(f"/items/{UNKNOWN}/holds", body).status_code == 404
        assert person.post(f"/cases/{case}/holds").status_code == 404
    outside = owner.deposit(b"not in the case")
    assert judge.post(f"/items/{outside}/holds", {"case": case}).status_code == 404
    assert owner.post(f"/items/{item}/holds", {"source": "bench"}).status_code in BAD
    assert holds(owner, item) == []


def test_retention_stands_until_its_date_and_warns_before(vault: Vault, make: Make) -> None:
    owner = make()
    item = owner.deposit()
    path = f"/items/{item}/holds"
    assert owner.post(path, {"retention": True}).status_code in BAD
    assert owner.post(path, {"retention": True, "until": later(vault, days=-1)}).status_code in BAD
    assert owner.post(path, {"retention": True, "until": later(vault, days=40_000)}).status_code in BAD
    of_a_case = {"retention": True, "until": later(vault, days=100), "case": encode_id("cs", bytes(16))}
    assert owner.post(path, of_a_case).json()["place"] == "case"
    seq = owner.post(path, {"retention": True, "until": later(vault, days=100)}).json()["seq"]
    assert owner.post(f"{path}/{seq}/release").status_code == 409
    assert owner.get(path).json()["warning"] is None
    assert [one["state"] for one in owner.get("/retentions").json()["retentions"]] == ["kept"]
    assert make().get("/retentions").json()["retentions"] == []
    pass_time(vault, days=80)
    assert "nothing keeps the content after" in owner.get(path).json()["warning"]
    assert [one["state"] for one in owner.get("/retentions").json()["retentions"]] == ["ending"]
    assert not erasable(vault, item)
    pass_time(vault, days=20)
    assert erasable(vault, item)
    assert [one["state"] for one in owner.get("/retentions").json()["retentions"]] == ["over"]


def notices(person: Person) -> list[tuple[str, str, int]]:
    found = person.get("/notices").json()["notices"]
    return [(one["kind"], one["subject"], one["seq"]) for one in found]


def test_owner_is_told_once_before_nothing_keeps_the_content(vault: Vault, make: Make) -> None:
    owner, receiver, judge = make(), make(), make("JU")
    item, held, calm = owner.deposit(), owner.deposit(b"held"), owner.deposit(b"calm")
    case = judge.opens(parties=[{"side": "claimant", "person": owner.id}])
    assert owner.post(f"/cases/{case}/items", {"item": held}).status_code == 201
    assert judge.post(f"/cases/{case}/holds").status_code == 201
    ends = {"retention": True, "until": later(vault, days=100)}
    first = owner.post(f"/items/{item}/holds", ends).json()["seq"]
    second = owner.post(f"/items/{item}/holds", {"retention": True, "until": later(vault, days=120)}).json()
    kept = owner.post(f"/items/{held}/holds", ends).json()["seq"]
    keep_access(vault)
    assert notices(owner) == []
    assert owner.get(f"/items/{item}").json()["warning"] is None
    pass_time(vault, days=80)
    keep_access(vault)
    assert notices(owner) == []  # the second, and the bench's, last longer
    pass_time(vault, days=15)
    keep_access(vault)
    keep_access(vault)
    assert notices(owner) == [("retention-ends", item, second["seq"])]
    assert first != second["seq"]
    assert "nothing keeps the content after" in owner.get(f"/items/{item}").json()["warning"]
    assert judge.post(f"/cases/{case}/holds/{case_hold(vault, case)}/release").status_code == 204
    offer = owner.post(f"/items/{item}/transfers", {"receiver": receiver.id}).json()
    assert receiver.post(f"/items/{item}/transfers/{offer['seq']}/acceptance").status_code == 201
    keep_access(vault)
    assert ("retention-ends", held, kept) in notices(owner)
    assert notices(receiver) == [("retention-ends", item, second["seq"])]
    pass_time(vault, days=40)
    assert "since" in receiver.get(f"/items/{item}").json()["warning"]
    assert owner.get(f"/items/{calm}").json()["warning"] is None
    keep_access(vault)
    assert len(notices(owner)) == 2


def case_hold(vault: Vault, case: str) -> int:
    return next(int(one["seq"]) for one in history(vault, "case", case) if one["type"] == "HOLD_PLACED")


def test_transfer_changes_who_answers_after_the_bytes_were_read_again(vault: Vault, make: Make) -> None:
    giver, receiver, stranger, lawyer = make(), make(), make(), make("AT")
    item = giver.deposit(b"x" * 100_000)
    held = giver.post(f"/items/{item}/holds").json()["seq"]
    seq = giver.post(f"/items/{item}/transfers", {"receiver": receiver.id, "reason": "sold"}).json()["seq"]
    assert giver.post(f"/items/{item}/transfers", {"receiver": stranger.id}).status_code == 409
    assert receiver.get(f"/items/{item}").status_code == 404, "an offer opens nothing"
    [offered] = receiver.get("/transfers").json()["transfers"]
    assert (offered["item"], offered["state"], offered["size"]) == (item, "offered", 100_000)
    accept = f"/items/{item}/transfers/{seq}/acceptance"
    for person in (giver, stranger, lawyer):
        assert person.post(accept).status_code == 404
    assert receiver.post(accept, {"sha256": "00" * 32}).status_code == 409
    assert receiver.post(accept).json() == {"compared": "stored"}
    assert receiver.post(accept).status_code == 409
    assert giver.get(f"/items/{item}").status_code == 404
    assert receiver.get(f"/items/{item}").status_code == 200
    assert types(vault, "item", item) == [
        "ITEM_RECEIVED",
        "HOLD_PLACED",
        "TRANSFER_OFFERED",
        "FIXITY_CHECKED",
        "TRANSFER_ACCEPTED",
    ]
    assert not erasable(vault, item), "a hold goes with the item"
    assert giver.post(f"/items/{item}/holds/{held}/release").status_code == 404
    assert receiver.post(f"/items/{item}/holds/{held}/release").status_code == 204


def test_transfer_ends_what_the_giver_let_others_see_of_it(make: Make) -> None:
    giver, receiver, lawyer = make(), make(), make("AT")
    sold, kept = giver.deposit(b"sold"), giver.deposit(b"kept")
    giver.grants(lawyer, [sold, kept])
    seq = giver.post(f"/items/{sold}/transfers", {"receiver": receiver.id}).json()["seq"]
    assert lawyer.get(f"/items/{sold}").status_code == 200
    assert receiver.post(f"/items/{sold}/transfers/{seq}/acceptance").status_code == 201
    assert lawyer.get(f"/items/{sold}").status_code == 404
    assert lawyer.get(f"/items/{kept}").status_code == 200
    receiver.grants(lawyer, [sold])
    assert lawyer.get(f"/items/{sold}").status_code == 200


def test_transfer_of_changed_bytes_is_not_accepted(vault: Vault, make: Make) -> None:
    giver, receiver = make(), make()
    item = giver.deposit(b"x" * 100_000)
    seq = giver.post(f"/items/{item}/transfers", {"receiver": receiver.id}).json()["seq"]
    vault.blobs.path_of(item).unlink()
    assert receiver.post(f"/items/{item}/transfers/{seq}/acceptance").status_code == 409
    assert types(vault, "item", item)[-1] == "FIXITY_FAILED"
    assert giver.get(f"/items/{item}").status_code == 200


def test_transfer_is_refused_withdrawn_or_ends(vault: Vault, make: Make) -> None:
    giver, receiver, stranger = make(), make(), make()
    item = giver.deposit()
    path, body = f"/items/{item}/transfers", {"receiver": receiver.id}
    refused = giver.post(path, body).json()["seq"]
    assert stranger.post(f"{path}/{refused}/refusal").status_code == 404
    assert receiver.post(f"{path}/{refused}/refusal", {"reason": "not mine"}).status_code == 204
    assert receiver.post(f"{path}/{refused}/acceptance").status_code == 409
    withdrawn = giver.post(path, body).json()["seq"]
    assert giver.post(f"{path}/{withdrawn}/refusal").status_code == 204
    ended = giver.post(path, {**body, "expires_at": later(vault, days=1)}).json()["seq"]
    pass_time(vault, days=1)
    assert receiver.post(f"{path}/{ended}/acceptance").status_code == 409
    assert giver.post(path, body).status_code == 201, "what ended is in nobody's way"
    causes = [event["cause"] for event in history(vault, "item", item) if event["type"] == "TRANSFER_REFUSED"]
    assert causes == ["refused", "withdrawn"]
    for wrong in (giver.id, make("AT").id, encode_id("ac", bytes(16))):
        assert giver.post(f"/items/{giver.deposit()}/transfers", {"receiver": wrong}).status_code in BAD
    assert stranger.post(f"/items/{item}/transfers", {"receiver": stranger.id}).status_code == 404


def test_of_two_acceptances_at_once_one_counts(vault: Vault, make: Make) -> None:
    giver, receiver = make(), make()
    item = giver.deposit()
    seq = giver.post(f"/items/{item}/transfers", {"receiver": receiver.id}).json()["seq"]
    found: list[int] = []
    sha256 = receiver.get("/transfers").json()["transfers"][0]["sha256"]

    def accept() -> None:
        answer = receiver.post(f"/items/{item}/transfers/{seq}/acceptance", {"sha256": sha256})
        found.append(answer.status_code)

    threads = [threading.Thread(target=accept) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(201) == 1
    assert set(found) <= {201, 409, 503}
    assert types(vault, "item", item).count("TRANSFER_ACCEPTED") == 1


def test_objection_is_raised_answered_and_decided(vault: Vault, make: Make) -> None:
    judge, owner, other = make("JU"), make(), make()
    case, item = in_case(judge, owner, other)
    path = f"/items/{item}/objections"
    text = {"text": "The page was another one."}
    assert other.post(path, {"ground": "authenticity", **text}).status_code in BAD
    assert other.post(path, {"ground": "legality", "period": "since-anchoring", **text}).status_code in BAD
    body = {"ground": "authenticity", "period": "before-anchoring", **text}
    seq = other.post(path, body).json()["seq"]
    recorded = history(vault, "item", item)[-1]
    assert (recorded["case"], recorded["party"], recorded["period"]) == (case, 2, "before-anchoring")
    assert "another one" not in str(recorded)
    answers = f"{path}/{seq}/answers"
    assert other.post(answers, {"outcome": "answered"}).status_code == 404
    assert owner.post(answers, {"outcome": "rejected"}).status_code == 404
    assert owner.post(answers, {"outcome": "withdrawn"}).status_code == 404
    assert owner.post(answers, {"outcome": "answered", "text": "It was not."}).status_code == 204
    assert make("JU").post(answers, {"outcome": "upheld"}).status_code == 404
    assert judge.post(answers, {"outcome": "rejected"}).status_code == 204
    assert judge.post(answers, {"outcome": "upheld"}).status_code == 409
    assert other.post(answers, {"outcome": "withdrawn"}).status_code == 409
    [shown] = owner.get(path).json()["objections"]
    assert (shown["state"], shown["ground"], shown["party"]) == ("rejected", "authenticity", 2)
    assert shown["text"] == "The page was another one."
    assert [(one["by"], one["role"], one["outcome"], one["text"]) for one in shown["answers"]] == [
        (owner.id, "RH", "answered", "It was not."),
        (judge.id, "JU", "rejected", None),
    ]
    recorded_by = judge.post(path, {"ground": "relevance", "case": case, "party": 2, **text})
    assert recorded_by.status_code == 201
    assert judge.post(path, {"ground": "relevance", "case": case, "party": 3, **text}).status_code in BAD
    assert judge.post(path, {"ground": "relevance", **text}).status_code in BAD
    assert make().post(path, {"ground": "relevance", **text}).status_code == 404
    assert make("CL").post(path, {"ground": "relevance", "case": case, **text}).status_code == 404


def test_texts_of_objections_are_for_whoever_may_read_the_history(vault: Vault, make: Make) -> None:
    judge, owner, other, clerk, lawyer = make("JU"), make(), make(), make("CL"), make("AT")
    case, item = in_case(judge, owner, other)
    other.post(f"/items/{item}/objections", {"ground": "relevance", "text": "another matter"})
    judge.post("/grants", {"grantee": clerk.id, "role": "CL", "case": case, "actions": ["see-metadata"]})
    owner.grants(lawyer, [item])
    [hidden] = clerk.get(f"/items/{item}/objections").json()["objections"]
    assert (hidden["state"], hidden["text"]) == ("open", None)
    assert history(vault, "item", item)[-1]["type"] == "VIEWED"
    [shown] = lawyer.get(f"/items/{item}/objections").json()["objections"]
    assert shown["text"] == "another matter"
    assert history(vault, "item", item)[-1]["type"] == "CUSTODY_READ"
    assert make().get(f"/items/{item}/objections").status_code == 404


def test_court_receipt_and_presentation_are_the_bench_s(vault: Vault, make: Make) -> None:
    judge, owner = make("JU"), make()
    case, item = in_case(judge, owner)
    receipt = {"case": case, "received_at": later(vault, days=-1), "number": "1", "receiver": "Clerk"}
    shown = {"case": case, "presented_at": later(vault, days=-1), "note": "in open court"}
    for person in (owner, make("CL"), make("AT"), make()):
        assert person.post(f"/items/{item}/court-receipts", receipt).status_code == 404
        assert person.post(f"/items/{item}/presentations", shown).status_code == 404
    future = {"case": case, "received_at": later(vault, days=1)}
    assert judge.post(f"/items/{item}/court-receipts", future).status_code in BAD
    assert judge.post(f"/items/{item}/court-receipts", receipt).status_code == 201
    assert judge.post(f"/items/{item}/presentations", shown).status_code == 201
    told = history(vault, "item", item)[-2:]
    assert [event["type"] for event in told] == ["COURT_RECEIPTED", "PRESENTED"]
    assert "Clerk" not in str(told)
    assert "open court" not in str(told)
