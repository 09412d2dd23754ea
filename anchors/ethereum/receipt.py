"""A transaction receipt: whether the transaction succeeded, and its logs (EIP-658, EIP-2718).

A receipt is RLP [status, cumulativeGasUsed, logsBloom, logs], behind one byte of type for the types 1 to 4;
an unknown type is refused, because nothing says that its layout is this one. Receipts from before Byzantium
carry a state root in place of the status and never count as a success.
"""

from anchors.errors import FormatError
from anchors.ethereum.rlp import Item, as_bytes, as_list, decode_list
from anchors.values import value

_TYPES = {1, 2, 3, 4}  # EIP-2930, EIP-1559, EIP-4844, EIP-7702


@value
class Log:
    """One log: the address (20 bytes) of the contract that wrote it, up to 4 topics (32 bytes each), data."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@value
class Receipt:
    """Outcome of a transaction. `status` as encoded: 01 for success, empty for failure, or a state root."""

    status: bytes
    logs: tuple[Log, ...]

    @property
    def succeeded(self) -> bool:
        """Whether the transaction took effect."""
        return self.status == b"\x01"


def parse_receipt(encoded: bytes) -> Receipt:
    """Read a receipt as the receipts trie holds it; FormatError for anything else."""
    payload = encoded
    if encoded and encoded[0] < 0xC0:
        if encoded[0] not in _TYPES:
            raise FormatError("receipt type", "a receipt type from 1 to 4, or none", encoded[0])
        payload = encoded[1:]
    items = decode_list(payload, "receipt")
    if len(items) != 4:
        raise FormatError("receipt", "4 items", f"{len(items)} items")
    status = as_bytes(items[0], "receipt status")
    if status not in {b"", b"\x01"} and len(status) != 32:
        raise FormatError("receipt status", "empty, 01, or a state root of 32 bytes", status.hex())
    logs = as_list(items[3], "receipt logs")
    return Receipt(
        status=status, logs=tuple(_parse_log(item, f"receipt logs[{n}]") for n, item in enumerate(logs))
    )


def _parse_log(item: Item, place: str) -> Log:
    items = as_list(item, place)
    if len(items) != 3:
        raise FormatError(place, "3 items", f"{len(items)} items")
    topics = as_list(items[1], f"{place} topics")
    if len(topics) > 4:
        raise FormatError(f"{place} topics", "at most 4 topics", f"{len(topics)} topics")
    return Log(
        address=as_bytes(items[0], f"{place} address", 20),
        topics=tuple(as_bytes(topic, f"{place} topic", 32) for topic in topics),
        data=as_bytes(items[2], f"{place} data"),
    )
