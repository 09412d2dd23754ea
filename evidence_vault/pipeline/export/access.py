"""What somebody may have in his bundle, and see of it: decided again at the seal, and each time it is handed out.

At the seal everything that could change the answer is locked first, in the order that everybody keeps (grants, then
histories): a grant that is revoked, or runs out, while the bundle waits for its checkpoint leaves no bundle at all,
not a smaller one that nobody asked for.
"""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from anchors.values import replace, value
from evidence_vault.access.decisions import Permission
from evidence_vault.access.facts import Requester
from evidence_vault.core import layout
from evidence_vault.core.canonical import as_list, as_object, as_text, parse_canonical
from evidence_vault.core.events import LOG, Subject, parse_event
from evidence_vault.errors import AccessRefused, Conflict, IntegrityError
from evidence_vault.pipeline.cases.cases import see_case
from evidence_vault.pipeline.cases.sight import Sight, sight_of
from evidence_vault.pipeline.cases.visible import decide_items
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.models import Export, Item
from evidence_vault.store.people_models import Actor
from evidence_vault.store.queries import actors, cases, events, exports, grants, items


@value
class Admitted:
    """What a bundle may hold. permissions: of each item, and of the case that is exported with them.

    withheld: items whose content stays here. sight: what the reader sees of the histories that travel.
    """

    requester: Requester
    items: tuple[Item, ...]
    case: Subject | None
    permissions: Mapping[Subject, Permission]
    withheld: frozenset[str]
    sight: Sight


class Ended(AccessRefused):
    """Access to `asked_id` ended after the bundle was asked for. If that is an item, its history gets a mark."""

    def __init__(self, refused: AccessRefused, asked_id: str) -> None:
        self.asked_id = asked_id
        super().__init__(refused.action, asked_id, reason=refused.reason, grant=refused.grant)


def admit(vault: Vault, session: Session, export: Export) -> Admitted:
    """Decide again, with grants and histories locked until the transaction ends. Raises Ended."""
    item_ids = [row.item_id for row in exports.export_items(session, export.id)]
    grants.lock_grants_of(session, export.actor_id)
    case = None if export.case_id is None else Subject(kind="case", id=export.case_id)
    subjects = {item_id: Subject(kind="item", id=item_id) for item_id in item_ids}
    # A rotation is before EXPORTED and travels, or above r and M: so the log's own history is locked too.
    events.lock_subject_heads(session, [*([case] if case else []), *subjects.values(), LOG])
    requester = requester_of(session, export)
    permissions: dict[Subject, Permission] = {}
    if case is not None:
        permissions[case] = _see(vault, session, requester, case)
    permitted, refused = decide_items(vault, session, requester, "export", item_ids)
    for item_id in item_ids:
        if item_id not in permitted:
            raise Ended(refused.get(item_id, AccessRefused("export", item_id)), item_id)
        permissions[subjects[item_id]] = permitted[item_id]
    found = {row.id: row for row in items.get_items(session, item_ids)}
    if missing := set(item_ids) - found.keys():
        raise IntegrityError(f"item {min(missing)}", "a row", "none")
    return Admitted(
        requester=requester,
        items=tuple(found[item_id] for item_id in item_ids),
        case=case,
        permissions=permissions,
        withheld=frozenset(item_id for item_id, one in permitted.items() if one.without_content),
        sight=sight_in_bundle(vault, session, requester, case, permitted),
    )


def requester_of(session: Session, export: Export) -> Requester:
    """Return who asked for the export, as he is now. Raises Ended for who is disabled or has lost the role."""
    options, who = export.options, session.get_one(Actor, export.actor_id)
    if not actors.holds_role(session, export.actor_id, options["role"]):
        raise Ended(AccessRefused("export", export.id, reason="role"), export.id)
    return Requester(
        actor_id=export.actor_id,
        role=options["role"],
        scopes=frozenset(options["scopes"]),
        auth=options["auth"],
        organisation_id=who.organisation_id,
        on_behalf_of=options["on_behalf_of"],
    )


def _see(vault: Vault, session: Session, requester: Requester, case: Subject) -> Permission:
    try:
        return see_case(vault, session, requester, "see", case.id).permission
    except AccessRefused as refused:
        raise Ended(refused, case.id) from None


def sight_in_bundle(
    vault: Vault,
    session: Session,
    requester: Requester,
    case: Subject | None,
    permitted: Mapping[str, Permission],
) -> Sight:
    """What he sees of the items' histories and of those of their cases: as when he reads them here.

    Of a mediation nothing but the chain leaves the vault, whoever asks: a bundle goes to other forums.
    """
    readable, _ = decide_items(vault, session, requester, "read-custody", permitted)
    blind = [Subject(kind="item", id=one) for one in permitted if one not in readable]
    seen = {Subject(kind="item", id=one): readable.get(one, why) for one, why in permitted.items()}
    for row in cases.get_cases(
        session, cases.cases_holding(session, permitted) | ({case.id} if case else set())
    ):
        if row.mediation_only:
            continue
        try:
            permission = see_case(vault, session, requester, "history", row.id).permission
        except AccessRefused:
            continue
        seen[Subject(kind="case", id=row.id)] = permission
    return sight_of(vault, session, requester, seen, blind=blind)


def require_still_permitted(
    vault: Vault, session: Session, caller: Requester, export: Export
) -> dict[Subject, Permission]:
    """Return why each item of an export, and the case that it is of, may still be had.

    Raises AccessRefused where one of them may not, of the items the first.
    """
    item_ids = [row.item_id for row in exports.export_items(session, export.id)]
    permitted, refused = decide_items(vault, session, caller, "export", item_ids)
    for item_id in item_ids:
        if item_id not in permitted:
            raise refused.get(item_id, AccessRefused("export", item_id))
    found = {Subject(kind="item", id=item_id): permitted[item_id] for item_id in item_ids}
    if export.case_id is not None:
        case = Subject(kind="case", id=export.case_id)
        found[case] = see_case(vault, session, caller, "see", case.id).permission
    return found


def require_still_seen(
    vault: Vault, session: Session, caller: Requester, export: Export, permitted: Mapping[str, Permission]
) -> None:
    """Raise Conflict if the bundle tells of histories what the caller, as he is now, may not see any more.

    A seat on a bench that ended, or another of his roles, may leave him the items and not what it showed of them.
    His token may be narrower than the one he asked with: what the bundle tells was settled with that.
    """
    asked = replace(caller, scopes=caller.scopes | frozenset(export.options["scopes"]))
    case = None if export.case_id is None else Subject(kind="case", id=export.case_id)
    sight = sight_in_bundle(vault, session, asked, case, permitted)
    texts = exports.frozen_texts(session, export.id, under=layout.DISCLOSURES).get(layout.DISCLOSURES, b"{}")
    told = as_object(parse_canonical(texts, place=layout.DISCLOSURES, max_bytes=len(texts)))
    frozen = exports.frozen_texts(session, export.id, under="proof/events/")
    if not frozen:
        raise Conflict("export", "its time in the spool ended just now: ask for a new one")
    for path, raw in frozen.items():
        meaning = layout.parse_path(path)
        if meaning.part is not layout.Part.EVENT or meaning.subject is None:
            continue
        clear = told.get(f"{meaning.subject.id}/{meaning.seq}")
        if clear is None and meaning.subject.kind != "case":
            continue
        event = parse_event(raw)
        shown = [] if clear is None else [as_text(one) for one in as_list(clear)]
        if not sight.opens(event) or set(shown) - set(sight.disclosed(event, shown)):
            raise Conflict("export", "you may see less than when it was sealed: ask for a new one")
