"""What takes two administrators: one proposes, another confirms, and only then it is.

    role     every role but the rights holder's
    reset    a code for a new password; each of the two gets one half of it, and the person needs both
    link     a login at a provider, for somebody with power, or in the place of another

Whoever confirms is neither the proposer nor the person concerned, and bears neither's name. A role with power is
given only to somebody whose logins no single administrator has handed out: else he would be his puppet. What was
granted to the person before is void from then on (`actors.trusted_since`) until it is confirmed again.

Each act is one transaction, durable after return; a crash before its commit means that nothing happened. Of two
who confirm at the same time one is told that it was done.
"""

import unicodedata
from datetime import timedelta

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.core.names import encode_id
from evidence_vault.errors import AccessRefused, Conflict, FormatError, SecondPersonNeeded
from evidence_vault.identity.roles import check_role, needs_two
from evidence_vault.identity.tokens import digest_half, encode_half, join_halves
from evidence_vault.pipeline.people.people import (
    check_reason,
    check_subject,
    keep_code,
    local_login,
    person_to_change,
    record_change,
    require_free,
    require_not_held,
)
from evidence_vault.pipeline.record import EventActor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.people_models import Actor, Proposal
from evidence_vault.store.queries import actors, logins, people

ALONE = ("AD", "AU")
"""Who runs the vault and who audits it hold no other role with power: they would judge their own work."""


@value
class Proposed:
    """What a proposal became. half: of a reset, the proposer's half of the code, told once."""

    id: str
    half: str | None = None


def propose_role(
    vault: Vault,
    *,
    by: EventActor,
    person_id: str,
    role: str,
    licence_number: str | None,
    jurisdiction: str | None,
    reason: str,
) -> Proposed:
    """Propose that a person be given a role. Raises FormatError, Conflict, AccessRefused for an unknown person."""
    check_role(role, licence_number, jurisdiction)
    if not needs_two(role):
        raise FormatError("role", "one that takes two persons: this one is given at once", role)
    with vault.database.write() as session:
        person_to_change(session, person_id)
        _require_role_possible(session, person_id, role)
        return _propose(
            vault,
            session,
            by=by,
            person_id=person_id,
            kind="role",
            reason=reason,
            role=role,
            licence_number=licence_number,
            jurisdiction=jurisdiction,
        )


def propose_reset(vault: Vault, *, by: EventActor, person_id: str, reason: str) -> Proposed:
    """Propose a new password for a person; the proposer gets his half of the code now."""
    half = encode_half(vault.random(16))
    with vault.database.write() as session:
        person_to_change(session, person_id)
        local_login(session, person_id)
        made = _propose(
            vault,
            session,
            by=by,
            person_id=person_id,
            kind="reset",
            reason=reason,
            half_sha256=digest_half(half),
        )
        return Proposed(id=made.id, half=half)


def propose_link(
    vault: Vault, *, by: EventActor, person_id: str, issuer: str, subject: str, reason: str
) -> Proposed:
    """Propose that a provider's subject be this person, in the place of any other subject there."""
    check_subject(vault, issuer, subject)
    with vault.database.write() as session:
        person_to_change(session, person_id)
        require_free(session, issuer, subject)
        return _propose(
            vault,
            session,
            by=by,
            person_id=person_id,
            kind="link",
            reason=reason,
            issuer=issuer,
            subject=subject,
        )


def confirm(vault: Vault, *, by: EventActor, proposal_id: str) -> Proposed:
    """Do what another administrator proposed; of a reset, return the second half of the code, told once.

    Raises SecondPersonNeeded if this is not a second person, Conflict if it can't be done (any more), AccessRefused
    for an unknown proposal.
    """
    with vault.database.write() as session:
        proposal = _open(session, proposal_id)
        person = person_to_change(session, proposal.person_id)
        _require_second(session, proposal, by=by, person=person)
        _decide(vault, session, proposal, by=by, outcome="confirmed")
        half = _DO[proposal.kind](vault, session, proposal, person, by)
        people.distrust(session, person.id, now=vault.clock())
        return Proposed(id=proposal_id, half=half)


def refuse(vault: Vault, *, by: EventActor, proposal_id: str) -> None:
    """End a proposal without doing it: its proposer withdraws it, anybody else refuses it."""
    with vault.database.write() as session:
        proposal = _open(session, proposal_id)
        outcome = "withdrawn" if by.id == proposal.proposed_by else "refused"
        _decide(vault, session, proposal, by=by, outcome=outcome)


def _open(session: Session, proposal_id: str) -> Proposal:
    proposal = people.get_proposal(session, proposal_id)
    if proposal is None:
        raise AccessRefused("manage_people", proposal_id)
    return proposal


def _decide(vault: Vault, session: Session, proposal: Proposal, *, by: EventActor, outcome: str) -> None:
    """Note what became of it; of two who decide at once, one hears that it was decided."""
    if not people.decide_proposal(session, proposal.id, outcome=outcome, decided_by=by.id, now=vault.clock()):
        raise Conflict("proposal", "it was decided already, or waited too long")


def _propose(
    vault: Vault,
    session: Session,
    *,
    by: EventActor,
    person_id: str,
    kind: str,
    reason: str,
    **what: str | bytes | None,
) -> Proposed:
    """Add a proposal. what: the columns that its kind has."""
    check_reason(reason)
    now = vault.clock()
    if len(people.open_proposals(session, now=now, person_id=person_id, kind=kind)) >= MAX_OPEN:
        raise Conflict("proposal", f"{MAX_OPEN} of this kind wait for this person: decide those")
    made = people.add_proposal(
        session,
        Proposal(
            id=encode_id("pr", vault.random(16)),
            kind=kind,
            person_id=person_id,
            reason=reason,
            proposed_by=by.id,
            proposed_at=now,
            expires_at=now + timedelta(days=vault.settings.identity.proposal_days),
            **what,
        ),
    )
    return Proposed(id=made.id)


MAX_OPEN = 10
"""Open proposals of one kind for one person: more are a mistake, or meant to hide one."""


def _require_second(session: Session, proposal: Proposal, *, by: EventActor, person: Actor) -> None:
    """Return if `by` is neither who proposed nor whom it is about, also not under another account of his name."""
    if by.id in (proposal.proposed_by, person.id):
        raise SecondPersonNeeded("confirmation", "by neither the proposer nor the person concerned")
    own, proposer = people.get_person(session, by.id), people.get_person(session, proposal.proposed_by)
    if own is None:
        raise SecondPersonNeeded("confirmation", "by a person: a program is nobody's second")
    if proposer is None or proposer.disabled_at is not None:
        raise SecondPersonNeeded("confirmation", "the proposer can act no more: propose it anew")
    if not any(one.role == "AD" for one in actors.live_roles(session, proposer.id)):
        raise SecondPersonNeeded("confirmation", "the proposer is no administrator any more: propose it anew")
    names = {_as_seen(one.name) for one in (proposer, person)}
    if _as_seen(own.name) in names:
        raise SecondPersonNeeded(
            "confirmation", "another account has the same name: let a third person confirm"
        )


def _as_seen(name: str) -> str:
    """A name as the eye sees it: two spellings of one name are one."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return "".join(c for c in text if unicodedata.category(c)[0] in "LN")


def _give_role(
    vault: Vault, session: Session, proposal: Proposal, person: Actor, by: EventActor
) -> str | None:
    assert proposal.role is not None
    _require_role_possible(session, person.id, proposal.role)
    usable = [
        one for one in logins.logins_of(session, person.id) if one.issuer != logins.LOCAL or one.password
    ]
    if any(one.basis == "one" for one in usable):
        raise SecondPersonNeeded(
            "login", "one administrator alone handed out this person's login: reset or link it by two first"
        )
    logins.forget_codes(session, person.id, basis="one")
    actors.add_role(
        session,
        actor_id=person.id,
        role=proposal.role,
        licence_number=proposal.licence_number,
        jurisdiction=proposal.jurisdiction,
        given_by=proposal.proposed_by,
        confirmed_by=by.id,
        at=vault.clock(),
    )
    record_change(
        vault,
        session,
        by=by,
        person=person,
        change="given",
        role=proposal.role,
        proposed_by=proposal.proposed_by,
        licence=proposal.licence_number,
        reason=proposal.reason,
    )
    return None


def _reset(vault: Vault, session: Session, proposal: Proposal, person: Actor, by: EventActor) -> str | None:
    """End what the person has, and let the two halves of the code be his way back."""
    assert proposal.half_sha256 is not None
    login = local_login(session, person.id)
    half = encode_half(vault.random(16))
    logins.set_password(session, login.id, password=None, basis="two")
    keep_code(
        vault,
        session,
        login,
        basis="two",
        code_sha256=join_halves(proposal.half_sha256, digest_half(half)),
    )
    actors.revoke_all(session, person.id, now=vault.clock())
    record_change(
        vault,
        session,
        by=by,
        person=person,
        change="credentials-reset",
        proposed_by=proposal.proposed_by,
        reason=proposal.reason,
    )
    return half


def _link(vault: Vault, session: Session, proposal: Proposal, person: Actor, by: EventActor) -> str | None:
    assert proposal.issuer is not None
    if proposal.subject is None:
        raise Conflict("proposal", "what it said was erased")
    require_free(session, proposal.issuer, proposal.subject)
    logins.forget_logins(session, person.id, issuer=proposal.issuer)
    logins.add_login(
        session,
        actor_id=person.id,
        issuer=proposal.issuer,
        subject=proposal.subject,
        basis="two",
        at=vault.clock(),
    )
    actors.revoke_all(session, person.id, now=vault.clock())
    record_change(
        vault,
        session,
        by=by,
        person=person,
        change="login-linked",
        proposed_by=proposal.proposed_by,
        reason=proposal.reason,
    )
    return None


_DO = {"role": _give_role, "reset": _reset, "link": _link}


def _require_role_possible(session: Session, person_id: str, role: str) -> None:
    require_not_held(session, person_id, role)
    held = [one.role for one in actors.live_roles(session, person_id) if needs_two(one.role)]
    if held and (role in ALONE or any(one in ALONE for one in held)):
        raise Conflict(
            "role", f"{role} doesn't go with {', '.join(held)}: who runs or audits the vault does only that"
        )
