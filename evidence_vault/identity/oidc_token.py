"""ID tokens (OpenID Connect Core §3.1.3.7): a provider's signed word who somebody is.

    (1) three parts of base64url, an algorithm of the settings: never `none`, never a shared secret
    (2) signed by a key of the provider that its key set shows for signatures
    (3) issuer, audience, authorized party
    (4) expiry, time of issue, within the skew
    (5) the nonce of this very login
    (6) the access token's hash, where there is one

What is trusted (settings, keys, nonce, time) and what came (the token) are separate parameters. No network here.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key
from joserfc.jws import JWSRegistry

from anchors.values import value
from evidence_vault.errors import VerificationError
from evidence_vault.identity_settings import OidcProvider

MAX_TOKEN_CHARS = 16_384
MAX_AGE = timedelta(minutes=10)
"""It was made during this login, which may last so long."""

_KEY_TYPES: Mapping[str, str] = {"R": "RSA", "P": "RSA", "E": "EC"}


@value
class Identified:
    """Whom the provider vouches for, and how sure it is: `oidc`, or `oidc-mfa` for more than one factor."""

    issuer: str
    subject: str
    auth: str


def verify_id_token(
    token: str,
    *,
    provider: OidcProvider,
    keys: Sequence[Mapping[str, Any]],
    nonce: str,
    now: datetime,
    access_token: str | None = None,
) -> Identified:
    """Return whom the token names. keys: the provider's, as JSON Web Keys. Raises VerificationError."""
    header = token_header(token, provider)  # (1)
    claims = _signed_claims(token, header, keys)  # (2)
    parsed = CodeIDToken(
        claims,
        header,
        options={
            "iss": {"essential": True, "value": provider.issuer},
            "aud": {"essential": True, "value": provider.client_id},
        },
        params={"nonce": nonce, "client_id": provider.client_id, "access_token": access_token},
    )
    try:
        parsed.validate(now=int(now.timestamp()), leeway=provider.skew_s)  # (3) to (6)
    except (JoseError, TypeError, ValueError) as error:
        raise VerificationError("ID token", "claims that fit", _reason(error)) from None
    issued_at, subject = claims.get("iat"), claims.get("sub")
    if not isinstance(issued_at, int) or now.timestamp() - issued_at > (
        MAX_AGE.total_seconds() + provider.skew_s
    ):
        raise VerificationError("ID token", "one that was made during this login", "an older one")  # (4)
    if not isinstance(subject, str) or not 1 <= len(subject) <= 255 or not subject.isascii():
        raise VerificationError("ID token", "a subject of 1 to 255 ASCII characters", None)
    return Identified(issuer=provider.issuer, subject=subject, auth=_strength(claims, provider))


def token_header(token: str, provider: OidcProvider) -> dict[str, Any]:
    """Return the header of a token whose algorithm may be used. Raises VerificationError."""
    if len(token) > MAX_TOKEN_CHARS or not token.isascii():
        raise VerificationError("ID token", f"at most {MAX_TOKEN_CHARS} ASCII characters", len(token))
    try:
        header = dict(jws.extract_compact(token.encode("ascii")).headers())
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise VerificationError("ID token", "a signed token", _reason(error)) from None
    algorithm = header.get("alg")
    if algorithm not in provider.algorithms:
        raise VerificationError(
            "ID token", "signed by " + " or ".join(provider.algorithms), str(algorithm)[:40]
        )
    if "crit" in header:
        raise VerificationError("ID token", "no critical extension", "one")
    return header


def keys_for(header: Mapping[str, Any], keys: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return the keys that a token with this header may be signed with."""
    kid, algorithm = header.get("kid"), str(header["alg"])
    kind = _KEY_TYPES.get(algorithm[0], "") if algorithm != "Ed25519" else "OKP"
    return [
        key
        for key in keys
        if key.get("kty") == kind
        and key.get("use") in (None, "sig")
        and key.get("alg") in (None, algorithm, *(("EdDSA",) if kind == "OKP" else ()))
        and (kid is None or key.get("kid") == kid)
    ]


def _signed_claims(
    token: str, header: Mapping[str, Any], keys: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    algorithm = str(header["alg"])
    registry = JWSRegistry(algorithms=[algorithm])
    for candidate in keys_for(header, keys):
        try:
            key = import_key(dict(candidate))
            if not isinstance(key, RSAKey | ECKey | OKPKey):
                continue
            jws.deserialize_compact(token, key, algorithms=[algorithm], registry=registry)
            return _claims(token)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    raise VerificationError("ID token", "a signature by a key of the provider", "none that fits")


def _claims(token: str) -> dict[str, Any]:
    claims = json.loads(jws.extract_compact(token.encode("ascii")).payload)
    if not isinstance(claims, dict):
        raise TypeError("not an object")
    return claims


def _strength(claims: Mapping[str, Any], provider: OidcProvider) -> str:
    methods = claims.get("amr")
    several = isinstance(methods, list) and "mfa" in methods  # RFC 8176 §2
    return "oidc-mfa" if several or claims.get("acr") in provider.mfa_acr else "oidc"


def _reason(error: Exception) -> str:
    """What went wrong in a word; a text of the token's own is not repeated."""
    claim = getattr(error, "claim", None)
    return f"{type(error).__name__}{f' ({claim})' if isinstance(claim, str) else ''}"
