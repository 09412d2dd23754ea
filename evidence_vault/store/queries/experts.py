"""Where somebody is an expert: appraiser or technical investigator, of which nobody is both in one case."""

from typing import Any

from sqlalchemy import literal, select, union
from sqlalchemy.orm import Session

from evidence_vault.access.matrix import EXPERTS
from evidence_vault.store.case_models import CaseItem, Grant, GrantItem
from evidence_vault.store.custody_models import Opinion


def experts_sides(session: Session, actor_id: str) -> set[tuple[str | None, str]]:
    """Return in which cases the actor is an expert, and as what: by grants not revoked, or an opinion he gave."""
    rows = session.execute(
        select(Grant.case_id, Grant.grantee_role)
        .where(
            Grant.grantee_id == actor_id,
            Grant.grantee_role.in_(("AP", "TI")),
            Grant.case_id.is_not(None),
            Grant.revoked_at.is_(None),
        )
        .union(select(Opinion.case_id, literal("TI")).where(Opinion.author_id == actor_id))
    )
    return {(case_id, role) for case_id, role in rows}


def experts_roles(session: Session, actor_id: str, in_cases: Any) -> set[str]:
    """As which experts the actor was let in to these cases, or gave an opinion in them."""
    given = select(literal("TI")).where(Opinion.author_id == actor_id, Opinion.case_id.in_(in_cases))
    granted = select(Grant.grantee_role).where(
        Grant.grantee_id == actor_id,
        Grant.grantee_role.in_(tuple(EXPERTS)),
        Grant.case_id.in_(in_cases),
        Grant.revoked_at.is_(None),
    )
    return set(session.scalars(union(granted, given)))


def sides_in_case(session: Session, actor_id: str, case_id: str) -> set[str]:
    """As which experts the actor had to do with a case: by its grants, opinions, and grants on its items."""
    listed = (
        select(Grant.grantee_role)
        .join(GrantItem, GrantItem.grant_id == Grant.id)
        .join(CaseItem, CaseItem.item_id == GrantItem.item_id)
        .where(CaseItem.case_id == case_id, Grant.grantee_id == actor_id, Grant.revoked_at.is_(None))
    )
    own = {role for case, role in experts_sides(session, actor_id) if case == case_id}
    return own | (set(session.scalars(listed)) & EXPERTS.keys())
