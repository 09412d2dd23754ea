"""The log's keys, as its own events name them: part (4) of row 4.

    (a) leaf 0 is LOG_OPENED, which names the first key
    (b) each KEY_ROTATED takes over from the key that is in use, and brings one that never was
    (c) r, the smallest carried checkpoint above it, bears the new key's line beside the old key's
    (d) every checkpoint is signed by the key that was in use at its size: up to r the old one, above r the new one

So a key of the policy can't serve a second log, a retired key can't sign on, and whoever holds only one of the
two keys can't make a rotation. What no bundle shows: a history in which KEY_ROTATED never happened, signed by a
stolen old key alone. Against that the policy has `last_size`.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from anchors.values import value
from evidence_vault.core import layout
from evidence_vault.core.canonical import as_text
from evidence_vault.core.events import LOG, Event
from evidence_vault.core.note_keys import SignatureType, VerifierKey, encode_vkey, parse_vkey
from evidence_vault.core.notes import Verified, verify_signatures
from evidence_vault.errors import FormatError, VerificationError
from evidence_vault.verify.contents import Bundle
from evidence_vault.verify.parts import Position
from evidence_vault.verify.report import Findings
from evidence_vault.verify.trust import TrustedLog

ROW = 4


@value
class Rotation:
    """A KEY_ROTATED of purpose `log`: its place in the log and its words."""

    place: str
    index: int
    old_vkey: str
    new_vkey: str


def check_keys(
    bundle: Bundle,
    signers: Mapping[int, TrustedLog],
    index: Mapping[Position, int],
    *,
    findings: Findings,
) -> None:
    """Check who signed against what the log says. signers: the policy's key that signed, by size."""
    # (a) One key, one log: the log itself says whose it is.
    events = [link for _, link in sorted(bundle.histories.get(LOG, {}).items()) if isinstance(link, Event)]
    if not events or events[0].type != "LOG_OPENED" or events[0].seq != 0 or index.get((LOG, 0)) != 0:
        findings.failed(ROW, "log.not-opened", "log/0")
        return
    in_use = as_text(events[0].fields["log_vkey"])
    named, spans, above = [in_use], [(0, in_use)], 0
    for rotation in _rotations(events, index):
        # (b) No key comes back: what it signed in its time and what it signs now would look alike.
        if rotation.old_vkey != in_use:
            findings.failed(ROW, "log.rotation", rotation.place, expected=in_use, found=rotation.old_vkey)
        if rotation.new_vkey in named:
            findings.failed(
                ROW, "log.rotation", rotation.place, expected="a new key", found=rotation.new_vkey
            )
        # (c) An old key that was stolen can't rotate to a key that its thief doesn't hold, nor back.
        r = min((size for size in bundle.notes if size > rotation.index), default=None)
        if r is None or r == above:
            findings.failed(ROW, "log.rotation", rotation.place, expected="a checkpoint of its own", found=r)
            return
        _check_line(bundle, rotation, r, findings=findings)
        in_use, above = rotation.new_vkey, r
        named.append(in_use)
        spans.append((r, in_use))
    # (d) Whatever ranges the policy gives, or forgets to give.
    for size, signer in sorted(signers.items()):
        vkey = encode_vkey(signer.key)
        expected = [key for from_size, key in spans if from_size < size][-1]
        if vkey not in named:
            findings.failed(
                ROW, "log.unnamed-key", layout.note_path(size), found=vkey, expected=", ".join(named)
            )
        elif vkey != expected:
            findings.failed(ROW, "log.key-order", layout.note_path(size), found=vkey, expected=expected)


def own_keys(bundle: Bundle) -> list[VerifierKey]:
    """Return every key that the log's own events name, of whatever purpose; what is none is passed over."""
    found: list[VerifierKey] = []
    for event in bundle.histories.get(LOG, {}).values():
        for name in ("log_vkey", "receipt_vkey", "old_vkey", "new_vkey"):
            if isinstance(event, Event) and name in event.fields:
                with suppress(FormatError):
                    found.append(parse_vkey(as_text(event.fields[name])))
    return found


def _rotations(events: Sequence[Event], index: Mapping[Position, int]) -> list[Rotation]:
    return [
        Rotation(
            place=f"log/{event.seq}",
            index=index[LOG, event.seq],
            old_vkey=as_text(event.fields["old_vkey"]),
            new_vkey=as_text(event.fields["new_vkey"]),
        )
        for event in events
        if event.type == "KEY_ROTATED" and event.fields["purpose"] == "log" and (LOG, event.seq) in index
    ]


def _check_line(bundle: Bundle, rotation: Rotation, r: int, *, findings: Findings) -> None:
    """(c). Without the new key's own line, anybody's key could be named, also one that nobody holds."""
    place, note = layout.cosigs_path(r), bundle.notes[r]
    try:
        key = _log_key(rotation.new_vkey, bundle.origin)
        verdict = verify_signatures(note.text, note.cosignatures, trusted=[key])
    except (FormatError, VerificationError) as error:
        findings.failed(
            ROW, "log.rotation", place, expected=f"a line by {rotation.new_vkey}", found=str(error)
        )
        return
    if not isinstance(verdict, Verified):
        findings.failed(ROW, "log.rotation", place, expected=f"a line by {rotation.new_vkey}", found="none")


def _log_key(vkey: str, origin: str) -> VerifierKey:
    key = parse_vkey(vkey)
    if key.name != origin or key.type is not SignatureType.ED25519:
        raise FormatError("new_vkey", f"a key named {origin}, of the type 0x01", vkey)
    return key
