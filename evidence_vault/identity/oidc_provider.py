"""What is asked of an OpenID provider: its metadata, its keys, and an ID token for a code.

Its documents and keys are kept for a while; a key that isn't known is looked for again, once a minute.

Only a vault with a provider loads this: the libraries of its tokens take 3 MB.
"""

import base64
import json
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.discovery import get_well_known_url

from anchors.base import HttpReply
from evidence_vault.client.http import GuardedClient
from evidence_vault.errors import UnavailableError, VerificationError
from evidence_vault.identity.oidc_token import Identified, keys_for, token_header, verify_id_token
from evidence_vault.identity_settings import OidcProvider

MAX_REPLY_BYTES = 256 * 1024
"""Of a discovery document, a key set, a token: a few kilobytes each."""

LOOK_AGAIN_S = 60.0
"""So long a token with an unknown key doesn't make us ask for the keys once more."""


class Provider:
    """One provider, with what it said of itself."""

    def __init__(self, settings: OidcProvider, http: GuardedClient) -> None:
        self.settings = settings
        self._http = http
        self._lock = threading.Lock()
        self._about: Mapping[str, Any] = {}
        self._keys: Sequence[Mapping[str, Any]] = ()
        self._read_at = self._keys_at = -float("inf")

    def address(self, *, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Return where a login begins. Raises UnavailableError."""
        settings = self.settings
        asked = {
            "response_type": "code",
            "client_id": settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
            **({"acr_values": " ".join(settings.ask_acr)} if settings.ask_acr else {}),
        }
        endpoint = self._endpoint("authorization_endpoint")
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    def identify(
        self, code: str, *, redirect_uri: str, verifier: str, nonce: str, now: datetime
    ) -> Identified:
        """Return whom the provider means by this code. Raises VerificationError, UnavailableError."""
        answer = self._exchange(code, redirect_uri=redirect_uri, verifier=verifier)
        token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(token, str):
            raise VerificationError("code", "an ID token", "none")
        header = token_header(token, self.settings)
        return verify_id_token(
            token,
            provider=self.settings,
            keys=self._keys_for(header),
            nonce=nonce,
            now=now,
            access_token=access_token if isinstance(access_token, str) else None,
        )

    def _exchange(self, code: str, *, redirect_uri: str, verifier: str) -> Mapping[str, Any]:
        settings = self.settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Accept": "application/json"}
        if settings.client_secret is None:
            form["client_id"] = settings.client_id
        else:
            headers["Authorization"] = _basic(settings.client_id, settings.client_secret.get_secret_value())
        reply = self._http.post(
            self._endpoint("token_endpoint"),
            urlencode(form).encode("ascii"),
            content_type="application/x-www-form-urlencoded",
            headers=headers,
            max_bytes=MAX_REPLY_BYTES,
            timeout_s=settings.timeout_s,
        )
        if reply.status in (400, 401):  # RFC 6749 §5.2
            error = self._object(reply).get("error")
            if error == "invalid_client" or reply.status == 401:
                raise UnavailableError(settings.name, "the provider doesn't take this vault's client secret")
            raise VerificationError("code", "one that the provider takes", str(error)[:40])
        return self._object(reply, status=200)

    def _endpoint(self, name: str) -> str:
        self._refresh()
        url = self._about.get(name)
        secure = isinstance(url, str) and url.startswith("https://")
        if not isinstance(url, str) or (self.settings.issuer.startswith("https://") and not secure):
            raise UnavailableError(self.settings.name, f"its metadata has no usable {name}")
        return url

    def _refresh(self) -> None:
        with self._lock:
            if time.monotonic() - self._read_at < 60 * self.settings.keys_minutes:
                return
            about = self._get(get_well_known_url(self.settings.issuer, external=True))
            if about.get("issuer") != self.settings.issuer:  # Discovery §4.3
                raise UnavailableError(self.settings.name, "its metadata are another issuer's")
            self._about, self._read_at = about, time.monotonic()

    def _keys_for(self, header: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Return the provider's keys, asked for anew if they are old or none fits. Raises UnavailableError."""
        url = self._endpoint("jwks_uri")
        with self._lock:
            age_s = time.monotonic() - self._keys_at
            missing = not keys_for(header, self._keys) and age_s > LOOK_AGAIN_S
            if missing or age_s > 60 * self.settings.keys_minutes:
                keys = self._get(url).get("keys")
                if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
                    raise UnavailableError(self.settings.name, "its keys are no key set (RFC 7517)")
                self._keys, self._keys_at = keys, time.monotonic()
            return self._keys

    def _get(self, url: str) -> Mapping[str, Any]:
        reply = self._http.get(
            url,
            headers={"Accept": "application/json"},
            max_bytes=MAX_REPLY_BYTES,
            timeout_s=self.settings.timeout_s,
        )
        return self._object(reply, status=200)

    def _object(self, reply: HttpReply, *, status: int | None = None) -> Mapping[str, Any]:
        if status is not None and reply.status != status:
            raise UnavailableError(self.settings.name, f"answered {reply.status}")
        try:
            found = json.loads(reply.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise UnavailableError(self.settings.name, "didn't answer with a JSON object")
        return found


def _basic(client_id: str, secret: str) -> str:
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"  # RFC 6749 §2.3.1
    return "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")
