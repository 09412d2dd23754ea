"""An authority behind TLS of its own: private roots, a client certificate, and every way in which they don't fit.

A real server on loopback, and the submitter as the settings build it; nothing of TLS is played.
"""

import ipaddress
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from anchors.base import AnchorProof, Statement
from anchors.rfc3161.devtsa import DevelopmentTsa
from evidence_vault.errors import ConfigError, UnavailableError
from evidence_vault.service.compose import authority_submitter
from evidence_vault.settings import Settings
from tests.anchors.rfc3161.pki import Holder, authority, issue
from tests.client.servers import Behaviour, Server, serving

pytestmark = pytest.mark.socket

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
STATEMENT = Statement(sha256=bytes(range(32)))


def holder_of(ca: Holder, host: str, *, client: bool = False, ends: datetime = NOW + DAY) -> Holder:
    try:
        name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        name = x509.DNSName(host)
    purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.SubjectAlternativeName([name]), False),
        (x509.ExtendedKeyUsage([purpose]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), False),
    ]
    return issue(host, ca, extensions=extensions, not_before=NOW - 9 * DAY, not_after=ends)


def save(path: Path, one: Holder, *, key: bool = False) -> Path:
    data = one.x509.public_bytes(serialization.Encoding.PEM)
    if key:
        data += one.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    path.write_bytes(data)
    return path


@dataclass
class Place:
    """A private CA, an authority behind it, and the settings that name both."""

    home: Path
    ca: Holder = field(default_factory=lambda: authority("Private TLS CA", not_before=NOW - 9 * DAY))

    def __post_init__(self) -> None:
        (self.home / "tsa").mkdir()
        self.tsa = DevelopmentTsa.create(self.home / "tsa", NOW - DAY)
        save(self.home / "tls.pem", self.ca)
        save(self.home / "client.pem", holder_of(self.ca, "vault.example", client=True), key=True)

    def context(self, server: Holder, *, asks_for_client: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(save(self.home / "server.pem", server, key=True))
        if asks_for_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.home / "tls.pem")
        return context

    @contextmanager
    def served(self, server: Holder, *, asks_for_client: bool = False) -> Iterator[Server]:
        tls = self.context(server, asks_for_client=asks_for_client)
        with serving(self.answer(), tls=tls) as running:
            self.server = running
            yield running

    def answer(self) -> Behaviour:
        def behave(connection: Any) -> None:
            head = self.server.requests[-1]
            head, _, body = head.partition(b"\r\n\r\n")
            [length] = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            while len(body) < int(length.split(b":")[1]):
                body += connection.recv(65536)
            reply = self.tsa.respond(body, datetime.now(UTC))
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(reply), reply)
            )

        return behave

    def stamp(self, port: int, **settings: object) -> AnchorProof:
        """Ask the authority as a vault with these settings does."""
        one = {
            "name": "private",
            "group": "private",
            "url": f"https://127.0.0.1:{port}/tsr",
            "roots_pem": self.tsa.root_pem,
            "log_class": "development",
            "timeout_s": 5,
            **settings,
        }
        whole = Settings.model_validate(
            {"authorities": [one], "private_endpoints": [f"127.0.0.1:{port}"]}
        ).model_copy(update={"home": self.home})
        submitter = authority_submitter(whole, whole.authorities[0], clock=lambda: datetime.now(UTC))
        proof = submitter.advance(STATEMENT, submitter.prepare(STATEMENT))
        assert isinstance(proof, AnchorProof)
        return proof


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


OURS = {"tls_roots_file": "tls.pem", "client_certificate_file": "client.pem"}


def test_token_comes_through_private_roots_and_a_client_certificate(place: Place) -> None:
    with place.served(holder_of(place.ca, "127.0.0.1"), asks_for_client=True) as server:
        proof = place.stamp(server.port, headers={"Authorization": "Basic c2VjcmV0"}, **OURS)
    assert proof.attested is not None
    assert b"authorization: basic c2vjcmv0" in server.requests[0].lower()


def test_authority_without_the_client_certificate_refuses_the_connection(place: Place) -> None:
    with (
        place.served(holder_of(place.ca, "127.0.0.1"), asks_for_client=True) as server,
        pytest.raises(UnavailableError, match=r"(?i)certificate.required|closed|reset|eof"),
    ):
        place.stamp(server.port, tls_roots_file="tls.pem")
    assert server.requests == []


@pytest.mark.parametrize(
    ("host", "ends", "reason"),
    [
        ("other.example", NOW + DAY, "not valid for '127.0.0.1'|IP address mismatch"),
        ("127.0.0.1", NOW - DAY, "certificate has expired"),
    ],
    ids=["another host", "expired"],
)
def test_certificate_that_does_not_fit_is_refused_before_anything_is_sent(
    place: Place, host: str, ends: datetime, reason: str
) -> None:
    with (
        place.served(holder_of(place.ca, host, ends=ends)) as server,
        pytest.raises(UnavailableError, match=reason),
    ):
        place.stamp(server.port, **OURS)
    assert server.requests == []


@pytest.mark.parametrize("roots", [{}, {"tls_roots_file": "other.pem"}], ids=["the system's", "another's"])
def test_certificate_of_an_unknown_issuer_is_refused(place: Place, roots: dict[str, object]) -> None:
    save(place.home / "other.pem", authority("Somebody else's CA"))
    with (
        place.served(holder_of(place.ca, "127.0.0.1")) as server,
        pytest.raises(UnavailableError, match=r"unable to get local issuer certificate|self-signed"),
    ):
        place.stamp(server.port, **roots)
    assert server.requests == []


def test_private_roots_replace_the_systems_and_trust_nobody_else(place: Place) -> None:
    """Who has a certificate of any public CA for this name is still a stranger here."""
    stranger = authority("Public CA", not_before=NOW - 9 * DAY)
    with (
        place.served(holder_of(stranger, "127.0.0.1")) as server,
        pytest.raises(UnavailableError, match="certificate verify failed"),
    ):
        place.stamp(server.port, **OURS)
    assert server.requests == []


@pytest.mark.parametrize("file", ["missing.pem", "tls.pem", "empty.pem"])
def test_client_certificate_that_cannot_be_used_is_told_at_start(place: Place, file: str) -> None:
    (place.home / "empty.pem").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"authorities\.private"):
        place.stamp(1, client_certificate_file=file)
