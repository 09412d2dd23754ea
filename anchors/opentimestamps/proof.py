"""The proof of an OpenTimestamps anchor as a bundle carries it: two files side by side.

`proof/anchors/<size>/<seq>.ots` is the detached file over SHA-256 of `<size>.note`, as calendars and
clients make it. `<seq>.json` beside it, canonical JSON, is what an event records and what the `.ots` can't
hold: the block's header.

    {"header":"<80 bytes>","height":900000,"kind":"opentimestamps","network":"main","ots_sha256":"<32
    bytes>","v":1}

`network`, `height` and `header` are the prover's claims. A header may be left out (null) where a policy or
a headers file has it; a height too, while calendars only promise: such a proof proves nothing yet, and can
be upgraded.
"""

import hashlib

from anchors.canonical import as_hex, as_integer, as_object, encode_canonical, parse_canonical
from anchors.errors import FormatError, VerificationError
from anchors.opentimestamps.bitcoin import HEADER_BYTES, NETWORKS
from anchors.opentimestamps.stamp import DetachedStamp, parse_ots
from anchors.values import value

KIND = "opentimestamps"
PART, OTS_PART = "proof.json", "proof.ots"
"""Names of the parts of this kind's AnchorProof."""

MAX_PROOF_BYTES = 1024
MAX_HEIGHT = (1 << 31) - 1

_FIELDS = frozenset({"v", "kind", "network", "height", "header", "ots_sha256"})
_PLACE = "opentimestamps proof"


@value
class OpenTimestampsProof:
    """What the prover says: which block of which network, and the stamp. header: 80 bytes or None."""

    network: str
    height: int | None
    header: bytes | None
    ots: bytes
    stamp: DetachedStamp


def parse_proof(data: bytes, ots: bytes) -> OpenTimestampsProof:
    """Read both files. Raises FormatError; VerificationError for a `.json` about another `.ots`."""
    value = as_object(parse_canonical(data, place=_PLACE, max_bytes=MAX_PROOF_BYTES), _PLACE, _FIELDS)
    if value["kind"] != KIND:
        raise FormatError(f"{_PLACE} kind", KIND, value["kind"])
    as_integer(value["v"], f"{_PLACE} v", 1, 1)
    network, height, header = value["network"], value["height"], value["header"]
    if not isinstance(network, str) or network not in NETWORKS:
        raise FormatError(f"{_PLACE} network", ", ".join(NETWORKS), network)
    if height is None and header is not None:
        raise FormatError(f"{_PLACE} height", "the height of the header's block", None)
    sha256 = as_hex(value["ots_sha256"], f"{_PLACE} ots_sha256", length=32)
    found = hashlib.sha256(ots).digest()
    if sha256 != found:
        raise VerificationError("opentimestamps .ots", sha256, found)
    return OpenTimestampsProof(
        network=network,
        height=None if height is None else as_integer(height, f"{_PLACE} height", 0, MAX_HEIGHT),
        header=None if header is None else as_hex(header, f"{_PLACE} header", length=HEADER_BYTES),
        ots=ots,
        stamp=parse_ots(ots),
    )


def encode_proof(*, network: str, height: int | None, header: bytes | None, ots: bytes) -> bytes:
    """Return the `.json` file; `parse_proof` reads it back."""
    return encode_canonical(
        {
            "v": 1,
            "kind": KIND,
            "network": network,
            "height": height,
            "header": None if header is None else header.hex(),
            "ots_sha256": hashlib.sha256(ots).hexdigest(),
        }
    )
