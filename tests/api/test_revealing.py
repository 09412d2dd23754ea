"""Who stands behind a pseudonym: told to the court under an order that asks it; and who tries without."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from evidence_vault.access.decisions import Requester
from evidence_vault.core.disclosures import digest_disclosure
from evidence_vault.core.names import encode_id, encode_time
from evidence_vault.pipeline.intake.pseudonyms import take_pseudonym
from evidence_vault.pipeline.vault import Vault
from tests.api.clients import LICENCE, Person, history, somebody, types
from tests.pipeline.vaults import SetClock

pytestmark = [pytest.mark.socket, pytest.mark.db]

Make = Callable[..., Person]
NO_ORDER = encode_id("gr", bytes(16))


@pytest.fixture
def make(vault: Vault, client: TestClient) -> Make:
    return lambda role="RH", **more: somebody(vault, client, role, **more)


def hidden(vault: Vault, person: Person) -> Person:
    """The person under a pseudonym."""
    asker = Requester(actor_id=person.id, role="RH", scopes=frozenset(), auth="password")
    made = take_pseudonym(vault, asker, name="Source 7", days=30)
    return replace(person, id=made.id, headers={"Authorization": f"Bearer {made.token}"})


def ordered(vault: Vault, judge: Person, lawyer: Person, case: str, item: str, **more: object) -> str:
    body = {
        "case": case,
        "court": "Court",
        "lawyers": [{"person": lawyer.id, "licence": LICENCE}],
        "items": [item],
        "issued_at": encode_time(vault.clock()),
    } | more
    answer = judge.post("/orders", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_pseudonym_deposits_joins_a_case_and_is_revealed_to_its_court(vault: Vault, make: Make) -> None:
    person, judge, lawyer = make(), make("JU"), make("AT")
    source = hidden(vault, person)
    case = judge.opens(parties=[{"side": "claimant", "person": source.id}])
    item = source.deposit(b"what I saw")
    assert source.post(f"/cases/{case}/items", {"item": item}).status_code == 201
    order = ordered(vault, judge, lawyer, case, item, reveals=True)
    assert judge.get(f"/orders/{order}").json()["reveals"] is True
    told = judge.post(f"/orders/{order}/revelations", {"item": item})
    assert told.status_code == 201, told.text
    found = told.json()
    assert (found["pseudonym"], found["person"], found["name"]) == (source.id, person.id, "Somebody")
    event = history(vault, "item", item)[found["seq"]]
    assert (event["type"], event["order"], event["case"]) == ("PSEUDONYM_REVEALED", order, case)
    assert sorted(digest_disclosure(one) for one in found["disclosures"].values()) == event["_sd"]
    for reader in (judge, source, lawyer):  # the answer is kept nowhere
        shown = reader.get(f"/items/{item}/custody")
        assert shown.status_code == 200
        assert person.id not in shown.text
        assert "PSEUDONYM_REVEALED" in shown.text


def test_forged_ended_and_silent_orders_reveal_nothing(vault: Vault, make: Make) -> None:
    person, judge, clerk, lawyer, other = make(), make("JU"), make("CL"), make("AT"), make("JU")
    source = hidden(vault, person)
    case, elsewhere = judge.opens(), other.opens()
    item = source.deposit()
    plain = person.deposit(b"in clear")
    judge.post("/cases/" + case + "/parties", {"side": "claimant", "person": source.id})
    judge.post("/cases/" + case + "/parties", {"side": "claimant", "person": person.id})
    assert source.post(f"/cases/{case}/items", {"item": item}).status_code == 201
    assert person.post(f"/cases/{case}/items", {"item": plain}).status_code == 201
    seat = {"grantee": clerk.id, "role": "CL", "case": case, "actions": ["order", "see-metadata"]}
    assert judge.post("/grants", seat).status_code == 201
    silent = ordered(vault, judge, lawyer, case, item)
    asking = ordered(vault, judge, lawyer, case, plain, reveals=True)
    right = ordered(vault, judge, lawyer, case, item, reveals=True)

    def ask(who: Person, order: str, about: str = item, **more: object) -> int:
        return who.post(f"/orders/{order}/revelations", {"item": about} | more).status_code

    assert ask(judge, NO_ORDER) == 404
    assert ask(judge, "%00") == 404
    assert ask(judge, silent) == 409
    assert ask(judge, asking) == 404  # it lists another item
    assert ask(judge, asking, plain) == 404  # that hides nobody
    assert ask(judge, right, item, case=elsewhere) == 422
    for nobody in (clerk, lawyer, other, person, source):
        assert ask(nobody, right) == 404
    assert judge.post(f"/orders/{right}/revocation").status_code == 204
    assert ask(judge, right) == 409
    late = ordered(vault, judge, lawyer, case, item, reveals=True)
    assert isinstance(vault.clock, SetClock)
    vault.clock.advance(timedelta(days=16).total_seconds())
    assert ask(judge, late) == 409
    assert "PSEUDONYM_REVEALED" not in types(vault, "item", item) + types(vault, "item", plain)


def test_reveals_is_a_yes_that_nothing_else_means(vault: Vault, make: Make) -> None:
    judge, lawyer = make("JU"), make("AT")
    case = judge.opens()
    body = {
        "case": case,
        "court": "Court",
        "lawyers": [{"person": lawyer.id, "licence": LICENCE}],
        "items": [encode_id("it", bytes(16))],
        "issued_at": encode_time(vault.clock()),
    }
    for yes in ("true", 1, None):
        assert judge.post("/orders", body | {"reveals": yes}).status_code == 422
