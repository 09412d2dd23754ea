"""A development authority, a request to it, and the trust that goes with it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from anchors.rfc3161.certificate import parse_chain
from anchors.rfc3161.devtsa import DevelopmentTsa
from anchors.rfc3161.verdict import Rfc3161Trust, TsaTrust
from anchors.values import replace
from tests.anchors.rfc3161.vector_cases import encode_request

NOW = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
DATA = b"a statement"
SHA256 = hashlib.sha256(DATA).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One authority and what a verifier trusts about it."""

    tsa: DevelopmentTsa
    request: bytes
    trusted: Rfc3161Trust
    root: Path

    def respond(self, at: datetime = NOW) -> bytes:
        return self.tsa.respond(self.request, at)

    def trust(self, **changes: object) -> Rfc3161Trust:
        """The same trust with another word about the authority."""
        authority = replace(self.trusted.authorities[0], **changes)
        return replace(self.trusted, authorities=(authority,))


@pytest.fixture(scope="session")
def make_world(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], World]:
    def make() -> World:
        folder = tmp_path_factory.mktemp("tsa")
        tsa = DevelopmentTsa.create(folder, NOW - timedelta(days=1))
        root = folder / "root.pem"
        root.write_text(tsa.root_pem)
        authority = TsaTrust(
            name="development",
            group="this machine",
            roots=parse_chain(tsa.root_pem.encode()),
            tsa_class="development",
        )
        return World(
            tsa=tsa,
            request=encode_request(
                algorithm="sha256", imprint=SHA256, nonce=0x1122334455667788, policy=None, certificate=True
            ),
            trusted=Rfc3161Trust(authorities=(authority,), at=NOW, skew=timedelta(seconds=60)),
            root=root,
        )

    return make


@pytest.fixture(scope="session")
def world(make_world: Callable[[], World]) -> World:
    return make_world()
