"""Asking for a bundle: of one item, or of a case with all of its items that the caller may export.

The wish is noted with whom it came from, in which role, and with which scopes. It is decided on now, so that who
is refused hears it at once, and again when the bundle is sealed and when it is handed out: a right that ends in
between ends here too. *Durable after return:* the export and its job.
"""

from anchors.values import value
from evidence_vault.access.decisions import require_scope
from evidence_vault.access.facts import Requester
from evidence_vault.core.events import Subject
from evidence_vault.core.layout import MAX_ITEMS
from evidence_vault.core.names import encode_id
from evidence_vault.errors import AccessRefused, Conflict
from evidence_vault.pipeline.cases.cases import see_case
from evidence_vault.pipeline.cases.entering import counting_refusals, look, note_refusals
from evidence_vault.pipeline.cases.sight import sight_of
from evidence_vault.pipeline.cases.visible import decide_items
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import cases, exports, jobs

SUBJECT_KIND = "export"
TARGET = "bundle"


@value
class ExportWish:
    """Who wants which items, and the case that they are exported with.

    left_out: how many items of the case he may not have; None where he may not know.
    """

    requester: Requester
    item_ids: tuple[str, ...]
    case_id: str | None = None
    left_out: int | None = None
    full_chain: bool = False


def wish_for_item(vault: Vault, caller: Requester, item_id: str) -> ExportWish:
    """Return the wish for a bundle of an item. Raises AccessRefused, counted and marked."""
    look(vault, caller, "export", item_id)
    return ExportWish(requester=caller, item_ids=(item_id,))


def wish_for_case(vault: Vault, caller: Requester, case_id: str) -> ExportWish:
    """Return the wish for a bundle of a case, with what the caller may export of it.

    Raises AccessRefused for a case that he doesn't see, and where he may export none of its items, which then has a
    mark in the history of each that he was ever let in to; Conflict for more items than a bundle holds.
    """
    require_scope("export", caller)
    with counting_refusals(vault, caller), vault.database.read() as session:
        permission = see_case(vault, session, caller, "see", case_id).permission
        case = Subject(kind="case", id=case_id)
        sees_list = case in sight_of(vault, session, caller, {case: permission}).whole
        listed = cases.items_about(session, case_id)
        permitted, refused = decide_items(vault, session, caller, "export", listed)
    if not listed and sees_list:
        raise Conflict("export", "there is no item in the case")
    if not permitted:
        note_refusals(vault, caller, refused)
        raise AccessRefused("export", case_id)
    if len(permitted) > MAX_ITEMS:
        raise Conflict("export", f"a bundle holds {MAX_ITEMS} items, and these are {len(permitted)}")
    return ExportWish(
        requester=caller,
        item_ids=tuple(permitted),
        case_id=case_id,
        left_out=len(listed) - len(permitted) if sees_list else None,
    )


def request_export(vault: Vault, wish: ExportWish) -> str:
    """Note the wish and return the id of the bundle to be."""
    vault.gate.require_open()
    bundle_id = encode_id("bd", vault.random(16))
    now, who = vault.clock(), wish.requester
    with vault.database.write() as session:
        exports.add_export(
            session,
            export_id=bundle_id,
            actor_id=who.actor_id,
            item_ids=sorted(set(wish.item_ids)),
            case_id=wish.case_id,
            options={
                "role": who.role,
                "scopes": sorted(who.scopes),
                "auth": who.auth,
                "on_behalf_of": who.on_behalf_of,
                "left_out": wish.left_out,
                "full_chain": wish.full_chain,
            },
            at=now,
        )
        jobs.add_jobs(session, "export", Subject(kind=SUBJECT_KIND, id=bundle_id), [TARGET], at=now)
    return bundle_id
