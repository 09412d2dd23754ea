"""The description against the app: schemathesis sends odd requests and compares each answer with what is described.

Found by it: a server error, an undocumented status, media type or header, a body that isn't of its schema, a call
that needs a token and takes none. Half of the requests name things that exist.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from evidence_vault.access.decisions import ALL_SCOPES
from evidence_vault.api.app import create_app
from evidence_vault.api.description import may_answer
from evidence_vault.api.problems import KINDS, MEDIA_TYPE
from evidence_vault.api.tus_description import PIECE
from evidence_vault.identity.actors import issue_token
from evidence_vault.pipeline.vault import Vault
from tests.pipeline.vaults import new_vault

pytestmark = pytest.mark.socket

schemathesis.serializer.alias(PIECE, "application/octet-stream")

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    ignored_auth,
]
SOME = settings(
    max_examples=30,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    made = new_vault(tmp_path_factory.mktemp("described"), authorities=(), max_upload_bytes=4 * 2**20)
    yield made
    made.database.dispose()


@pytest.fixture(scope="module")
def app(vault: Vault) -> FastAPI:
    return create_app(vault)


@pytest.fixture(scope="module")
def bearer(vault: Vault) -> dict[str, str]:
    token, _ = issue_token(
        vault.database, name="Somebody", role="RH", scopes=ALL_SCOPES, now=vault.clock(), life=None
    )
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def known(app: FastAPI, bearer: dict[str, str]) -> dict[str, str]:
    """Things that exist, by the parameter that names them."""
    with TestClient(app) as client:
        item = client.post("/v1/items", content=b"evidence", headers=bearer).json()["id"]
        export = client.post(f"/v1/items/{item}/exports", headers=bearer).json()["id"]
        tus = {**bearer, "Tus-Resumable": "1.0.0", "Upload-Length": "5"}
        upload = client.post("/v1/uploads", headers=tus).headers["Location"].rpartition("/")[2]
    return {"item_id": item, "export_id": export, "upload_id": upload, "name": "not-found"}


def test_description_shows_each_problem_by_an_example(app: FastAPI) -> None:
    gone = app.openapi()["paths"]["/v1/exports/{export_id}/bundle"]["get"]["responses"]["410"]
    assert gone["description"] == KINDS["gone"].title
    example = gone["content"][MEDIA_TYPE]["examples"]["gone"]["value"]
    assert (example["type"], example["status"]) == ("/v1/problems/gone", 410)


def test_may_answer_with_an_unknown_kind_of_problem_is_refused() -> None:
    with pytest.raises(KeyError, match="gome"):
        may_answer("gone", "gome")


def test_description_names_every_answer_that_odd_requests_get(
    app: FastAPI, bearer: dict[str, str], known: dict[str, str]
) -> None:
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", app)
    wrong: list[str] = []
    asked = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation: Any = found.ok()

        @SOME
        @given(case=operation.as_strategy(), exists=st.booleans())
        def ask(case: Any, *, exists: bool) -> None:
            nonlocal asked
            asked += 1
            if exists:
                named = {name: known[name] for name in case.path_parameters if name in known}
                case.path_parameters.update(named)
            case.call_and_validate(headers=dict(bearer), checks=CHECKS)

        try:
            ask()
        except AssertionError as error:
            wrong.append(f"{operation.label}: {error}")
        except BaseExceptionGroup as error:
            wrong.append(f"{operation.label}: {error.exceptions}")
    assert not wrong, "\n".join(wrong)
    assert asked > 300
