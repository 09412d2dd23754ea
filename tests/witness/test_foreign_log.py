"""A log that we did not make speaks to our witness: three checkpoints of a Sigsum log, as requests.

The facts (origin, public key, roots, proofs, signatures; which of them is refused) are those of the race test of
litewitness, another implementation of C2SP tlog-witness: FiloSottile/torchwood, internal/witness/witness_test.go.
"""

from pathlib import Path

import pytest

from evidence_vault.core.note_keys import SignatureType, VerifierKey
from evidence_vault.core.notes import Verified, parse_note, parse_signatures, verify_note, verify_signatures
from evidence_vault.core.tlog_witness import SIZE_TYPE
from evidence_vault.witness.folder import open_witness
from evidence_vault.witness.witness import WatchedLog

ORIGIN = "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562"
KEY = VerifierKey(
    name=ORIGIN,
    type=SignatureType.ED25519,
    public_key=bytes.fromhex("ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f"),
)
FIRST = (
    "1\nKgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=",
)
THIRD = (
    "3\nRcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=",
    "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=",
)
FIFTH = (
    "5\nQrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=",
    "UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww=",
)
TO_THIRD = [
    "KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
]
TO_FIFTH = [
    "KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "+fUDV+k970B4I3uKrqJM4aP1lloPZP8mvr2Z4wRw2LI=",
    "KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
]


def note(head: tuple[str, str]) -> bytes:
    return f"{ORIGIN}\n{head[0]}\n\n— {ORIGIN} {head[1]}\n".encode()


def request(old: int, proof: list[str], head: tuple[str, str]) -> bytes:
    return "\n".join([f"old {old}", *proof, "", ""]).encode() + note(head)


@pytest.mark.parametrize("head", [FIRST, THIRD, FIFTH], ids=["1", "3", "5"])
def test_foreign_checkpoint_is_signed_by_its_log_and_no_other(head: tuple[str, str]) -> None:
    assert isinstance(verify_note(parse_note(note(head)), trusted=[KEY]), Verified)
    assert KEY.key_id.hex() == "5202289b"


def test_witness_answers_a_foreign_log_as_another_witness_does(tmp_path: Path) -> None:
    watched = WatchedLog(origin=ORIGIN, keys=(KEY,))
    with open_witness(tmp_path, name="court.example/w1", logs=[watched]) as witness:
        assert witness.add_checkpoint(request(0, TO_THIRD[:1] * 64, FIRST)).status == 400
        assert witness.add_checkpoint(request(0, TO_THIRD, THIRD)).status == 422  # nothing to prove from 0
        assert witness.add_checkpoint(request(0, [], FIRST)).status == 200
        assert witness.add_checkpoint(request(1, TO_FIFTH, THIRD)).status == 422
        assert witness.add_checkpoint(request(1, TO_THIRD, FIFTH)).status == 422
        assert witness.add_checkpoint(request(2, TO_FIFTH, FIRST)).status == 400  # older than it claims
        answer = witness.add_checkpoint(request(1, TO_FIFTH, FIFTH))
        assert answer.status == 200
        lines = parse_signatures(answer.body)
        text = parse_note(note(FIFTH)).text
        assert isinstance(verify_signatures(text, lines, trusted=[witness.verifier_key]), Verified)
        late = witness.add_checkpoint(request(1, TO_THIRD, THIRD))  # it came first, and is judged last
        assert (late.status, late.body, late.content_type) == (409, b"5\n", SIZE_TYPE)
