"""The notary: asked for, looks for himself, states what he examined, signs with his own key, takes it back."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evidence_vault.signer.documents import sign_detached
from tests.journeys.house import House, Person
from tests.journeys.page import assert_page_is_true
from tests.pipeline.attesting import pem, signer_for
from tests.verify.notary import issue

pytestmark = [pytest.mark.socket, pytest.mark.db]

PHOTO = b"a photo of the stall"
NOTARY_MAY = ("see-metadata", "open-content", "read-custody", "attest")
TODAY = datetime.now(UTC).replace(microsecond=0)
YEAR = timedelta(days=365)
ROOT = issue("Notaries' Root", authority=True, not_before=TODAY - YEAR, not_after=TODAY + YEAR)
CARD = issue("Notary Chen", issuer=ROOT, not_before=TODAY - YEAR, not_after=TODAY + YEAR)


def own_key(house: House) -> tuple[str, ...]:
    """The notary's certificate and key, on his own machine."""
    CARD.save(house.folder, "own")
    (house.folder / "own.pem").write_text(pem(CARD, ROOT))
    return ("--key", str(house.folder / "own.key"), "--certificates", str(house.folder / "own.pem"))


def test_notary_examines_signs_and_takes_back(house: House) -> None:
    holder = house.person("Holder", "RH")
    notary = house.person("Notary", "NO", licence_number="N-7", jurisdiction="cn")
    item = holder.deposits("photo.png", PHOTO)
    other = holder.deposits("other.png", b"another photo")
    house.goes_on(20)

    # Nobody has asked him yet.
    notary.is_refused("GET", f"/items/{item}")
    holder.grants(notary, [item, other], NOTARY_MAY, purpose="to attest that the photo is the one kept")

    # He is shown another file than the one that is kept, and does not sign that they match.
    key = own_key(house)
    about = ("--examined", "the photo=compared with the stall", "--not-examined", "who took it")
    file = ("--file", str(house.folder / "photo.png"))
    wrong = ("--file", str(house.folder / "other.png"))
    notary.runs("attest", item, *about, *wrong, "--yes", *key, expected=64)
    house.goes_on(12)
    said = notary.runs("attest", item, *about, *file, "--yes", *key)
    seq = said.split("Recorded as event ")[1].split()[0]

    # What is signed about one item is refused under another.
    statement, signature = signed_elsewhere(notary, item)
    notary.runs("attest", other, "--statement", statement, "--p7s", signature, expected=64)
    assert "1 attestation(s)" in holder.runs("attest", "list", item)

    # Whoever trusts his authority reads his name in row 9.
    house.goes_on(10)
    bundle = holder.exports(item, "bundle.zip")
    told = holder.verifies(bundle, trust=trusting_notaries(holder))
    told.tells(item, "GRANTED", "VIEWED", "FIXITY_CHECKED", "ATTESTED")
    assert told.row(9, item)["status"] == "PASSED"
    assert "Notary Chen" in told.text

    # He finds that he was wrong. Both stay to be read.
    notary.runs("attest", "withdraw", item, seq, "--reason", "The stall was another one.", "--yes", *key)
    house.goes_on(10)
    case = holder.opens_case(forum="court")
    holder.adds(item, case)
    house.goes_on(10)
    again = holder.exports_case(case, "again.zip")
    told = holder.verifies(again, trust=trusting_notaries(holder))
    told.tells(
        item,
        *("GRANTED", "VIEWED", "FIXITY_CHECKED", "ATTESTED", "EXPORTED", "DOWNLOADED"),
        *("VIEWED", "ATTESTATION_WITHDRAWN"),
    )
    assert told.row(9, item)["status"] == "INDETERMINATE"
    assert "The stall was another one." in told.text
    told.tells_what(holder, case)
    assert_page_is_true("notary", house.transcript)


def trusting_notaries(reader: Person) -> Path:
    """A policy that trusts the notary's authority, whose fingerprint the reader has from it."""
    trust, roots = reader.house.write_policy(), reader.house.folder / "roots.pem"
    roots.write_text(pem(ROOT))
    fingerprint = hashlib.sha256(ROOT.der).hexdigest()
    reader.runs("trust", "add-notary", str(roots), "--trust", str(trust), "--sha256", fingerprint)
    return trust


def signed_elsewhere(notary: Person, item: str) -> tuple[str, str]:
    """A statement about the item, and a signature that the notary made with a tool of his own."""
    statement = notary.house.folder / "statement.txt"
    words = ("--no-rehash", "--examined", "the photo=seen")
    notary.runs("attest", "prepare", item, "-o", str(statement), *words)
    signature = statement.with_suffix(".p7s")
    signature.write_bytes(
        sign_detached(statement.read_bytes(), signer_for(CARD), at=notary.house.story.clock())
    )
    return str(statement), str(signature)
