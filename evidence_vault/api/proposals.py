"""What takes two administrators, over HTTP: propose, look, confirm or refuse.

    POST /v1/proposals  {"kind": "role", "person_id": "ac_…", "role": "JU", "reason": "…"}
    POST /v1/proposals/{id}/confirm      by another administrator

A reset gives each of the two one half of a code; the person joins them with a dot and sets his password with it.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import Field

from evidence_vault.api.caller import Administrator, LoggedInAdministrator, VaultHere
from evidence_vault.api.description import may_answer
from evidence_vault.api.json_body import Asked, asked_as, body_of
from evidence_vault.api.schemas import View
from evidence_vault.core.names import ACTOR_ID, PROPOSAL_ID, encode_time
from evidence_vault.errors import FormatError
from evidence_vault.pipeline.cases.entering import event_actor
from evidence_vault.pipeline.people import proposals as acts
from evidence_vault.store.queries import people

router = APIRouter(prefix="/proposals", tags=["people"])
ProposalId = Annotated[str, Path(pattern=f"^{PROPOSAL_ID.pattern}$")]


class ProposalAsked(Asked):
    """A proposal: of a role (with a licence where it is regulated), a reset, or a login at a provider."""

    kind: Literal["role", "reset", "link"]
    person_id: str = Field(pattern=f"^{ACTOR_ID.pattern}$")
    reason: str = Field(min_length=1, max_length=200)
    role: str | None = Field(default=None, max_length=6)
    licence_number: str | None = Field(default=None, max_length=100)
    jurisdiction: str | None = Field(default=None, max_length=10)
    issuer: str | None = Field(default=None, max_length=300)
    subject: str | None = Field(default=None, max_length=255)


class ProposalView(View):
    """A proposal that waits. licence_number, subject: for the second person to compare."""

    id: str
    kind: str
    person_id: str
    person_name: str
    role: str | None
    licence_number: str | None
    jurisdiction: str | None
    issuer: str | None
    subject: str | None
    reason: str
    proposed_by: str
    proposed_at: str
    expires_at: str


class ProposalList(View):
    """All that wait, oldest first."""

    proposals: list[ProposalView]


class DoneView(View):
    """What became of it. half: one half of a code, told once, to be handed to the person by this administrator."""

    id: str
    half: str | None


@router.get("")
def list_proposals(vault: VaultHere, _caller: Administrator) -> ProposalList:
    """List what waits for a second person."""
    with vault.database.read() as session:
        found = people.open_proposals(session, now=vault.clock())
        names = {one.person_id: people.get_person(session, one.person_id) for one in found}
        return ProposalList(
            proposals=[
                ProposalView(
                    id=one.id,
                    kind=one.kind,
                    person_id=one.person_id,
                    person_name="" if (person := names[one.person_id]) is None else person.name,
                    role=one.role,
                    licence_number=one.licence_number,
                    jurisdiction=one.jurisdiction,
                    issuer=one.issuer,
                    subject=one.subject,
                    reason=one.reason,
                    proposed_by=one.proposed_by,
                    proposed_at=encode_time(one.proposed_at),
                    expires_at=encode_time(one.expires_at),
                )
                for one in found
            ]
        )


@router.post("", status_code=201, openapi_extra=body_of(ProposalAsked, **may_answer("not-found")))
def propose(
    vault: VaultHere,
    caller: LoggedInAdministrator,
    asked: Annotated[ProposalAsked, Depends(asked_as(ProposalAsked))],
) -> DoneView:
    """Propose. Nothing changes before another administrator confirms it."""
    by = event_actor(caller)
    _require_members(asked)
    match asked.kind:
        case "role":
            done = acts.propose_role(
                vault,
                by=by,
                person_id=asked.person_id,
                role=asked.role or "",
                licence_number=asked.licence_number,
                jurisdiction=asked.jurisdiction,
                reason=asked.reason,
            )
        case "reset":
            done = acts.propose_reset(vault, by=by, person_id=asked.person_id, reason=asked.reason)
        case "link":
            done = acts.propose_link(
                vault,
                by=by,
                person_id=asked.person_id,
                issuer=asked.issuer or "",
                subject=asked.subject or "",
                reason=asked.reason,
            )
    return DoneView(id=done.id, half=done.half)


@router.post("/{proposal_id}/confirm", openapi_extra=may_answer("second-person"))
def confirm(proposal_id: ProposalId, vault: VaultHere, caller: LoggedInAdministrator) -> DoneView:
    """Confirm what another administrator proposed: it is done by this."""
    done = acts.confirm(vault, by=event_actor(caller), proposal_id=proposal_id)
    return DoneView(id=done.id, half=done.half)


@router.post("/{proposal_id}/refuse", status_code=204)
def refuse(proposal_id: ProposalId, vault: VaultHere, caller: LoggedInAdministrator) -> Response:
    """Refuse it, or withdraw one's own."""
    acts.refuse(vault, by=event_actor(caller), proposal_id=proposal_id)
    return Response(status_code=204)


_MEMBERS = {"role": ("role", "licence_number", "jurisdiction"), "reset": (), "link": ("issuer", "subject")}


def _require_members(asked: ProposalAsked) -> None:
    """Refuse what doesn't belong to this kind of proposal: whoever confirms would not see what it meant."""
    for name in ("role", "licence_number", "jurisdiction", "issuer", "subject"):
        if getattr(asked, name) is not None and name not in _MEMBERS[asked.kind]:
            raise FormatError(f"body.{name}", f"no such member in a proposal of kind {asked.kind}", "one")
