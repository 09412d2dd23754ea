"""Which roles need what: a licence, a second administrator.

A role is a claim that others rely on. A judge, a notary, an auditor or an administrator who was made by one
person alone would be that person; so all roles but the rights holder's need two.
"""

from evidence_vault.core.event_types.form import PEOPLE
from evidence_vault.core.names import JURISDICTION, LABEL
from evidence_vault.core.shapes import OneOf
from evidence_vault.errors import FormatError

REGULATED = ("AT", "NO", "AP")
"""Attorney, notary, appraiser: held by licence."""

BENCH = ("JU", "AM", "CL", "TI")
"""Judge, arbitrator or mediator, clerk, technical investigator."""

ONE_PERSON = ("RH",)
"""Whom one administrator can make: rights holders see what they deposited themselves."""

ROLE = OneOf(PEOPLE)


def needs_two(role: str) -> bool:
    """Whether giving this role takes two administrators."""
    return role not in ONE_PERSON


def check_role(role: str, licence_number: str | None, jurisdiction: str | None) -> None:
    """Return if somebody may be given this role, with this licence. Raises FormatError."""
    ROLE.check(role, "role")
    if role in REGULATED:
        LABEL.check(licence_number, "licence_number")
        JURISDICTION.check(jurisdiction, "jurisdiction")
        if len(licence_number or "") > 100:
            raise FormatError("licence_number", "at most 100 characters", len(licence_number or ""))
    elif licence_number is not None or jurisdiction is not None:
        raise FormatError("licence_number", f"none: {role} is not held by licence", "one")
