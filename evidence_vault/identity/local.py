"""Logins that this vault keeps itself: a name and a password; a code to set the first, or a new one.

Whoever asks learns one thing: let in or not. A name that nobody has, a wrong password, a disabled person, one
without a role: the same answer after the same work.
"""

import unicodedata
from datetime import datetime

from anchors.values import value
from evidence_vault.core.shapes import Text
from evidence_vault.errors import FormatError
from evidence_vault.identity.attempts import attempt_succeeded, begin_attempt
from evidence_vault.identity.passwords import Passwords
from evidence_vault.identity.sessions import Opened, open_session
from evidence_vault.identity.tokens import digest_code
from evidence_vault.identity_settings import Identity
from evidence_vault.store.queries import actors, logins
from evidence_vault.store.queries.logins import LOCAL
from evidence_vault.store.session import Database

PASSWORD_AUTH = "password"  # noqa: S105 - a word, not a secret
"""How events name this proof of who somebody is."""

LOGIN = Text(r"[a-z0-9][a-z0-9._@+-]{1,99}", 100, "2 to 100 of a-z, 0-9, . _ @ + -, a letter or digit first")


@value
class Desk:
    """What logging in needs of a vault."""

    database: Database
    passwords: Passwords
    rules: Identity


def normal_login(text: str) -> str:
    """Return a login as it is kept: one spelling, whatever the case. Raises FormatError."""
    login = unicodedata.normalize("NFKC", text).casefold()
    LOGIN.check(login, "login")
    return login


def log_in(
    desk: Desk,
    *,
    login: str,
    password: str,
    role: str | None,
    address: str,
    now: datetime,
    instead_of: bytes | None = None,
) -> Opened | None:
    """Begin a session for whoever has this name and password; none for anybody else.

    address: where the attempt comes from. instead_of: a session that the same client has, and that ends. Raises
    Overloaded where too many attempts failed.
    """
    try:
        name = normal_login(login)
    except FormatError:
        name = "-"  # no login can be this: it is counted, hashed and refused like any other
    with desk.database.write() as session:
        attempt = begin_attempt(session, account=f"{LOCAL} {name}", address=address, now=now)
    with desk.database.read() as session:
        row = logins.find_login(session, issuer=LOCAL, subject=name)
        kept = None if row is None else row.password
    if not desk.passwords.verify(kept, password) or row is None or kept is None:
        return None
    renewed = desk.passwords.hash(password) if desk.passwords.is_outdated(kept) else None
    with desk.database.write() as session:
        still = logins.lock_login(session, row.id)
        if still is None or still.password != kept:  # reset meanwhile
            return None
        opened = open_session(
            session,
            desk.rules,
            actor_id=still.actor_id,
            role=role,
            auth=PASSWORD_AUTH,
            now=now,
            instead_of=instead_of,
        )
        if opened is None:
            return None
        if renewed is not None:
            logins.renew_hash(session, row.id, was=kept, password=renewed)
        attempt_succeeded(session, attempt, now=now)
        return opened


def use_code(desk: Desk, *, code: str, password: str, address: str, now: datetime) -> bool:
    """Set the password of the login that the code is for; all its sessions and tokens end. False: no such code.

    Durable after return; the code is used up by it, and by nothing else. Raises FormatError for a password that
    isn't good, Overloaded as `log_in` does.
    """
    try:
        code_sha256 = digest_code(code)
    except FormatError:
        code_sha256 = bytes(32)
    with desk.database.write() as session:
        attempt = begin_attempt(session, account=f"code {address}", address=address, now=now)
    desk.passwords.require_good(password)
    password_hash = desk.passwords.hash(password)
    with desk.database.write() as session:
        taken = logins.take_code(session, code_sha256, now=now)
        if taken is None:
            return False
        desk.passwords.require_good(password, login=taken.subject)  # refusing it keeps the code
        logins.set_password(session, taken.login_id, password=password_hash, basis=taken.basis)
        actors.revoke_all(session, taken.actor_id, now=now)
        attempt_succeeded(session, attempt, now=now)
        return True


def change_password(
    desk: Desk, *, actor_id: str, old: str, new: str, address: str, now: datetime, but: bytes
) -> bool:
    """Let a person who is logged in choose another password; his other sessions end. False: the old one is wrong.

    but: the digest of the session that goes on. Tokens of his programs go on too: he revokes those by name.
    Raises FormatError, Overloaded.
    """
    with desk.database.write() as session:
        attempt = begin_attempt(session, account=f"actor {actor_id}", address=address, now=now)
        row = next((one for one in logins.logins_of(session, actor_id) if one.issuer == LOCAL), None)
        kept = None if row is None else row.password
    if not desk.passwords.verify(kept, old) or row is None:
        return False
    desk.passwords.require_good(new, login=row.subject)
    password_hash = desk.passwords.hash(new)
    with desk.database.write() as session:
        still = logins.lock_login(session, row.id)
        if still is None or still.password != kept:
            return False
        logins.set_password(session, row.id, password=password_hash, basis=still.basis)
        actors.revoke_all(session, actor_id, now=now, kind="session", but=but)
        attempt_succeeded(session, attempt, now=now)
        return True
