"""The `.ots` file and the timestamp in it: a tree of operations over a digest, with attestations at its ends.

    file       := 00 "OpenTimestamps" 00 00 "Proof" 00 bf89e2e884e89294 ‖ 01 ‖ digest's tag ‖ digest ‖ timestamp
    timestamp  := (ff item)* item
    item       := 00 attestation | operation timestamp
    operation  := tag, and for append and prepend length ‖ bytes
    attestation:= tag (8 bytes) ‖ length ‖ payload

Lengths and numbers are unsigned LEB128, here in their one shortest form. A calendar answers with a bare
timestamp over the digest it was sent. A tree is held as what it says: its *branches*, each the operations
from the root to one attestation. So there is no recursion, equal trees are equal values, and joining two is
a union.

Strict where a writer has a choice that means nothing: longer numbers, an operation or attestation twice at
one node, and bytes behind the end are refused. Any order of items is read; one order is written, that of
python-opentimestamps. An attestation of a kind that nobody here knows is kept as it is and proves nothing.
"""

from collections.abc import Iterable, Mapping, Sequence

from anchors.errors import FormatError
from anchors.opentimestamps.operations import (
    DIGEST_BYTES,
    KECCAK256,
    MAX_MESSAGE_BYTES,
    NAMES,
    SHA256,
    WITH_ARGUMENT,
    Operation,
    apply_operation,
)
from anchors.values import value

MAGIC = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94"
VERSION = 1

BITCOIN = bytes.fromhex("0588960d73d71901")
PENDING = bytes.fromhex("83dfe30d2ef90c8e")

MAX_OTS_BYTES = 65_536
"""One calendar's way to a block takes about 600 bytes."""
MAX_DEPTH = 255
"""Operations between root and attestation, as python-opentimestamps has it; a block of 2^20 transactions,
below a calendar's tree of as many digests, takes some 130."""
MAX_OPERATIONS = 2048
MAX_BRANCHES = 64
"""Attestations of one file: four calendars make eight."""
MAX_KECCAK_BYTES, KECCAK_BLOCK = 8192, 136
"""Our own Keccak-256 takes 20 ms for so much, and for a byte as long as for a block; Bitcoin proofs need none."""
MAX_PAYLOAD_BYTES = 8192
MAX_URL_BYTES = 1000
_URL_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/:")


@value(kw_only=False)
class Attestation:
    """What stands at the end of a branch: who says something about the message there. tag: 8 bytes."""

    tag: bytes
    payload: bytes

    @property
    def height(self) -> int | None:
        """The height of the Bitcoin block whose Merkle root the message is; None if it says other things."""
        return _Reader(self.payload, "height").number() if self.tag == BITCOIN else None

    @property
    def url(self) -> str | None:
        """The calendar that promises more; None if it says something else."""
        return (
            _Reader(self.payload, "url").block(MAX_URL_BYTES).decode("ascii") if self.tag == PENDING else None
        )


@value(kw_only=False)
class Branch:
    """The operations from the stamped digest to one attestation."""

    operations: tuple[Operation, ...]
    attestation: Attestation


@value
class Timestamp:
    """A tree over `message`: each branch, with the message at its end."""

    message: bytes
    ends: Mapping[Branch, bytes]


@value
class DetachedStamp:
    """An `.ots` file: digest_tag says which digest of the stamped file `timestamp.message` is."""

    digest_tag: int
    timestamp: Timestamp


def parse_ots(data: bytes, *, place: str = "ots") -> DetachedStamp:
    """Read a detached `.ots` file. Raises FormatError."""
    reader = _Reader(_bounded(data, place), place)
    if reader.take(len(MAGIC)) != MAGIC:
        raise FormatError(place, "the magic of an .ots file", data[: len(MAGIC)])
    version = reader.number()
    if version != VERSION:
        raise FormatError(f"{place} version", str(VERSION), version)
    digest_tag = reader.take(1)[0]
    if digest_tag not in DIGEST_BYTES:
        raise FormatError(f"{place} digest", "sha1, ripemd160 or sha256", f"{digest_tag:#04x}")
    timestamp = _read_timestamp(reader, reader.take(DIGEST_BYTES[digest_tag]))
    return DetachedStamp(digest_tag=digest_tag, timestamp=timestamp)


def parse_timestamp(data: bytes, message: bytes, *, place: str = "timestamp") -> Timestamp:
    """Read a bare timestamp over `message`, as calendars answer. Raises FormatError."""
    return _read_timestamp(_Reader(_bounded(data, place), place), message)


def encode_ots(stamp: DetachedStamp) -> bytes:
    """Return the bytes of an `.ots` file; `parse_ots` reads them back."""
    head = MAGIC + _number(VERSION) + bytes([stamp.digest_tag]) + stamp.timestamp.message
    return head + encode_timestamp(stamp.timestamp)


def encode_timestamp(timestamp: Timestamp) -> bytes:
    """Return the bytes of a bare timestamp, in the order of python-opentimestamps: attestations first."""
    root = _Node()
    for branch in timestamp.ends:
        node = root
        for operation in branch.operations:
            node = node.onward.setdefault(operation, _Node())
        node.attestations.append(branch.attestation)
    out = bytearray()
    todo = [(b"", root)]
    while todo:
        prefix, node = todo.pop()
        out += prefix
        items = [b"\x00" + _encode_attestation(one) for one in sorted(node.attestations, key=_order)]
        steps = sorted(node.onward.items(), key=lambda step: (step[0].tag, step[0].argument))
        following = [(_encode_operation(operation), below) for operation, below in steps]
        for item in items if following else items[:-1]:
            out += b"\xff" + item
        if not following:
            out += items[-1]
        todo += reversed([(b"\xff" + item, below) for item, below in following[:-1]] + following[-1:])
    return bytes(out)


def join(one: Timestamp, *others: Timestamp) -> Timestamp:
    """Return the tree that says what all of these say, over the same message."""
    ends = dict(one.ends)
    for other in others:
        if other.message != one.message:
            raise FormatError("timestamp", f"over {one.message.hex()}", other.message.hex())
        ends.update(other.ends)
    return Timestamp(message=one.message, ends=ends)


def below(operations: Iterable[Operation], timestamp: Timestamp, *, message: bytes) -> Timestamp:
    """Return the tree over `message` that comes to `timestamp` by these operations, or raise FormatError."""
    path, reached = tuple(operations), message
    for operation in path:
        reached = apply_operation(operation, reached, place="timestamp")
    if reached != timestamp.message:
        raise FormatError("timestamp", f"over {reached.hex()}", timestamp.message.hex())
    ends = {Branch((*path, *one.operations), one.attestation): end for one, end in timestamp.ends.items()}
    return Timestamp(message=message, ends=ends)


def graft(timestamp: Timestamp, later: Timestamp) -> Timestamp:
    """Return the tree with `later` joined wherever a branch of it ends at that tree's message: an upgrade."""
    places = {branch.operations for branch, end in timestamp.ends.items() if end == later.message}
    return join(
        timestamp, *(below(place, later, message=timestamp.message) for place in sorted(places, key=len))
    )


def stamp_of_sha256(timestamp: Timestamp) -> DetachedStamp:
    """Return the `.ots` file over a file whose SHA-256 the timestamp is over."""
    return DetachedStamp(digest_tag=SHA256, timestamp=timestamp)


def bitcoin_attestation(height: int) -> Attestation:
    """Return the attestation that the message is the Merkle root of the block at `height`."""
    return Attestation(BITCOIN, _number(height))


def pending_attestation(url: str) -> Attestation:
    """Return the attestation that a calendar keeps the message."""
    raw = url.encode("ascii")
    return Attestation(PENDING, _number(len(raw)) + raw)


def _read_timestamp(reader: "_Reader", message: bytes) -> Timestamp:
    """Read one tree to the end of the bytes. In place of recursion, `forks`: nodes with more to come."""
    place = reader.place
    nodes = [_Reached(parent=0, operation=None, message=message)]  # each knows the one above it
    known: set[tuple[int, Operation]] = set()
    forks: list[tuple[int, int]] = []
    ends: dict[Branch, bytes] = {}
    here = depth = 0
    keccak_left = MAX_KECCAK_BYTES
    while True:
        tag = reader.take(1)[0]
        has_more = tag == 0xFF
        if has_more:
            tag = reader.take(1)[0]
        before = nodes[here].message
        if tag != 0x00:
            operation = reader.operation(tag)
            if (here, operation) in known or len(nodes) > MAX_OPERATIONS or depth >= MAX_DEPTH:
                expected = f"each operation once, {MAX_OPERATIONS} in all, {MAX_DEPTH} deep"
                raise FormatError(place, expected, NAMES[operation.tag])
            known.add((here, operation))
            keccak_left -= max(KECCAK_BLOCK, len(before)) if operation.tag == KECCAK256 else 0
            if keccak_left < 0:
                raise FormatError(place, f"at most {MAX_KECCAK_BYTES} bytes for keccak256")
            made = apply_operation(operation, before, place=place)
            nodes.append(_Reached(parent=here, operation=operation, message=made))
            if has_more:
                forks.append((here, depth))
            here, depth = len(nodes) - 1, depth + 1
            continue
        branch = Branch(_way(nodes, here), reader.attestation())
        if branch in ends or len(ends) >= MAX_BRANCHES:
            raise FormatError(place, f"each attestation once, {MAX_BRANCHES} in all", branch.attestation.tag)
        ends[branch] = before
        if has_more:
            continue
        if not forks:
            break
        here, depth = forks.pop()
    reader.finish()
    return Timestamp(message=message, ends=ends)


def _way(nodes: Sequence["_Reached"], number: int) -> tuple[Operation, ...]:
    """The operations from the root to this node."""
    way: list[Operation] = []
    while (operation := nodes[number].operation) is not None:
        way.append(operation)
        number = nodes[number].parent
    return tuple(reversed(way))


@value
class _Reached:
    """A message of a tree that is read, and how it was made. operation: None at the root."""

    parent: int
    operation: Operation | None
    message: bytes


class _Node:
    """A message of a tree that is written."""

    def __init__(self) -> None:
        self.attestations: list[Attestation] = []
        self.onward: dict[Operation, _Node] = {}


class _Reader:
    """Takes bytes off the front; raises FormatError at the end of them."""

    def __init__(self, data: bytes, place: str) -> None:
        self.place = place
        self._data, self._at = data, 0

    def take(self, length: int) -> bytes:
        taken = self._data[self._at : self._at + length]
        if len(taken) < length:
            raise FormatError(self.place, f"{length} more bytes", len(taken))
        self._at += length
        return taken

    def number(self) -> int:
        """Unsigned LEB128 below 2^63, in its one shortest form."""
        found = shift = 0
        while True:
            byte = self.take(1)[0]
            found |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                if byte == 0 and shift > 7:
                    raise FormatError(self.place, "a number in its shortest form")
                return found
            if shift >= 63:
                raise FormatError(self.place, "a number below 2^63")

    def block(self, most: int, *, least: int = 0) -> bytes:
        length = self.number()
        if not least <= length <= most:
            raise FormatError(self.place, f"{least} to {most} bytes", length)
        return self.take(length)

    def operation(self, tag: int) -> Operation:
        if tag not in NAMES:
            raise FormatError(self.place, "an operation that this version knows", f"{tag:#04x}")
        return Operation(tag, self.block(MAX_MESSAGE_BYTES, least=1) if tag in WITH_ARGUMENT else b"")

    def attestation(self) -> Attestation:
        """What is known is read to its end; what isn't is kept."""
        read = Attestation(self.take(8), self.block(MAX_PAYLOAD_BYTES))
        inner = _Reader(read.payload, f"{self.place} attestation")
        if read.tag == BITCOIN:
            inner.number()
            inner.finish()
        elif read.tag == PENDING:
            url = inner.block(MAX_URL_BYTES)
            inner.finish()
            if not _URL_BYTES.issuperset(url):
                raise FormatError(
                    f"{self.place} attestation", "a calendar's address in plain characters", url
                )
        return read

    def finish(self) -> None:
        if self._at != len(self._data):
            raise FormatError(self.place, "nothing behind its end", self._data[self._at : self._at + 40])


def _bounded(data: bytes, place: str) -> bytes:
    if len(data) > MAX_OTS_BYTES:
        raise FormatError(place, f"at most {MAX_OTS_BYTES} bytes", len(data))
    return data


def _number(number: int) -> bytes:
    out = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        out.append(low | 0x80 if number else low)
        if not number:
            return bytes(out)


def _encode_operation(operation: Operation) -> bytes:
    tag = bytes([operation.tag])
    return tag + _number(len(operation.argument)) + operation.argument if operation.argument else tag


def _encode_attestation(attestation: Attestation) -> bytes:
    return attestation.tag + _number(len(attestation.payload)) + attestation.payload


def _order(attestation: Attestation) -> tuple[bytes, int, bytes]:
    """By kind; then blocks by height, calendars by address, what is unknown by its bytes."""
    url = attestation.url
    return attestation.tag, attestation.height or 0, attestation.payload if url is None else url.encode()
