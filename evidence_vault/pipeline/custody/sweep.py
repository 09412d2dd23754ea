"""Sweep: all contents are read again, over weeks, and compared with the digests they came with.

    (1) take     the next contents and a turn, in one short transaction: two workers never read the same
    (2) read     past what the system remembers, at the pace of the settings, with no transaction open
    (3) record   how each was found (`looks`); the cursor moves in the same transaction

Durable after return: what (3) wrote. A crash before it means: when the turn is over, any worker takes the same
contents again. A crash after it means: the next round goes on behind them.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from anchors.values import value
from evidence_vault.pipeline.custody.looks import Look, Wait, look_at, record_looks
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.custody_models import SOUND, FixitySweep
from evidence_vault.store.queries import sweep as rows
from evidence_vault.store.queries.sweep import Content

LOG = logging.getLogger("evidence_vault.pipeline")

ROUND_S = 1.0
"""Between two rounds at the least: what a sweep writes is a commit a second."""

BYTES_OF_A_ROUND_S = 10
"""A round reads no more than is read in so many seconds, or one content: a kill costs no more than that."""

TURN_SLACK_S = 120.0
"""A turn lasts twice as long as its reading should, and this: then its worker is dead."""

FAILURE_PAUSE_S = 1.0
"""After each failure the sweep rests: a dead disk with a million contents is no flood of events."""


@value
class Round:
    """Contents that this worker may read until its turn is over."""

    number: int
    after_event_id: int
    until: datetime
    contents: tuple[Content, ...]


def sweep_round(vault: Vault, *, wait: Wait) -> int:
    """Read the next contents, if it is time; return how many were read. Raises ReadOnly, UnavailableError."""
    vault.gate.require_open()
    taken = _take(vault)  # (1)
    if taken is None:
        return 0
    looks: dict[str, Look] = {}
    for content in taken.contents:  # (2)
        look = look_at(vault, content, wait=wait)
        if look is None:
            return 0  # told to stop: nothing of this round counts, and its turn runs out
        looks[content.item_id] = look
    _record(vault, taken, looks)  # (3)
    return len(looks)


def ask_for_sweep(vault: Vault) -> None:
    """Have a sweep begin now, or when the present one is through. Durable after return."""
    with vault.database.write() as session:
        sweep = rows.begin(session) or rows.first_sweep(session, now=vault.clock())
        sweep.asked = True


def _take(vault: Vault) -> Round | None:
    """(1) The next contents, and until when nobody else takes them; None if there is nothing to do now."""
    settings, now = vault.settings.fixity, vault.clock()
    with vault.database.read() as session:  # the usual case costs no write
        known = session.get(FixitySweep, 1)
        if known is not None and not _is_time(vault, known):
            return None
    with vault.database.write() as session:
        sweep = rows.begin(session) or rows.first_sweep(session, now=now)
        if not _is_time(vault, sweep):
            return None
        if sweep.finished_at is not None:
            _start(sweep, now)
        found = rows.next_contents(
            session, after_event_id=sweep.after_event_id, limit=settings.items_per_round
        )
        contents = _within(found, settings.bytes_per_s * BYTES_OF_A_ROUND_S)
        if not contents:
            sweep.finished_at = now
            LOG.info("sweep finished", extra={"count": sweep.items, "size": sweep.bytes_read})
            return None
        reading_s = sum(one.size for one in contents) / settings.bytes_per_s
        sweep.free_at = now + timedelta(seconds=2 * reading_s + TURN_SLACK_S)
        return Round(
            number=sweep.number,
            after_event_id=sweep.after_event_id,
            until=sweep.free_at,
            contents=contents,
        )


def _is_time(vault: Vault, sweep: FixitySweep) -> bool:
    goes_on = sweep.finished_at is None or _is_due(vault, sweep)
    return goes_on and sweep.free_at <= vault.clock()


def _is_due(vault: Vault, sweep: FixitySweep) -> bool:
    return sweep.asked or vault.clock() - sweep.started_at >= timedelta(days=vault.settings.fixity.sweep_days)


def _start(sweep: FixitySweep, now: datetime) -> None:
    sweep.number += 1
    sweep.started_at, sweep.finished_at, sweep.asked = now, None, False
    sweep.after_event_id = sweep.items = sweep.bytes_read = sweep.failed = 0


def _within(contents: Sequence[Content], most_bytes: int) -> tuple[Content, ...]:
    """Return the first of them, as many as have so many bytes, and one at least."""
    chosen: list[Content] = []
    for content in contents:
        most_bytes -= content.size
        if chosen and most_bytes < 0:
            break
        chosen.append(content)
    return tuple(chosen)


def _record(vault: Vault, taken: Round, looks: Mapping[str, Look]) -> None:
    """(3) How each was found, and the cursor. Nothing, if the turn was over: another worker has read them."""
    with vault.database.write() as session:
        sweep = rows.begin(session)
        if sweep is None or (sweep.number, sweep.after_event_id, sweep.free_at) != (
            taken.number,
            taken.after_event_id,
            taken.until,
        ):
            return
        failures, _ = record_looks(vault, session, looks)
        sweep.items += len(taken.contents)
        sweep.bytes_read += sum(one.size for one in taken.contents)
        sweep.failed += sum(look.state != SOUND for look in looks.values())
        sweep.after_event_id = taken.contents[-1].event_id
        pause_s = max(ROUND_S, FAILURE_PAUSE_S * failures)
        sweep.free_at = vault.clock() + timedelta(seconds=pause_s)
