"""Any bytes: an answer or an error of the tree, in bounded time; and no change that says something else."""

import time
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anchors.base import Indeterminate
from anchors.errors import FormatError, VerificationError
from anchors.rfc3161.cms import MAX_CERTIFICATES
from anchors.rfc3161.der import SEQUENCE, SET, Reader, context_constructed, encode_integer, encode_oid, tlv
from anchors.rfc3161.token import (
    MAX_RESPONSE_BYTES,
    TST_INFO,
    parse_request,
    parse_response,
    parse_token,
)
from anchors.rfc3161.verdict import Rfc3161Trust, VerifiedToken
from anchors.rfc3161.verify import verify_response
from anchors.values import as_dict, replace
from tests.anchors.rfc3161.conftest import SHA256, World
from tests.anchors.rfc3161.vector_cases import Case, real_cases

FEW = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def judge(response: bytes, world: World) -> VerifiedToken | Indeterminate | None:
    """The verdict, or None for an error of the tree; anything else escapes and fails the test."""
    try:
        return verify_response(
            response=response,
            request=world.request,
            chain=(),
            digests={"sha256": SHA256},
            trusted=world.trusted,
        )
    except (FormatError, VerificationError):
        return None


def said(verdict: VerifiedToken) -> tuple[object, ...]:
    """What a verdict says, without the digests of its carriers."""
    unsigned = {"response_sha256": None, "token_sha256": b""}
    return tuple(map(str, as_dict(replace(verdict, **unsigned)).values()))


def assert_says_nothing_else(mutated: bytes, reference: object, world: World) -> None:
    verdict = judge(mutated, world)
    assert isinstance(reference, VerifiedToken)
    assert not isinstance(verdict, VerifiedToken) or said(verdict) == said(reference)


@given(st.binary(max_size=400))
@FEW
def test_parsers_raise_only_format_errors_on_random_bytes(data: bytes) -> None:
    for parse in (parse_request, parse_response, parse_token):
        for candidate in (data, tlv(SEQUENCE, data)):
            try:
                parse(candidate)
            except FormatError:
                continue
            else:
                assert parse is not parse_token, "random bytes are no token"


@given(at=st.integers(0, 2000), drop=st.integers(0, 40), junk=st.binary(max_size=40))
@FEW
def test_verify_survives_cuts_and_splices(world: World, at: int, drop: int, junk: bytes) -> None:
    good = world.respond()
    reference = judge(good, world)
    for mutated in (good[:at], good[:at] + junk + good[at + drop :], good + junk):
        assert_says_nothing_else(mutated, reference, world)


@given(seed=st.integers(0, 2**32), junk=st.binary(max_size=8))
@FEW
def test_verify_survives_well_formed_mutations(world: World, seed: int, junk: bytes) -> None:
    # Lengths are right again after each change, so that the mutation reaches the checks behind the parser.
    good, random = world.respond(), Random(seed)
    reference, tree = judge(good, world), grow(good)
    for _ in range(random.randint(1, 3)):
        mutate(tree, random, junk)
    assert_says_nothing_else(b"".join(map(shrink, tree)), reference, world)


Tree = list[tuple[int, "Tree | bytes"]]


def grow(data: bytes) -> Tree:
    """The values of a DER encoding, constructed ones taken apart."""
    reader, found = Reader(data, "tree"), Tree()
    while reader.more:
        element = reader.any("value")
        found.append((element.tag, grow(element.contents) if element.tag & 0x20 else element.contents))
    return found


def shrink(node: tuple[int, Tree | bytes]) -> bytes:
    tag, inside = node
    return tlv(tag, inside if isinstance(inside, bytes) else b"".join(map(shrink, inside)))


def mutate(tree: Tree, random: Random, junk: bytes) -> None:
    """Change one value somewhere: drop, repeat, swap, retag, or replace its contents."""
    while tree:
        index = random.randrange(len(tree))
        tag, inside = tree[index]
        if isinstance(inside, bytes) or not inside or random.random() < 0.2:
            break
        tree = inside
    if not tree:
        return
    other = random.randrange(len(tree))
    match random.randrange(5):
        case 0:
            del tree[index]
        case 1:
            tree.insert(other, (tag, inside))
        case 2:
            tree[index], tree[other] = tree[other], tree[index]
        case 3:
            tree[index] = (tag ^ random.choice((0x01, 0x20, 0x80, 0xA0)), inside)
        case _:
            tree[index] = (tag, junk)


def test_no_bit_flip_of_a_response_verifies_but_the_mods_bit(world: World) -> None:
    good = world.respond()
    reference = judge(good, world)
    assert isinstance(reference, VerifiedToken)
    survivors: list[int] = []
    for bit in range(len(good) * 8):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        verdict = judge(bytes(flipped), world)
        if isinstance(verdict, VerifiedToken):
            assert said(verdict) == said(reference)
            survivors.append(bit)
    # Unsigned and harmless: PKIStatus granted (0) turns into grantedWithMods (1).
    assert survivors == [good.index(b"\x30\x03\x02\x01\x00") * 8 + 4 * 8]


@pytest.mark.parametrize(
    "case", [case for case in real_cases() if case.id == "freetsa-2026-p384-sha512sig.tsr"]
)
def test_flips_that_verify_lie_in_what_nobody_signed(case: Case) -> None:
    # This response carries a copy of its root, which stands on no path: ours is taken from the policy.
    good = case.path.read_bytes()
    reference = case.verify()
    assert isinstance(reference, VerifiedToken)
    unsigned = good.index(reference.path[-1])
    for bit in range(0, len(good) * 8, 41):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            verdict = verify_response(
                response=bytes(flipped),
                request=case.request,
                chain=(),
                digests=case.digests(),
                trusted=case.trust(),
            )
        except (FormatError, VerificationError):
            continue
        if isinstance(verdict, VerifiedToken):
            assert said(verdict) == said(reference)
            assert unsigned <= bit // 8 < unsigned + len(reference.path[-1])


@pytest.mark.parametrize(
    "response",
    [
        b"\x30\x80" + b"\x30\x80" * 20_000,
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x85\x01\x00\x00\x00\x00",
        b"\x30\x82\x00\x01\x00",
        b"\x3f\x81\x81\x00",
        bytes(MAX_RESPONSE_BYTES + 1),
        tlv(SEQUENCE, tlv(SEQUENCE, b"\x02\x09" + bytes(9))),
        tlv(SEQUENCE, tlv(SEQUENCE, tlv(2, b"\x7f" * 5000))),
    ],
)
def test_parse_response_refuses_encodings_that_are_not_der(response: bytes) -> None:
    with pytest.raises(FormatError):
        parse_response(response)


def full_of(certificates: int, trusted: Rfc3161Trust) -> bytes:
    """A token-shaped message with a bag of the same certificate."""
    bag = tlv(context_constructed(0), *[trusted.authorities[0].roots[0]] * certificates)
    content = tlv(SEQUENCE, encode_oid(TST_INFO), tlv(context_constructed(0), tlv(4, b"")))
    signed_data = tlv(SEQUENCE, encode_integer(3), tlv(SET), content, bag, tlv(SET))
    return tlv(SEQUENCE, encode_oid("1.2.840.113549.1.7.2"), tlv(context_constructed(0), signed_data))


def test_parse_token_bounds_what_it_counts(world: World) -> None:
    with pytest.raises(FormatError, match=f"at most {MAX_CERTIFICATES}"):
        parse_token(full_of(MAX_CERTIFICATES + 1, world.trusted))


def test_parse_response_takes_bounded_time_for_the_largest_input() -> None:
    # Many tiny values in the place of texts, attributes and extensions.
    filler = b"\x0c\x00" * ((MAX_RESPONSE_BYTES - 32) // 2)
    response = tlv(SEQUENCE, tlv(SEQUENCE, encode_integer(0), tlv(SEQUENCE, filler)))
    begin = time.process_time()
    with pytest.raises(FormatError):
        parse_response(response)
    assert time.process_time() - begin < 1.0
