"""The attorney under an investigation order: what the court lets him see, for how long, and what it hears of it."""

import pytest

from tests.journeys.house import House
from tests.journeys.page import assert_page_is_true

pytestmark = [pytest.mark.socket, pytest.mark.db]

LICENCE = "11010120200001"
BENCH_MAY = ("see-metadata", "open-content", "read-custody", "export", "order", "hold")


def test_attorney_looks_under_an_order_and_the_court_hears_of_it(house: House) -> None:
    clerk, judge = house.person("Clerk", "CL"), house.person("Judge", "JU")
    holder, respondent = house.person("Holder", "RH"), house.person("Respondent", "RH")
    lawyer = house.person("Lawyer", "AT", licence_number=LICENCE, jurisdiction="cn")
    colleague = house.person("Colleague", "AT", licence_number="11010120200002", jurisdiction="cn")
    ledger = respondent.deposits("ledger.csv", b"sold;1200\n")
    letters = respondent.deposits("letters.pdf", b"not asked for\n")
    house.goes_on(12)

    # A case, its parties, its judge; and an order that names one lawyer by his licence.
    case = clerk.opens_case(
        forum="court",
        number="(2026) 73",
        parties=[
            {"side": "claimant", "name": "Alpha", "person": holder.id},
            {"side": "respondent", "name": "Beta", "person": respondent.id},
        ],
    )
    clerk.grants(judge, [], BENCH_MAY, case=case)
    order = {
        "case": case,
        "court": "Intellectual Property Court",
        "number": "(2026) 1",
        "lawyers": [{"person": lawyer.id, "licence": LICENCE, "name": "Li"}],
        "items": [ledger],
        "respondent": respondent.id,
        "issued_at": house.now,
        "purpose": "to learn how many were sold",
    }
    judge.asks("POST", "/orders", order | {"lawyers": [{"person": lawyer.id, "licence": "1"}]}, status=400)
    holder.asks("POST", "/orders", order, status=404)
    made = judge.asks("POST", "/orders", order)

    # He sees what the order lists, as often as he must; nothing beside it, and nobody with him.
    assert lawyer.sees(f"/items/{ledger}/content") == b"sold;1200\n"
    lawyer.is_refused("GET", f"/items/{letters}")
    lawyer.is_refused("POST", f"/items/{ledger}/exports")
    colleague.is_refused("GET", f"/items/{ledger}/content")

    # The respondent sees what was disclosed of hers.
    seen = respondent.sees(f"/orders/{made['id']}/access")["accesses"]
    assert [(one["type"], one["actor"]) for one in seen] == [
        ("DOWNLOADED", lawyer.id),
        ("ACCESS_REFUSED", lawyer.id),
    ]

    # The order ends by the clock; its lawyer still owes the court an answer.
    house.passes(days=15)
    for one in (lawyer, judge, respondent):
        one.logs_in()
    lawyer.is_refused("GET", f"/items/{ledger}/content")
    result = {"asked": 2, "produced": [ledger], "not_found": 1, "note": "The second ledger was not there."}
    lawyer.asks("POST", f"/orders/{made['id']}/return", result)
    returned = judge.sees(f"/orders/{made['id']}")["returned"]
    assert (returned["produced"], returned["not_found"]) == ([ledger], 1)
    whole = judge.sees(f"/cases/{case}/access")["accesses"]
    assert [(one["type"], one["order"]) for one in whole] == [
        ("DOWNLOADED", made["id"]),
        ("ACCESS_REFUSED", made["id"]),
        ("ACCESS_REFUSED", made["id"]),
    ]

    house.goes_on(12)
    bundle = respondent.exports_case(case, "ledger.zip")
    told = respondent.verifies(bundle)
    told.tells(ledger, "GRANTED", "DOWNLOADED", "ACCESS_REFUSED", "GRANT_EXPIRED", "ACCESS_REFUSED")
    told.tells_what(respondent, case)
    assert_page_is_true("attorney", house.transcript)
