"""Which key signs which checkpoint, as the log's own events say it.

    LOG_OPENED names key 0 · KEY_ROTATED at leaf i names key 1 · r is the first checkpoint that was signed above i

    size ≤ r   key 0 signs          size = r   key 1 cosigns          size > r   key 1 signs, key 0 never again

Nothing here is stored twice: the events and the checkpoints are the record, so that a crash between two steps
of a rotation leaves nothing that could disagree.
"""

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.core.canonical import as_text
from evidence_vault.core.events import LOG, Event, parse_event
from evidence_vault.core.note_keys import VerifierKey, parse_vkey
from evidence_vault.errors import IntegrityError
from evidence_vault.store.queries import cosignatures, events, log


@value
class LogKey:
    """A key of the log and the sizes it signs, both ends inclusive; last_size None while it is in use."""

    key: VerifierKey
    from_size: int
    last_size: int | None


@value
class SigningKeys:
    """Who signs a checkpoint, and at a rotation who cosigns it."""

    key: VerifierKey
    successor: VerifierKey | None


def log_keys(session: Session) -> tuple[LogKey, ...]:
    """Return every key that has signed or signs now, oldest first. A rotation counts once its r was signed."""
    opened, rotations = _history(session)
    keys = [LogKey(key=opened, from_size=0, last_size=None)]
    for key, index in rotations:
        r = None if index is None else cosignatures.first_signed_above(session, index)
        if r is not None:
            keys[-1] = LogKey(key=keys[-1].key, from_size=keys[-1].from_size, last_size=r)
            keys.append(LogKey(key=key, from_size=r, last_size=None))
    return tuple(keys)


def signing_keys(session: Session, size: int) -> SigningKeys:
    """Return who signs the checkpoint of this size, the newest that there is or is to be."""
    current, rotations = _history(session)
    for key, index in rotations:
        if index is None or index >= size:
            break
        r = cosignatures.first_signed_above(session, index)
        if r is None or r >= size:
            return SigningKeys(key=current, successor=key)
        current = key
    return SigningKeys(key=current, successor=None)


def named_keys(session: Session, purpose: str) -> tuple[VerifierKey, ...]:
    """Return all keys that the log ever named for `log` or `receipt`, oldest first; the last one is to be used."""
    rows = [parse_event(row.raw) for row in events.events_of(session, LOG)]
    first = parse_vkey(as_text(_opened(rows).fields[f"{purpose}_vkey"]))
    return (first, *(_new_key(event) for event in rows if _is_rotation(event, purpose)))


def _history(session: Session) -> tuple[VerifierKey, list[tuple[VerifierKey, int | None]]]:
    """The first key of the log, and each later one with the leaf index of its KEY_ROTATED."""
    rows = events.events_of(session, LOG)
    parsed = [parse_event(row.raw) for row in rows]
    indexes = log.leaf_indexes(session, [row.id for row in rows])
    first = parse_vkey(as_text(_opened(parsed).fields["log_vkey"]))
    rotated = [(row, event) for row, event in zip(rows, parsed, strict=True) if _is_rotation(event, "log")]
    return first, [(_new_key(event), indexes.get(row.id)) for row, event in rotated]


def _opened(rows: list[Event]) -> Event:
    if not rows or rows[0].type != "LOG_OPENED":
        raise IntegrityError("log/0", "LOG_OPENED", rows[0].type if rows else "none")
    return rows[0]


def _is_rotation(event: Event, purpose: str) -> bool:
    return event.type == "KEY_ROTATED" and event.fields["purpose"] == purpose


def _new_key(event: Event) -> VerifierKey:
    return parse_vkey(as_text(event.fields["new_vkey"]))
