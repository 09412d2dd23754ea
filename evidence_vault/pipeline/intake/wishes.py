"""What a depositor asks for, checked before a byte of content is read.

Names are kept as given and shown as given; they are never a path. So a name must not look like one.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping

from anchors.values import value
from evidence_vault.core.canonical import Json, encode_canonical
from evidence_vault.errors import FormatError
from evidence_vault.pipeline.record import EventActor
from evidence_vault.settings import Settings

_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}(?:;[\x20-\x7e]{1,200})?")
_NOTE = re.compile(r"[^\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]{1,2000}")
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_REFUSED_CATEGORIES = {"Cc": "control characters", "Cs": "lone surrogates", "Zl": "line separators"}
_REFUSED_CATEGORIES["Zp"] = "paragraph separators"


@value
class Wish:
    """A deposit as it was asked for.

    declared_sha256 (32 bytes), declared_size: what the depositor says the content is; it must agree.
    idempotency_key: the same key, actor and endpoint again is the same deposit. token_sha256: the bearer token
    that let the actor in, if one did; it must still be good when the deposit is committed.
    """

    actor: EventActor
    file_name: str | None = None
    media_type: str | None = None
    note: str | None = None
    secret: bool = False
    declared_sha256: bytes | None = None
    declared_size: int | None = None
    idempotency_key: str | None = None
    token_sha256: bytes | None = None
    endpoint: str = "POST /v1/items"

    def disclosures(self) -> Mapping[str, str]:
        """Return the personal values that go with the event, by name."""
        given = {"file_name": self.file_name, "media_type": self.media_type, "note": self.note}
        return {name: value for name, value in given.items() if value is not None}

    def bound_sha256(self, *, mode: str, digests: Mapping[str, Json], size: int | None) -> bytes:
        """Return the digest that an idempotency key is bound to: digests, size and metadata.

        Of content only its SHA-256: which others are taken is the vault's setting, and it may change between a
        request and its repetition.
        """
        bound: dict[str, Json] = {
            "mode": mode,
            "digests": {"sha256": digests["sha256"]} if mode == "content" else dict(digests),
            "size": size,
            "secret": self.secret,
            "metadata": dict(self.disclosures()),
        }
        if self.actor.on_behalf_of is not None:  # the same for another holder is another deposit
            bound["on_behalf_of"] = self.actor.on_behalf_of
        return hashlib.sha256(encode_canonical(bound)).digest()


def check_wish(wish: Wish, settings: Settings) -> None:
    """Raise FormatError, naming the place, for what can't be kept."""
    if wish.file_name is not None:
        _check_file_name(wish.file_name, settings)
    if wish.media_type is not None and not _MEDIA_TYPE.fullmatch(wish.media_type):
        raise FormatError("media type", "type/subtype (RFC 9110 §8.3)", wish.media_type)
    if wish.note is not None and not _NOTE.fullmatch(wish.note):
        raise FormatError("note", "1 to 2000 characters without control characters", wish.note)
    check_key(wish.idempotency_key)
    if wish.declared_sha256 is not None and len(wish.declared_sha256) != 32:
        raise FormatError("declared digest", "32 bytes", len(wish.declared_sha256))


def check_key(key: str | None) -> None:
    """Raise FormatError for what can't be an idempotency key. None: there is none."""
    if key is not None and not _KEY.fullmatch(key):
        raise FormatError("idempotency key", "1 to 200 visible ASCII characters", key)


def _check_file_name(name: str, settings: Settings) -> None:
    place = "file name"
    if not name or len(name) > settings.max_file_name_chars:
        raise FormatError(place, f"1 to {settings.max_file_name_chars} characters", len(name))
    for character in name:
        if refused := _REFUSED_CATEGORIES.get(unicodedata.category(character)):
            raise FormatError(place, f"no {refused}", name)
    if len(name.encode()) > settings.max_file_name_bytes:
        raise FormatError(place, f"at most {settings.max_file_name_bytes} bytes in UTF-8", len(name.encode()))
    if "/" in name or "\\" in name or name in {".", ".."}:
        raise FormatError(place, "a name, not a path", name)
