"""The tables of people: who they are, in which roles they act, how they prove it, who agreed.

    organisations ─ actors ─ actor_roles ─ credentials      who may ask: a bearer secret speaks for one role
                      ├─ logins ─ enrolments                how a person proves who he is; codes to set a password
                      ├─ proposals                          what needs a second administrator
                      └─ pseudonyms                         who stands behind one, encrypted
    login_attempts  oidc_flows                              against guessing; a login under way at a provider

A credential has 256 random bits and is kept as its SHA-256; a password is kept as its argon2id hash. Names,
licence numbers and subjects at providers are personal: they stand here alone and can be emptied.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from evidence_vault.store.columns import BIG_ID, Base, UtcDateTime, length_check


class Organisation(Base):
    """A firm, a court, a notary office: whom a person belongs to."""

    __tablename__ = "organisations"
    id: Mapped[str] = mapped_column(String(29), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Actor(Base):
    """Someone who may act: a person, a program, a pseudonym, the vault. `name` is personal and can be emptied.

    trusted_since: grants and orders to this actor that were given or confirmed before then are void until they
    are confirmed again. It moves whenever a role is given, a login linked anew or credentials are reset.
    """

    __tablename__ = "actors"
    __table_args__ = (CheckConstraint("kind IN ('person', 'program', 'pseudonym', 'system')", name="kind"),)
    id: Mapped[str] = mapped_column(String(29), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(200))
    organisation_id: Mapped[str | None] = mapped_column(ForeignKey("organisations.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    trusted_since: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ActorRole(Base):
    """A role that an actor holds or held. licence_number: of a regulated role; personal, can be emptied.

    given_by, confirmed_by: the administrators; null where the operator, or one administrator, was enough.
    """

    __tablename__ = "actor_roles"
    __table_args__ = (
        CheckConstraint(
            "role NOT IN ('AT', 'NO', 'AP') OR (licence_number IS NOT NULL AND jurisdiction IS NOT NULL)",
            name="licensed",
        ),
        CheckConstraint("confirmed_by <> given_by", name="two_persons"),
        CheckConstraint("confirmed_by <> actor_id", name="not_his_own"),
        Index(
            "uq_actor_roles_live",
            "actor_id",
            "role",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    actor_id: Mapped[str] = mapped_column(ForeignKey("actors.id"))
    role: Mapped[str] = mapped_column(String(6))
    licence_number: Mapped[str | None] = mapped_column(String(100))
    jurisdiction: Mapped[str | None] = mapped_column(String(10))
    given_by: Mapped[str | None] = mapped_column(ForeignKey("actors.id"))
    confirmed_by: Mapped[str | None] = mapped_column(ForeignKey("actors.id"))
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Credential(Base):
    """A bearer secret that speaks for an actor in one role: a program's token, or a person's session.

    scopes: space-separated. auth: how its holder proved himself, as events say it. idle_s: a session ends after
    so long a silence: each use moves `expires_at`, never beyond `ends_at`.
    """

    __tablename__ = "credentials"
    __table_args__ = (
        length_check("token_sha256", 32),
        CheckConstraint("kind IN ('token', 'session')", name="kind"),
        CheckConstraint(
            "kind <> 'session' OR "
            "(idle_s IS NOT NULL AND ends_at IS NOT NULL AND expires_at IS NOT NULL AND expires_at <= ends_at)",
            name="session_ends",
        ),
    )
    token_sha256: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(7))
    actor_id: Mapped[str] = mapped_column(ForeignKey("actors.id"), index=True)
    role_id: Mapped[int] = mapped_column(ForeignKey("actor_roles.id"))
    label: Mapped[str] = mapped_column(String(200))
    scopes: Mapped[str] = mapped_column(String(200))
    auth: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    idle_s: Mapped[int | None] = mapped_column()
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Login(Base):
    """A way for a person to prove who he is: a local name with a password, or a subject at a provider.

    issuer: `local`, or the provider's. basis: who answers for it: the operator, one administrator, or two.
    password: an argon2id hash; null before the first was chosen, and at providers.
    """

    __tablename__ = "logins"
    __table_args__ = (
        UniqueConstraint("issuer", "subject"),
        CheckConstraint("basis IN ('operator', 'one', 'two')", name="basis"),
    )
    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    actor_id: Mapped[str] = mapped_column(ForeignKey("actors.id"), index=True)
    issuer: Mapped[str] = mapped_column(String(300))
    subject: Mapped[str] = mapped_column(String(255))
    password: Mapped[str | None] = mapped_column(String(200))
    basis: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Enrolment(Base):
    """A code, good once, with which a person sets his password. basis: what his login stands on afterwards."""

    __tablename__ = "enrolments"
    __table_args__ = (length_check("code_sha256", 32),)
    code_sha256: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    login_id: Mapped[int] = mapped_column(ForeignKey("logins.id"), index=True)
    basis: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Proposal(Base):
    """What one administrator wants and another has to confirm, and what became of it.

    kind: role (role, licence_number, jurisdiction), reset (half_sha256: of the half code that its proposer
    holds), link (issuer, subject). outcome: confirmed, refused, withdrawn; null while it is open.
    """

    __tablename__ = "proposals"
    __table_args__ = (
        length_check("half_sha256", 32),
        CheckConstraint("kind IN ('role', 'reset', 'link')", name="kind"),
        CheckConstraint("outcome IN ('confirmed', 'refused', 'withdrawn')", name="outcome"),
        CheckConstraint("(outcome IS NULL) = (decided_at IS NULL)", name="decided"),
        CheckConstraint("outcome <> 'confirmed' OR decided_by <> proposed_by", name="two_persons"),
        CheckConstraint("outcome <> 'confirmed' OR decided_by <> person_id", name="not_his_own"),
    )
    id: Mapped[str] = mapped_column(String(29), primary_key=True)
    kind: Mapped[str] = mapped_column(String(5))
    person_id: Mapped[str] = mapped_column(ForeignKey("actors.id"), index=True)
    role: Mapped[str | None] = mapped_column(String(6))
    licence_number: Mapped[str | None] = mapped_column(String(100))
    jurisdiction: Mapped[str | None] = mapped_column(String(10))
    issuer: Mapped[str | None] = mapped_column(String(300))
    subject: Mapped[str | None] = mapped_column(String(255))
    half_sha256: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    reason: Mapped[str] = mapped_column(String(500))
    proposed_by: Mapped[str] = mapped_column(ForeignKey("actors.id"))
    proposed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_by: Mapped[str | None] = mapped_column(ForeignKey("actors.id"))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str | None] = mapped_column(String(9))


class LoginAttempts(Base):
    """Failed logins in a row, by what they have in common: the account, the address, or both.

    key_sha256: so that no list of addresses and misspelt names grows here. known: a pair that was let in before.
    """

    __tablename__ = "login_attempts"
    __table_args__ = (
        length_check("key_sha256", 32),
        CheckConstraint("kind IN ('account', 'address', 'pair')", name="kind"),
    )
    kind: Mapped[str] = mapped_column(String(7), primary_key=True)
    key_sha256: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    failures: Mapped[int] = mapped_column()
    known: Mapped[bool] = mapped_column()
    last_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OidcFlow(Base):
    """A login that is under way at a provider; used once. browser_sha256: of a cookie in the browser that began."""

    __tablename__ = "oidc_flows"
    __table_args__ = (length_check("state_sha256", 32), length_check("browser_sha256", 32))
    state_sha256: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    provider: Mapped[str] = mapped_column(String(64))
    browser_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    nonce: Mapped[str] = mapped_column(String(64))
    verifier: Mapped[str] = mapped_column(String(128))
    role: Mapped[str | None] = mapped_column(String(6))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class Pseudonym(Base):
    """Who stands behind a pseudonym: his actor id, encrypted under the vault's key for this purpose."""

    __tablename__ = "pseudonyms"
    actor_id: Mapped[str] = mapped_column(ForeignKey("actors.id"), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
