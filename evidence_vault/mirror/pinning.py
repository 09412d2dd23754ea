"""Which keys a mirror believes: given by whoever keeps it, or taken from the server once and kept for ever.

A key taken at first use shows that the log is from then on the same one, not whose it is. The server names its
keys in the file `vkey`, one a line; compare it with one that came another way.
"""

from collections.abc import Sequence

from evidence_vault.core.note_keys import VerifierKey, encode_vkey, parse_vkey
from evidence_vault.errors import ConfigError, FormatError
from evidence_vault.mirror.folder import MAX_VKEYS_BYTES, MirrorFolder
from evidence_vault.mirror.source import Source

VKEY = "vkey"


def pin_keys(mirror: MirrorFolder, source: Source, given: Sequence[VerifierKey]) -> bool:
    """Make sure that the mirror is pinned; return whether to a key that the server named just now.

    given: keys of the log; after a rotation the new one beside those that are pinned. Raises ConfigError if
    they aren't the pinned ones and more, or if there is none to pin; FormatError for a key file that is none.
    """
    kept = mirror.pinned_keys()
    if kept and (not given or set(given) == set(kept)):
        return False
    if kept and not set(kept) < set(given):
        pinned = ", ".join(encode_vkey(key) for key in kept)
        raise ConfigError(
            "vkey", f"this mirror is pinned to {pinned}; give that too, and further ones of this log"
        )
    keys = list(given) or _named_by(source)
    if len({key.name for key in keys}) != 1:
        raise ConfigError("vkey", "keys of one log have one name, its origin")
    mirror.pin(keys)
    return not given


def _named_by(source: Source) -> list[VerifierKey]:
    text = source.fetch(VKEY, max_bytes=MAX_VKEYS_BYTES)
    if text is None:
        raise ConfigError("vkey", f"{source.name} does not name its key: give it with --vkey")
    try:
        return [parse_vkey(line) for line in text.decode("ascii").splitlines()]
    except UnicodeDecodeError:
        raise FormatError("vkey", "ASCII", text[:80]) from None
