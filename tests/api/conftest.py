"""A vault in a folder, its app, and people with tokens."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from evidence_vault.access.decisions import ALL_SCOPES
from evidence_vault.api.app import create_app
from evidence_vault.identity.actors import issue_token
from evidence_vault.pipeline.vault import Vault
from tests.api.people import Office, open_office, people_vault
from tests.pipeline.vaults import new_vault

Bearer = Callable[..., dict[str, str]]


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = new_vault(tmp_path, max_upload_bytes=4 * 2**20)
    yield made
    made.database.dispose()


@pytest.fixture
def client(vault: Vault) -> Iterator[TestClient]:
    with TestClient(create_app(vault), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def bearer(vault: Vault) -> Bearer:
    """Make an actor with a token; returns its header."""

    def make(role: str = "RH", scopes: tuple[str, ...] = ALL_SCOPES) -> dict[str, str]:
        token, _ = issue_token(
            vault.database, name="Somebody", role=role, scopes=scopes, now=vault.clock(), life=None
        )
        return {"Authorization": f"Bearer {token}"}

    return make


@pytest.fixture
def owner(bearer: Bearer) -> dict[str, str]:
    return bearer()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A vault with two administrators."""
    vault = people_vault(tmp_path)
    with TestClient(create_app(vault), raise_server_exceptions=False) as opened:
        yield open_office(vault, opened)
    vault.database.dispose()
