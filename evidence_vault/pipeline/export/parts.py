"""Collects every sealed part of a bundle: histories as far as their reader may see them, proofs, contents.

The histories of the items travel whole, and so does that of the case they are exported with; the other cases they
are in as of the cut. What the reader may not see of a case travels redacted, chain and slot alone; of personal
values those that he may see.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial

from sqlalchemy.orm import Session

from anchors.ethereum.proof import PART
from anchors.opentimestamps.proof import OTS_PART
from anchors.values import value
from evidence_vault.core import layout
from evidence_vault.core.canonical import Json, encode_canonical
from evidence_vault.core.events import LOG, PLATFORM, Subject, parse_event
from evidence_vault.core.names import NETWORK_CLASSES
from evidence_vault.pipeline.cases.sight import Sight
from evidence_vault.pipeline.export.access import Admitted
from evidence_vault.pipeline.export.choice import Choice
from evidence_vault.pipeline.export.readme import Stamp, write_readme
from evidence_vault.pipeline.export.statements import StatementLine, statement_parts
from evidence_vault.pipeline.times.revocation import evidence_parts
from evidence_vault.settings import Settings
from evidence_vault.store.models import Event
from evidence_vault.store.queries import bundles, cases, events

TOKEN_EVENTS = ("TIMESTAMP_OBTAINED", "CHECKPOINT_TIMESTAMPED")


@value
class Part:
    """A sealed file: its digest, and its bytes; body None for an item's content, which stays a blob."""

    sha256: bytes
    body: bytes | None


def collect(
    session: Session, settings: Settings, *, bundle_id: str, admitted: Admitted, choice: Choice
) -> dict[str, Part]:
    """Return every sealed part by path. The subjects of the items, and the log's, are locked by the caller."""
    parts: dict[str, Part] = {}
    disclosed: dict[str, Json] = {}
    stamps: list[Stamp] = []
    statements: list[StatementLine] = []
    evidence: set[bytes] = set()
    evidence_of = cache(partial(evidence_parts, session))  # of one authority mostly, and asked for each token
    add = partial(_add_events, session, parts, stamps, evidence_of=evidence_of)
    for item in admitted.items:
        content = layout.content_path(item.id)
        if item.mode == "content" and item.id in admitted.withheld:
            parts[layout.no_content_path(item.id)] = _part(layout.WITHHELD)
        elif item.mode == "content" and item.sha256 is not None:
            parts[content] = Part(sha256=item.sha256, body=None)
        else:
            parts[layout.no_content_path(item.id)] = _part(layout.NEVER_DEPOSITED)
        subject = Subject(kind="item", id=item.id)
        rows = events.events_of(session, subject)
        add(subject=subject, rows=rows, stamped=content if content in parts else None)
        stated = statement_parts(session, item.id, carried=evidence)
        statements += stated.lines
        parts.update((path, _part(body)) for path, body in stated.parts.items())
        disclosed |= _disclosures(session, admitted.sight, rows)
    for case, rows in _cases(session, admitted, cut=choice.cut.size):
        _add_case(parts, admitted.sight, case, rows)
        disclosed |= _disclosures(session, admitted.sight, rows)
    # The log's own events as of now, not of the cut: the checkpoint M may be signed by a key that the newest names.
    add(subject=LOG, rows=events.events_of(session, LOG), stamped=None)
    logged = bundles.logged_events(session, PLATFORM, below=choice.cut.size)
    add(subject=PLATFORM, rows=[row.event for row in logged], stamped=None)
    for size in sorted({*choice.timed, *choice.anchored}):
        subject = Subject(kind="checkpoint", id=str(size))
        logged = bundles.logged_events(session, subject, below=choice.published)
        note = layout.note_path(size)
        add(subject=subject, rows=[row.event for row in logged], stamped=note)
    bundle = layout.encode_bundle_json(
        origin=settings.origin, bundle_id=bundle_id, item_ids=[item.id for item in admitted.items]
    )
    parts[layout.BUNDLE_JSON] = _part(bundle)
    if disclosed:
        parts[layout.DISCLOSURES] = _part(encode_canonical(disclosed))
    networks = _networks_of(settings, parts)
    parts[layout.README] = _part(
        write_readme(bundle_id=bundle_id, stamps=stamps, networks=networks, statements=statements)
    )
    return parts


def _cases(session: Session, admitted: Admitted, *, cut: int) -> Iterator[tuple[Subject, Sequence[Event]]]:
    """The case that is exported, whole; and as of the cut each other case that one of the items is in by then."""
    if admitted.case is not None:
        yield admitted.case, events.events_of(session, admitted.case)
    item_ids = {item.id for item in admitted.items}
    for case_id in sorted(cases.cases_holding(session, item_ids)):
        case = Subject(kind="case", id=case_id)
        if case == admitted.case:
            continue
        rows = [row.event for row in bundles.logged_events(session, case, below=cut)]
        added = (parse_event(row.raw).fields["item"] for row in rows if row.type == "ITEM_ADDED")
        if any(item_id in item_ids for item_id in added):
            yield case, rows


def _add_case(parts: dict[str, Part], sight: Sight, case: Subject, rows: Iterable[Event]) -> None:
    for row in rows:
        event = parse_event(row.raw)
        if sight.opens(event):
            parts[layout.event_path(case, row.seq)] = _part(row.raw)
        else:
            parts[layout.redacted_path(case, row.seq)] = _part(layout.encode_redacted_event(event))


def _disclosures(session: Session, sight: Sight, rows: Sequence[Event]) -> dict[str, Json]:
    """The personal values that the reader may see, by event."""
    encoded = events.disclosures_of(session, [row.id for row in rows])
    shown = {
        f"{row.subject_id}/{row.seq}": sight.disclosed(
            parse_event(row.raw), [texts[name] for name in sorted(texts)]
        )
        for row in rows
        if (texts := encoded.get(row.id))
    }
    return {place: list[Json](texts) for place, texts in shown.items() if texts}


def _networks_of(settings: Settings, parts: Mapping[str, Part]) -> list[str]:
    """The networks whose proofs travel, as the settings know them, each with what its word is worth."""
    bodies = [part.body for path, part in parts.items() if path.startswith("proof/anchors/") and part.body]
    ethereum = [
        (f'"chain_id":{one.chain_id},', f"{one.name}, chain {one.chain_id}", one.log_class)
        for one in settings.networks
    ]
    bitcoin = [
        (f'"network":"{one.network}"', f"bitcoin {one.network}", one.log_class) for one in settings.bitcoin
    ]
    return [
        f"{name}: {NETWORK_CLASSES[log_class]}"
        for said, name, log_class in (*ethereum, *bitcoin)
        if any(said.encode() in body for body in bodies)
    ]


def _add_events(
    session: Session,
    parts: dict[str, Part],
    stamps: list[Stamp],
    *,
    subject: Subject,
    rows: Sequence[Event],
    stamped: str | None,
    evidence_of: Callable[[bytes], Mapping[str, bytes]],
) -> None:
    """The events of a subject, with the proofs that they record. stamped: the file that its tokens are over."""
    proving = [row.id for row in rows if row.type in (*TOKEN_EVENTS, "CHECKPOINT_ANCHORED")]
    proofs = events.proof_parts_of_all(session, proving) if proving else {}
    for row in rows:
        parts[layout.event_path(subject, row.seq)] = _part(row.raw)
        if row.type in TOKEN_EVENTS:
            folder = layout.timestamp_folder(subject, row.seq)
            proof = proofs[row.id]
            evidence = evidence_of(proof["chain.pem"])
            for name, body in {**proof, **evidence}.items():
                parts[f"{folder}/{name}"] = _part(body)
            if stamped is not None:
                stamps.append(Stamp(folder=folder, over=stamped, response=proof["response.tsr"]))
        elif row.type == "CHECKPOINT_ANCHORED":
            proof = proofs[row.id]
            parts[layout.anchor_path(int(subject.id), row.seq)] = _part(proof[PART])
            if OTS_PART in proof:
                parts[layout.ots_path(int(subject.id), row.seq)] = _part(proof[OTS_PART])


def _part(body: bytes) -> Part:
    return Part(sha256=hashlib.sha256(body).digest(), body=body)


def sealed_digests(parts: Mapping[str, Part]) -> bytes:
    """Return parts.txt."""
    return layout.encode_digest_lines(
        {path: part.sha256 for path, part in parts.items() if layout.is_sealed(path)}
    )
