"""The parts of a bundle's proof folder, gathered by kind and parsed strictly.

Every malformed or orphaned part raises FormatError naming its path; under proof/added it is left out, and noted in
`spoiled`. That the parts agree with each other and
with what is trusted is for the checks.
"""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TypeVar

from anchors.values import value
from evidence_vault.core import layout
from evidence_vault.core.canonical import as_integer, as_list, as_object, as_text, parse_canonical
from evidence_vault.core.checkpoint import Checkpoint, parse_checkpoint
from evidence_vault.core.disclosures import parse_disclosure
from evidence_vault.core.events import Event, Subject, parse_event, parse_subject_folder
from evidence_vault.core.layout import Part
from evidence_vault.core.names import SHA256
from evidence_vault.core.notes import NoteSignature, parse_note, parse_signatures
from evidence_vault.core.shapes import Integer, ListOf, MapOf, OneOf, Record, Text
from evidence_vault.core.tlog_proof import TlogProof, parse_tlog_proof
from evidence_vault.errors import FormatError
from evidence_vault.verify.anchor_parts import MAX_ANCHORS, AnchorPart, gather_anchors
from evidence_vault.verify.pem import parse_pem_chain
from evidence_vault.verify.reader import MAX_PROOF_BYTES

_REDACTED = Record({"v": OneOf((1,)), "seq": Integer(), "event_sha256": SHA256, "nonce": SHA256})
_CONSISTENCY = Record({"v": OneOf((1,)), "proof": ListOf(Text(r"[A-Za-z0-9+/]{43}=", 44), max_items=128)})
_DISCLOSURES = MapOf(r"[a-z0-9_]{1,40}/(0|[1-9][0-9]{0,15})", ListOf(Text(max_chars=16384), 64), 100_000)

MAX_TOKENS, MAX_ADDED = 10_000, 100
"""Tokens in one bundle, and proofs of a kind under proof/added: each costs signature checks or hashing."""

ParsedT = TypeVar("ParsedT")

Position = tuple[Subject, int]
"""An event by its subject and seq."""


@value
class Redacted:
    """An event whose content the reader may not see: enough for chain, slot and leaf."""

    seq: int
    sha256: bytes
    nonce: bytes


@value
class TokenPart:
    """A time-stamp token with what belongs to it. At `position` stands the event that recorded it.

    Added ones (outside the seal) have the checkpoint as subject and a running number in place of the seq.
    """

    position: Position
    request: bytes
    response: bytes
    chain: tuple[bytes, ...]
    revocation: tuple[bytes, ...]
    added: bool


@value
class AttestationPart:
    """A signed (or, with `signature` None, unsigned) statement about an item."""

    position: Position
    statement: bytes
    signature: bytes | None
    chain: tuple[bytes, ...]
    revocation: tuple[bytes, ...]


PartT = TypeVar("PartT", bound=TokenPart | AnchorPart)


@value
class LogNote:
    """A checkpoint as it travels: the note's bytes, text, content and signature, and its cosignatures."""

    raw: bytes
    text: str
    checkpoint: Checkpoint
    signatures: tuple[NoteSignature, ...]
    cosignatures: tuple[NoteSignature, ...]


class Parts:
    """The parts of a bundle, gathered by kind and parsed; each method returns one kind."""

    def __init__(self, paths: Mapping[str, layout.Path], raw: Mapping[str, bytes]) -> None:
        self._paths = paths
        self._raw = raw
        self.spoiled: dict[str, FormatError] = {}
        self._evidence: dict[str, list[bytes]] = {}
        for path, _ in self._of(Part.REVOCATION):
            self._evidence.setdefault(path.rpartition("/")[0], []).append(raw[path])

    @contextmanager
    def _aside(self, path: str, meaning: layout.Path) -> Iterator[None]:
        """What is malformed under proof/added is noted and left out: it is outside the seal, anybody may add."""
        try:
            yield
        except FormatError as error:
            if not meaning.added:
                raise
            self.spoiled[path] = error

    def _few(self, found: Sequence[PartT], most: int, place: str) -> tuple[PartT, ...]:
        """All of them if they aren't too many; of added ones the first, and it is noted."""
        sealed = [part for part in found if not part.added]
        added = [part for part in found if part.added]
        if len(sealed) > most:
            raise FormatError(place, f"at most {most}", len(sealed))
        if len(added) > MAX_ADDED:
            place = place.replace("proof/", "proof/added/")
            self.spoiled[place] = FormatError(place, f"at most {MAX_ADDED} of a kind", len(added))
        return (*sealed, *added[:MAX_ADDED])

    def _of(self, *parts: Part, added: bool | None = None) -> Iterator[tuple[str, layout.Path]]:
        for path, meaning in self._paths.items():
            if meaning.part in parts and (added is None or meaning.added == added):
                yield path, meaning

    def histories(self) -> dict[Subject, dict[int, Event | Redacted]]:
        """Events by subject and seq, as their paths claim; that they say the same is row 3."""
        histories: dict[Subject, dict[int, Event | Redacted]] = {}
        for path, meaning in self._of(Part.EVENT, Part.REDACTED):
            subject, link = _subject(meaning), self._link(path, meaning)
            if meaning.seq in histories.setdefault(subject, {}):
                raise FormatError(path, "an event either whole or redacted")
            histories[subject][meaning.seq] = link
        # Checkpoints in the order of their sizes: people read the findings in this order.
        return dict(
            sorted(histories.items(), key=lambda entry: (entry[0].kind, len(entry[0].id), entry[0].id))
        )

    def _link(self, path: str, meaning: layout.Path) -> Event | Redacted:
        if meaning.part is Part.EVENT:
            return parse_event(self._raw[path], place=path)
        value = parse_canonical(self._raw[path], place=path, max_bytes=1024)
        _REDACTED.check(value, path)
        fields = as_object(value)
        return Redacted(
            seq=as_integer(fields["seq"]),
            sha256=bytes.fromhex(as_text(fields["event_sha256"])),
            nonce=bytes.fromhex(as_text(fields["nonce"])),
        )

    def disclosures(
        self, histories: Mapping[Subject, Mapping[int, Event | Redacted]]
    ) -> dict[Position, tuple[str, ...]]:
        """Disclosures by event, well-formed; that the event holds their digests is row 3."""
        if layout.DISCLOSURES not in self._raw:
            return {}
        value = parse_canonical(
            self._raw[layout.DISCLOSURES], place=layout.DISCLOSURES, max_bytes=MAX_PROOF_BYTES
        )
        _DISCLOSURES.check(value, layout.DISCLOSURES)
        found: dict[Position, tuple[str, ...]] = {}
        for key, texts in as_object(value).items():
            folder, _, seq = key.partition("/")
            subject = parse_subject_folder(folder, place=f"{layout.DISCLOSURES} {key}")
            if not isinstance(histories.get(subject, {}).get(int(seq)), Event):
                raise FormatError(layout.DISCLOSURES, "the key of an event that is carried", key)
            for i, text in enumerate(as_list(texts)):
                parse_disclosure(as_text(text), place=f"{layout.DISCLOSURES} {key}[{i}]")
            found[subject, int(seq)] = tuple(as_text(text) for text in as_list(texts))
        return found

    def notes(self, *, added: bool) -> dict[int, LogNote]:
        """Checkpoints by the size in their file name; that the text agrees is row 4."""
        notes: dict[int, LogNote] = {}
        for path, meaning in self._of(Part.NOTE, added=added):
            with self._aside(path, meaning):
                if added and len(notes) == MAX_ADDED:
                    raise FormatError(path, f"at most {MAX_ADDED} checkpoints added later")
                notes[meaning.sizes[0]] = self._note(path, layout.cosigs_path(meaning.sizes[0], added=added))
        for path, meaning in self._of(Part.COSIGS, added=added):
            with self._aside(path, meaning):
                if meaning.sizes[0] not in notes:
                    raise FormatError(path, "a note that it cosigns")
        if not notes and not added:
            raise FormatError("proof/log", "at least one checkpoint", "none")
        return notes

    def _note(self, path: str, cosigs: str) -> LogNote:
        note = _parse(parse_note, self._raw, path)
        if len(note.signatures) != 1:
            raise FormatError(path, "exactly one signature line", len(note.signatures))
        return LogNote(
            raw=self._raw[path],
            text=note.text,
            checkpoint=_parse(lambda data: parse_checkpoint(parse_note(data).text), self._raw, path),
            signatures=note.signatures,
            cosignatures=_parse(parse_signatures, self._raw, cosigs) if cosigs in self._raw else (),
        )

    def inclusion(
        self, histories: Mapping[Subject, Mapping[int, Event | Redacted]]
    ) -> dict[Position, TlogProof]:
        """Inclusion proofs by event."""
        proofs: dict[Position, TlogProof] = {}
        for path, meaning in self._of(Part.INCLUSION):
            if meaning.seq not in histories.get(_subject(meaning), {}):
                raise FormatError(path, "an event that is carried")
            proof = _parse(parse_tlog_proof, self._raw, path)
            if proof.extra is not None:
                raise FormatError(path, "no extra line", proof.extra[:60])
            proofs[_subject(meaning), meaning.seq] = proof
        return proofs

    def consistency(self, *, added: bool) -> dict[tuple[int, int], tuple[bytes, ...]]:
        """Consistency proofs by their two sizes, exactly between neighbouring checkpoints.

        A missing one is row 4's to report; one that joins no neighbours is unreadable. Under proof/added, where
        anybody may have put a checkpoint in between, one joins any two of M and the added ones.
        """
        sizes = sorted(meaning.sizes[0] for _, meaning in self._of(Part.NOTE, added=False))
        joined = set(pairwise(sizes))
        ends = {meaning.sizes[0] for _, meaning in self._of(Part.NOTE, added=True)} | {*sizes[-1:]}
        proofs: dict[tuple[int, int], tuple[bytes, ...]] = {}
        for path, meaning in self._of(Part.CONSISTENCY, added=added):
            size1, size2 = meaning.sizes
            with self._aside(path, meaning):
                if added and not (size1 < size2 and {size1, size2} <= ends):
                    raise FormatError(path, "two of M and the checkpoints that were added")
                if not added and (size1, size2) not in joined:
                    raise FormatError(path, "two neighbouring checkpoints of this bundle")
                document = parse_canonical(self._raw[path], place=path, max_bytes=16 * 1024)
                _CONSISTENCY.check(document, path)
                hashes = as_list(as_object(document)["proof"])
                proofs[size1, size2] = tuple(_node_hash(as_text(text), path) for text in hashes)
        return proofs

    def tokens(self) -> tuple[TokenPart, ...]:
        """Tokens, each complete: request, response, chain."""
        found: list[TokenPart] = []
        folders = {
            path.rpartition("/")[0]: meaning
            for path, meaning in self._of(Part.REQUEST, Part.RESPONSE, Part.CHAIN, Part.REVOCATION)
            if "/timestamps/" in path
        }
        for folder, meaning in folders.items():
            with self._aside(folder, meaning):
                if not folder.endswith("/revocation"):
                    found.append(self._token(folder, meaning))
                elif folder.removesuffix("/revocation") not in folders:
                    raise FormatError(folder, "a token that it belongs to")
        return self._few(found, MAX_TOKENS, "proof/timestamps")

    def _token(self, folder: str, meaning: layout.Path) -> TokenPart:
        for name in ("request.tsq", "response.tsr", "chain.pem"):
            if f"{folder}/{name}" not in self._raw:
                raise FormatError(f"{folder}/{name}", "a file that every token has", "none")
        return TokenPart(
            position=(_subject(meaning), meaning.seq),
            request=self._raw[f"{folder}/request.tsq"],
            response=self._raw[f"{folder}/response.tsr"],
            chain=parse_pem_chain(self._raw[f"{folder}/chain.pem"], place=f"{folder}/chain.pem"),
            revocation=self._revocation(folder),
            added=meaning.added,
        )

    def _revocation(self, folder: str) -> tuple[bytes, ...]:
        return tuple(self._evidence.get(f"{folder}/revocation", ()))

    def anchors(self) -> tuple[AnchorPart, ...]:
        """Anchor proofs, by their kind; each kind parses its own."""
        paths = list(self._of(Part.ANCHOR, Part.OPENTIMESTAMPS))
        found = gather_anchors(paths, self._raw, aside=self._aside)
        return self._few(found, MAX_ANCHORS, "proof/anchors")

    def attestations(self) -> tuple[AttestationPart, ...]:
        """Statements with their signatures."""
        found: list[AttestationPart] = []
        for path, meaning in self._of(Part.STATEMENT):
            folder = path.rpartition("/")[0]
            signature = self._raw.get(f"{folder}/signature.p7s")
            pem = self._raw.get(f"{folder}/chain.pem")
            if (signature is None) != (pem is None):
                raise FormatError(folder, "a signature with its chain, or neither")
            found.append(
                AttestationPart(
                    position=(_subject(meaning), meaning.seq),
                    statement=self._raw[path],
                    signature=signature,
                    chain=parse_pem_chain(pem, place=f"{folder}/chain.pem") if pem is not None else (),
                    revocation=self._revocation(folder),
                )
            )
        stated = {part.position for part in found}
        for path, meaning in self._of(Part.SIGNATURE, Part.CHAIN, Part.REVOCATION):
            if path.startswith("proof/attestations/") and (_subject(meaning), meaning.seq) not in stated:
                raise FormatError(path, "a statement that it belongs to")
        return tuple(found)


def _parse(parse: Callable[[bytes], ParsedT], raw: Mapping[str, bytes], path: str) -> ParsedT:
    """Return what `parse` makes of the file; its FormatError then names the file too."""
    try:
        return parse(raw[path])
    except FormatError as error:
        raise FormatError(f"{path}: {error.place}", error.expected, error.found) from None


def _subject(meaning: layout.Path) -> Subject:
    if meaning.subject is None:
        raise FormatError("path", "a subject", meaning)
    return meaning.subject


def _node_hash(text: str, place: str) -> bytes:
    data = base64.b64decode(text)
    if base64.b64encode(data).decode() != text:
        raise FormatError(place, "padded base64, in its one encoding", text)
    return data
