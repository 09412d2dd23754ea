"""Judging: what our own verifier says of the newest bundle that somebody got of an item, or of a case.

The report is the verifier's, made anew each time from the finished file in the spool: it claims what it checked in
that file, under the vault's own policy, at this moment, and nothing of what came later. Whoever has no finished
bundle has no report; nobody reads one made of another's bundle, for each holds what its reader may see.

Whoever may have the bundle, and he alone, may have its report, as long as he may. A report tells of histories, so
it is a CUSTODY_READ of each, but to whom answers for it. *Durable after return:* these events, so before a word
leaves.
"""

from pathlib import Path

from evidence_vault.access.decisions import require_scope
from evidence_vault.access.facts import Requester
from evidence_vault.core.events import Subject
from evidence_vault.errors import Conflict
from evidence_vault.pipeline.cases.cases import see_case
from evidence_vault.pipeline.cases.entering import decide, draft_reading
from evidence_vault.pipeline.export.access import require_still_permitted, require_still_seen
from evidence_vault.pipeline.export.export import spool_path
from evidence_vault.pipeline.export.handing_out import marking_refusals
from evidence_vault.pipeline.record import append_events
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import events, exports, grants


def bundle_to_judge(vault: Vault, caller: Requester, about: Subject) -> Path:
    """Return where the caller's newest finished bundle of this item or case lies, once the reading is recorded.

    Raises AccessRefused, counted; Conflict where he has no finished bundle of it, or one that tells more than he
    may see now.
    """
    with marking_refusals(vault, caller), vault.database.write() as session:
        grants.lock_grants_of(session, caller.actor_id)
        if about.kind == "case":  # before anything is told of bundles
            see_case(vault, session, caller, "see", about.id)
        else:
            decide(vault, session, caller, "export", about.id)
        export = exports.newest_finished(session, caller.actor_id, about)
        if export is None:
            raise Conflict(
                "report", "you have no finished bundle of it: ask for one, and again when it is ready"
            )
        require_scope("export", caller)
        read = require_still_permitted(vault, session, caller, export)
        permitted = {one.id: permission for one, permission in read.items() if one.kind == "item"}
        require_still_seen(vault, session, caller, export, permitted)
        events.lock_subject_heads(session, read)
        append_events(
            vault,
            session,
            [
                draft_reading(caller, subject, permission)
                for subject, permission in sorted(read.items())
                if permission.basis != "owner"
            ],
        )
    return spool_path(vault, export.id)
