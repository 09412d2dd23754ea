"""Signed notes: a text, an empty line, and a line for each signature (C2SP signed-note, tlog-cosignature).

    This is an example message.
    ⏎
    — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYj…

The base64 holds a 4-byte key id and the signature. The keys, and what each type of signature covers, are in
`note_keys`; a line by a key that nobody here knows is let pass.

Invariant: `encode_note(parse_note(b)) == b`. Not checked here: what the text says (`checkpoint`), and whether
a cosignature's time is plausible.
"""

import re
import struct
from collections.abc import Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchors.values import value
from evidence_vault.core.note_keys import (
    SignatureType,
    VerifierKey,
    cosignature_message,
    encode_vkey,
    require_name,
    verifier_key,
    verify_signature,
)
from evidence_vault.core.textfields import encode_base64, parse_base64
from evidence_vault.errors import ConfigError, FormatError, VerificationError

MAX_NOTE_BYTES = 512 * 1024
"""Bytes of one note or `.cosigs` file: 64 ML-DSA-44 lines (3.3 kB each) and a long text fit twice."""

MAX_SIGNATURES = 64
"""Signature lines in one note; C2SP asks for at least 16, and each may cost a signature check."""

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


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
class VerifiedSignature:
    """A signature that was checked and is good. timestamp: see `verify_signature`."""

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
            time = verify_signature(text, line.signature, key)
            verified.append(VerifiedSignature(key=key, timestamp=time))
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
    signature = private_key.sign(cosignature_message(text, timestamp))
    return NoteSignature(name=name, key_id=key.key_id, signature=struct.pack(">Q", timestamp) + signature)


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
    require_name(f"{place}, name", parts[1])
    value = parse_base64(place, parts[2])
    if len(value) < 5:
        raise FormatError(place, "a 4-byte key id and a signature", f"{len(value)} bytes")
    return NoteSignature(name=parts[1], key_id=value[:4], signature=value[4:])
