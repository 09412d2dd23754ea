"""Handing out a finished bundle: decide about all that is in it, record it, and only then send a byte.

One transaction: a DOWNLOADED of each item, and, of a case that was exported with its items, a CUSTODY_READ by
anybody but who opened it, for its history is in the bundle. If anything in it may not be had any more, nothing is
handed out, and nothing recorded but the refusal. *A crash after the commit* means that the events say more than the
reader got.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from evidence_vault.access.decisions import Permission, require_scope
from evidence_vault.access.facts import Requester
from evidence_vault.core.events import Subject
from evidence_vault.core.states import JobState
from evidence_vault.errors import AccessRefused
from evidence_vault.pipeline.cases.cases import see_case
from evidence_vault.pipeline.cases.entering import decide, draft_access, draft_reading, note_refusal
from evidence_vault.pipeline.consequences import append_and_follow
from evidence_vault.pipeline.export.access import require_still_permitted, require_still_seen
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.models import Export, Job
from evidence_vault.store.queries import events, exports, grants


def may_still_have(
    vault: Vault, session: Session, caller: Requester, export: Export | None, job: Job | None
) -> list[str]:
    """Return the items of one's own export, if all of it may still be exported: a right that ended, ends here too.

    Of a failed export of a case he hears why, as long as he sees the case. Raises AccessRefused, not yet counted.
    """
    require_scope("export", caller)
    if export is None or export.actor_id != caller.actor_id:
        raise AccessRefused("export", "")
    if export.case_id is not None and job is not None and job.state == JobState.FAILED:
        see_case(vault, session, caller, "see", export.case_id)
        return [row.item_id for row in exports.export_items(session, export.id)]
    return [one.id for one in require_still_permitted(vault, session, caller, export) if one.kind == "item"]


@contextmanager
def marking_refusals(vault: Vault, caller: Requester) -> Iterator[None]:
    """Count what is refused inside, and mark it on the item that it is about, if he once had a grant on it."""
    try:
        yield
    except AccessRefused as refused:
        note_refusal(vault, caller, refused, refused.subject)
        raise


def hand_out_bundle(vault: Vault, caller: Requester, export: Export, item_ids: list[str]) -> None:
    """Record that the bundle is handed out. Raises AccessRefused; Conflict where it tells more than he may see."""
    withheld = set(export.options.get("withheld", ()))
    case = None if export.case_id is None else Subject(kind="case", id=export.case_id)
    subjects = [Subject(kind="item", id=item_id) for item_id in item_ids]
    with vault.database.write() as session:
        grants.lock_grants_of(session, caller.actor_id)
        events.lock_subject_heads(session, [*([case] if case else []), *subjects])
        if case is not None:
            permission = see_case(vault, session, caller, "see", case.id).permission
            if permission.basis != "owner":
                append_and_follow(vault, session, draft_reading(caller, case, permission))
        permitted: dict[str, Permission] = {}
        for subject in subjects:  # one by one: of two that share a grant's last view, one gets it
            entered = decide(vault, session, caller, "export", subject.id)
            permission = entered.permission
            if permission.without_content and subject.id not in withheld:
                raise AccessRefused("export", subject.id, reason="role", grant=permission.grant)
            draft = draft_access(caller, entered, "DOWNLOADED", {"what": "bundle", "bundle": export.id})
            append_and_follow(vault, session, draft)
            permitted[subject.id] = permission
        require_still_seen(vault, session, caller, export, permitted)
