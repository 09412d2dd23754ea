"""How persons prove who they are: logins, codes to set a password, failed attempts, logins at a provider."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.store.people_models import Enrolment, Login, LoginAttempts, OidcFlow

LOCAL = "local"
"""The issuer of logins that this vault keeps itself."""


def add_login(
    session: Session, *, actor_id: str, issuer: str, subject: str, basis: str, at: datetime
) -> Login:
    """Add a login without a password. The database refuses one that is somebody's already."""
    login = Login(
        actor_id=actor_id, issuer=issuer, subject=subject, password=None, basis=basis, created_at=at
    )
    session.add(login)
    session.flush()
    return login


def find_login(session: Session, *, issuer: str, subject: str) -> Login | None:
    """Return the login with this subject."""
    return session.scalars(select(Login).where(Login.issuer == issuer, Login.subject == subject)).first()


def lock_login(session: Session, login_id: int) -> Login | None:
    """Return the login and keep others from changing it: who resets it meanwhile comes before or after."""
    return session.scalars(select(Login).where(Login.id == login_id).with_for_update()).first()


def logins_of(session: Session, actor_id: str) -> Sequence[Login]:
    """Return the logins of a person, oldest first."""
    return session.scalars(select(Login).where(Login.actor_id == actor_id).order_by(Login.id)).all()


def set_password(session: Session, login_id: int, *, password: str | None, basis: str) -> None:
    """Let a login have this hash, none meaning nobody gets in by it. basis: who answers for it now."""
    session.execute(update(Login).where(Login.id == login_id).values(password=password, basis=basis))


def renew_hash(session: Session, login_id: int, *, was: str, password: str) -> None:
    """Put a hash of the same password, with newer parameters, in the place of one that is still there."""
    session.execute(
        update(Login).where(Login.id == login_id, Login.password == was).values(password=password)
    )


def forget_logins(session: Session, actor_id: str, *, issuer: str | None = None) -> None:
    """Delete a person's logins, or the one of an issuer, with the codes that stand open for them."""
    chosen = select(Login.id).where(Login.actor_id == actor_id)
    if issuer is not None:
        chosen = chosen.where(Login.issuer == issuer)
    ids = list(session.scalars(chosen))
    session.execute(delete(Enrolment).where(Enrolment.login_id.in_(ids)))
    session.execute(delete(Login).where(Login.id.in_(ids)))


def add_code(
    session: Session, *, code_sha256: bytes, login_id: int, basis: str, at: datetime, expires_at: datetime
) -> None:
    """Add a code for a login, in the place of any other."""
    session.execute(delete(Enrolment).where(Enrolment.login_id == login_id))
    session.add(
        Enrolment(
            code_sha256=code_sha256, login_id=login_id, basis=basis, created_at=at, expires_at=expires_at
        )
    )
    session.flush()


@value
class Taken:
    """The login that a code was for, and on whose word it stands from now on."""

    login_id: int
    actor_id: str
    subject: str
    basis: str


def take_code(session: Session, code_sha256: bytes, *, now: datetime) -> Taken | None:
    """Use a code up; none if there is no such code that is still good. Of two who try one gets it."""
    found = session.execute(
        delete(Enrolment)
        .where(Enrolment.code_sha256 == code_sha256, Enrolment.expires_at > now)
        .returning(Enrolment.login_id, Enrolment.basis)
    ).first()
    if found is None:
        return None
    login = lock_login(session, found.login_id)
    if login is None:
        return None
    return Taken(login_id=login.id, actor_id=login.actor_id, subject=login.subject, basis=found.basis)


def forget_codes(session: Session, actor_id: str, *, basis: str) -> None:
    """Delete the codes that stand open for a person's logins on this basis."""
    chosen = select(Login.id).where(Login.actor_id == actor_id)
    session.execute(delete(Enrolment).where(Enrolment.login_id.in_(chosen), Enrolment.basis == basis))


def lock_attempts(session: Session, kind: str, key_sha256: bytes) -> LoginAttempts | None:
    """Return the failures in a row under this key, and keep others from counting meanwhile."""
    return session.scalars(
        select(LoginAttempts)
        .where(LoginAttempts.kind == kind, LoginAttempts.key_sha256 == key_sha256)
        .with_for_update()
    ).first()


def note_attempts(
    session: Session,
    kind: str,
    key_sha256: bytes,
    *,
    failures: int,
    known: bool,
    at: datetime,
    until: datetime | None,
) -> None:
    """Write the failures in a row under this key. until: nobody is heard under it before then."""
    session.merge(
        LoginAttempts(
            kind=kind, key_sha256=key_sha256, failures=failures, known=known, last_at=at, until=until
        )
    )
    session.flush()


def forget_attempts(session: Session, *, before: datetime, known_before: datetime) -> None:
    """Delete what nobody has added to since `before`, and pairs that were let in last before `known_before`."""
    session.execute(
        delete(LoginAttempts).where(
            (LoginAttempts.last_at < before) & LoginAttempts.known.is_(False)
            | (LoginAttempts.last_at < known_before)
        )
    )


def add_flow(session: Session, flow: OidcFlow, *, now: datetime) -> None:
    """Keep a login that is under way; those that ran out are forgotten."""
    session.execute(delete(OidcFlow).where(OidcFlow.expires_at <= now))
    session.add(flow)
    session.flush()


@value
class Flow:
    """A login under way, which its use has ended."""

    provider: str
    browser_sha256: bytes
    nonce: str
    verifier: str
    role: str | None


def take_flow(session: Session, state_sha256: bytes, *, now: datetime) -> Flow | None:
    """End and return the login with this state; none if there is none: each state is good once."""
    found = session.execute(
        delete(OidcFlow)
        .where(OidcFlow.state_sha256 == state_sha256, OidcFlow.expires_at > now)
        .returning(
            OidcFlow.provider, OidcFlow.browser_sha256, OidcFlow.nonce, OidcFlow.verifier, OidcFlow.role
        )
    ).first()
    if found is None:
        return None
    return Flow(
        provider=found.provider,
        browser_sha256=found.browser_sha256,
        nonce=found.nonce,
        verifier=found.verifier,
        role=found.role,
    )
