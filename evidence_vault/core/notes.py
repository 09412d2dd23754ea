"""Signed notes: a text, an empty line, and a line for each signature (C2SP signed-note, tlog-cosignature).

    This is an example message.
    ⏎
    — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYj…

The base64 holds a 4-byte key id and the signature. A key is known by name *and* id; its verifier key (vkey)
is `<name>+<key id in hex>+<base64 of type ‖ public key>`. Three types are checked: 0x01 (Ed25519 over the
text), 0x04 (a witness's timestamped Ed25519 cosignature) and 0x06 (the same with ML-DSA-44). Any other type
is refused when its vkey is parsed, so no key is ever known and yet not checked in silence.

Invariant: `encode_note(parse_note(b)) == b`. Not checked here: what the text says (`checkpoint`), and whether
a cosignature's time is plausible.
"""

import hashlib
import re
import struct
from collections.abc import Sequence
from enum import IntEnum

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from anchors.values import value
from evidence_vault.core.textfields import encode_base64, parse_base64, parse_decimal
from evidence_vault.errors import ConfigError, FormatError, VerificationError

MAX_NOTE_BYTES = 512 * 1024
"""Bytes of one note or `.cosigs` file: 64 ML-DSA-44 lines (3.3 kB each) and a long text fit twice."""

MAX_SIGNATURES = 64
"""Signature lines in one note; C2SP asks for at least 16, and each may cost a signature check."""

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class SignatureType(IntEnum):
    """The signature types that can be checked here, by their identifier byte. C2SP signed-note."""

    ED25519 = 0x01
    COSIGNATURE_V1 = 0x04
    ML_DSA_44 = 0x06


_KEY_BYTES = {
    SignatureType.ED25519: 32,
    SignatureType.COSIGNATURE_V1: 32,
    SignatureType.ML_DSA_44: 1312,
}
_SIGNATURE_BYTES = {
    SignatureType.ED25519: 64,
    SignatureType.COSIGNATURE_V1: 8 + 64,
    SignatureType.ML_DSA_44: 8 + 2420,
}


@value
class NoteSignature:
    """One signature line. key_id: 4 bytes; signature: what follows it, at least 1 byte, by type of key."""

    name: str
    key_id: bytes
    signature: bytes


@value
class Note:
    """A parsed note, not yet verified. text: with its final LF, without the empty line."""

    text: str
    signatures: tuple[NoteSignature, ...]


@value
class VerifierKey:
    """A public key that someone trusts, under a name. public_key: 32 bytes (Ed25519), 1312 (ML-DSA-44)."""

    name: str
    type: SignatureType
    public_key: bytes

    def __post_init__(self) -> None:
        _require_name("vkey name", self.name)
        if len(self.public_key) != _KEY_BYTES[self.type]:
            raise FormatError("vkey key", f"{_KEY_BYTES[self.type]} bytes", f"{len(self.public_key)} bytes")

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that name this key in a signature line: an index, not a strong hash."""
        typed_key = bytes([self.type]) + self.public_key
        return hashlib.sha256(self.name.encode() + b"\n" + typed_key).digest()[:4]


@value
class VerifiedSignature:
    """A signature that was checked and is good. timestamp: a cosignature's POSIX seconds, else None."""

    key: VerifierKey
    timestamp: int | None


@value
class Verified:
    """At least one known key signed the text. `unchecked`: known keys whose algorithm this build lacks."""

    signatures: tuple[VerifiedSignature, ...]
    unchecked: tuple[VerifierKey, ...] = ()


@value
class Unverified:
    """Nothing is wrong, and nothing is shown: no known key signed, or only one that can't be checked here."""

    unchecked: tuple[VerifierKey, ...] = ()


def parse_note(data: bytes) -> Note:
    """Parse a signed note. Raises FormatError for all that isn't exactly the format. C2SP signed-note."""
    content = _decode("note", data)
    text, gap, lines = content.rpartition("\n\n")  # the *last* empty line: a text may hold empty lines itself
    if not gap:
        raise FormatError("note", "a text, an empty line, signature lines", content)
    return Note(text=text + "\n", signatures=_parse_lines(lines))


def encode_note(note: Note) -> bytes:
    """Encode a note: the only spelling that `parse_note` reads back as it."""
    return note.text.encode() + b"\n" + encode_signatures(note.signatures)


def parse_signatures(data: bytes) -> tuple[NoteSignature, ...]:
    """Parse signature lines that stand alone, as in a `.cosigs` file; at least one. Raises FormatError."""
    return _parse_lines(_decode("signature lines", data))


def encode_signatures(signatures: Sequence[NoteSignature]) -> bytes:
    """Encode signature lines, each with its LF."""
    return "".join(f"— {s.name} {encode_base64(s.key_id + s.signature)}\n" for s in signatures).encode()


def parse_vkey(vkey: str) -> VerifierKey:
    """Parse `<name>+<8 hex digits>+<base64>` and check its key id. Raises FormatError. C2SP signed-note."""
    name, _, rest = vkey.partition("+")
    key_id_hex, _, key_base64 = rest.partition("+")  # base64 may hold further plus signs
    if not re.fullmatch(r"[0-9a-f]{8}", key_id_hex):
        raise FormatError("vkey key id", "8 lower-case hex digits", key_id_hex)
    typed_key = parse_base64("vkey key", key_base64)
    if typed_key[:1] not in {bytes([t]) for t in SignatureType}:
        raise FormatError("vkey type", "0x01, 0x04 or 0x06", typed_key[:1])
    key = VerifierKey(name=name, type=SignatureType(typed_key[0]), public_key=typed_key[1:])
    if key.key_id.hex() != key_id_hex:
        raise FormatError("vkey key id", key.key_id.hex(), key_id_hex)
    return key


def encode_vkey(key: VerifierKey) -> str:
    """Encode a verifier key as the one line that people exchange and configure."""
    return f"{key.name}+{key.key_id.hex()}+{encode_base64(bytes([key.type]) + key.public_key)}"


def verify_signatures(
    text: str, signatures: Sequence[NoteSignature], *, trusted: Sequence[VerifierKey]
) -> Verified | Unverified:
    """Check every signature whose name and key id are trusted; ignore all others. C2SP signed-note.

    text, signatures: from a stranger. trusted: from the caller's policy; ConfigError if two different keys
    share name and id. Raises VerificationError for a bad signature by a trusted key, even beside a good one,
    and for a second line by the same key.
    """
    keys = {(key.name, key.key_id): key for key in trusted}
    if len(keys) != len(set(trusted)):
        raise ConfigError("trusted keys", "two different keys share name and key id")
    verified: list[VerifiedSignature] = []
    unchecked: list[VerifierKey] = []
    seen: set[VerifierKey] = set()
    for line in signatures:
        key = keys.get((line.name, line.key_id))
        if key is None:
            continue
        if key in seen:
            raise VerificationError(f"signatures by {encode_vkey(key)}", "one line", "two")
        seen.add(key)
        try:
            verified.append(_verify_one(text, line.signature, key))
        except UnsupportedAlgorithm:
            unchecked.append(key)
    if verified:
        return Verified(signatures=tuple(verified), unchecked=tuple(unchecked))
    return Unverified(unchecked=tuple(unchecked))


def verify_note(note: Note, *, trusted: Sequence[VerifierKey]) -> Verified | Unverified:
    """Check a note's signatures against the keys the caller trusts; see `verify_signatures`."""
    return verify_signatures(note.text, note.signatures, trusted=trusted)


def sign_note(
    text: str, *, name: str, private_key: Ed25519PrivateKey, key: VerifierKey | None = None
) -> NoteSignature:
    """Sign a text as `name` (type 0x01). Raises FormatError for what can't stand in a note.

    key: its `verifier_key`, for whoever signs so often that it is worth keeping.
    """
    _require_text(text)
    key = key or verifier_key(name, SignatureType.ED25519, private_key)
    return NoteSignature(name=name, key_id=key.key_id, signature=private_key.sign(text.encode()))


def cosign(text: str, *, name: str, private_key: Ed25519PrivateKey, timestamp: int) -> NoteSignature:
    """Cosign a checkpoint text as the witness `name` (type 0x04) at `timestamp`, POSIX seconds."""
    _require_text(text)
    if not 0 <= timestamp < 1 << 63:
        raise FormatError("cosignature timestamp", "POSIX seconds from 0 to 2^63 - 1", timestamp)
    key = verifier_key(name, SignatureType.COSIGNATURE_V1, private_key)
    signature = private_key.sign(_cosignature_v1_message(text, timestamp))
    return NoteSignature(name=name, key_id=key.key_id, signature=struct.pack(">Q", timestamp) + signature)


def verifier_key(name: str, kind: SignatureType, private_key: Ed25519PrivateKey) -> VerifierKey:
    """Return the public side of a private key, under `name`, for signatures of `kind` (0x01 or 0x04)."""
    return VerifierKey(name=name, type=kind, public_key=private_key.public_key().public_bytes_raw())


def _verify_one(text: str, signature: bytes, key: VerifierKey) -> VerifiedSignature:
    """Check one signature by a known key. Raises VerificationError; UnsupportedAlgorithm is the caller's."""
    check = f"signature by {key.name}+{key.key_id.hex()}"
    if len(signature) != _SIGNATURE_BYTES[key.type]:
        raise VerificationError(check, f"{_SIGNATURE_BYTES[key.type]} bytes", f"{len(signature)} bytes")
    timestamp = None
    public_key: Ed25519PublicKey | MLDSA44PublicKey
    if key.type is SignatureType.ED25519:
        public_key = Ed25519PublicKey.from_public_bytes(key.public_key)
        message = text.encode()
    else:
        timestamp, signature = int.from_bytes(signature[:8]), signature[8:]
        if timestamp >= 1 << 63:
            raise VerificationError(check, "a timestamp below 2^63", timestamp)
        if key.type is SignatureType.COSIGNATURE_V1:
            public_key = Ed25519PublicKey.from_public_bytes(key.public_key)
            message = _cosignature_v1_message(text, timestamp)
        else:
            public_key = MLDSA44PublicKey.from_public_bytes(key.public_key)
            message = _subtree_v1_message(text, key.name, timestamp)
    try:
        public_key.verify(signature, message)
    except InvalidSignature:
        raise VerificationError(
            check, f"a signature of type {key.type:#04x} over this text", "another"
        ) from None
    return VerifiedSignature(key=key, timestamp=timestamp)


def _cosignature_v1_message(text: str, timestamp: int) -> bytes:
    """What a 0x04 signature covers: two lines, then the whole text. C2SP tlog-cosignature."""
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def _subtree_v1_message(text: str, cosigner: str, timestamp: int) -> bytes:
    """What a 0x06 signature covers: cosigner and tree head, not the extension lines. C2SP tlog-cosignature.

    struct { uint8 label[12]; opaque cosigner_name<1..255>; uint64 timestamp; opaque log_origin<1..255>;
             uint64 start; uint64 end; uint8 hash[32]; }
    """
    lines = text.split("\n")
    if len(lines) < 4:
        raise FormatError("cosigned text", "a checkpoint: origin, size, root hash", text)
    origin, name = lines[0].encode(), cosigner.encode()
    if not (1 <= len(origin) <= 255 and len(name) <= 255):
        raise FormatError("cosigned text", "names of 1 to 255 bytes", lines[0])
    size = parse_decimal("checkpoint size", lines[1])
    root = parse_base64("checkpoint root hash", lines[2], length=32)
    return b"".join(
        (
            b"subtree/v1\n\x00",
            bytes([len(name)]) + name,
            struct.pack(">Q", timestamp),
            bytes([len(origin)]) + origin,
            struct.pack(">QQ", 0, size),
            root,
        )
    )


def _decode(place: str, data: bytes) -> str:
    if len(data) > MAX_NOTE_BYTES:
        raise FormatError(place, f"at most {MAX_NOTE_BYTES} bytes", f"{len(data)} bytes")
    try:
        content = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"{place}, byte {error.start}", "UTF-8", data[error.start : error.end]) from None
    _require_no_control(place, content)
    return content


def _require_no_control(place: str, content: str) -> None:
    if control := _CONTROL.search(content):
        raise FormatError(
            f"{place}, character {control.start()}", "no control character but LF", control.group()
        )


def _require_text(text: str) -> None:
    _require_no_control("note text", text)
    if not text.endswith("\n"):
        raise FormatError("note text", "a final LF", text[-20:])


def _require_name(place: str, name: str) -> None:
    if not name or "+" in name or any(c.isspace() for c in name) or _CONTROL.search(name):
        raise FormatError(place, "a name without spaces and plus signs", name)


def _parse_lines(content: str) -> tuple[NoteSignature, ...]:
    *lines, rest = content.split("\n")
    if rest or not lines:
        raise FormatError("signature lines", "lines that each end in LF, at least one", content[-80:])
    if len(lines) > MAX_SIGNATURES:
        raise FormatError("signature lines", f"at most {MAX_SIGNATURES}", len(lines))
    return tuple(_parse_line(f"signature line {number}", line) for number, line in enumerate(lines, 1))


def _parse_line(place: str, line: str) -> NoteSignature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—":
        raise FormatError(place, "em dash, name and base64, one space between", line)
    _require_name(f"{place}, name", parts[1])
    value = parse_base64(place, parts[2])
    if len(value) < 5:
        raise FormatError(place, "a 4-byte key id and a signature", f"{len(value)} bytes")
    return NoteSignature(name=parts[1], key_id=value[:4], signature=value[4:])
