"""The rights holder: preserve a page, let a lawyer look for a while, hand out what proves it."""

import pytest

from tests.journeys.house import House
from tests.journeys.page import assert_page_is_true

pytestmark = [pytest.mark.socket, pytest.mark.db]

PAGE = b"A page that copies ours, as saved today.\n"
LOOK = ("see-metadata", "open-content", "read-custody")


def test_rights_holder_preserves_shares_and_proves(house: House) -> None:
    holder = house.person("Holder", "RH")
    lawyer = house.person("Lawyer", "AT", licence_number="11010120200001", jurisdiction="cn")
    stranger = house.person("Stranger", "AT", licence_number="11010120200002", jurisdiction="cn")

    # A copy that was damaged on its way is not taken in; the command compares digests by itself.
    wrong = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
    holder.asks("POST", "/items", PAGE, status=422, **{"Repr-Digest": wrong})
    item = holder.deposits("page.html", PAGE)
    house.goes_on(20)
    assert "final" in holder.runs("status", item)

    # The lawyer looks while he may, and no longer; nobody else can tell that there is anything.
    lawyer.is_refused("GET", f"/items/{item}")
    grant = holder.grants(
        lawyer, [item], LOOK, purpose="to advise", expires_at=house.in_days(7), view_limit=2
    )
    assert lawyer.sees(f"/items/{item}/content") == PAGE
    stranger.is_refused("GET", f"/items/{item}/content")
    lawyer.is_refused("POST", f"/items/{item}/exports")
    holder.revokes(grant, "The advice is given.")
    lawyer.is_refused("GET", f"/items/{item}/content")

    # Nothing is to be erased before the dispute is over.
    holder.asks("POST", f"/items/{item}/holds", {"reason": "Until judgment."})

    # Another time, by the clock alone.
    holder.grants(lawyer, [item], LOOK, expires_at=house.in_days(1))
    house.passes(days=2)
    holder.logs_in()
    lawyer.logs_in()
    lawyer.is_refused("GET", f"/items/{item}/content")
    seen = holder.sees(f"/items/{item}/access")
    assert {grant["state"] for grant in seen["grants"]} == {"expired", "revoked"}

    # It goes to court: a case, and what proves it, to anybody.
    case = holder.opens_case(forum="court", number="(2026) 73", title="Holder against Seller")
    holder.adds(item, case, source="saved by the holder", proves="the copying")
    house.goes_on(20)
    bundle = holder.exports_case(case, "bundle.zip")
    told = holder.verifies(bundle, "--file", str(house.folder / "page.html"))
    told.tells(
        item,
        *("GRANTED", "DOWNLOADED", "ACCESS_REFUSED", "GRANT_REVOKED"),
        "HOLD_PLACED",
        *("GRANTED", "GRANT_EXPIRED", "ACCESS_REFUSED"),
    )
    told.tells_what(holder, case)
    (house.folder / "page.html").write_bytes(PAGE + b"!")
    told = holder.verifies(bundle, "--file", str(house.folder / "page.html"))
    assert (told.code, told.report["files"][0]["status"]) == (2, "FAILED")
    assert told.row(2, item)["status"] == "PASSED", "the item is what it was"
    assert_page_is_true("holder", house.transcript)
