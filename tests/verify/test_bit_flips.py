"""No bit of a bundle can change, and nothing can be cut off, put in or doubled, so that it still passes."""

import struct
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence_vault.verify.report import Verdict
from evidence_vault.verify.trust import TrustPolicy
from tests.verify.asking import outcome, policy_of, verify_bytes
from tests.verify.handmade import small_bundle

PASSED = {Verdict.TOTAL_PASSED, Verdict.DEVELOPMENT_PASSED}
few = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def small() -> tuple[bytes, TrustPolicy]:
    bundle = small_bundle()
    data, policy = bundle.zip(), policy_of(bundle.vault.policy())
    assert verify_bytes(data, policy).verdict is Verdict.TOTAL_PASSED
    return data, policy


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit >> 3] ^= 1 << (bit & 7)
    return bytes(changed)


@few
@given(data=st.data())
def test_verify_never_passes_with_one_bit_flipped(
    small: tuple[bytes, TrustPolicy], data: st.DataObject
) -> None:
    zipped, policy = small
    bit = data.draw(st.integers(0, 8 * len(zipped) - 1))
    report = verify_bytes(flipped(zipped, bit), policy)
    assert report.verdict not in PASSED, (bit, outcome(report))


def test_verify_never_passes_with_one_bit_flipped_in_any_byte_of_the_zips_structure(
    small: tuple[bytes, TrustPolicy],
) -> None:
    """Every byte that is no content, one bit each: which one, goes round with the position."""
    zipped, policy = small
    for place in structure(zipped):
        bit = 8 * place + place % 8
        report = verify_bytes(flipped(zipped, bit), policy)
        assert report.verdict not in PASSED, (bit, outcome(report))


def structure(zipped: bytes) -> list[int]:
    """Where the headers, the directory and the end record are."""
    places: list[int] = []
    at = 0
    while zipped.startswith(b"PK\x03\x04", at):
        size, name_length, extra_length = struct.unpack_from("<4xIHH", zipped, at + 18)
        content = at + 30 + name_length + extra_length
        places += range(at, content)
        at = content + size
    return [*places, *range(at, len(zipped))]


@few
@given(data=st.data())
def test_verify_never_passes_with_a_range_cut_out_doubled_or_moved(
    small: tuple[bytes, TrustPolicy], data: st.DataObject
) -> None:
    zipped, policy = small
    start, end = sorted(data.draw(st.lists(st.integers(0, len(zipped)), min_size=2, max_size=2, unique=True)))
    piece = zipped[start:end]
    to = data.draw(st.integers(0, len(zipped)))
    changed = data.draw(
        st.sampled_from(
            [
                zipped[:start] + zipped[end:],
                zipped[:to] + piece + zipped[to:],
                zipped[:start] + bytes(end - start) + zipped[end:],
                zipped[:start],
                zipped + piece,
                piece + zipped,
            ]
        )
    )
    report = verify_bytes(changed, policy)
    assert changed == zipped or report.verdict not in PASSED


@pytest.mark.parametrize(
    ("path", "row"),
    [("data/{}/content", 2), ("proof/log/3.note", 4), ("proof/bundle.json", 3), ("README.txt", 3)],
)
def test_verify_crc_that_both_headers_have_wrong_is_failed_at_the_row_of_the_file(
    path: str, row: int
) -> None:
    """The zip is well-formed and the bag is valid; only the stored CRC-32 is not that of the bytes."""
    bundle = small_bundle()
    name = path.format(bundle.items[0])
    crc = zlib.crc32(bundle.files[name]).to_bytes(4, "little")
    zipped = bundle.zip()
    assert zipped.count(crc) == 2
    report = verify_bytes(zipped.replace(crc, bytes(4)), policy_of(bundle.vault.policy()))
    assert outcome(report) == f"TOTAL-FAILED {row}:mismatch(zip CRC-32 of ev-{bundle.bundle}/{name})"


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"PK\x05\x06" + bytes(18), b"\x00" * 100, b"not a zip at all" * 10]
)
def test_verify_what_is_no_zip_is_unreadable(small: tuple[bytes, TrustPolicy], data: bytes) -> None:
    assert verify_bytes(data, small[1]).exit_code == 4
