"""The judge: what the parties put before the court, what they say against it, and whether it is still the same."""

import pytest

from tests.journeys.house import House
from tests.journeys.page import assert_page_is_true

pytestmark = [pytest.mark.socket, pytest.mark.db]

PAGE = b"A page that copies ours, as saved in March.\n"


def test_judge_sees_compares_and_decides(house: House) -> None:
    judge, other_judge = house.person("Judge", "JU"), house.person("Other judge", "JU")
    holder, respondent = house.person("Holder", "RH"), house.person("Respondent", "RH")
    page = holder.deposits("page.html", PAGE)
    private = holder.deposits("private.txt", b"not for the court\n")
    house.goes_on(12)

    # The case and what is in it: the judge sees this and nothing else, another judge not even that.
    parties = [
        {"side": "claimant", "name": "Alpha", "person": holder.id},
        {"side": "respondent", "name": "Beta", "person": respondent.id},
    ]
    case = judge.opens_case(forum="court", number="(2026) 73", parties=parties)
    judge.is_refused("GET", f"/items/{page}")
    holder.adds(page, case, source="saved by the holder", proves="the copying", copies=1)
    respondent.asks("POST", f"/cases/{case}/items", {"item": private}, status=404)
    judge.runs("case", "show", case)
    assert judge.sees(f"/items/{page}/content") == PAGE
    judge.is_refused("GET", f"/items/{private}")
    other_judge.is_refused("GET", f"/cases/{case}")
    other_judge.is_refused("GET", f"/items/{page}/content")

    # It is to be kept; what one party says against it, the other's answer, the decision.
    hold = judge.asks("POST", f"/items/{page}/holds", {"case": case, "reference": "(2026) 73-1"})["seq"]
    holder.asks("POST", f"/items/{page}/holds/{hold}/release", {}, status=404)
    objection = {"ground": "authenticity", "period": "before-anchoring", "text": "The page never said this."}
    seq = respondent.asks("POST", f"/items/{page}/objections", objection)["seq"]
    answer = {"outcome": "answered", "text": "The notary saved it on the same day."}
    holder.asks("POST", f"/items/{page}/objections/{seq}/answers", answer)
    holder.asks("POST", f"/items/{page}/objections/{seq}/answers", {"outcome": "rejected"}, status=404)
    judge.asks("POST", f"/items/{page}/objections/{seq}/answers", {"outcome": "rejected"})
    judge.sees(f"/items/{page}/objections")
    judge.asks("POST", f"/items/{page}/court-receipts", {"case": case, "received_at": house.now})

    # The bundle, without vault and network; then the file that a party hands over.
    house.goes_on(12)
    bundle = judge.exports_case(case, "page.zip")
    told = judge.verifies(bundle)
    told.tells(
        page,
        *("DOWNLOADED", "HOLD_PLACED", "OBJECTION_RECORDED", "OBJECTION_ANSWERED", "OBJECTION_ANSWERED"),
        *("CUSTODY_READ", "COURT_RECEIPTED"),
    )
    told.tells_what(judge, case)
    other = house.folder / "handed-over.html"
    other.write_bytes(PAGE.replace(b"March", b"April"))
    same = judge.verifies(bundle, "--file", str(house.folder / "page.html"))
    assert (same.code, same.row(2, page)["status"]) == (5, "PASSED")
    differs = judge.verifies(bundle, "--file", str(other))
    assert (differs.code, differs.report["files"][0]["status"]) == (2, "FAILED")
    assert differs.item(page)["verdict"] == same.item(page)["verdict"], "the item is what it was"
    assert_page_is_true("judge", house.transcript)
