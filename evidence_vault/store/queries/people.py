"""Persons and organisations, their roles, and proposals that wait for a second administrator."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from evidence_vault.store.people_models import Actor, ActorRole, Organisation, Proposal, Pseudonym
from evidence_vault.store.session import serialize


def add_organisation(session: Session, *, organisation_id: str, name: str, at: datetime) -> Organisation:
    """Add an organisation."""
    made = Organisation(id=organisation_id, name=name, created_at=at)
    session.add(made)
    session.flush()
    return made


def list_organisations(session: Session) -> Sequence[Organisation]:
    """Return all organisations, oldest first."""
    return session.scalars(select(Organisation).order_by(Organisation.created_at, Organisation.id)).all()


def get_organisation(session: Session, organisation_id: str) -> Organisation | None:
    """Return the organisation."""
    return session.get(Organisation, organisation_id)


def add_person(
    session: Session, *, actor_id: str, kind: str, name: str, organisation_id: str | None, at: datetime
) -> Actor:
    """Add an actor without any role."""
    made = Actor(
        id=actor_id,
        kind=kind,
        name=name,
        organisation_id=organisation_id,
        created_at=at,
        trusted_since=at,
        disabled_at=None,
    )
    session.add(made)
    session.flush()
    return made


def lock_person(session: Session, actor_id: str) -> Actor | None:
    """Return a person (no program, no pseudonym) and keep others from changing him meanwhile."""
    return session.scalars(
        select(Actor).where(Actor.id == actor_id, Actor.kind == "person").with_for_update()
    ).first()


def get_person(session: Session, actor_id: str) -> Actor | None:
    """Return a person, disabled or not."""
    return session.scalars(select(Actor).where(Actor.id == actor_id, Actor.kind == "person")).first()


def list_persons(session: Session, *, limit: int, after: str | None) -> Sequence[Actor]:
    """Return persons by id, those above `after`."""
    statement = select(Actor).where(Actor.kind == "person").order_by(Actor.id).limit(limit)
    if after is not None:
        statement = statement.where(Actor.id > after)
    return session.scalars(statement).all()


def roles_of(session: Session, actor_ids: Sequence[str]) -> Mapping[str, Sequence[ActorRole]]:
    """Return the roles that these actors hold or held, by actor, in the order in which they were given."""
    found: dict[str, list[ActorRole]] = {actor_id: [] for actor_id in actor_ids}
    for role in session.scalars(
        select(ActorRole).where(ActorRole.actor_id.in_(actor_ids)).order_by(ActorRole.id)
    ):
        found[role.actor_id].append(role)
    return found


def count_live(session: Session, role: str) -> int:
    """Return how many actors that are not disabled hold this role."""
    return (
        session.scalar(
            select(func.count())
            .select_from(ActorRole)
            .join(Actor, Actor.id == ActorRole.actor_id)
            .where(ActorRole.role == role, ActorRole.ended_at.is_(None), Actor.disabled_at.is_(None))
        )
        or 0
    )


def end_role(session: Session, role_id: int, *, now: datetime) -> bool:
    """End a role; false if it has ended already."""
    done = session.execute(
        update(ActorRole)
        .where(ActorRole.id == role_id, ActorRole.ended_at.is_(None))
        .values(ended_at=now)
        .returning(ActorRole.id)
    )
    return done.first() is not None


def distrust(session: Session, actor_id: str, *, now: datetime) -> None:
    """Void what was granted to this actor before `now`, until it is confirmed again."""
    session.execute(update(Actor).where(Actor.id == actor_id).values(trusted_since=now))


def disable(session: Session, actor_id: str, *, now: datetime) -> bool:
    """Let an actor act no more; false if so already."""
    done = session.execute(
        update(Actor)
        .where(Actor.id == actor_id, Actor.disabled_at.is_(None))
        .values(disabled_at=now)
        .returning(Actor.id)
    )
    return done.first() is not None


def erase_person(session: Session, actor_id: str) -> None:
    """Empty the personal values of an actor: name, licence numbers, what proposals say of him."""
    session.execute(update(Actor).where(Actor.id == actor_id).values(name=""))
    session.execute(
        update(ActorRole)
        .where(ActorRole.actor_id == actor_id, ActorRole.licence_number.is_not(None))
        .values(licence_number="")
    )
    session.execute(
        update(Proposal)
        .where(Proposal.person_id == actor_id)
        .values(licence_number=None, subject=None, reason="")
    )


def add_proposal(session: Session, proposal: Proposal) -> Proposal:
    """Add a proposal."""
    session.add(proposal)
    session.flush()
    return proposal


def get_proposal(session: Session, proposal_id: str) -> Proposal | None:
    """Return the proposal, decided or not."""
    return session.get(Proposal, proposal_id)


def open_proposals(
    session: Session, *, now: datetime, person_id: str | None = None, kind: str | None = None
) -> Sequence[Proposal]:
    """Return the proposals that can still be confirmed, oldest first."""
    statement = (
        select(Proposal)
        .where(Proposal.outcome.is_(None), Proposal.expires_at > now)
        .order_by(Proposal.proposed_at, Proposal.id)
    )
    if person_id is not None:
        statement = statement.where(Proposal.person_id == person_id)
    if kind is not None:
        statement = statement.where(Proposal.kind == kind)
    return session.scalars(statement).all()


def decide_proposal(
    session: Session, proposal_id: str, *, outcome: str, decided_by: str, now: datetime
) -> bool:
    """Decide an open proposal; false if somebody else was first, or it has run out."""
    done = session.execute(
        update(Proposal)
        .where(Proposal.id == proposal_id, Proposal.outcome.is_(None), Proposal.expires_at > now)
        .values(outcome=outcome, decided_by=decided_by, decided_at=now)
        .returning(Proposal.id)
    )
    return done.first() is not None


def add_pseudonym(session: Session, *, actor_id: str, sealed: bytes) -> None:
    """Keep who stands behind a pseudonym, as the caller has sealed it."""
    session.add(Pseudonym(actor_id=actor_id, sealed=sealed))
    session.flush()


def sealed_link(session: Session, actor_id: str) -> bytes | None:
    """Return what `add_pseudonym` kept; none for an actor that is no pseudonym."""
    found = session.get(Pseudonym, actor_id)
    return None if found is None else found.sealed


def has_pseudonyms(session: Session) -> bool:
    """Whether any link was ever sealed. Whoever asks may make the first, and nobody else meanwhile."""
    serialize(session, "pseudonyms")
    return session.scalar(select(func.count()).select_from(Pseudonym)) != 0
