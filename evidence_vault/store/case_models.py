"""The tables of cases, grants and orders: what follows from their events, kept so that it can be asked.

    cases ─ case_parties, case_items, consents      a matter, who is in it, what is in it, who agreed to what
      └─ orders ─ grants ─ grant_items              who may do what, with which items
    refusals  notices                               counted until their hour ends; told to whom they concern

Every row but those of the last line follows from events (`pipeline.consequences`), so `recover` makes them again.
Personal values (names, numbers, purposes) are disclosures of those events and in no column.
"""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from evidence_vault.store.columns import BIG_ID, Base, UtcDateTime


class Case(Base):
    """A matter before a forum. opened_role: in which whoever opened it acted."""

    __tablename__ = "cases"
    id: Mapped[str] = mapped_column(String(29), primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), unique=True)
    opened_by: Mapped[str] = mapped_column(ForeignKey("actors.id"), index=True)
    opened_role: Mapped[str] = mapped_column(String(6))
    forum: Mapped[str] = mapped_column(String(64))
    jurisdiction: Mapped[str] = mapped_column(String(64))
    confidentiality: Mapped[str] = mapped_column(String(10))
    mediation_only: Mapped[bool]
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CaseParty(Base):
    """A party, by its number in the case. event_id: the PARTY_NAMED that said so last."""

    __tablename__ = "case_parties"
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    party: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    side: Mapped[str] = mapped_column(String(64))
    person_id: Mapped[str | None] = mapped_column(ForeignKey("actors.id"), index=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"))


class CaseItem(Base):
    """An item in a case, with its number in the list of evidence. event_id: the ITEM_ADDED that said so last."""

    __tablename__ = "case_items"
    __table_args__ = (UniqueConstraint("case_id", "number"),)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), primary_key=True, index=True)
    number: Mapped[int]
    copies: Mapped[int | None]
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"))


class Consent(Base):
    """A party of a mediation lets an item be used in another case."""

    __tablename__ = "consents"
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    party: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    for_case: Mapped[str] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), primary_key=True, index=True)


class Order(Base):
    """An investigation order. The grants that follow from it name it; its numbers and names are disclosures.

    reveals: it asks who stands behind the pseudonyms under which its items were deposited.
    """

    __tablename__ = "orders"
    id: Mapped[str] = mapped_column(String(29), primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), unique=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), index=True)
    court: Mapped[str] = mapped_column(String(200))
    registered_by: Mapped[str] = mapped_column(ForeignKey("actors.id"))
    respondent_id: Mapped[str | None] = mapped_column(ForeignKey("actors.id"), index=True)
    reveals: Mapped[bool]
    registered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    returned_event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id"))


class Grant(Base):
    """A permission. actions: space-separated. Locked while content is opened under it, and while it is revoked.

    giver_id: who gave it; holder_id: for whom, null for a court's. whole_case: about the case, listing no item.
    organisation_id: the grantee's when it was given. closed_at: when its end was told.
    """

    __tablename__ = "grants"
    __table_args__ = (
        CheckConstraint("view_limit IS NULL OR view_limit >= 1", name="view_limit"),
        CheckConstraint("views_used >= 0", name="views_used"),
        CheckConstraint("not_before < expires_at", name="lasts"),
        Index("ix_grants_closed_at_expires_at", "closed_at", "expires_at"),
    )
    id: Mapped[str] = mapped_column(String(29), primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"))
    grantee_id: Mapped[str] = mapped_column(ForeignKey("actors.id"), index=True)
    grantee_role: Mapped[str] = mapped_column(String(6))
    organisation_id: Mapped[str | None] = mapped_column(String(29))
    giver_id: Mapped[str] = mapped_column(ForeignKey("actors.id"), index=True)
    holder_id: Mapped[str | None] = mapped_column(ForeignKey("actors.id"), index=True)
    case_id: Mapped[str | None] = mapped_column(ForeignKey("cases.id"), index=True)
    order_id: Mapped[str | None] = mapped_column(ForeignKey("orders.id"), index=True)
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("grants.id"), index=True)
    actions: Mapped[str] = mapped_column(String(200))
    whole_case: Mapped[bool]
    onward: Mapped[bool]
    jurisdiction: Mapped[str | None] = mapped_column(String(64))
    not_before: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    view_limit: Mapped[int | None]
    views_used: Mapped[int]
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class GrantItem(Base):
    """An item of a grant's frozen list. undertaking_event_id: the UNDERTAKING_SIGNED for it.

    refused_at: when a refusal to this grantee was last written into the item's history.
    """

    __tablename__ = "grant_items"
    grant_id: Mapped[str] = mapped_column(ForeignKey("grants.id"), primary_key=True)
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), primary_key=True, index=True)
    undertaking_event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id"))
    refused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Refusals(Base):
    """How often a principal was refused in an hour; becomes a REFUSALS_COUNTED when the hour is over."""

    __tablename__ = "refusals"
    principal_id: Mapped[str] = mapped_column(ForeignKey("actors.id"), primary_key=True)
    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    refusals: Mapped[int] = mapped_column(BigInteger)


class Notice(Base):
    """Something a person, or everybody in a role, is to be told: which event of which subject."""

    __tablename__ = "notices"
    __table_args__ = (
        CheckConstraint("(person_id IS NULL) <> (role IS NULL)", name="one_recipient"),
        Index("ix_notices_person_id", "person_id"),
        Index("ix_notices_role", "role"),
    )
    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("actors.id"))
    role: Mapped[str | None] = mapped_column(String(6))
    kind: Mapped[str] = mapped_column(String(64))
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
