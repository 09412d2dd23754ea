"""Export: items go in, a sealed bundle that our own verifier has read comes out.

    request ──► READY ──(seal)──► READY ──(a checkpoint covers EXPORTED)──► SPOOLED ──(verify)──► VERIFIED

1. *seal*, one transaction: decide again who may have what, choose the cut, freeze the parts, commit EXPORTED with
   their digest as the newest event of each item, and of the case. From here on the bundle's bytes are determined.
2. *write*, once a published checkpoint M covers every EXPORTED: log proofs against M, the zip to the spool.
3. *verify*: our own verifier reads the file before anyone else does; what fails is never handed out.

Durable after return: each step's rows; in (2) the flushed file. A crash before a commit means the step is taken
again, with the same bytes: parts are frozen, M is chosen once. A crash after it means the next step.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.orm import Session

from evidence_vault.access.facts import Requester
from evidence_vault.core import layout
from evidence_vault.core.bundle import BundleFile, file_of_bytes, write_bundle
from evidence_vault.core.events import Subject
from evidence_vault.core.states import JobState
from evidence_vault.durable import storage_errors
from evidence_vault.errors import IntegrityError, UnavailableError
from evidence_vault.pipeline.cases.entering import access_why, event_actor, note_refusal
from evidence_vault.pipeline.custody.looks import NOT_THE_DISK, look_at, record_looks
from evidence_vault.pipeline.export.access import Admitted, Ended, admit
from evidence_vault.pipeline.export.choice import Choice, choose
from evidence_vault.pipeline.export.log import bundle_sizes, log_files
from evidence_vault.pipeline.export.parts import Part, collect, sealed_digests
from evidence_vault.pipeline.export.trust import vault_policy
from evidence_vault.pipeline.record import Draft, append_events
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.custody_models import SOUND
from evidence_vault.store.models import Export, Item
from evidence_vault.store.queries import events, exports, items, jobs, log, sweep
from evidence_vault.verify.report import Finding, Report, Verdict
from evidence_vault.verify.verifier import verify_path

_NO_COVER = "waits for the checkpoint that holds the export itself"


class DamagedContentError(IntegrityError):
    """The stored content of `item_id` is no longer what was deposited."""

    def __init__(self, item_id: str, error: IntegrityError) -> None:
        self.item_id = item_id
        super().__init__(error.place, error.expected, error.found)


def advance_export(vault: Vault, job: jobs.Claimed) -> None:
    """Take the next step of an export and record it."""
    bundle_id = job.subject.id
    with vault.database.read() as session:
        export = exports.get_export(session, bundle_id)
    if export is None:
        raise IntegrityError(f"export {bundle_id}", "a row", "none")
    if job.state is JobState.SPOOLED:
        _verify(vault, job, export)
    elif job.state is JobState.VERIFIED:
        _expire(vault, job, export)
    elif export.parts_sha256 is None:
        _seal(vault, job, export)
    else:
        _write(vault, job, export)


def spool_path(vault: Vault, bundle_id: str) -> Path:
    """Return where the finished bundle lies until it expires."""
    return vault.settings.home / "spool" / f"{layout.base_folder(bundle_id)}.zip"


def _seal(vault: Vault, job: jobs.Claimed, export: Export) -> None:
    """Step 1. A crash before the commit leaves nothing; after it, the parts and EXPORTED stand for ever."""
    refused: Ended | None = None
    with vault.database.write() as session:
        now = vault.clock()
        try:
            admitted = admit(vault, session, export)
        except Ended as ended:
            refused = ended
            jobs.record(session, job, JobState.FAILED, now=now, run_at=None, error=_why_ended(ended))
        else:
            _freeze(vault, session, job, export, admitted)
    if refused is not None:
        _note_refusal(vault, export, refused)


def _freeze(vault: Vault, session: Session, job: jobs.Claimed, export: Export, admitted: Admitted) -> None:
    now = vault.clock()
    choice = choose(
        session,
        admitted.items,
        case=admitted.case,
        authorities=[authority.name for authority in vault.settings.authorities],
        full_chain=bool(export.options["full_chain"]),
    )
    if choice is None:
        _again(vault, session, job, now, _why_no_cut(vault))
        return
    parts = collect(session, vault.settings, bundle_id=export.id, admitted=admitted, choice=choice)
    parts_text = sealed_digests(parts)
    parts_sha256 = hashlib.sha256(parts_text).digest()
    parts[layout.PARTS] = Part(sha256=parts_sha256, body=parts_text)
    seals = [
        _exported(export, admitted, subject, choice=choice, parts_sha256=parts_sha256)
        for subject in admitted.permissions
    ]
    for recorded in append_events(vault, session, seals):
        if recorded.event.subject == admitted.case:
            exports.update_export(session, export.id, case_event_id=recorded.event_id)
        else:
            exports.set_exported_event(session, export.id, recorded.event.subject.id, recorded.event_id)
    exports.freeze_parts(session, export.id, {path: (part.sha256, part.body) for path, part in parts.items()})
    exports.update_export(
        session,
        export.id,
        cut_size=choice.cut.size,
        parts_sha256=parts_sha256,
        options={**export.options, "sizes": list(choice.sizes), "withheld": sorted(admitted.withheld)},
    )
    _again(vault, session, job, now, _NO_COVER)


def _exported(
    export: Export, admitted: Admitted, subject: Subject, *, choice: Choice, parts_sha256: bytes
) -> Draft:
    return Draft(
        subject=subject,
        type="EXPORTED",
        actor=event_actor(admitted.requester),
        why=access_why(admitted.permissions[subject]),
        fields={
            "bundle": export.id,
            "cut": {"size": choice.cut.size, "root": choice.cut.root_hash.hex()},
            "parts_sha256": parts_sha256.hex(),
        },
    )


def _note_refusal(vault: Vault, export: Export, ended: Ended) -> None:
    """Count it, and mark it on the item, as a refusal at the door; a crash before leaves the job's reason alone."""
    actor = Requester(
        actor_id=export.actor_id,
        role=export.options["role"],
        scopes=frozenset(),
        auth=export.options["auth"],
        on_behalf_of=export.options["on_behalf_of"],
    )
    note_refusal(vault, actor, ended, ended.asked_id)


def _why_ended(ended: Ended) -> str:
    return f"the right to {ended.asked_id} ended ({ended.reason}) before the bundle was sealed; nothing is exported"


def _write(vault: Vault, job: jobs.Claimed, export: Export) -> None:
    """Step 2. A crash before the commit leaves a file that the next try replaces with the same bytes."""
    with vault.database.write() as session:
        now = vault.clock()
        size = _covering_checkpoint(session, export)
        if size is None:
            _again(vault, session, job, now, _NO_COVER)
            return
        exports.update_export(session, export.id, checkpoint_size=size)
    with vault.database.read() as session:
        frozen = {part.path: part for part in exports.frozen_parts(session, export.id)}
        wanted = exports.export_items(session, export.id)
        found = {row.item_id: _item(items.get_item(session, row.item_id), row.item_id) for row in wanted}
        files = {path: file_of_bytes(part.body) for path, part in frozen.items() if part.body is not None}
        for item in found.values():
            path = layout.content_path(item.id)
            if path in frozen:
                files[path] = _content(vault, item)
        for event_id in _seal_events(session, export):
            event = events.get_event(session, event_id)
            subject = Subject(kind=event.subject_kind, id=event.subject_id)
            files[layout.event_path(subject, event.seq)] = file_of_bytes(event.raw)
        sizes = bundle_sizes(vault, session, chosen=map(int, export.options["sizes"]), newest=size)
        proofs = log_files(vault, session, sizes=sizes, event_paths=list(files))
    files.update({path: file_of_bytes(data) for path, data in proofs.items()})
    try:
        length, sha256 = _save(
            spool_path(vault, export.id), lambda out: write_bundle(out, bundle_id=export.id, files=files)
        )
    except DamagedContentError as error:
        _note_damage(vault, job, error)
        return
    with vault.database.write() as session:
        exports.update_export(session, export.id, bundle_sha256=sha256, bundle_size=length)
        jobs.record(session, job, JobState.SPOOLED, now=vault.clock(), run_at=vault.clock())


def _note_damage(vault: Vault, job: jobs.Claimed, error: DamagedContentError) -> None:
    """An item's bytes went bad: an event of the item, for ever, and the end of this export; others go on."""
    with vault.database.read() as session:
        content = sweep.content_of(session, error.item_id)
    look = None if content is None else look_at(vault, content)
    if look is None or look.state == SOUND:
        raise UnavailableError("content", f"{error}; read again it was whole")
    with vault.database.write() as session:
        sweep.begin(session)
        record_looks(vault, session, {error.item_id: look})
        exports.drop_parts(session, job.subject.id)
        jobs.record(session, job, JobState.FAILED, now=vault.clock(), run_at=None, error=str(error))


def _covering_checkpoint(session: Session, export: Export) -> int | None:
    """The first published checkpoint above every EXPORTED, chosen once; None while there is none.

    The first, because a later one may be signed by a key that a rotation named after the parts were frozen.
    """
    if export.checkpoint_size is not None:
        return export.checkpoint_size
    event_ids = _seal_events(session, export)
    indexes = log.leaf_indexes(session, event_ids)
    if len(indexes) < len(event_ids):
        return None
    first = log.first_published_above(session, max(indexes.values()))
    return None if first is None else first.size


def _seal_events(session: Session, export: Export) -> list[int]:
    """The EXPORTED of each item, and of the case."""
    found: list[int] = [] if export.case_event_id is None else [export.case_event_id]
    for row in exports.export_items(session, export.id):
        if row.event_id is None:
            raise IntegrityError(f"export {export.id}", "an EXPORTED event", row.item_id)
        found.append(row.event_id)
    return found


def _verify(vault: Vault, job: jobs.Claimed, export: Export) -> None:
    """Step 3. INDETERMINATE is no fault of the bundle: it may be young, or its block not confirmed yet."""
    now = vault.clock()
    with vault.database.read() as session:
        policy = vault_policy(vault, session)
    report = verify_path(spool_path(vault, export.id), policy, at=now)
    with vault.database.write() as session:
        if report.verdict in (Verdict.TOTAL_FAILED, Verdict.UNREADABLE):
            exports.drop_parts(session, export.id)
            jobs.record(session, job, JobState.FAILED, now=now, run_at=None, error=_why(report))
            return
        expires_at = now + timedelta(hours=vault.settings.export_keep_hours)
        exports.update_export(session, export.id, expires_at=expires_at)
        jobs.record(session, job, JobState.VERIFIED, now=now, run_at=expires_at)


def _expire(vault: Vault, job: jobs.Claimed, export: Export) -> None:
    """The spooled file goes, and the parts with their personal values; the record of the export stays."""
    spool_path(vault, export.id).unlink(missing_ok=True)
    with vault.database.write() as session:
        exports.drop_parts(session, export.id)
        jobs.record(session, job, JobState.EXPIRED, now=vault.clock(), run_at=None)


def _why(report: Report) -> str:
    wrong = [
        " ".join((f"row {row.number} {finding.code} {finding.place}", *_facts(finding)))
        for item in report.items
        for row in item.rows
        for finding in row.findings
        if finding.status == "FAILED"
    ]
    return "our own verifier refuses the bundle: " + ("; ".join(wrong[:5]) or str(report.unreadable))


def _facts(finding: Finding) -> list[str]:
    return [f"{name} {value}" for name, value in finding.values.items() if value != finding.place]


def _why_no_cut(vault: Vault) -> str:
    if not vault.settings.authorities:
        return "this vault names no time-stamping authority: a bundle needs a checkpoint with a time"
    return "waits for the item's first checkpoint with a time-stamp, and for an anchor that is on its way"


def _again(vault: Vault, session: Session, job: jobs.Claimed, now: datetime, waits_for: str) -> None:
    wait = timedelta(seconds=vault.settings.poll_interval_s)
    jobs.record(session, job, JobState.READY, now=now, run_at=now + wait, error=waits_for)


def _item(item: Item | None, item_id: str) -> Item:
    if item is None:
        raise IntegrityError(f"item {item_id}", "a row", "none")
    return item


def _content(vault: Vault, item: Item) -> BundleFile:
    if item.size is None or item.crc32 is None or item.sha256 is None:
        raise IntegrityError(f"item {item.id}", "size, CRC-32 and digest", "none")
    return BundleFile(
        size=item.size,
        crc32=item.crc32,
        sha256=item.sha256,
        chunks=lambda: _checked(vault.blobs.chunks(item.id), item),
    )


def _checked(chunks: Iterator[bytes], item: Item) -> Iterator[bytes]:
    """The stored bytes, which must still be those of the deposit. Raises DamagedContentError."""
    running = hashlib.sha256()
    try:
        for chunk in chunks:
            running.update(chunk)
            yield chunk
        if running.digest() != item.sha256:
            raise IntegrityError(f"content of {item.id}", (item.sha256 or b"").hex(), running.hexdigest())
    except IntegrityError as error:
        raise DamagedContentError(item.id, error) from error
    except OSError as error:
        if error.errno in NOT_THE_DISK:
            raise UnavailableError("content", str(error.strerror)) from None
        unread = IntegrityError(f"content of {item.id}", "bytes that can be read", error.strerror or error)
        raise DamagedContentError(item.id, unread) from None


def _save(path: Path, write: Callable[[BinaryIO], int]) -> tuple[int, bytes]:
    """Write, flush and rename; return length and SHA-256. Raises StorageFull, and leaves nothing then."""
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(".part")
    with ExitStack() as undo:
        # On a full disk, deposits need the space more than a retry does.
        undo.callback(temporary.unlink, missing_ok=True)
        with storage_errors(path.name), temporary.open("w+b") as file:
            length = write(file)
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").digest()
        temporary.replace(path)
        undo.pop_all()
    return length, sha256
