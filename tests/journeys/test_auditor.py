"""The auditor: who watches those who run the vault. Sees what happened, never what is in it."""

import pytest

from evidence_vault.core.names import encode_id
from tests.journeys.house import House, Person
from tests.journeys.page import assert_page_is_true

pytestmark = [pytest.mark.socket, pytest.mark.db]


def test_auditor_sees_what_happened_and_no_content(house: House) -> None:
    holder, auditor = house.person("Holder", "RH"), house.person("Auditor", "AU")
    stranger, friend = house.person("Stranger", "RH"), house.office.add("A friend", "friend")
    administrator = Person(house=house, name="Administrator", role="AD", who=house.office.first)
    item = holder.deposits("page.html", b"A page.\n")
    house.goes_on(12)

    # He reads the chain of an item, without names; what is in it he can't open.
    history = auditor.sees(f"/items/{item}/events")
    auditor.is_refused("GET", f"/items/{item}/content")
    auditor.is_refused("POST", f"/items/{item}/exports")
    auditor.asks("POST", "/items", b"an auditor's own", status=403)
    assert history["events"][0]["event"]["type"] == "ITEM_RECEIVED"
    assert "page.html" not in str(history), "a file's name is no business of his"

    # Somebody tries what he can guess; nothing tells him whether he was near.
    for number in range(1, 4):
        stranger.is_refused("GET", f"/items/{encode_id('it', bytes([number]) * 16)}")
    stranger.is_refused("GET", f"/items/{item}")

    # An administrator reads nothing, and makes nobody a judge alone.
    administrator.is_refused("GET", f"/items/{item}/content")
    judge = {"kind": "role", "role": "JU", "reason": "We need one."}
    administrator.asks("POST", "/proposals", {**judge, "person_id": administrator.id}, status=409)
    proposed = administrator.asks("POST", "/proposals", {**judge, "person_id": friend.id})
    administrator.asks("POST", f"/proposals/{proposed['id']}/confirm", {}, status=403)

    # He may break the glass: with a reason, and everybody who must knows at once.
    administrator.asks("POST", f"/items/{item}/break-glass", {}, status=422)
    administrator.asks("POST", f"/items/{item}/break-glass", {"reason": "The disk is failing."})
    for one in (holder, auditor):
        [notice] = one.sees("/notices")["notices"]
        assert (notice["kind"], notice["subject"]) == ("break-glass", item)

    # A mirror of the whole log, and a bundle that can hide nothing from it.
    house.passes(days=1)
    holder.logs_in()
    auditor.logs_in()
    house.goes_on(12)
    case = holder.opens_case(forum="court")
    holder.adds(item, case)
    house.goes_on(12)
    bundle = holder.exports_case(case, "page.zip")
    house.goes_on(12)
    mirror = house.folder / "mirror"
    auditor.runs("log", "follow", f"{house.url}/v1/log", "--dir", str(mirror), "--once")
    told = auditor.verifies(bundle, "--log", str(mirror))
    told.tells(item, "CUSTODY_READ", "VIEWED")
    told.tells_what(holder, case)
    assert_page_is_true("auditor", house.transcript)
