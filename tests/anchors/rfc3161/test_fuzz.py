"""Any structure, any place stuffed full, any mutation of a real response: bounded cost, no foreign error.

Everything here is bounded and seeded, so that a run finds the same every time; `Random` seeds may be raised for a
longer one.
"""

import time
import tracemalloc
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchors.base import Indeterminate
from anchors.errors import EvidenceError, FormatError, VerificationError
from anchors.rfc3161.certificate import load_certificate
from anchors.rfc3161.der import tlv
from anchors.rfc3161.revocation import read_status
from anchors.rfc3161.token import MAX_RESPONSE_BYTES, parse_request, parse_response, parse_token
from anchors.rfc3161.verdict import VerifiedToken
from anchors.rfc3161.verify import verify_response, verify_token
from tests.anchors.rfc3161.conftest import World
from tests.anchors.rfc3161.pki import authority, signer
from tests.anchors.rfc3161.test_robustness import Tree, grow, judge, mutate, said, shrink
from tests.anchors.rfc3161.vector_cases import Case, real_cases

MUTATIONS_EACH = 25
MAX_SECONDS = 1.0
"""Of this process, for one input: the slowest of those here takes a tenth of it."""
MAX_BYTES = 24 * MAX_RESPONSE_BYTES
"""What judging the largest input may hold at a time: 6 MiB."""

PRIMITIVE = st.builds(
    tlv,
    st.sampled_from([0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x16, 0x17, 0x18, 0x80, 0x81, 0x82]),
    st.binary(max_size=24),
)
KNOWN = st.sampled_from(
    [
        bytes.fromhex("06092a864886f70d010702"),  # signedData
        bytes.fromhex("060b2a864886f70d0109100104"),  # TSTInfo
        bytes.fromhex("300d06096086480165030402010500"),  # SHA-256
        bytes.fromhex("180f32303236313132323132303030305a"),  # a time
        bytes.fromhex("020101"),
        bytes.fromhex("0101ff"),
    ]
)
STRUCTURE = st.recursive(
    PRIMITIVE | KNOWN,
    lambda inner: st.builds(
        lambda tag, members: tlv(tag, *members),
        st.sampled_from([0x30, 0x31, 0xA0, 0xA1, 0xA3]),
        st.lists(inner, max_size=6),
    ),
    max_leaves=40,
)


@given(STRUCTURE)
@settings(max_examples=300, deadline=None)
def test_any_structure_is_read_or_refused_as_format(data: bytes) -> None:
    for read in (parse_request, parse_response, parse_token, load_certificate, read_evidence):
        for candidate in (data, tlv(0x30, data), tlv(0x30, b"\x30\x03\x02\x01\x00", data)):
            try:
                read(candidate)
            except (FormatError, VerificationError):
                continue


ISSUER = authority("Issuer")
SIGNER = signer(ISSUER)


def read_evidence(data: bytes) -> object:
    return read_status(data, SIGNER.certificate, ISSUER.certificate)


def watched(act: Callable[[], object]) -> tuple[float, int]:
    """The seconds of this process, and the bytes at the peak."""
    tracemalloc.start()
    begin = time.process_time()
    try:
        act()
    except EvidenceError:
        pass
    finally:
        seconds = time.process_time() - begin
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return seconds, peak


def constructed(tree: Tree, place: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """The places of all values that hold others."""
    found = []
    for index, (_, inside) in enumerate(tree):
        if not isinstance(inside, bytes):
            found += [(*place, index), *constructed(inside, (*place, index))]
    return found


def stuffed(tree: Tree, place: tuple[int, ...], filler: bytes) -> bytes:
    """The encoding, with one value's contents replaced by as much filler as the size limit allows."""
    tag, inside = tree[place[0]]
    rest = b"".join(map(shrink, tree[: place[0]])), b"".join(map(shrink, tree[place[0] + 1 :]))
    if len(place) == 1:
        room = MAX_RESPONSE_BYTES - 4096
        middle = tlv(tag, filler * (room // len(filler)))
    else:
        assert not isinstance(inside, bytes)
        middle = tlv(tag, stuffed(inside, place[1:], filler))
    return rest[0] + middle + rest[1]


FILLERS = {
    "empty sequences": b"\x30\x00",
    "integers": b"\x02\x01\x01",
    "algorithms": bytes.fromhex("300d06096086480165030402010500"),
}


@pytest.mark.parametrize("filler", FILLERS.values(), ids=FILLERS.keys())
def test_every_place_stuffed_full_costs_bounded_time_and_memory(world: World, filler: bytes) -> None:
    tree = grow(world.respond())
    places = constructed(tree)
    assert len(places) > 60
    for place in places[:: max(1, len(places) // 16)]:
        response = stuffed(tree, place, filler)
        seconds, peak = watched(lambda response=response: judge(response, world))  # type: ignore[misc]
        assert seconds < MAX_SECONDS, place
        assert peak < MAX_BYTES, place
        assert not isinstance(judge(response, world), VerifiedToken)


@pytest.mark.parametrize("depth", [100, 2_000, 60_000])
@pytest.mark.parametrize("tag", [0x30, 0x31, 0xA0])
def test_depth_is_refused_without_recursion(world: World, depth: int, tag: int) -> None:
    # So deep that a reader which calls itself for each level would end the process.
    nested = nest(tag, depth)
    seconds, peak = watched(lambda: judge(nested, world))
    assert seconds < MAX_SECONDS
    assert peak < MAX_BYTES


def nest(tag: int, depth: int) -> bytes:
    """`depth` values of one tag, each inside the one before: heads first, then nothing."""
    heads: list[bytes] = []
    length = 0
    for _ in range(depth):
        head = bytes([tag]) + (bytes([length]) if length < 128 else b"\x83" + length.to_bytes(3))
        heads.append(head)
        length += len(head)
        if length > MAX_RESPONSE_BYTES:
            break
    return b"".join(reversed(heads))


@pytest.mark.parametrize("case", real_cases())
def test_mutations_of_real_responses_say_nothing_else(case: Case) -> None:
    raw = case.path.read_bytes()
    try:
        reference = verdict_on(case, raw)
        tree_of = grow(raw)
    except EvidenceError:
        reference, tree_of = None, None
    random = Random(case.path.name)
    for _ in range(MUTATIONS_EACH):
        if tree_of is None or random.random() < 0.3:
            cut = random.randrange(len(raw))
            mutated = raw[:cut] + random.randbytes(random.randrange(4)) + raw[cut + random.randrange(4) :]
        else:
            tree = grow(raw)
            mutate(tree, random, random.randbytes(random.randrange(6)))
            mutated = b"".join(map(shrink, tree))
        try:
            verdict = verdict_on(case, mutated)
        except (FormatError, VerificationError):
            continue
        if isinstance(verdict, VerifiedToken):
            assert isinstance(reference, VerifiedToken), "a change made a bad token good"
            assert said(verdict) == said(reference)


def verdict_on(case: Case, raw: bytes) -> VerifiedToken | Indeterminate:
    if case.is_response:
        return verify_response(
            response=raw, request=case.request, chain=(), digests=case.digests(), trusted=case.trust()
        )
    return verify_token(
        token=raw, request=case.request, chain=(), digests=case.digests(), trusted=case.trust()
    )
