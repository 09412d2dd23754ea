"""The attestations of a bundle: their files, the checkpoints that give them a time, and how openssl checks them.

A signature is judged at the outside time by which its event was logged, and certificates end: so the first timed
checkpoint above each attestation travels, not only the cut of an export that may come years later.

Evidence about certificates is carried once in a bundle, beside the first attestation that wants it: a large
authority's list has a megabyte, and the verifier judges all signatures of a bundle by all of it.
"""

import hashlib
from collections.abc import Iterable

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.core import layout
from evidence_vault.core.events import Subject
from evidence_vault.pipeline.export.bounds import thinned
from evidence_vault.pipeline.times.revocation import evidence_parts
from evidence_vault.store.queries import attestations, bundles, events, log
from evidence_vault.store.queries.attestations import CHAIN, SIGNATURE

STATEMENT_EVENTS = ("ATTESTED", "ATTESTATION_WITHDRAWN")
MAX_SIZES = 32
"""Checkpoints that travel for the sake of attestations. Of more, some are left out, evenly: what they covered is
then bounded by the next; the last one stays, for after it there may be nothing but the cut, years later."""


@value
class StatementLine:
    """A signed statement of the bundle: its folder, and when the vault recorded it, in Unix seconds."""

    folder: str
    at: int


@value
class StatementParts:
    """Files by path, and a line for each that is signed."""

    parts: dict[str, bytes]
    lines: list[StatementLine]


def sizes_above_statements(
    session: Session, item_ids: Iterable[str], cut: int, *, published: int, tokens: int
) -> set[int]:
    """Return the sizes of the first timed checkpoints above the items' attestations, up to the cut."""
    event_ids = [
        row.id
        for item_id in item_ids
        for row in attestations.events_of_types(session, item_id, STATEMENT_EVENTS)
    ]
    sizes: list[int] = []
    for index in sorted(log.leaf_indexes(session, event_ids).values()):
        if not sizes or sizes[-1] <= index:  # else the same one covers it
            found = bundles.first_timed_above(session, index, published=published, tokens=tokens)
            sizes += [] if found is None or found > cut else [found]
    return set(thinned(sizes, MAX_SIZES))


def statement_parts(session: Session, item_id: str, *, carried: set[bytes]) -> StatementParts:
    """Return what a bundle carries of the item's attestations.

    carried: digests of the evidence that the bundle has already; what is added here is added there.
    """
    subject = Subject(kind="item", id=item_id)
    parts: dict[str, bytes] = {}
    lines: list[StatementLine] = []
    for row in attestations.events_of_types(session, item_id, STATEMENT_EVENTS):
        folder = layout.attestation_folder(subject, row.seq)
        kept = events.proof_parts_of(session, row.id)
        parts |= {f"{folder}/{name}": body for name, body in kept.items()}
        if SIGNATURE not in kept:
            continue
        lines.append(StatementLine(folder=folder, at=int(row.at.timestamp())))
        for name, body in evidence_parts(session, kept[CHAIN]).items():
            digest = hashlib.sha256(body).digest()
            if digest not in carried:
                carried.add(digest)
                parts[f"{folder}/{name}"] = body
    return StatementParts(parts=parts, lines=lines)
