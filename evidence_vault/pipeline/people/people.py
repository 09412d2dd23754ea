"""Persons: who is added, what one administrator may do with them, and what the operator does at first.

    one administrator     adds persons, makes rights holders, hands out the first code, links the first login of
                          somebody without power; ends roles, disables, erases names
    two administrators    everything that gives power: `proposals`
    the operator          makes the first two administrators, at the machine; the event says so

Each act is one transaction with its ROLE_GIVEN event on the vault: durable after return. A crash before the
commit means that nothing happened. What is given is shown to whoever gave it once, and kept as a digest.
"""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy.orm import Session

from evidence_vault.core.events import VAULT
from evidence_vault.core.names import LABEL, encode_id
from evidence_vault.errors import AccessRefused, Conflict, FormatError, SecondPersonNeeded
from evidence_vault.identity.actors import TokenFacts, add_program
from evidence_vault.identity.local import normal_login
from evidence_vault.identity.roles import check_role, needs_two
from evidence_vault.identity.tokens import digest_code, encode_half
from evidence_vault.pipeline.record import Draft, EventActor, append_event, system_actor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.people_models import Actor, Login
from evidence_vault.store.queries import actors, logins, people
from evidence_vault.store.queries.logins import LOCAL

AT_MACHINE = "by the operator, at the vault's machine"
FIRST_ADMINISTRATORS = 2
"""So many the operator makes alone: from then on they can do it themselves, two at a time."""


def add_organisation(vault: Vault, *, name: str) -> str:
    """Add an organisation; return its id. Raises FormatError."""
    LABEL.check(name, "name")
    organisation_id = encode_id("og", vault.random(16))
    with vault.database.write() as session:
        people.add_organisation(session, organisation_id=organisation_id, name=name, at=vault.clock())
    return organisation_id


def add_person(vault: Vault, *, name: str, login: str | None, organisation_id: str | None) -> str:
    """Add a person without any role; return his id. login: a local name, still without a password.

    Raises FormatError, Conflict for a login that is taken, AccessRefused for an unknown organisation.
    """
    with vault.database.write() as session:
        return _add_person(vault, session, name=name, login=login, organisation_id=organisation_id)


def give_role(vault: Vault, *, by: EventActor, person_id: str, role: str) -> None:
    """Give a role that one administrator can give. Raises SecondPersonNeeded for any other, Conflict if held."""
    check_role(role, None, None)
    if needs_two(role):
        raise SecondPersonNeeded(role, "propose it; another administrator confirms")
    with vault.database.write() as session:
        person = person_to_change(session, person_id)
        require_not_held(session, person_id, role)
        actors.add_role(session, actor_id=person_id, role=role, at=vault.clock(), given_by=by.id)
        record_change(vault, session, by=by, person=person, change="given", role=role)


def hand_out_code(vault: Vault, *, by: EventActor, person_id: str) -> str:
    """Return a code with which a person without power sets his first password.

    Raises SecondPersonNeeded for somebody with power or with a password: that is a reset. Conflict: no local login.
    """
    with vault.database.write() as session:
        person = person_to_change(session, person_id)
        login = local_login(session, person_id)
        if login.password is not None or holds_power(session, person_id):
            raise SecondPersonNeeded(
                "code", "propose to reset the credentials; another administrator confirms"
            )
        code = new_code(vault, session, login, basis="one")
        record_change(vault, session, by=by, person=person, change="code-given")
        return code


def link_first(vault: Vault, *, by: EventActor, person_id: str, issuer: str, subject: str) -> None:
    """Let a provider's subject be a person without power who has no login there yet. Raises SecondPersonNeeded."""
    check_subject(vault, issuer, subject)
    with vault.database.write() as session:
        person = person_to_change(session, person_id)
        linked = any(one.issuer == issuer for one in logins.logins_of(session, person_id))
        if linked or holds_power(session, person_id):
            raise SecondPersonNeeded("link", "propose it; another administrator confirms")
        require_free(session, issuer, subject)
        logins.add_login(
            session, actor_id=person_id, issuer=issuer, subject=subject, basis="one", at=vault.clock()
        )
        record_change(vault, session, by=by, person=person, change="login-linked")


def end_role(vault: Vault, *, by: EventActor, person_id: str, role: str, reason: str) -> None:
    """Take a role from a person: sessions and tokens in it end at once. Raises AccessRefused if he hasn't it."""
    check_reason(reason)
    with vault.database.write() as session:
        person = person_to_change(session, person_id)
        held = next((one for one in actors.live_roles(session, person_id) if one.role == role), None)
        if held is None:
            raise AccessRefused("manage_people", person_id)
        now = vault.clock()
        people.end_role(session, held.id, now=now)
        actors.revoke_all(session, person_id, now=now, role_id=held.id)
        record_change(vault, session, by=by, person=person, change="ended", role=role, reason=reason)


def disable_person(vault: Vault, *, by: EventActor, person_id: str, reason: str) -> None:
    """Let a person act no more, in any role, with any secret. There is no way back but another person."""
    check_reason(reason)
    with vault.database.write() as session:
        person = person_to_change(session, person_id)
        _disable(vault, session, by=by, person=person, reason=reason)


def erase_person(vault: Vault, *, by: EventActor, person_id: str) -> None:
    """Empty name, licence numbers and logins of a person who is disabled. His ids in events stay.

    Raises Conflict for one who isn't disabled.
    """
    with vault.database.write() as session:
        person = people.lock_person(session, person_id)
        if person is None:
            raise AccessRefused("manage_people", person_id)
        if person.disabled_at is None:
            raise Conflict("person", "he can still act: disable him first")
        record_change(vault, session, by=by, person=person, change="erased", named=False)
        people.erase_person(session, person_id)
        logins.forget_logins(session, person_id)


def first_administrator(vault: Vault, *, name: str, login: str) -> tuple[str, str]:
    """Make an administrator on the operator's word alone; return his id and the code for his password.

    Raises SecondPersonNeeded where there are two already: they make others.
    """
    with vault.database.write() as session:
        if people.count_live(session, "AD") >= FIRST_ADMINISTRATORS:
            raise SecondPersonNeeded(
                "AD", f"there are {FIRST_ADMINISTRATORS} administrators: let them propose it"
            )
        person_id = _add_person(vault, session, name=name, login=login, organisation_id=None)
        actors.add_role(session, actor_id=person_id, role="AD", at=vault.clock())
        code = new_code(vault, session, local_login(session, person_id), basis="operator")
        record_change(
            vault,
            session,
            by=operator(session),
            person=person_to_change(session, person_id),
            change="given",
            role="AD",
            reason=AT_MACHINE,
        )
        return person_id, code


def operator_disables(vault: Vault, *, person_id: str, reason: str) -> None:
    """Let a person act no more, on the operator's word: taking away needs nobody to agree."""
    check_reason(reason)
    with vault.database.write() as session:
        _disable(
            vault, session, by=operator(session), person=person_to_change(session, person_id), reason=reason
        )


def make_program(
    vault: Vault, *, name: str, role: str, scopes: Collection[str], life: timedelta
) -> tuple[str, TokenFacts]:
    """Make a program and its token on the operator's word; a role with power is told by an event.

    A program manages nobody, whatever its role: proposing and confirming take a person who is logged in.
    """
    with vault.database.write() as session:
        token, facts = add_program(session, name=name, role=role, scopes=scopes, now=vault.clock(), life=life)
        program = actors.get_actor(session, facts.actor_id)
        assert program is not None
        if needs_two(role):
            record_change(
                vault,
                session,
                by=operator(session),
                person=program,
                change="given",
                role=role,
                reason=AT_MACHINE,
            )
        return token, facts


def operator(session: Session) -> EventActor:
    """Return whoever works at the vault's machine, as events name him: the vault itself, by its operator."""
    system = system_actor(session)
    return EventActor(id=system.id, role=system.role, auth="operator")


def record_change(
    vault: Vault,
    session: Session,
    *,
    by: EventActor,
    person: Actor,
    change: str,
    role: str | None = None,
    proposed_by: str | None = None,
    licence: str | None = None,
    reason: str = "",
    named: bool = True,
) -> None:
    """Write the ROLE_GIVEN event of a change; it is in the log for ever, the names in it only as disclosures."""
    disclosures = {"name": person.name if named else "", "licence": licence or "", "reason": reason}
    append_event(
        vault,
        session,
        Draft(
            subject=VAULT,
            type="ROLE_GIVEN",
            actor=by,
            fields={"person": person.id, "role": role, "change": change, "proposed_by": proposed_by},
            disclosures={name: text for name, text in disclosures.items() if text},
        ),
    )


def person_to_change(session: Session, person_id: str) -> Actor:
    """Return a person who can act, locked. Raises AccessRefused."""
    person = people.lock_person(session, person_id)
    if person is None or person.disabled_at is not None:
        raise AccessRefused("manage_people", person_id)
    return person


def holds_power(session: Session, person_id: str) -> bool:
    """Whether a person holds a role that takes two persons."""
    return any(needs_two(one.role) for one in actors.live_roles(session, person_id))


def require_not_held(session: Session, person_id: str, role: str) -> None:
    """Return if a person doesn't hold this role. Raises Conflict."""
    if any(one.role == role for one in actors.live_roles(session, person_id)):
        raise Conflict("role", f"he holds {role} already")


def local_login(session: Session, person_id: str) -> Login:
    """Return a person's local login. Raises Conflict."""
    login = next((one for one in logins.logins_of(session, person_id) if one.issuer == LOCAL), None)
    if login is None:
        raise Conflict("login", "this person has no local login")
    return login


def new_code(vault: Vault, session: Session, login: Login, *, basis: str) -> str:
    """Return a whole code for a login, for one pair of hands."""
    code = f"{encode_half(vault.random(16))}.{encode_half(vault.random(16))}"
    keep_code(vault, session, login, basis=basis, code_sha256=digest_code(code))
    return code


def keep_code(vault: Vault, session: Session, login: Login, *, basis: str, code_sha256: bytes) -> None:
    """Let the code with this digest set the login's password, for as long as the settings say."""
    now = vault.clock()
    logins.add_code(
        session,
        code_sha256=code_sha256,
        login_id=login.id,
        basis=basis,
        at=now,
        expires_at=now + timedelta(hours=vault.settings.identity.code_hours),
    )


def check_subject(vault: Vault, issuer: str, subject: str) -> None:
    """Return if the settings name this provider and the subject can be one. Raises FormatError."""
    if issuer not in [one.issuer for one in vault.settings.oidc]:
        raise FormatError("issuer", "one of the providers in the settings", issuer)
    if not 1 <= len(subject) <= 255 or not subject.isascii() or not subject.isprintable():
        raise FormatError(
            "subject", "1 to 255 printable ASCII characters (OpenID Connect Core §2)", len(subject)
        )


def require_free(session: Session, issuer: str, subject: str) -> None:
    """Return if nobody has this login. Raises Conflict."""
    if logins.find_login(session, issuer=issuer, subject=subject) is not None:
        raise Conflict("login", "it is somebody's already")


def check_reason(reason: str) -> None:
    """Return if this can stand as a reason. Raises FormatError."""
    LABEL.check(reason, "reason")


def _add_person(
    vault: Vault, session: Session, *, name: str, login: str | None, organisation_id: str | None
) -> str:
    LABEL.check(name, "name")
    if organisation_id is not None and people.get_organisation(session, organisation_id) is None:
        raise AccessRefused("manage_people", organisation_id)
    person_id, now = encode_id("ac", vault.random(16)), vault.clock()
    people.add_person(
        session, actor_id=person_id, kind="person", name=name, organisation_id=organisation_id, at=now
    )
    if login is not None:
        subject = normal_login(login)
        require_free(session, LOCAL, subject)
        logins.add_login(session, actor_id=person_id, issuer=LOCAL, subject=subject, basis="one", at=now)
    return person_id


def _disable(vault: Vault, session: Session, *, by: EventActor, person: Actor, reason: str) -> None:
    now = vault.clock()
    people.disable(session, person.id, now=now)
    actors.revoke_all(session, person.id, now=now)
    record_change(vault, session, by=by, person=person, change="disabled", reason=reason)
