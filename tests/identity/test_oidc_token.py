"""ID tokens: one good one, and every way in which one can be wrong; a provider that changes its keys."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.jws import JWSRegistry

from anchors.base import HttpReply
from evidence_vault.errors import UnavailableError, VerificationError
from evidence_vault.identity.oidc_provider import LOOK_AGAIN_S, Provider
from evidence_vault.identity.oidc_token import Identified, verify_id_token
from evidence_vault.identity_settings import OidcProvider

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ISSUER = "https://id.example"
PROVIDER = OidcProvider.model_validate(
    {"name": "court", "issuer": ISSUER, "client_id": "the-vault", "mfa_acr": ["gold"]}
)
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
OTHER = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
KEYS = [dict(KEY.as_dict(private=False))]


def claims(**changes: Any) -> dict[str, Any]:
    at = int(NOW.timestamp())
    good = {"iss": ISSUER, "sub": "s-1", "aud": "the-vault", "exp": at + 300, "iat": at, "nonce": "n"}
    return {name: one for name, one in {**good, **changes}.items() if one is not None}


def signed(body: Any, key: Any = KEY, alg: str = "RS256", **header: Any) -> str:
    registry = JWSRegistry(algorithms=[alg])
    head = {"alg": alg, "kid": "one", **header}
    payload = body if isinstance(body, str) else json.dumps(body)
    return jws.serialize_compact(
        {name: one for name, one in head.items() if one is not None}, payload, key, registry=registry
    )


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def verify(token: str, **named: Any) -> Identified:
    asked: dict[str, Any] = {"provider": PROVIDER, "keys": KEYS, "nonce": "n", "now": NOW, **named}
    return verify_id_token(token, **asked)


def test_verify_good_token_names_its_subject() -> None:
    assert verify(signed(claims())) == Identified(issuer=ISSUER, subject="s-1", auth="oidc")
    assert verify(signed(claims(), kid=None)).subject == "s-1"
    assert verify(signed(claims(aud=["the-vault", "other"], azp="the-vault"))).subject == "s-1"


@pytest.mark.parametrize("more", [{"acr": "gold"}, {"amr": ["pwd", "mfa"]}])
def test_verify_several_factors_are_told(more: dict[str, Any]) -> None:
    assert verify(signed(claims(**more))).auth == "oidc-mfa"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": ISSUER + "/"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": ["other"]},
        {"aud": []},
        {"aud": None},
        {"aud": ["the-vault", "other"]},
        {"azp": "another-client"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": int((NOW - timedelta(seconds=61)).timestamp())},
        {"exp": None},
        {"exp": "never"},
        {"iat": int((NOW + timedelta(seconds=120)).timestamp())},
        {"iat": int((NOW - timedelta(hours=1)).timestamp())},
        {"iat": None},
        {"nbf": int((NOW + timedelta(seconds=120)).timestamp())},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "s" * 256},
        {"sub": "ß"},
        {"amr": "mfa"},
    ],
)
def test_verify_claim_that_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(VerificationError):
        verify(signed(claims(**changes)))


def test_verify_clock_within_the_skew_is_taken() -> None:
    early = int((NOW + timedelta(seconds=59)).timestamp())
    late = int((NOW - timedelta(seconds=59)).timestamp())
    assert verify(signed(claims(iat=early))).subject == "s-1"
    assert verify(signed(claims(exp=late))).subject == "s-1"


def test_verify_unsigned_token_is_refused() -> None:
    for alg in ("none", "None", "NONE", ""):
        head = b64(json.dumps({"alg": alg}).encode())
        with pytest.raises(VerificationError):
            verify(f"{head}.{b64(json.dumps(claims()).encode())}.")


def test_verify_public_key_as_shared_secret_is_refused() -> None:
    """CVE-2015-9256 and its kin: HS256 with the provider's public key, which everybody has."""
    for secret in (KEY.as_pem(private=False), json.dumps(KEYS[0]).encode(), str(KEYS[0]["n"]).encode()):
        body = (
            f"{b64(json.dumps({'alg': 'HS256', 'kid': 'one'}).encode())}.{b64(json.dumps(claims()).encode())}"
        )
        token = f"{body}.{b64(hmac.new(secret, body.encode(), hashlib.sha256).digest())}"
        with pytest.raises(VerificationError, match="RS256"):
            verify(token)


def test_verify_key_in_the_token_or_of_another_kind_is_refused() -> None:
    own = OTHER.as_dict(private=False)
    with pytest.raises(VerificationError):
        verify(signed(claims(), OTHER, jwk=own))
    with pytest.raises(VerificationError):
        verify(signed(claims(), OTHER))
    shared = OctKey.import_key(b"0" * 64, {"kid": "one"})
    with pytest.raises(VerificationError):
        verify(signed(claims(), OTHER), keys=[dict(shared.as_dict())])
    encryption = [{**KEYS[0], "use": "enc"}]
    with pytest.raises(VerificationError):
        verify(signed(claims()), keys=encryption)
    curve = ECKey.generate_key("P-256", {"kid": "one"})
    assert (
        verify(signed(claims(), curve, "ES256"), keys=[dict(curve.as_dict(private=False))]).subject == "s-1"
    )
    with pytest.raises(VerificationError):
        verify(signed(claims(), curve, "ES256"))


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", "é.b.c", "x" * 20_000, "e30.e30.e30"]
)
def test_verify_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(VerificationError):
        verify(token)


@pytest.mark.parametrize("body", ["[]", "7", "null", "{", '{"iss": '])
def test_verify_signed_body_that_is_no_object_is_refused(body: str) -> None:
    with pytest.raises(VerificationError):
        verify(signed(body))


def test_verify_changed_body_is_refused() -> None:
    head, _, signature = signed(claims()).split(".")
    with pytest.raises(VerificationError):
        verify(f"{head}.{b64(json.dumps(claims(sub='another')).encode())}.{signature}")


class Web:
    """The provider's addresses, answered from here."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.issuer = ISSUER
        self.keys: list[dict[str, Any]] = list(KEYS)
        self.token: dict[str, Any] = {}
        self.status = 200

    def get(self, url: str, **_: Any) -> HttpReply:
        self.asked.append(url)
        about = {
            name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
        }
        found = {"keys": self.keys} if url.endswith("jwks_uri") else {"issuer": self.issuer, **about}
        return HttpReply(status=200, content_type="application/json", body=json.dumps(found).encode())

    def post(self, url: str, body: bytes, **_: Any) -> HttpReply:
        self.asked.append(url)
        return HttpReply(
            status=self.status, content_type="application/json", body=json.dumps(self.token).encode()
        )


def identify(provider: Provider) -> Identified:
    return provider.identify("c", redirect_uri="https://v.example/cb", verifier="v", nonce="n", now=NOW)


def test_provider_that_changes_its_keys_is_asked_again_but_not_for_every_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = 1000.0
    monkeypatch.setattr("evidence_vault.identity.oidc_provider.time.monotonic", lambda: at)
    web = Web()
    provider = Provider(PROVIDER, web)  # type: ignore[arg-type]
    web.token = {"id_token": signed(claims())}
    assert identify(provider).subject == "s-1"
    new = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
    web.keys = [dict(new.as_dict(private=False))]
    web.token = {"id_token": signed(claims(), new, kid="two")}
    for _ in range(5):
        with pytest.raises(VerificationError):
            identify(provider)
    assert sum(url.endswith("jwks_uri") for url in web.asked) == 1  # a flood of odd tokens asks nothing
    at += LOOK_AGAIN_S + 1
    assert identify(provider).subject == "s-1"
    web.token = {"id_token": signed(claims())}  # the old key is gone with the set that named it
    with pytest.raises(VerificationError):
        identify(provider)


def test_provider_whose_metadata_are_anothers_is_not_asked_for_anything() -> None:
    web = Web()
    web.issuer = "https://evil.example"
    with pytest.raises(UnavailableError, match="another issuer"):
        Provider(PROVIDER, web).address(redirect_uri="r", state="s", nonce="n", verifier="v")  # type: ignore[arg-type]


def test_provider_that_refuses_the_code_or_us_is_told_apart() -> None:
    web = Web()
    provider = Provider(PROVIDER, web)  # type: ignore[arg-type]
    web.status, web.token = 400, {"error": "invalid_grant"}
    with pytest.raises(VerificationError):
        identify(provider)
    web.status, web.token = 401, {"error": "invalid_client"}
    with pytest.raises(UnavailableError, match="client secret"):
        identify(provider)
    web.status, web.token = 200, {"access_token": "a"}
    with pytest.raises(VerificationError):
        identify(provider)
