"""The bundle's layout: every path it may hold, what stands there, and the texts that follow from the rest.

    ev-bd_…/bagit.txt bag-info.txt manifest-sha256.txt tagmanifest-sha256.txt    the bag (RFC 8493)
    ev-bd_…/data/<item>/content | NO-CONTENT.txt    the payload
    ev-bd_…/proof/parts.txt bundle.json disclosures.json events/… log/… timestamps/… anchors/…
    ev-bd_…/proof/attestations/…
    ev-bd_…/proof/added/…    later proofs, outside the seal
    ev-bd_…/README.txt certificate.pdf    for people

Paths here are relative to the base folder. Only `parse_path` decides what a path means, only the
functions below it build one.
"""

import re
from collections.abc import Mapping, Sequence
from enum import Enum, auto

from anchors.values import value
from evidence_vault.core.canonical import Json, encode_canonical, parse_canonical
from evidence_vault.core.events import Event, Subject, parse_subject_folder
from evidence_vault.core.names import BUNDLE_ID, ITEM_ID, ORIGIN
from evidence_vault.core.shapes import ListOf, OneOf, Record
from evidence_vault.core.textfields import encode_base64
from evidence_vault.errors import FormatError

BAGIT = "bagit.txt"
BAG_INFO = "bag-info.txt"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
BAG_FILES = (BAGIT, BAG_INFO, MANIFEST, TAG_MANIFEST)
PARTS = "proof/parts.txt"
BUNDLE_JSON = "proof/bundle.json"
DISCLOSURES = "proof/disclosures.json"
README = "README.txt"
CERTIFICATE = "certificate.pdf"
ADDED = "proof/added/"

BAGIT_TEXT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

NEVER_DEPOSITED = (
    "本条目仅存证摘要，从未存入内容。\nOnly a digest was deposited; the vault never held the content.\n"
).encode()
WITHHELD = "内容未随本包提供。\nThe content is withheld from this bundle.\n".encode()

MAX_ITEMS = 1000
"""Items in one bundle."""

_BUNDLE = Record(
    {
        "v": OneOf((1,)),
        "origin": ORIGIN,
        "bundle": BUNDLE_ID,
        "items": ListOf(ITEM_ID, max_items=MAX_ITEMS, sorted_unique=True),
    }
)


class Part(Enum):
    """What may stand in a bundle."""

    BAG = auto()
    README = auto()
    CERTIFICATE = auto()
    CONTENT = auto()
    NO_CONTENT = auto()
    PARTS = auto()
    BUNDLE = auto()
    EVENT = auto()
    REDACTED = auto()
    DISCLOSURES = auto()
    NOTE = auto()
    COSIGS = auto()
    INCLUSION = auto()
    CONSISTENCY = auto()
    REQUEST = auto()
    RESPONSE = auto()
    CHAIN = auto()
    REVOCATION = auto()
    ANCHOR = auto()
    OPENTIMESTAMPS = auto()
    STATEMENT = auto()
    SIGNATURE = auto()


@value
class Path:
    """What a path means. Which of the last fields are set depends on `part`.

    subject, seq: of the event that the part is or belongs to. sizes: of the checkpoints it is about.
    number: of a part in a list (revocation evidence). added: under proof/added, outside the seal.
    """

    part: Part
    subject: Subject | None = None
    seq: int = 0
    sizes: tuple[int, ...] = ()
    number: int = 0
    added: bool = False


_N = r"(0|[1-9][0-9]{0,15})"
_SIZE = r"([1-9][0-9]{0,15})"
_ID = r"([a-z0-9_]{1,40})"
_FILES: tuple[tuple[re.Pattern[str], Part], ...] = tuple(
    (re.compile(pattern), part)
    for pattern, part in (
        (rf"data/{_ID}/content", Part.CONTENT),
        (rf"data/{_ID}/NO-CONTENT\.txt", Part.NO_CONTENT),
        (rf"proof/events/{_ID}/{_N}\.json", Part.EVENT),
        (rf"proof/events/{_ID}/{_N}\.redacted\.json", Part.REDACTED),
        (rf"proof/log/inclusion/{_ID}/{_N}\.tlog-proof", Part.INCLUSION),
        (rf"proof/timestamps/{_ID}/{_N}/request\.tsq", Part.REQUEST),
        (rf"proof/timestamps/{_ID}/{_N}/response\.tsr", Part.RESPONSE),
        (rf"proof/timestamps/{_ID}/{_N}/chain\.pem", Part.CHAIN),
        (rf"proof/timestamps/{_ID}/{_N}/revocation/{_N}\.(?:crl|ocsp)", Part.REVOCATION),
        (rf"proof/attestations/{_ID}/{_N}/statement\.txt", Part.STATEMENT),
        (rf"proof/attestations/{_ID}/{_N}/signature\.p7s", Part.SIGNATURE),
        (rf"proof/attestations/{_ID}/{_N}/chain\.pem", Part.CHAIN),
        (rf"proof/attestations/{_ID}/{_N}/revocation/{_N}\.(?:crl|ocsp)", Part.REVOCATION),
        (rf"proof/(?:added/)?log/{_SIZE}\.note", Part.NOTE),
        (rf"proof/(?:added/)?log/{_SIZE}\.cosigs", Part.COSIGS),
        (rf"proof/(?:added/)?log/consistency/{_SIZE}-{_SIZE}\.json", Part.CONSISTENCY),
        (rf"proof/(?:added/)?anchors/{_ID}/{_N}\.json", Part.ANCHOR),
        (rf"proof/(?:added/)?anchors/{_ID}/{_N}\.ots", Part.OPENTIMESTAMPS),
        (rf"proof/added/timestamps/{_ID}/{_N}/request\.tsq", Part.REQUEST),
        (rf"proof/added/timestamps/{_ID}/{_N}/response\.tsr", Part.RESPONSE),
        (rf"proof/added/timestamps/{_ID}/{_N}/chain\.pem", Part.CHAIN),
        (rf"proof/added/timestamps/{_ID}/{_N}/revocation/{_N}\.(?:crl|ocsp)", Part.REVOCATION),
    )
)
_SINGLE: Mapping[str, Part] = dict.fromkeys(BAG_FILES, Part.BAG) | {
    README: Part.README,
    CERTIFICATE: Part.CERTIFICATE,
    PARTS: Part.PARTS,
    BUNDLE_JSON: Part.BUNDLE,
    DISCLOSURES: Part.DISCLOSURES,
}
_SIZED = {Part.NOTE, Part.COSIGS, Part.CONSISTENCY}
_ABOUT_CHECKPOINTS = {Part.ANCHOR, Part.OPENTIMESTAMPS}


def parse_path(path: str) -> Path:
    """Return what stands at `path`. Raises FormatError for a path that the format doesn't know."""
    if path in _SINGLE:
        return Path(part=_SINGLE[path])
    added = path.startswith(ADDED)
    for pattern, part in _FILES:
        found = pattern.fullmatch(path)
        if not found:
            continue
        groups = found.groups()
        if part in _SIZED:
            return Path(part=part, sizes=tuple(int(size) for size in groups), added=added)
        subject = parse_subject_folder(groups[0], place=path)
        if part in (Part.CONTENT, Part.NO_CONTENT) and subject.kind != "item":
            break
        if subject.kind == "vault":
            break  # what concerns the vault alone never travels
        if (added or part in _ABOUT_CHECKPOINTS) and subject.kind != "checkpoint":
            break
        if part is Part.REDACTED and subject.kind != "case":
            break  # only a case may keep its events from the reader; an item's history travels whole
        numbers = [int(number) for number in groups[1:]]
        return Path(
            part=part,
            subject=subject,
            seq=numbers[0] if numbers else 0,
            number=numbers[1] if len(numbers) > 1 else 0,
            added=added,
        )
    raise FormatError(path, "a path that the bundle format knows")


def base_folder(bundle_id: str) -> str:
    """Return the name of the bundle's one top folder."""
    return f"ev-{bundle_id}"


def content_path(item_id: str) -> str:
    """Return where an item's content stands."""
    return f"data/{item_id}/content"


def no_content_path(item_id: str) -> str:
    """Return where the text stands that says why there is no content."""
    return f"data/{item_id}/NO-CONTENT.txt"


def event_path(subject: Subject, seq: int) -> str:
    """Return where an event stands."""
    return f"proof/events/{subject.id}/{seq}.json"


def redacted_path(subject: Subject, seq: int) -> str:
    """Return where the redacted form of an event stands."""
    return f"proof/events/{subject.id}/{seq}.redacted.json"


def inclusion_path(subject: Subject, seq: int) -> str:
    """Return where the inclusion proof of an event stands."""
    return f"proof/log/inclusion/{subject.id}/{seq}.tlog-proof"


def note_path(size: int, *, added: bool = False) -> str:
    """Return where the signed note of a checkpoint stands."""
    return f"proof/{_added(added)}log/{size}.note"


def cosigs_path(size: int, *, added: bool = False) -> str:
    """Return where the cosignature lines of a checkpoint stand."""
    return f"proof/{_added(added)}log/{size}.cosigs"


def consistency_path(size1: int, size2: int, *, added: bool = False) -> str:
    """Return where the consistency proof between two neighbouring checkpoints stands."""
    return f"proof/{_added(added)}log/consistency/{size1}-{size2}.json"


def encode_consistency(proof: Sequence[bytes]) -> bytes:
    """Return the file of a consistency proof: its hashes, 32 bytes each."""
    return encode_canonical({"v": 1, "proof": list[Json](encode_base64(node) for node in proof)})


def timestamp_folder(subject: Subject, seq: int, *, added: bool = False) -> str:
    """Return the folder of a token: request.tsq, response.tsr, chain.pem, revocation/."""
    return f"proof/{_added(added)}timestamps/{subject.id}/{seq}"


def anchor_path(size: int, seq: int, *, added: bool = False) -> str:
    """Return where the proof of an anchored checkpoint stands."""
    return f"proof/{_added(added)}anchors/{size}/{seq}.json"


def ots_path(size: int, seq: int, *, added: bool = False) -> str:
    """Return where the `.ots` file stands, beside the proof of an OpenTimestamps anchor."""
    return f"proof/{_added(added)}anchors/{size}/{seq}.ots"


def attestation_folder(subject: Subject, seq: int) -> str:
    """Return the folder of an attestation or its withdrawal: statement.txt, signature.p7s, chain.pem."""
    return f"proof/attestations/{subject.id}/{seq}"


def is_sealed(path: str) -> bool:
    """Whether parts.txt must list `path`, unless it is an EXPORTED event (which holds its digest)."""
    return path not in (*BAG_FILES, PARTS) and not path.startswith(("proof/log/", "proof/added/"))


def encode_digest_lines(digests: Mapping[str, bytes]) -> bytes:
    """Return "<hex>  <path>" lines sorted by the bytes of the path: parts.txt and both manifests."""
    return "".join(f"{digests[path].hex()}  {path}\n" for path in sorted(digests)).encode("ascii")


def parse_digest_lines(data: bytes, *, place: str) -> dict[str, bytes]:
    """Return digest by path. Raises FormatError unless `encode_digest_lines` would write these bytes."""
    digests: dict[str, bytes] = {}
    for number, line in enumerate(data.decode("ascii", "replace").splitlines(), 1):
        found = re.fullmatch(r"([0-9a-f]{64})  ([!-~]{1,200})", line)
        if not found:
            raise FormatError(f"{place}, line {number}", '"<64 hex digits>  <path>"', line)
        digests[found[2]] = bytes.fromhex(found[1])
    if encode_digest_lines(digests) != data:
        raise FormatError(place, "lines sorted by path, each path once, each ended by LF")
    return digests


def encode_payload_oxum(sizes: Mapping[str, int]) -> bytes:
    """Return bag-info.txt for the payload files with these sizes in bytes (RFC 8493 §2.2.2)."""
    return f"Payload-Oxum: {sum(sizes.values())}.{len(sizes)}\n".encode("ascii")


def encode_bundle_json(*, origin: str, bundle_id: str, item_ids: list[str]) -> bytes:
    """Return proof/bundle.json."""
    return encode_canonical(
        {"v": 1, "origin": origin, "bundle": bundle_id, "items": list[Json](sorted(item_ids))}
    )


def encode_redacted_event(event: Event) -> bytes:
    """Return what travels in the place of an event that the reader may not see: enough for chain, slot and leaf."""
    return encode_canonical(
        {"v": 1, "seq": event.seq, "event_sha256": event.sha256.hex(), "nonce": event.nonce.hex()}
    )


def parse_bundle_json(data: bytes) -> tuple[str, str, tuple[str, ...]]:
    """Return (origin, bundle id, item ids). Raises FormatError."""
    value = parse_canonical(data, place=BUNDLE_JSON, max_bytes=64 * 1024)
    _BUNDLE.check(value, BUNDLE_JSON)
    match value:
        case {"origin": str(origin), "bundle": str(bundle), "items": [*items]} if items:
            return origin, bundle, tuple(str(item) for item in items)
    raise FormatError(f"{BUNDLE_JSON}.items", "at least one item")


def _added(added: bool) -> str:
    return "added/" if added else ""
