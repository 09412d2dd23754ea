"""Tokens: made once, found by digest, and good only while token and actor are."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evidence_vault.access.decisions import ALL_SCOPES
from evidence_vault.errors import FormatError
from evidence_vault.identity.actors import authenticate, issue_token, list_tokens, revoke_token
from evidence_vault.identity.tokens import digest_token, encode_token
from evidence_vault.store.people_models import Actor
from evidence_vault.store.session import Database

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def issue(database: Database, role: str = "RH", life: timedelta | None = DAY) -> str:
    token, _ = issue_token(database, name="Counsel A", role=role, scopes=ALL_SCOPES, now=NOW, life=life)
    return token


def test_encode_token_is_prefix_and_base64url() -> None:
    token = encode_token(bytes(range(32)))
    assert base64.urlsafe_b64decode(token.removeprefix("ev_") + "=") == bytes(range(32))
    with pytest.raises(FormatError):
        encode_token(bytes(31))


@pytest.mark.parametrize(
    "text", ["", "ev_", "ev_" + "a" * 42, "ev_" + "a" * 44, "xx_" + "a" * 43, "ev_" + "é" * 43]
)
def test_digest_token_refuses_without_quoting(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        digest_token(text)
    assert "aaa" not in str(caught.value)


@pytest.mark.db
def test_authenticate_live_token_names_actor_role_scopes(database: Database) -> None:
    token, facts = issue_token(
        database, name="Counsel A", role="RH", scopes={"read", "deposit"}, now=NOW, life=DAY
    )
    requester = authenticate(database, token, now=NOW)
    assert requester is not None
    assert requester.actor_id == facts.actor_id
    assert requester.role == "RH"
    assert requester.scopes == {"deposit", "read"}
    assert facts.scopes == ("deposit", "read")


def test_authenticate_other_text_nobody(database: Database) -> None:
    token = issue(database)
    last = "A" if token[-1] != "A" else "B"
    for text in ("", "Bearer", token[:-1], token + "A", token[:-1] + last, encode_token(bytes(32))):
        assert authenticate(database, text, now=NOW) is None


@pytest.mark.db
def test_authenticate_expired_token_nobody(database: Database) -> None:
    token = issue(database)
    assert authenticate(database, token, now=NOW + DAY - timedelta(milliseconds=1)) is not None
    assert authenticate(database, token, now=NOW + DAY) is None


def test_authenticate_token_without_end_stays_good(database: Database) -> None:
    token = issue(database, life=None)
    assert authenticate(database, token, now=NOW + 10_000 * DAY) is not None


@pytest.mark.db
def test_authenticate_disabled_actor_nobody(database: Database) -> None:
    token = issue(database)
    with database.write() as session:
        for actor in session.query(Actor):
            actor.disabled_at = NOW
    assert authenticate(database, token, now=NOW) is None


@pytest.mark.db
def test_revoke_token_by_beginning_of_its_id(database: Database) -> None:
    kept, ended = issue(database), issue(database)
    facts = revoke_token(database, digest_token(ended).hex()[:8], now=NOW)
    assert facts.revoked_at == NOW
    assert authenticate(database, ended, now=NOW) is None
    assert authenticate(database, kept, now=NOW) is not None
    assert [t.revoked_at for t in list_tokens(database) if t.id == facts.id] == [NOW]


@pytest.mark.parametrize("token_id", ["", "0123", "0123456789abcdef", "%" * 8])
def test_revoke_token_unclear_id_refused(database: Database, token_id: str) -> None:
    token = issue(database)
    with pytest.raises(FormatError, match="one live token"):
        revoke_token(database, token_id, now=NOW)
    assert authenticate(database, token, now=NOW) is not None


def test_revoke_token_twice_refused(database: Database) -> None:
    token_id = digest_token(issue(database)).hex()[:16]
    revoke_token(database, token_id, now=NOW)
    with pytest.raises(FormatError):
        revoke_token(database, token_id, now=NOW)


@pytest.mark.db
def test_list_tokens_tells_no_secret(database: Database) -> None:
    token = issue(database)
    assert token not in repr(list_tokens(database))
    assert digest_token(token).hex() not in repr(list_tokens(database))


@pytest.mark.parametrize(
    ("wish", "place"),
    [
        ({"name": ""}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"role": "SYSTEM"}, "role"),
        ({"role": "rh"}, "role"),
        ({"scopes": ("read", "all")}, "scopes"),
        ({"life": timedelta(0)}, "life"),
        ({"life": 4000 * DAY}, "life"),
    ],
)
def test_issue_token_bad_wish_refused_by_name(database: Database, wish: dict[str, Any], place: str) -> None:
    good: dict[str, Any] = {"name": "a", "role": "RH", "scopes": ("read",), "life": DAY}
    with pytest.raises(FormatError) as caught:
        issue_token(database, now=NOW, **(good | wish))
    assert caught.value.place.startswith(place)
    assert list_tokens(database) == []
