"""The keys that sign notes, and what each type of signature covers (C2SP signed-note, tlog-cosignature).

    PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW

A verifier key (vkey) is `<name>+<key id in hex>+<base64 of type ‖ public key>`; name *and* id find it.

    0x01  Ed25519 over the text: logs, receipts. Ours are of this type
    0x02  ECDSA P-256 over the text, as Sigstore's Rekor signs; the id is of the key alone
    0x04  a witness's cosignature: time ‖ Ed25519
    0x05  a Certificate Transparency log's tree head signature: time ‖ ECDSA P-256 (RFC 6962 §3.5)
    0x06  a cosignature: time ‖ ML-DSA-44

Any other type is refused when its vkey is parsed, so no key is ever known and yet not checked in silence. Which
types may sign for whom is the policy's business: 0x02 and 0x05 are here to read other people's logs.
"""

import hashlib
import re
import struct
from enum import IntEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from anchors.values import value
from evidence_vault.core.textfields import encode_base64, parse_base64, parse_decimal
from evidence_vault.errors import FormatError, VerificationError

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class SignatureType(IntEnum):
    """The signature types that can be checked here, by their identifier byte. C2SP signed-note."""

    ED25519 = 0x01
    ECDSA = 0x02
    COSIGNATURE_V1 = 0x04
    RFC6962_STH = 0x05
    ML_DSA_44 = 0x06


COSIGNER_TYPES = (SignatureType.COSIGNATURE_V1, SignatureType.ML_DSA_44)
"""What a witness's key may be."""

_SPKI_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
"""What a SubjectPublicKeyInfo of a P-256 key begins with; 65 bytes of uncompressed point follow. RFC 5480."""

_KEY_BYTES = {
    SignatureType.ED25519: 32,
    SignatureType.ECDSA: 91,
    SignatureType.COSIGNATURE_V1: 32,
    SignatureType.RFC6962_STH: 91,
    SignatureType.ML_DSA_44: 1312,
}
_TIME_BYTES = 8
_SIGNATURE_BYTES = {
    SignatureType.ED25519: range(64, 65),
    SignatureType.ECDSA: range(8, 73),  # DER of two integers
    SignatureType.COSIGNATURE_V1: range(_TIME_BYTES + 64, _TIME_BYTES + 65),
    SignatureType.RFC6962_STH: range(_TIME_BYTES + 4 + 8, _TIME_BYTES + 4 + 73),
    SignatureType.ML_DSA_44: range(_TIME_BYTES + 2420, _TIME_BYTES + 2421),
}


@value
class VerifierKey:
    """A public key that someone trusts, under a name.

    public_key: 32 bytes (Ed25519), 1312 (ML-DSA-44), or 91, the SubjectPublicKeyInfo of a P-256 key.
    """

    name: str
    type: SignatureType
    public_key: bytes

    def __post_init__(self) -> None:
        require_name("vkey name", self.name)
        if len(self.public_key) != _KEY_BYTES[self.type]:
            raise FormatError("vkey key", f"{_KEY_BYTES[self.type]} bytes", f"{len(self.public_key)} bytes")
        if self.type in (SignatureType.ECDSA, SignatureType.RFC6962_STH):
            _p256(self.public_key)

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that name this key in a signature line: an index, not a strong hash."""
        match self.type:
            case SignatureType.ECDSA:
                named = self.public_key
            case SignatureType.RFC6962_STH:
                log_id = hashlib.sha256(self.public_key).digest()
                named = self.name.encode() + b"\n" + bytes([self.type]) + log_id
            case _:
                named = self.name.encode() + b"\n" + bytes([self.type]) + self.public_key
        return hashlib.sha256(named).digest()[:4]


def parse_vkey(vkey: str) -> VerifierKey:
    """Parse `<name>+<8 hex digits>+<base64>` and check its key id. Raises FormatError. C2SP signed-note."""
    name, _, rest = vkey.partition("+")
    key_id_hex, _, key_base64 = rest.partition("+")  # base64 may hold further plus signs
    if not re.fullmatch(r"[0-9a-f]{8}", key_id_hex):
        raise FormatError("vkey key id", "8 lower-case hex digits", key_id_hex)
    typed_key = parse_base64("vkey key", key_base64)
    if typed_key[:1] not in {bytes([t]) for t in SignatureType}:
        known = ", ".join(f"{t:#04x}" for t in SignatureType)
        raise FormatError("vkey type", f"one of {known}", typed_key[:1])
    key = VerifierKey(name=name, type=SignatureType(typed_key[0]), public_key=typed_key[1:])
    if key.key_id.hex() != key_id_hex:
        raise FormatError("vkey key id", key.key_id.hex(), key_id_hex)
    return key


def encode_vkey(key: VerifierKey) -> str:
    """Encode a verifier key as the one line that people exchange and configure."""
    return f"{key.name}+{key.key_id.hex()}+{encode_base64(bytes([key.type]) + key.public_key)}"


def verifier_key(name: str, kind: SignatureType, private_key: Ed25519PrivateKey) -> VerifierKey:
    """Return the public side of a private key, under `name`, for signatures of `kind` (0x01 or 0x04)."""
    return VerifierKey(name=name, type=kind, public_key=private_key.public_key().public_bytes_raw())


def verify_signature(text: str, signature: bytes, key: VerifierKey) -> int | None:
    """Check a signature over a note's text by a known key; return the time that it states, if its type has one.

    Time: POSIX seconds of a cosignature, milliseconds of a tree head (0x05). Raises VerificationError for
    another signature, FormatError for a text that such a signature can't cover; UnsupportedAlgorithm where this
    build lacks the algorithm.
    """
    check = f"signature by {key.name}+{key.key_id.hex()}"
    lengths = _SIGNATURE_BYTES[key.type]
    if len(signature) not in lengths:
        expected = f"{lengths[0]} bytes" if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]} bytes"
        raise VerificationError(check, expected, f"{len(signature)} bytes")
    time, rest = None, signature
    if key.type not in (SignatureType.ED25519, SignatureType.ECDSA):
        time, rest = int.from_bytes(signature[:_TIME_BYTES]), signature[_TIME_BYTES:]
        if time >= 1 << 63:
            raise VerificationError(check, "a timestamp below 2^63", time)
    try:
        _verify(text, rest, key, time or 0)
    except InvalidSignature:
        raise VerificationError(
            check, f"a signature of type {key.type:#04x} over this text", "another"
        ) from None
    return time


def cosignature_message(text: str, time: int) -> bytes:
    """What a 0x04 signature covers: two lines, then the whole text. C2SP tlog-cosignature."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def require_name(place: str, name: str) -> None:
    """Raise FormatError for what can't name a key. C2SP signed-note."""
    if not name or "+" in name or any(c.isspace() for c in name) or _CONTROL.search(name):
        raise FormatError(place, "a name without spaces and plus signs", name)


def _verify(text: str, signature: bytes, key: VerifierKey, time: int) -> None:
    """Raise InvalidSignature unless it is the key's."""
    match key.type:
        case SignatureType.ED25519:
            Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, text.encode())
        case SignatureType.ECDSA:
            _p256(key.public_key).verify(signature, text.encode(), ec.ECDSA(hashes.SHA256()))
        case SignatureType.COSIGNATURE_V1:
            message = cosignature_message(text, time)
            Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, message)
        case SignatureType.RFC6962_STH:
            message = _tree_head_message(text, time)
            _p256(key.public_key).verify(_signed_digitally(signature), message, ec.ECDSA(hashes.SHA256()))
        case SignatureType.ML_DSA_44:
            message = _subtree_message(text, key.name, time)
            MLDSA44PublicKey.from_public_bytes(key.public_key).verify(signature, message)


def _subtree_message(text: str, cosigner: str, time: int) -> bytes:
    """What a 0x06 signature covers: cosigner and tree head, not the extension lines. C2SP tlog-cosignature.

    struct { uint8 label[12]; opaque cosigner_name<1..255>; uint64 timestamp; opaque log_origin<1..255>;
             uint64 start; uint64 end; uint8 hash[32]; }
    """
    origin_line, size, root = _tree_head(text)
    origin, name = origin_line.encode(), cosigner.encode()
    if not (1 <= len(origin) <= 255 and len(name) <= 255):
        raise FormatError("cosigned text", "names of 1 to 255 bytes", origin_line)
    return b"".join(
        (
            b"subtree/v1\n\x00",
            bytes([len(name)]) + name,
            struct.pack(">Q", time),
            bytes([len(origin)]) + origin,
            struct.pack(">QQ", 0, size),
            root,
        )
    )


def _tree_head_message(text: str, time: int) -> bytes:
    """What a 0x05 signature covers: version v1 (0), type tree_hash (1), time, size, root. RFC 6962 §3.5.

    It covers no extension line, so a text that has one is refused: nobody signed that line.
    """
    _, size, root = _tree_head(text)
    if text.count("\n") != 3:
        raise FormatError("tree head signed by RFC 6962", "three lines, which the signature covers", text)
    return b"\x00\x01" + struct.pack(">QQ", time, size) + root


def _signed_digitally(signature: bytes) -> bytes:
    """Return the ECDSA signature of a digitally-signed struct: SHA-256 (4), ECDSA (3), length. RFC 5246 §4.7."""
    header = b"\x04\x03" + (len(signature) - 4).to_bytes(2)
    if signature[:4] != header:
        raise InvalidSignature
    return signature[4:]


def _tree_head(text: str) -> tuple[str, int, bytes]:
    """The first three lines of a checkpoint: origin, size, root hash."""
    lines = text.split("\n")
    if len(lines) < 4:
        raise FormatError("cosigned text", "a checkpoint: origin, size, root hash", text)
    size = parse_decimal("checkpoint size", lines[1])
    return lines[0], size, parse_base64("checkpoint root hash", lines[2], length=32)


def _p256(spki: bytes) -> ec.EllipticCurvePublicKey:
    """Return the P-256 key of a SubjectPublicKeyInfo of 91 bytes. Raises FormatError."""
    if not spki.startswith(_SPKI_P256):
        raise FormatError("vkey key", "the SubjectPublicKeyInfo of a P-256 key", spki[: len(_SPKI_P256)])
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), spki[len(_SPKI_P256) :])
    except ValueError:
        raise FormatError("vkey key", "a point on P-256", spki[len(_SPKI_P256) :]) from None
