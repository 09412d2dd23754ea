"""Persons, organisations and their roles, for administrators; what takes two of them is in `proposals`.

Names are told to administrators and to nobody else here. Nothing in an answer is a secret that could be asked for
again: a code is told once.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field

from evidence_vault.api.caller import Administrator, LoggedInAdministrator, VaultHere
from evidence_vault.api.description import may_answer
from evidence_vault.api.json_body import Asked, asked_as, body_of
from evidence_vault.api.schemas import View
from evidence_vault.core.names import ACTOR_ID, ORGANISATION_ID, encode_time
from evidence_vault.errors import AccessRefused
from evidence_vault.pipeline.cases.entering import event_actor
from evidence_vault.pipeline.people import people as acts
from evidence_vault.store.people_models import Actor, ActorRole, Login
from evidence_vault.store.queries import logins, people

MAX_PAGE = 100

router = APIRouter(tags=["people"])
PersonId = Annotated[str, Path(pattern=f"^{ACTOR_ID.pattern}$")]


class OrganisationAsked(Asked):
    """An organisation by its name."""

    name: str = Field(min_length=1, max_length=200)


class OrganisationView(View):
    """An organisation."""

    id: str
    name: str


class OrganisationList(View):
    """All organisations, oldest first."""

    organisations: list[OrganisationView]


class PersonAsked(Asked):
    """A person without any role yet. login: a local name, for a password."""

    name: str = Field(min_length=1, max_length=200)
    login: str | None = Field(default=None, min_length=2, max_length=100)
    organisation_id: str | None = Field(default=None, pattern=f"^{ORGANISATION_ID.pattern}$")


class RoleView(View):
    """A role that a person holds or held."""

    role: str
    licence_number: str | None
    jurisdiction: str | None
    given_by: str | None
    confirmed_by: str | None
    given_at: str
    ended_at: str | None


class LoginView(View):
    """A way for a person to log in. basis: who answers for it: the operator, one administrator, or two."""

    issuer: str
    subject: str
    usable: bool
    basis: Literal["operator", "one", "two"]


class PersonView(View):
    """A person. trusted_since: what was granted to him before is void until confirmed again."""

    id: str
    name: str
    organisation_id: str | None
    created_at: str
    trusted_since: str
    disabled_at: str | None
    roles: list[RoleView]
    logins: list[LoginView]


class PersonList(View):
    """A page of persons by id, and where the next begins."""

    persons: list[PersonView]
    next: str | None


class GiveRoleAsked(Asked):
    """A role that one administrator can give."""

    role: Literal["RH"]


class ReasonAsked(Asked):
    """Why."""

    reason: str = Field(min_length=1, max_length=200)


class LinkAsked(Asked):
    """A subject at a provider of the settings."""

    issuer: str = Field(max_length=300)
    subject: str = Field(min_length=1, max_length=255)


class CodeView(View):
    """A code to set a password with, told once."""

    code: str


@router.post("/organisations", status_code=201, openapi_extra=body_of(OrganisationAsked))
def add_organisation(
    vault: VaultHere,
    _caller: LoggedInAdministrator,
    asked: Annotated[OrganisationAsked, Depends(asked_as(OrganisationAsked))],
) -> OrganisationView:
    """Add an organisation."""
    return OrganisationView(id=acts.add_organisation(vault, name=asked.name), name=asked.name)


@router.get("/organisations")
def list_organisations(vault: VaultHere, _caller: Administrator) -> OrganisationList:
    """List the organisations."""
    with vault.database.read() as session:
        found = people.list_organisations(session)
        return OrganisationList(organisations=[OrganisationView(id=one.id, name=one.name) for one in found])


@router.post("/people", status_code=201, openapi_extra=body_of(PersonAsked, **may_answer("not-found")))
def add_person(
    vault: VaultHere,
    _caller: LoggedInAdministrator,
    asked: Annotated[PersonAsked, Depends(asked_as(PersonAsked))],
) -> PersonView:
    """Add a person. He can do nothing before he has a role and a way to log in."""
    person_id = acts.add_person(
        vault, name=asked.name, login=asked.login, organisation_id=asked.organisation_id
    )
    return _show(vault, person_id)


@router.get("/people")
def list_people(
    vault: VaultHere,
    _caller: Administrator,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    after: Annotated[str | None, Query(pattern=f"^{ACTOR_ID.pattern}$")] = None,
) -> PersonList:
    """List persons."""
    with vault.database.read() as session:
        rows = people.list_persons(session, limit=limit + 1, after=after)
        page = rows[:limit]
        roles = people.roles_of(session, [row.id for row in page])
        return PersonList(
            persons=[_view(row, roles[row.id], logins.logins_of(session, row.id)) for row in page],
            next=page[-1].id if len(rows) > limit else None,
        )


@router.get("/people/{person_id}")
def show_person(person_id: PersonId, vault: VaultHere, _caller: Administrator) -> PersonView:
    """Show a person with all roles that he ever held."""
    return _show(vault, person_id)


@router.post("/people/{person_id}/roles", status_code=201, openapi_extra=body_of(GiveRoleAsked))
def give_role(
    person_id: PersonId,
    vault: VaultHere,
    caller: LoggedInAdministrator,
    asked: Annotated[GiveRoleAsked, Depends(asked_as(GiveRoleAsked))],
) -> PersonView:
    """Make a person a rights holder. Every other role takes two administrators: propose it."""
    acts.give_role(vault, by=event_actor(caller), person_id=person_id, role=asked.role)
    return _show(vault, person_id)


@router.post("/people/{person_id}/roles/{role}/end", openapi_extra=body_of(ReasonAsked))
def end_role(
    person_id: PersonId,
    role: Annotated[str, Path(pattern="^[A-Z]{2}$")],
    vault: VaultHere,
    caller: LoggedInAdministrator,
    asked: Annotated[ReasonAsked, Depends(asked_as(ReasonAsked))],
) -> PersonView:
    """Take a role from a person; what speaks for him in it ends at once."""
    acts.end_role(vault, by=event_actor(caller), person_id=person_id, role=role, reason=asked.reason)
    return _show(vault, person_id)


@router.post("/people/{person_id}/code", status_code=201, openapi_extra=may_answer("second-person"))
def hand_out_code(person_id: PersonId, vault: VaultHere, caller: LoggedInAdministrator) -> CodeView:
    """Get a code for somebody's first password, who has no power. All else is a reset, which takes two."""
    return CodeView(code=acts.hand_out_code(vault, by=event_actor(caller), person_id=person_id))


@router.post(
    "/people/{person_id}/logins",
    status_code=201,
    openapi_extra=body_of(LinkAsked, **may_answer("second-person")),
)
def link_login(
    person_id: PersonId,
    vault: VaultHere,
    caller: LoggedInAdministrator,
    asked: Annotated[LinkAsked, Depends(asked_as(LinkAsked))],
) -> PersonView:
    """Link the first login at a provider, of somebody without power. All else takes two: propose it."""
    acts.link_first(
        vault, by=event_actor(caller), person_id=person_id, issuer=asked.issuer, subject=asked.subject
    )
    return _show(vault, person_id)


@router.post("/people/{person_id}/disable", openapi_extra=body_of(ReasonAsked))
def disable_person(
    person_id: PersonId,
    vault: VaultHere,
    caller: LoggedInAdministrator,
    asked: Annotated[ReasonAsked, Depends(asked_as(ReasonAsked))],
) -> PersonView:
    """Let a person act no more. Every session and token of his ends at once."""
    acts.disable_person(vault, by=event_actor(caller), person_id=person_id, reason=asked.reason)
    return _show(vault, person_id)


@router.delete("/people/{person_id}/names", status_code=204)
def erase_names(person_id: PersonId, vault: VaultHere, caller: LoggedInAdministrator) -> Response:
    """Erase the personal values of a person who is disabled: name, licence numbers, logins. Ids stay."""
    acts.erase_person(vault, by=event_actor(caller), person_id=person_id)
    return Response(status_code=204)


def _show(vault: VaultHere, person_id: str) -> PersonView:
    with vault.database.read() as session:
        person = people.get_person(session, person_id)
        if person is None:
            raise AccessRefused("manage_people", person_id)
        roles = people.roles_of(session, [person_id])
        return _view(person, roles[person_id], logins.logins_of(session, person_id))


def _view(person: Actor, roles: Sequence[ActorRole], found: Sequence[Login]) -> PersonView:
    return PersonView(
        id=person.id,
        name=person.name,
        organisation_id=person.organisation_id,
        created_at=encode_time(person.created_at),
        trusted_since=encode_time(person.trusted_since),
        disabled_at=None if person.disabled_at is None else encode_time(person.disabled_at),
        roles=[
            RoleView(
                role=one.role,
                licence_number=one.licence_number,
                jurisdiction=one.jurisdiction,
                given_by=one.given_by,
                confirmed_by=one.confirmed_by,
                given_at=encode_time(one.given_at),
                ended_at=None if one.ended_at is None else encode_time(one.ended_at),
            )
            for one in roles
        ],
        logins=[
            LoginView(
                issuer=one.issuer,
                subject=one.subject,
                usable=one.issuer != logins.LOCAL or one.password is not None,
                basis=one.basis,  # type: ignore[arg-type]
            )
            for one in found
        ],
    )
