"""Looks: a stored content is read again, and how it was found is recorded.

A content that fails is a FIXITY_FAILED of its item, once, until it is found otherwise: altered (other bytes),
missing, or unreadable (the disk answers with an error; the bytes may be right). While any content fails, one
incident of the platform is open; it begins when the first of them was last known to be whole. A sound content is
a FIXITY_CHECKED when somebody asked, after a failure, and else once a year: an event for each item each month would
be four leaves a second for ten million items, and say nothing that a bundle's verifier doesn't see for itself.

Durable after return: what `check_now` found; what `record_looks` writes is as durable as its transaction.
"""

import errno
import hashlib
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy.orm import Session

from anchors.values import replace, value
from evidence_vault.core.canonical import Json
from evidence_vault.core.events import Event, Subject
from evidence_vault.errors import IntegrityError, Missing, UnavailableError
from evidence_vault.pipeline.platform.incidents import Incident, new_name, note_incident, open_incident
from evidence_vault.pipeline.record import Draft, EventActor, append_event, system_actor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.custody_models import FAILURES, SOUND, ContentCheck
from evidence_vault.store.queries import sweep
from evidence_vault.store.queries.sweep import Content

LOG = logging.getLogger("evidence_vault.pipeline")

NOT_THE_DISK = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EINTR)
"""Errors that say nothing of a content: the process or the machine is out of something."""

State = Literal["sound", "altered", "missing", "unreadable"]
Wait = Callable[[float], bool]
"""Wait so many seconds; true: stop now."""


@value
class Look:
    """How a content was found. found_sha256: of the whole content, if it could be read and is another."""

    content: Content
    state: State
    found_sha256: bytes | None
    at: datetime


def check_now(vault: Vault, content: Content, *, actor: EventActor | None = None) -> tuple[Look, Event]:
    """Read a content now; return how it was found and the event that says so. Durable after return.

    actor: who asked; else the vault itself. Raises ReadOnly, UnavailableError.
    """
    vault.gate.require_open()
    look = look_at(vault, content)
    assert look is not None  # nobody told it to stop
    with vault.database.write() as session:
        sweep.begin(session)
        _, told = record_looks(
            vault, session, {content.item_id: look}, asked_by=actor or system_actor(session)
        )
    return look, told[content.item_id]


def look_at(vault: Vault, content: Content, *, wait: Wait = lambda _seconds: False) -> Look | None:
    """Read a content and return how it is, recording nothing; None when told to stop.

    What fails is read once more: a disk may stumble. Raises UnavailableError if it can't be told: the store is not
    there as a whole, or the process is out of something.
    """
    look = _read(vault, content, wait=wait)
    return look if look is None or look.state == SOUND else _read(vault, content, wait=wait)


def _read(vault: Vault, content: Content, *, wait: Wait) -> Look | None:
    digest, found = hashlib.sha256(), None
    state: State = SOUND
    try:
        vault.blobs.uncache(content.item_id)
        for data in vault.blobs.chunks(content.item_id):
            digest.update(data)
            if wait(len(data) / vault.settings.fixity.bytes_per_s):
                return None
        if digest.digest() != content.sha256:
            state, found = "altered", digest.digest()
    except Missing:
        state = "missing"
    except IntegrityError:
        state = "altered"
    except OSError as error:
        if error.errno in NOT_THE_DISK:
            raise UnavailableError("content", str(error.strerror)) from None
        state = "unreadable"
    if state != SOUND and not vault.blobs.is_there():
        raise UnavailableError("content", "the folders of the blob store are not there")
    return Look(content=content, state=state, found_sha256=found, at=vault.clock())


def record_looks(
    vault: Vault, session: Session, looks: Mapping[str, Look], *, asked_by: EventActor | None = None
) -> tuple[int, Mapping[str, Event]]:
    """Record how contents were found, by item: row, event, incident. Returns how many failed, and the events.

    asked_by: whoever asks gets an event in any case. Within `sweep.begin`.
    """
    failed_since: list[datetime] = []
    mended = False
    told: dict[str, Event] = {}
    for item_id, look in sorted(looks.items()):  # in the order in which everybody locks items
        check = sweep.check_of(session, item_id)
        if look.state == SOUND:
            mended = mended or check.state in FAILURES
        else:
            failed_since.append(check.sound_at or look.content.received_at)
        event = _record_look(vault, session, check, look, asked_by=asked_by)
        if event is not None:
            told[item_id] = event
    session.flush()
    if failed_since:
        _open(vault, session, since=min(failed_since))
    elif mended and not sweep.count_failing(session):
        _close(vault, session)
    return len(failed_since), told


def _record_look(
    vault: Vault, session: Session, check: ContentCheck, look: Look, *, asked_by: EventActor | None
) -> Event | None:
    """The row, and the event if there is something to say."""
    event, content, sound = None, look.content, look.state == SOUND
    changed = (check.state or SOUND, check.found_sha256) != (look.state, look.found_sha256)
    old = look.at - (check.event_at or content.received_at) >= timedelta(
        days=vault.settings.fixity.event_days
    )
    if not sound:
        LOG.critical("content not sound", extra={"item": content.item_id, "reason": look.state})
    if changed or asked_by is not None or (sound and old):
        event = append_event(
            vault,
            session,
            Draft(
                subject=Subject(kind="item", id=content.item_id),
                type="FIXITY_CHECKED" if sound else "FIXITY_FAILED",
                actor=asked_by or system_actor(session),
                fields=_fields(look),
                result="ok" if sound else "failed",
            ),
        ).event
        check.event_at = look.at
    check.state, check.found_sha256, check.checked_at = look.state, look.found_sha256, look.at
    check.sound_at = look.at if sound else check.sound_at
    return event


def _fields(look: Look) -> Mapping[str, Json]:
    expected, found = look.content.sha256.hex(), look.found_sha256
    if look.state == SOUND:
        return {"sha256": expected}
    return {
        "cause": look.state,
        "expected_sha256": expected,
        "found_sha256": None if found is None else found.hex(),
    }


def _open(vault: Vault, session: Session, *, since: datetime) -> None:
    """One incident for all contents that fail; wider, if one of them was last whole before the others."""
    known = open_incident(session, "fixity")
    if known is None:
        summary = "Stored contents were not what was deposited, or could not be read."
        known = Incident(
            name=new_name(vault, "fixity"), kind="fixity", began_at=since, ended_at=None, summary=summary
        )
    elif since >= known.began_at:
        return
    note_incident(vault, session, replace(known, began_at=since))


def _close(vault: Vault, session: Session) -> None:
    known = open_incident(session, "fixity")
    if known is not None:
        note_incident(vault, session, replace(known, ended_at=vault.clock()))
