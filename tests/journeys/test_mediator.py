"""The mediator: what the parties show each other stays in the mediation until both of them let it out."""

import pytest

from tests.journeys.house import House
from tests.journeys.page import assert_page_is_true

pytestmark = [pytest.mark.socket, pytest.mark.db]

OFFER = b"what we would pay\n"
BENCH_MAY = ("see-metadata", "open-content", "read-custody", "export")


def test_mediation_keeps_what_is_in_it_until_both_consent(house: House) -> None:
    mediator, judge = house.person("Mediator", "AM"), house.person("Judge", "JU")
    one, two = house.person("One", "RH"), house.person("Two", "RH")
    lawyer = house.person("Lawyer", "AT", licence_number="11010120200001", jurisdiction="cn")
    offer = one.deposits("offer.txt", OFFER)
    house.goes_on(12)
    parties = [{"side": "claimant", "person": one.id}, {"side": "respondent", "person": two.id}]

    # A case for mediation alone: only a forum's own people open one.
    one.asks(
        "POST",
        "/cases",
        {"forum": "mediation", "jurisdiction": "cn", "mediation_only": True, "parties": parties},
        status=403,
    )
    mediation = mediator.opens_case(forum="mediation", mediation_only=True, parties=parties)
    one.adds(offer, mediation)
    assert mediator.sees(f"/items/{offer}/content") == OFFER
    mediator.is_refused("POST", f"/items/{offer}/exports")

    # The talks fail; the dispute goes to court, the offer does not.
    court = judge.opens_case(forum="court", parties=parties)
    one.asks("POST", f"/cases/{court}/items", {"item": offer}, status=409)
    judge.is_refused("GET", f"/items/{offer}")
    outside = {"grantee": lawyer.id, "role": "AT", "items": [offer], "actions": ["see-metadata"]}
    one.asks("POST", "/grants", outside, status=409)

    # One consent is not enough, a mediator's is none.
    consent = {"for_case": court, "items": [offer]}
    one.asks("POST", f"/cases/{mediation}/consents", consent)
    mediator.asks("POST", f"/cases/{mediation}/consents", consent, status=404)
    one.asks("POST", f"/cases/{court}/items", {"item": offer}, status=409)
    two.asks("POST", f"/cases/{mediation}/consents", consent)
    one.adds(offer, court, proves="that both sides knew")
    assert judge.sees(f"/items/{offer}/content") == OFFER

    house.goes_on(12)
    bundle = judge.exports_case(court, "offer.zip")
    told = judge.verifies(bundle)
    told.tells(offer, "DOWNLOADED", "ACCESS_REFUSED", "DOWNLOADED")
    told.tells_what(judge, court)
    # Of the mediation, the court sees that it was there, and nothing of what was in it.
    [closed] = [one for one in told.report["cases"] if one["case"] == mediation]
    assert (closed["exported"], closed["redacted"]) == (False, len(closed["bounds"]))
    assert_page_is_true("mediator", house.transcript)
