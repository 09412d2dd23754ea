"""The `.ots` format against python-opentimestamps, in both directions, and against hostile bytes."""

import io
import time
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation, UnknownAttestation
from opentimestamps.core.op import (
    OpAppend,
    OpHexlify,
    OpKECCAK256,
    OpPrepend,
    OpReverse,
    OpRIPEMD160,
    OpSHA1,
    OpSHA256,
)
from opentimestamps.core.serialize import StreamDeserializationContext, StreamSerializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile
from opentimestamps.core.timestamp import Timestamp as TheirTimestamp

from anchors.errors import FormatError
from anchors.opentimestamps.operations import APPEND, HEXLIFY, KECCAK256, SHA256, Operation
from anchors.opentimestamps.stamp import (
    MAGIC,
    MAX_DEPTH,
    Branch,
    Timestamp,
    below,
    bitcoin_attestation,
    encode_ots,
    encode_timestamp,
    graft,
    join,
    parse_ots,
    parse_timestamp,
    pending_attestation,
    stamp_of_sha256,
)

DIGEST = bytes(range(32))

operations = st.one_of(
    st.binary(min_size=1, max_size=70).map(OpAppend),
    st.binary(min_size=1, max_size=70).map(OpPrepend),
    st.sampled_from([OpSHA256(), OpSHA1(), OpRIPEMD160(), OpKECCAK256(), OpReverse(), OpHexlify()]),
)
attestations = st.one_of(
    st.integers(0, 2**40).map(BitcoinBlockHeaderAttestation),
    st.from_regex(r"https://[a-z]{1,12}\.example/[a-z0-9_-]{0,8}", fullmatch=True).map(PendingAttestation),
    st.tuples(st.binary(min_size=8, max_size=8).map(lambda b: b"\xee" + b[1:]), st.binary(max_size=40)).map(
        lambda pair: UnknownAttestation(*pair)
    ),
)
ways = st.lists(st.tuples(st.lists(operations, max_size=6), attestations), min_size=1, max_size=6)


def theirs(branches: list[tuple[list[object], object]]) -> TheirTimestamp:
    """Their tree of these branches."""
    root = TheirTimestamp(DIGEST)
    for steps, attestation in branches:
        node = root
        for step in steps:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PendingDeprecationWarning)
                node = node.ops.add(step)
        node.attestations.add(attestation)
    return root


def their_bytes(stamp: DetachedTimestampFile) -> bytes:
    out = io.BytesIO()
    stamp.serialize(StreamSerializationContext(out))
    return out.getvalue()


def read_by_them(data: bytes) -> DetachedTimestampFile:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return DetachedTimestampFile.deserialize(StreamDeserializationContext(io.BytesIO(data)))


@settings(max_examples=80, deadline=None)
@given(ways)
def test_a_tree_of_theirs_is_read_and_written_alike(branches: list[tuple[list[object], object]]) -> None:
    tree = theirs(branches)
    data = their_bytes(DetachedTimestampFile(OpSHA256(), tree))
    read = parse_ots(data)
    assert encode_ots(read) == data
    ends = sorted((end, one.attestation.payload) for one, end in read.timestamp.ends.items())
    assert len(ends) == len(list(tree.all_attestations()))
    assert {end for end, _ in ends} == {message for message, _ in tree.all_attestations()}
    ours = {
        (one.attestation.height, end) for one, end in read.timestamp.ends.items() if one.attestation.height
    }
    assert ours == {
        (attestation.height, message)
        for message, attestation in tree.all_attestations()
        if isinstance(attestation, BitcoinBlockHeaderAttestation) and attestation.height
    }


@settings(max_examples=60, deadline=None)
@given(ways, ways)
def test_what_we_join_they_merge_alike(
    one: list[tuple[list[object], object]], other: list[tuple[list[object], object]]
) -> None:
    trees = [
        parse_ots(their_bytes(DetachedTimestampFile(OpSHA256(), theirs(each)))).timestamp
        for each in (one, other)
    ]
    joined = encode_ots(stamp_of_sha256(join(*trees)))
    merged = theirs(one)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        merged.merge(theirs(other))
    assert read_by_them(joined).timestamp == merged
    assert joined == their_bytes(DetachedTimestampFile(OpSHA256(), merged))


@settings(max_examples=120, deadline=None)
@given(ways, st.data())
def test_changed_bytes_are_refused_or_say_something_else(
    branches: list[tuple[list[object], object]], data: st.DataObject
) -> None:
    good = their_bytes(DetachedTimestampFile(OpSHA256(), theirs(branches)))
    at = data.draw(st.integers(0, len(good) - 1))
    changed = bytearray(good)
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        read = parse_ots(bytes(changed))
    except FormatError:
        return
    assert read != parse_ots(good)


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (
        lambda: parse_ots(MAGIC + b"\x01\x08" + DIGEST + data),
        lambda: parse_timestamp(data, DIGEST),
    ):
        try:
            read()
        except FormatError:
            continue


HEIGHT_5 = bytes.fromhex("00 0588960d73d71901 01 05".replace(" ", ""))
OTS = MAGIC + b"\x01\x08" + DIGEST


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x01" + OTS[1:] + HEIGHT_5, "the magic"),
        (MAGIC + b"\x02\x08" + DIGEST + HEIGHT_5, "version"),
        (MAGIC + b"\x01\x67" + DIGEST + HEIGHT_5, "sha1, ripemd160 or sha256"),
        (OTS, "1 more bytes"),
        (OTS + HEIGHT_5 + b"\x00", "nothing behind"),
        (OTS + b"\xff" + HEIGHT_5, "more bytes"),
        (OTS + b"\xff" + HEIGHT_5 + HEIGHT_5, "each attestation once"),
        (OTS + b"\xff\x08" + HEIGHT_5 + b"\x08" + HEIGHT_5, "each operation once"),
        (OTS + b"\xff\xff" + HEIGHT_5, "operation that this version knows"),
        (OTS + b"\x09" + HEIGHT_5, "operation that this version knows"),
        (OTS + b"\xf0\x00" + HEIGHT_5, "1 to 4096 bytes"),
        (OTS + b"\xf0\x81\x20" + b"a" * 4097 + HEIGHT_5, "1 to 4096 bytes"),
        (OTS + b"\xf0\x80\x20" + b"a" * 4096 + HEIGHT_5, "at most 4096 bytes"),
        (OTS + b"\xf3" * 8 + HEIGHT_5, "at most 4096 bytes"),
        (OTS + b"\x00" + HEIGHT_5[1:9] + b"\x02\x85\x00", "shortest form"),
        (OTS + b"\x00" + HEIGHT_5[1:9] + b"\x02\x05\x05", "nothing behind"),
        (OTS + b"\x00" + HEIGHT_5[1:9] + b"\x0a" + b"\xff" * 10, r"below 2\^63"),
        (OTS + b"\x00" + bytes.fromhex("83dfe30d2ef90c8e") + b"\x03\x02a?", "plain characters"),
        (OTS + b"\x00" + b"\xee" * 8 + b"\x81\x40" + b"a" * 8193, "0 to 8192 bytes"),
        (OTS + b"\x08" * (MAX_DEPTH + 1) + HEIGHT_5, "255 deep"),
        (OTS + b"".join(b"\xff" + HEIGHT_5[:10] + bytes([n]) for n in range(100)) + HEIGHT_5, "64 in all"),
        (
            OTS + b"".join(b"\xff\xf0\x02" + n.to_bytes(2, "big") + HEIGHT_5 for n in range(3000)) + HEIGHT_5,
            "in all",
        ),
        (OTS + b"\xff" * 70_000, "at most 65536 bytes"),
    ],
)
def test_malformed_files_are_refused_by_what_is_wrong(data: bytes, expected: str) -> None:
    with pytest.raises(FormatError, match=expected):
        parse_ots(data)


def test_deepest_tree_that_they_read_is_read() -> None:
    data = OTS + b"\x08" * MAX_DEPTH + HEIGHT_5
    assert encode_ots(parse_ots(data)) == data == their_bytes(read_by_them(data))


def test_dearest_file_is_judged_in_a_moment() -> None:
    # Eight bytes of file for each 4096 of message: the most that a small file can ask for.
    dear = OTS + (b"\xf3" * 7 + b"\x67") * 25 + HEIGHT_5
    began = time.perf_counter()
    with pytest.raises(FormatError, match="keccak256"):
        parse_ots(dear)
    many = (
        OTS
        + b"".join(b"\xff\xf0\x02" + n.to_bytes(2, "big") + b"\xf3" * 6 + HEIGHT_5 for n in range(60))
        + HEIGHT_5
    )
    assert len(parse_ots(many).timestamp.ends) == 61
    chain = b"\x08" * 200
    wide = (
        OTS
        + chain
        + b"".join(b"\xff\xf0\x01" + bytes([n]) + b"\x08" * 27 + HEIGHT_5 for n in range(60))
        + HEIGHT_5
    )
    assert len(parse_ots(encode_ots(parse_ots(wide))).timestamp.ends) == 61
    assert time.perf_counter() - began < 2


def test_unknown_attestation_is_kept_and_says_nothing() -> None:
    data = OTS + b"\x00" + b"\xee" * 8 + b"\x03abc"
    (branch,) = parse_ots(data).timestamp.ends
    assert (branch.attestation.height, branch.attestation.url) == (None, None)
    assert encode_ots(parse_ots(data)) == data


def test_upgrade_is_grafted_where_the_promise_ends() -> None:
    step, way = (Operation(APPEND, b"x"), Operation(SHA256)), (Operation(HEXLIFY), Operation(KECCAK256))
    promise = parse_timestamp(
        encode_timestamp(_end(DIGEST, step, pending_attestation("https://a.example"))), DIGEST
    )
    ((_, message),) = promise.ends.items()
    upgraded = graft(promise, _end(message, way, bitcoin_attestation(7)))
    assert {(one.operations, one.attestation.height) for one in upgraded.ends} == {
        (step, None),
        ((*step, *way), 7),
    }
    assert graft(promise, _end(b"another message", way, bitcoin_attestation(7))) == promise
    with pytest.raises(FormatError, match="over"):
        join(promise, _end(message, way, bitcoin_attestation(7)))


def _end(message: bytes, steps: tuple[Operation, ...], attestation: object) -> Timestamp:
    from tests.anchors.opentimestamps.toy import walk

    end = walk(message, steps)
    tree = Timestamp(message=end, ends={Branch((), attestation): end})  # type: ignore[arg-type]
    return below(steps, tree, message=message)
