"""How the authorities are doing, for whoever waits for one and for whoever runs the vault."""

from collections.abc import Collection

from sqlalchemy.orm import Session

from evidence_vault.api.schemas import AuthorityView, Trouble
from evidence_vault.core.names import encode_time
from evidence_vault.settings import Settings
from evidence_vault.store.queries import paces


def troubles(session: Session, settings: Settings, awaited: Collection[str]) -> list[Trouble]:
    """Return who of those awaited has failed since its last answer, or is no longer in the settings."""
    known = paces.paces_of(session, awaited)
    found = []
    here = {authority.name for authority in settings.authorities}
    for name in sorted(awaited):
        pace = known.get(name)
        if name not in here:
            found.append(Trouble(authority=name, failures=0, reason="no longer in the settings", next_at=""))
        elif pace is not None and pace.failures:
            found.append(
                Trouble(
                    authority=name,
                    failures=pace.failures,
                    reason=pace.last_error or "",
                    next_at=encode_time(pace.free_at),
                )
            )
    return found


def authority_views(session: Session, settings: Settings) -> list[AuthorityView]:
    """Return every authority of the settings with what is known of it; reasons stay with those who may ask."""
    known = paces.paces_of(session, [authority.name for authority in settings.authorities])
    views = []
    for authority in settings.authorities:
        pace = known.get(authority.name)
        failing = pace is not None and pace.failures > 0
        views.append(
            AuthorityView(
                name=authority.name,
                required=authority.required,
                answering=pace is not None and pace.answered_at is not None and not failing,
                answered_at=encode_time(pace.answered_at) if pace and pace.answered_at else None,
                next_at=encode_time(pace.free_at) if pace and failing else None,
                clock_offset_ms=pace.clock_offset_ms if pace else None,
                clock_compared_at=encode_time(pace.clock_compared_at)
                if pace and pace.clock_compared_at
                else None,
            )
        )
    return views
