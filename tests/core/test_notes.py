import json
import struct
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_vault.core import note_keys
from evidence_vault.core.checkpoint import parse_checkpoint
from evidence_vault.core.note_keys import (
    _SPKI_P256,
    SignatureType,
    VerifierKey,
    encode_vkey,
    parse_vkey,
    verifier_key,
)
from evidence_vault.core.notes import (
    MAX_NOTE_BYTES,
    Note,
    NoteSignature,
    Unverified,
    Verified,
    cosign,
    encode_note,
    encode_signatures,
    parse_note,
    parse_signatures,
    sign_note,
    verify_note,
    verify_signatures,
)
from evidence_vault.core.textfields import encode_base64
from evidence_vault.errors import ConfigError, FormatError, VerificationError

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
NAME = "vault.example/log"
TEXT = "vault.example/log\n3\nWqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk=\n"
LOG_KEY = verifier_key(NAME, SignatureType.ED25519, KEY)
WITNESS_KEY = verifier_key("witness.example", SignatureType.COSIGNATURE_V1, OTHER)
LINE = sign_note(TEXT, name=NAME, private_key=KEY)
SIGNED = encode_note(Note(text=TEXT, signatures=(LINE,)))


def cases(vectors: Path) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((vectors / "checkpoints" / "notes.json").read_bytes())
    assert len(loaded) == 73
    return loaded


def test_verify_note_gives_every_expected_verdict(vectors: Path) -> None:
    valid = 0
    for case in cases(vectors):
        trusted = [parse_vkey(v) for v in case["vkeys"]]
        try:
            note = parse_note(case["note"].encode())
            if case["is_checkpoint"]:
                parse_checkpoint(note.text, allow_extensions=True)
            signed = isinstance(verify_note(note, trusted=trusted), Verified)
        except (FormatError, VerificationError):
            signed = False
        assert signed is case["expect_valid"], case["id"]
        valid += signed
    assert valid == 38


def test_verify_note_by_p256_keys_fails_over_another_text(vectors: Path) -> None:
    """Rekor's 0x02 and the 0x05 of Certificate Transparency: real notes, one digit of the size changed."""
    seen: set[SignatureType] = set()
    for case in cases(vectors):
        keys = [parse_vkey(v) for v in case["vkeys"]]
        mine = [k for k in keys if k.type in (SignatureType.ECDSA, SignatureType.RFC6962_STH)]
        if not mine or not case["expect_valid"]:
            continue
        note = parse_note(case["note"].encode())
        lines = note.text.split("\n")
        lines[1] = str(int(lines[1]) + 1)
        with pytest.raises(VerificationError, match="over this text"):
            verify_signatures("\n".join(lines), note.signatures, trusted=mine)
        seen.update(key.type for key in mine)
    assert seen == {SignatureType.ECDSA, SignatureType.RFC6962_STH}


def test_verify_note_refuses_a_tree_head_signature_beside_lines_that_it_does_not_cover(vectors: Path) -> None:
    case = next(case for case in cases(vectors) if case["id"] == "ct-rome2024h1")
    note = parse_note(case["note"].encode())

    with pytest.raises(FormatError, match="three lines"):
        verify_signatures(
            note.text + "extension\n", note.signatures, trusted=[parse_vkey(v) for v in case["vkeys"]]
        )


@pytest.mark.parametrize(
    ("typed_key", "problem"),
    [
        (b"\x03" + bytes(32), "vkey type: expected one of 0x01, 0x02, 0x04, 0x05, 0x06"),
        (b"\x02" + bytes(91), "SubjectPublicKeyInfo of a P-256 key"),
        (b"\x05" + _SPKI_P256 + b"\x04" + bytes(64), "a point on P-256"),
        (b"\x02" + _SPKI_P256, "91 bytes"),
    ],
)
def test_parse_vkey_refuses_what_it_cannot_check(typed_key: bytes, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        parse_vkey(f"log.example+00000000+{encode_base64(typed_key)}")


def test_encode_note_writes_what_parse_note_read(vectors: Path) -> None:
    identical = 0
    for case in cases(vectors):
        data = case["note"].encode()
        try:
            note = parse_note(data)
        except FormatError:
            continue
        assert encode_note(note) == data
        identical += 1
    assert identical > 45
    for vkey in {v for case in cases(vectors) for v in case["vkeys"]}:
        assert encode_vkey(parse_vkey(vkey)) == vkey


names = st.text(
    st.characters(codec="utf-8", exclude_characters="+", exclude_categories=["Cc", "Zs", "Zl", "Zp"]),
    min_size=1,
    max_size=12,
)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], include_characters="\n")).map(
    lambda text: text + "\n"
)
lines = st.builds(
    NoteSignature,
    name=names,
    key_id=st.binary(min_size=4, max_size=4),
    signature=st.binary(min_size=1, max_size=80),
)


@settings(max_examples=200)
@given(text=texts, signatures=st.lists(lines, min_size=1, max_size=4).map(tuple))
def test_parse_note_reads_what_encode_note_writes(text: str, signatures: tuple[NoteSignature, ...]) -> None:
    note = Note(text=text, signatures=signatures)
    assert parse_note(encode_note(note)) == note
    assert parse_signatures(encode_signatures(signatures)) == signatures


@settings(max_examples=400)
@given(bit=st.integers(0, len(SIGNED) * 8 - 1))
def test_verify_note_of_a_flipped_bit_is_never_verified(bit: int) -> None:
    flipped = bytearray(SIGNED)
    flipped[bit // 8] ^= 1 << bit % 8
    try:
        result = verify_note(parse_note(bytes(flipped)), trusted=[LOG_KEY])
    except (FormatError, VerificationError):
        return
    assert result == Unverified()  # name or key id changed: another, unknown key


def test_sign_note_is_verified_by_its_vkey() -> None:
    trusted = [parse_vkey("vault.example/log+d63d5dcc+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4")]
    result = verify_note(parse_note(SIGNED), trusted=trusted)
    assert isinstance(result, Verified)
    assert [(s.key, s.timestamp) for s in result.signatures] == [(LOG_KEY, None)]


def test_cosign_is_verified_with_its_timestamp() -> None:
    line = cosign(TEXT, name="witness.example", private_key=OTHER, timestamp=1679315147)
    result = verify_signatures(TEXT, [LINE, line], trusted=[LOG_KEY, WITNESS_KEY])
    assert isinstance(result, Verified)
    assert [(s.key, s.timestamp) for s in result.signatures] == [(LOG_KEY, None), (WITNESS_KEY, 1679315147)]


def test_verify_cosignature_moved_to_another_time_is_rejected() -> None:
    line = cosign(TEXT, name="witness.example", private_key=OTHER, timestamp=1679315147)
    moved = NoteSignature(
        name=line.name, key_id=line.key_id, signature=struct.pack(">Q", 1679315146) + line.signature[8:]
    )
    with pytest.raises(VerificationError, match="signature of type 0x04"):
        verify_signatures(TEXT, [moved], trusted=[WITNESS_KEY])


def test_verify_plain_signature_passed_off_as_cosignature_is_rejected() -> None:
    key = verifier_key("witness.example", SignatureType.COSIGNATURE_V1, OTHER)
    plain = struct.pack(">Q", 0) + OTHER.sign(TEXT.encode())
    with pytest.raises(VerificationError, match="signature of type 0x04"):
        verify_signatures(
            TEXT, [NoteSignature(name=key.name, key_id=key.key_id, signature=plain)], trusted=[key]
        )


def ml_dsa_cosignature(timestamp: int) -> tuple[VerifierKey, NoteSignature]:
    """A 0x06 line over TEXT, its message spelled out by hand."""
    private_key = MLDSA44PrivateKey.from_seed_bytes(bytes(32))
    key = VerifierKey(
        name="w.example",
        type=SignatureType.ML_DSA_44,
        public_key=private_key.public_key().public_bytes_raw(),
    )
    message = (
        b"subtree/v1\n\0\x09w.example"
        + struct.pack(">Q", timestamp)
        + b"\x11vault.example/log"
        + bytes(8)
        + b"\0\0\0\0\0\0\0\x03"
        + bytes.fromhex("5aac771c899ac292e74bf1afe2e6e302f8b55883b2d1bf197b46a6bea6dabca9")
    )
    signature = struct.pack(">Q", timestamp) + private_key.sign(message)
    return key, NoteSignature(name=key.name, key_id=key.key_id, signature=signature)


def test_verify_ml_dsa_cosignature_covers_the_tree_head() -> None:
    key, line = ml_dsa_cosignature(1679315147)
    assert parse_vkey(encode_vkey(key)) == key
    result = verify_signatures(TEXT, [line], trusted=[key])
    assert isinstance(result, Verified)
    assert result.signatures[0].timestamp == 1679315147
    with pytest.raises(VerificationError, match="signature of type 0x06"):
        verify_signatures(TEXT.replace("\n3\n", "\n4\n"), [line], trusted=[key])


@pytest.mark.parametrize(
    "text", ["text\n", "o\n3\n", f"o\n03\n{'A' * 43}=\n", "o\n3\nAAAA\n", f"{'o' * 256}\n3\n{'A' * 43}=\n"]
)
def test_verify_ml_dsa_cosignature_of_what_is_no_checkpoint_is_a_format_error(text: str) -> None:
    key, line = ml_dsa_cosignature(0)
    with pytest.raises(FormatError):
        verify_signatures(text, [line], trusted=[key])


@settings(max_examples=300)
@given(st.text(max_size=80) | st.text("abc+/=— 019\n", max_size=60))
def test_parsers_of_noise_raise_nothing_but_format_errors(noise: str) -> None:
    for data in (
        noise.encode("utf-8", "surrogatepass"),
        b"text\n\n" + noise.encode("utf-8", "surrogatepass"),
    ):
        try:
            assert encode_note(parse_note(data)) == data
        except FormatError:
            continue
    try:
        assert encode_vkey(parse_vkey(noise)) == noise
    except FormatError:
        return


def test_verify_with_an_algorithm_this_build_lacks_is_unchecked_not_verified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Lacking:
        @staticmethod
        def from_public_bytes(data: bytes) -> None:
            raise UnsupportedAlgorithm("no ML-DSA")

    key, line = ml_dsa_cosignature(0)
    monkeypatch.setattr(note_keys, "MLDSA44PublicKey", Lacking)
    assert verify_signatures(TEXT, [line], trusted=[key]) == Unverified(unchecked=(key,))
    both = verify_signatures(TEXT, [LINE, line], trusted=[key, LOG_KEY])
    assert isinstance(both, Verified)
    assert both.unchecked == (key,)


def test_verify_note_by_unknown_key_is_unverified() -> None:
    same_name = verifier_key(NAME, SignatureType.ED25519, OTHER)
    assert verify_note(parse_note(SIGNED), trusted=[same_name]) == Unverified()


def test_verify_note_with_one_bad_signature_beside_a_good_one_is_rejected() -> None:
    bad = NoteSignature(name=WITNESS_KEY.name, key_id=WITNESS_KEY.key_id, signature=bytes(72))
    with pytest.raises(VerificationError, match=r"signature by witness\.example"):
        verify_signatures(TEXT, [LINE, bad], trusted=[LOG_KEY, WITNESS_KEY])


@pytest.mark.parametrize(
    ("key", "signature", "expected"),
    [
        (LOG_KEY, bytes(63), "64 bytes"),
        (LOG_KEY, bytes(65), "64 bytes"),
        (WITNESS_KEY, bytes(64), "72 bytes"),
        (WITNESS_KEY, b"\x80" + bytes(71), "a timestamp below 2^63"),
    ],
)
def test_verify_known_key_with_a_signature_of_another_shape_is_rejected(
    key: VerifierKey, signature: bytes, expected: str
) -> None:
    line = NoteSignature(name=key.name, key_id=key.key_id, signature=signature)
    with pytest.raises(VerificationError) as caught:
        verify_signatures(TEXT, [line], trusted=[key])
    assert caught.value.check == f"signature by {key.name}+{key.key_id.hex()}"
    assert caught.value.expected == expected


def test_verify_two_lines_by_one_known_key_is_rejected() -> None:
    with pytest.raises(VerificationError, match="expected one line, found two"):
        verify_signatures(TEXT, [LINE, LINE], trusted=[LOG_KEY])
    assert verify_signatures(TEXT, [LINE, LINE], trusted=[WITNESS_KEY]) == Unverified()


def test_verify_with_two_trusted_keys_of_one_name_and_id_is_a_config_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(VerifierKey, "key_id", b"same")
    other = verifier_key(NAME, SignatureType.ED25519, OTHER)
    with pytest.raises(ConfigError, match="share name and key id"):
        verify_signatures(TEXT, [LINE], trusted=[LOG_KEY, other])


def base64_of(line: bytes) -> bytes:
    return line.split(b" ")[2]


SIGNATURE_LINE = encode_signatures([LINE])


@pytest.mark.parametrize(
    ("data", "place"),
    [
        pytest.param(b"", "note", id="empty"),
        pytest.param(TEXT.encode(), "note", id="text-only"),
        pytest.param(b"text\n" + SIGNATURE_LINE, "note", id="no-empty-line"),
        pytest.param(b"text\n\n", "signature lines", id="no-signature"),
        pytest.param(b"text\n\n" + SIGNATURE_LINE + b"\n", "signature lines", id="empty-line-at-the-end"),
        pytest.param(b"text\n\n" + SIGNATURE_LINE[:-1], "signature lines", id="no-final-lf"),
        pytest.param(b"text\r\n\n" + SIGNATURE_LINE, "note, character 4", id="carriage-return"),
        pytest.param(b"te\tt\n\n" + SIGNATURE_LINE, "note, character 2", id="tab"),
        pytest.param(b"te\0t\n\n" + SIGNATURE_LINE, "note, character 2", id="nul"),
        pytest.param(b"te\xff\n\n" + SIGNATURE_LINE, "note, byte 2", id="not-utf-8"),
        pytest.param(b"te\xed\xa0\x80\n\n" + SIGNATURE_LINE, "note, byte 2", id="surrogate"),
        pytest.param(
            b"t\n\n" + SIGNATURE_LINE.replace(b"\xe2\x80\x94", b"-"), "signature line 1", id="hyphen"
        ),
        pytest.param(b"t\n\n" + SIGNATURE_LINE.replace(b" v", b"  v"), "signature line 1", id="two-spaces"),
        pytest.param(b"t\n\n" + SIGNATURE_LINE[:-1] + b" \n", "signature line 1", id="space-at-the-end"),
        pytest.param(
            b"t\n\n" + SIGNATURE_LINE.replace(b"/", b"+", 1), "signature line 1, name", id="plus-in-name"
        ),
        pytest.param(
            b"t\n\n" + SIGNATURE_LINE.replace(b"/", "\u3000".encode(), 1),
            "signature line 1, name",
            id="unicode-space-in-name",
        ),
        pytest.param("t\n\n—  AAAAAAA=\n".encode(), "signature line 1, name", id="no-name"),
        pytest.param("t\n\n— n AAAAAA==\n".encode(), "signature line 1", id="no-signature-after-key-id"),
        pytest.param("t\n\n— n AAAAAAB=\n".encode(), "signature line 1", id="base64-unused-bits"),
        pytest.param(b"t\n\n" + SIGNATURE_LINE * 65, "signature lines", id="65-signatures"),
        pytest.param(b"t" * MAX_NOTE_BYTES + b"\n\n" + SIGNATURE_LINE, "note", id="too-long"),
    ],
)
def test_parse_note_refuses(data: bytes, place: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_note(data)
    assert caught.value.place == place


def test_parse_note_splits_at_the_last_empty_line() -> None:
    note = parse_note(b"a\n\n\nb\n\n" + SIGNATURE_LINE)
    assert note.text == "a\n\n\nb\n"


@pytest.mark.parametrize(
    ("vkey", "place"),
    [
        pytest.param("", "vkey key id", id="empty"),
        pytest.param("name", "vkey key id", id="name-only"),
        pytest.param("name+d63d5dc+AQ==", "vkey key id", id="short-id"),
        pytest.param("name+D63D5DCC+AQ==", "vkey key id", id="upper-case-id"),
        pytest.param("name+d63d5dcc", "vkey type", id="no-key"),
        pytest.param("name+d63d5dcc+AQ", "vkey key", id="no-padding"),
        pytest.param(f"name+d63d5dcc+{encode_base64(bytes([9]) * 33)}", "vkey type", id="type-9"),
        pytest.param(f"name+d63d5dcc+{encode_base64(bytes([1]) * 32)}", "vkey key", id="31-byte-key"),
        pytest.param(f"name+d63d5dcc+{encode_base64(bytes([6]) * 33)}", "vkey key", id="ml-dsa-32-byte-key"),
        pytest.param(f"na me+d63d5dcc+{encode_base64(bytes([1]) * 33)}", "vkey name", id="space-in-name"),
        pytest.param(f"+d63d5dcc+{encode_base64(bytes([1]) * 33)}", "vkey name", id="no-name"),
        pytest.param(encode_vkey(LOG_KEY).replace("vault", "v"), "vkey key id", id="id-of-another-name"),
    ],
)
def test_parse_vkey_refuses(vkey: str, place: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_vkey(vkey)
    assert caught.value.place == place


@pytest.mark.parametrize("text", ["", "no final line feed", "tab\t\n", "a\r\n"])
def test_sign_note_refuses_what_cannot_stand_in_a_note(text: str) -> None:
    with pytest.raises(FormatError, match="note text"):
        sign_note(text, name=NAME, private_key=KEY)


@pytest.mark.parametrize("timestamp", [-1, 1 << 63])
def test_cosign_refuses_a_timestamp_out_of_range(timestamp: int) -> None:
    with pytest.raises(FormatError, match="cosignature timestamp"):
        cosign(TEXT, name="witness.example", private_key=OTHER, timestamp=timestamp)
