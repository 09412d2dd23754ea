"""What requests and answers about custody look like: contents read again, the platform, its incidents."""

from typing import Literal

from pydantic import AwareDatetime, Field

from evidence_vault.api.case_schemas import Asked, Code, Words
from evidence_vault.api.schemas import View


class ContentStateView(View):
    """How the content was when it was last read again. state null: not read again yet, or none is kept."""

    state: Literal["sound", "altered", "missing", "unreadable"] | None
    checked_at: str | None = Field(description="When it was read last.")
    sound_at: str | None = Field(description="When it was last found whole.")


class StatementView(View):
    """What the operator states about himself, as the log holds it."""

    operator: str
    operated_by_depositor: bool
    relation_to_parties: str
    filings: list[str]
    can_read_content: bool
    software: str = Field(description="What kept the evidence from then on.")
    stated_at: str


class IncidentView(View):
    """What happened to the platform, at its newest. ended_at null: it goes on, or nobody knows."""

    name: str
    kind: str
    began_at: str
    ended_at: str | None
    summary: str


class IncidentAsked(Asked):
    """What happened to the platform, as its operator tells it. ended_at left out: it goes on, or nobody knows."""

    kind: Code = Field(examples=["hosting"])
    began_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    summary: Words = Field(description="Travels in every bundle: names no person and no item.")


class EndAsked(Asked):
    """When an incident ended."""

    ended_at: AwareDatetime


class IncidentList(View):
    """All incidents, in the order in which they were first noted."""

    incidents: list[IncidentView]


class PlatformView(View):
    """What every bundle carries about the platform: the statement, and all incidents."""

    statement: StatementView
    incidents: list[IncidentView]
