"""What a bundle's files mean: every part found, parsed and named. This is row 1 of the report.

A FormatError from here means *unreadable* (exit 4): a path the format doesn't know, a part that is not its
format, a part that belongs to nothing, a bag that is not complete. Whether the parts are true is for the
checks. Digests that disagree in a well-formed bundle are collected as damage and reported by the row that
owns the file: content 2, proof/log 4, any other 3. Under proof/added all this makes nothing unreadable and nothing
fail: what is wrong there is left out, and told.
"""

from collections.abc import Iterator, Mapping

from anchors.values import field, value
from evidence_vault.core import layout
from evidence_vault.core.canonical import as_object
from evidence_vault.core.events import Event, Subject
from evidence_vault.core.layout import Part
from evidence_vault.core.tlog_proof import TlogProof
from evidence_vault.errors import FormatError
from evidence_vault.verify.anchor_parts import AnchorPart
from evidence_vault.verify.parts import (
    AttestationPart,
    LogNote,
    Parts,
    Position,
    Redacted,
    TokenPart,
)
from evidence_vault.verify.reader import (
    MAX_PROOF_BYTES,
    MAX_TOTAL_PROOF_BYTES,
    BundleFiles,
    FileDigest,
    digest_file,
    read_file,
)

MAX_ADDED_BYTES = 16 * 1024 * 1024
"""Of all parts under proof/added that are read: they must not use up what the sealed ones may have."""


@value
class Damage:
    """A digest that disagrees: the file, the row that owns it, what was expected and found."""

    path: str
    row: int
    check: str
    expected: str
    found: str


@value
class Bundle:
    """A readable bundle. Nothing in it is trusted because it is inside.

    contents: digests of each item's content; None where it is withheld or was never deposited.
    sealed: digest by path of every file that parts.txt must list, EXPORTED events among them.
    spoiled: by path, what is wrong with parts under proof/added that were left out; decayed: those of them whose
    bytes are not those that the bag lists.
    """

    base: str | None
    origin: str
    id: str
    items: tuple[str, ...]
    histories: Mapping[Subject, Mapping[int, Event | Redacted]]
    disclosures: Mapping[Position, tuple[str, ...]]
    notes: Mapping[int, LogNote]
    added_notes: Mapping[int, LogNote]
    inclusion: Mapping[Position, TlogProof]
    consistency: Mapping[tuple[int, int], tuple[bytes, ...]]
    added_consistency: Mapping[tuple[int, int], tuple[bytes, ...]]
    tokens: tuple[TokenPart, ...]
    anchors: tuple[AnchorPart, ...]
    attestations: tuple[AttestationPart, ...]
    parts: Mapping[str, bytes]
    parts_sha256: bytes
    sealed: Mapping[str, bytes]
    contents: Mapping[str, FileDigest | None]
    never_deposited: frozenset[str]
    damage: tuple[Damage, ...]
    spoiled: Mapping[str, FormatError] = field(default_factory=dict)
    decayed: frozenset[str] = frozenset()


def read_bundle(files: BundleFiles) -> Bundle:
    """Return the bundle that the files make up. Raises FormatError naming the place."""
    spoiled: dict[str, FormatError] = {}
    paths = _meanings(files, spoiled)
    for needed in (*layout.BAG_FILES, layout.PARTS, layout.BUNDLE_JSON):
        if needed not in paths:
            raise FormatError(needed, "a file that every bundle has", "none")
    raw, digests = _read_proofs(files, paths, spoiled)
    decayed = _decayed(raw[layout.TAG_MANIFEST], digests)
    spoiled |= decayed
    paths = {path: meaning for path, meaning in paths.items() if path not in spoiled}
    origin, bundle_id, items = layout.parse_bundle_json(raw[layout.BUNDLE_JSON])
    if files.base is not None and files.base != layout.base_folder(bundle_id):
        raise FormatError("base folder", layout.base_folder(bundle_id), files.base)
    found = Parts(paths, raw)
    histories = found.histories()
    contents, never = _contents(
        files=files, paths=paths, raw=raw, items=items, histories=histories, digests=digests
    )
    found.spoiled.update(spoiled)
    return Bundle(
        base=files.base,
        origin=origin,
        id=bundle_id,
        items=items,
        histories=histories,
        disclosures=found.disclosures(histories),
        notes=found.notes(added=False),
        added_notes=found.notes(added=True),
        inclusion=found.inclusion(histories),
        consistency=found.consistency(added=False),
        added_consistency=found.consistency(added=True),
        tokens=found.tokens(),
        anchors=found.anchors(),
        attestations=found.attestations(),
        parts=layout.parse_digest_lines(raw[layout.PARTS], place=layout.PARTS),
        parts_sha256=digests[layout.PARTS].sha256,
        sealed={path: found.sha256 for path, found in digests.items() if layout.is_sealed(path)},
        contents=contents,
        never_deposited=never,
        damage=tuple(_damage(files, raw, digests)),
        spoiled=found.spoiled,
        decayed=frozenset(decayed),
    )


def owner_row(path: str) -> int:
    """Return the row that reports a digest of `path` that disagrees."""
    if path.startswith("data/"):
        return 2
    return 4 if path.startswith("proof/log/") else 3


def row_of_added(path: str) -> int:
    """Return the row that tells of a malformed part under proof/added."""
    kind = path.removeprefix("proof/added/").split("/")[0]
    return {"log": 4, "timestamps": 5, "anchors": 6}.get(kind, 3)


def _meanings(files: BundleFiles, spoiled: dict[str, FormatError]) -> dict[str, layout.Path]:
    meanings: dict[str, layout.Path] = {}
    for path in sorted(files.sizes):
        try:
            meanings[path] = layout.parse_path(path)
        except FormatError as error:
            if not path.startswith(layout.ADDED):
                raise
            spoiled[path] = error
    return meanings


def _read_proofs(
    files: BundleFiles, paths: Mapping[str, layout.Path], spoiled: dict[str, FormatError]
) -> tuple[dict[str, bytes], dict[str, FileDigest]]:
    raw: dict[str, bytes] = {}
    digests: dict[str, FileDigest] = {}
    left, left_added = MAX_TOTAL_PROOF_BYTES, MAX_ADDED_BYTES
    for path in spoiled:
        digests[path] = digest_file(files, path)
    for path, meaning in paths.items():
        if meaning.part is Part.CERTIFICATE:
            digests[path] = digest_file(files, path)
        elif meaning.added and files.sizes[path] > left_added:
            spoiled[path] = FormatError(path, f"at most {MAX_ADDED_BYTES} bytes together", files.sizes[path])
            digests[path] = digest_file(files, path)
        elif meaning.added:
            raw[path], digests[path] = read_file(files, path, max_bytes=left_added)
            left_added -= len(raw[path])
        elif meaning.part is not Part.CONTENT:
            raw[path], digests[path] = read_file(files, path, max_bytes=min(left, MAX_PROOF_BYTES))
            left -= len(raw[path])
    return raw, digests


def _contents(
    *,
    files: BundleFiles,
    paths: Mapping[str, layout.Path],
    raw: Mapping[str, bytes],
    items: tuple[str, ...],
    histories: Mapping[Subject, Mapping[int, Event | Redacted]],
    digests: dict[str, FileDigest],
) -> tuple[dict[str, FileDigest | None], frozenset[str]]:
    contents: dict[str, FileDigest | None] = {}
    never: set[str] = set()
    for item in items:
        subject = Subject(kind="item", id=item)
        if subject not in histories:
            raise FormatError(f"proof/events/{item}", "the events of an item that the bundle names", "none")
        content, no_content = layout.content_path(item), layout.no_content_path(item)
        if (content in paths) == (no_content in paths):
            raise FormatError(f"data/{item}", "either content or NO-CONTENT.txt")
        if content in paths:
            digests[content] = digest_file(files, content, algorithms=_algorithms(histories[subject].get(0)))
            contents[item] = digests[content]
        else:
            if raw[no_content] not in (layout.NEVER_DEPOSITED, layout.WITHHELD):
                raise FormatError(no_content, "one of the two fixed texts", raw[no_content][:60])
            if raw[no_content] == layout.NEVER_DEPOSITED:
                never.add(item)
            contents[item] = None
    for path, meaning in paths.items():
        subject_kind = meaning.subject.kind if meaning.subject else None
        if subject_kind == "item" and meaning.subject and meaning.subject.id not in items:
            raise FormatError(path, "a part of an item that bundle.json names")
    return contents, frozenset(never)


def _algorithms(first: Event | Redacted | None) -> tuple[str, ...]:
    """The hashes that a content must be compared under, in hashlib's names."""
    if not isinstance(first, Event) or first.type != "ITEM_RECEIVED":
        return ()
    return tuple(
        name.replace("-", "_") for name in as_object(first.fields["digests"]) if name != "commitment"
    )


def _decayed(manifest: bytes, digests: Mapping[str, FileDigest]) -> dict[str, FormatError]:
    """What is not as it was put in under proof/added: no fault of what was sealed, and nothing to be read."""
    listed = layout.parse_digest_lines(manifest, place=layout.TAG_MANIFEST)
    return {
        path: FormatError(path, "the bytes that the bag lists", "others")
        for path, found in digests.items()
        if path.startswith(layout.ADDED) and (found.damage or listed.get(path, found.sha256) != found.sha256)
    }


def _damage(
    files: BundleFiles, raw: Mapping[str, bytes], digests: Mapping[str, FileDigest]
) -> Iterator[Damage]:
    """The bag (RFC 8493): complete, or unreadable; valid, or damaged."""
    if raw[layout.BAGIT] != layout.BAGIT_TEXT:
        raise FormatError(layout.BAGIT, "BagIt-Version: 1.0, UTF-8", raw[layout.BAGIT][:80])
    payload = {path: size for path, size in files.sizes.items() if path.startswith("data/")}
    if raw[layout.BAG_INFO] != layout.encode_payload_oxum(payload):
        expected = layout.encode_payload_oxum(payload).decode()
        raise FormatError(layout.BAG_INFO, repr(expected), raw[layout.BAG_INFO][:80])
    tags = set(files.sizes) - payload.keys() - {layout.TAG_MANIFEST}
    for manifest, covered in ((layout.MANIFEST, set(payload)), (layout.TAG_MANIFEST, tags)):
        listed = layout.parse_digest_lines(raw[manifest], place=manifest)
        for path in sorted(covered ^ listed.keys()):
            raise FormatError(manifest, "exactly the files that are there", path)
        for path, expected_sha256 in listed.items():
            if digests[path].sha256 != expected_sha256 and not path.startswith(layout.ADDED):
                yield Damage(
                    path=path,
                    row=owner_row(path),
                    check=f"SHA-256 in {manifest}",
                    expected=expected_sha256.hex(),
                    found=digests[path].sha256.hex(),
                )
    for path, found in digests.items():
        if found.damage and not path.startswith(layout.ADDED):
            error = found.damage
            yield Damage(
                path=path,
                row=owner_row(path),
                check=error.check,
                expected=str(error.expected),
                found=str(error.found),
            )
