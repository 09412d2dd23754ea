"""The description against the app: schemathesis compares each answer with what is described.

Found by it: a server error, an undocumented status, media type or header, a body that isn't of its schema, a call
that needs a token and takes none. Each operation gets the request of its own example, about things that exist, so
that what lies behind the checks of form is reached and successes are compared too; and a few odd requests, half of
them about things that exist. ODD_REQUESTS in the environment asks for more of these.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import schemathesis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from evidence_vault.access.decisions import ALL_SCOPES
from evidence_vault.api.app import create_app
from evidence_vault.api.description import may_answer
from evidence_vault.api.example_story import CASE, GRANT, ITEM, LAWYER, ORIGIN, RECEIVER
from evidence_vault.api.examples import JSON, NO_WORD
from evidence_vault.api.problems import KINDS, MEDIA_TYPE
from evidence_vault.api.tus_description import PIECE
from evidence_vault.core.canonical import as_object, encode_canonical
from evidence_vault.core.receipt import parse_receipt, verify_receipt
from evidence_vault.identity.actors import token_credential
from evidence_vault.identity.tokens import encode_token
from evidence_vault.pipeline.vault import Vault
from evidence_vault.signer.receipt_signer import ReceiptSigner
from evidence_vault.store.queries import actors
from tests.api.clients import Person, somebody
from tests.api.people import next_to_free
from tests.pipeline.vaults import new_vault

pytestmark = pytest.mark.socket

schemathesis.serializer.alias(PIECE, "application/octet-stream")

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SOME = settings(
    max_examples=int(os.environ.get("ODD_REQUESTS", "5")),
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    home = tmp_path_factory.mktemp("described")
    made = new_vault(home, authorities=(), max_upload_bytes=4 * 2**20, identity=next_to_free())
    yield made
    made.database.dispose()


@pytest.fixture(scope="module")
def app(vault: Vault) -> FastAPI:
    return create_app(vault)


@pytest.fixture
def owner(vault: Vault, app: FastAPI) -> Person:
    return somebody(vault, TestClient(app))


@pytest.fixture
def people(vault: Vault, app: FastAPI) -> dict[str, Person]:
    return {role: somebody(vault, TestClient(app), role) for role in ("RH", "AT")}


@pytest.fixture
def known(owner: Person, people: dict[str, Person]) -> dict[str, str]:
    """Things that exist, by the parameter that names them."""
    item, case = owner.deposit(), owner.opens()
    owner.post(f"/cases/{case}/items", {"item": item})
    tus = {**owner.headers, "Tus-Resumable": "1.0.0", "Upload-Length": "5"}
    return {
        "item_id": item,
        "case_id": case,
        "grant_id": owner.grants(people["AT"], [item])["id"],
        "export_id": owner.post(f"/items/{item}/exports").json()["id"],
        "upload_id": owner.client.post("/v1/uploads", headers=tus).headers["Location"].rpartition("/")[2],
        "name": "not-found",
    }


def fresh_token(vault: Vault, owner: Person) -> dict[str, str]:
    """Return a token of its own for each operation: some end the one they are asked with."""
    token, now = encode_token(secrets.token_bytes(32)), vault.clock()
    with vault.database.write() as session:
        (role,) = actors.live_roles(session, owner.id)
        row = token_credential(
            token, actor_id=owner.id, role_id=role.id, label="-", scopes=ALL_SCOPES, now=now, life=None
        )
        actors.add_credential(session, row)
    return {"Authorization": f"Bearer {token}"}


def bodies(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every JSON body of a request, and of a success, with where it stands."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            told = {"": operation.get("requestBody", {}), **operation["responses"]}
            for status, body in told.items():
                for media_type, content in body.get("content", {}).items():
                    if status[:1] in ("", "2") and JSON.fullmatch(media_type):
                        yield f"{method.upper()} {path} {status or 'asks'}", content


def members(told: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of an example, with the name of the member it belongs to."""
    if isinstance(told, dict):
        for inner, one in told.items():
            yield from members(one, inner)
    elif isinstance(told, list):
        for one in told:
            yield from members(one, name)
    else:
        yield name, told


def test_every_body_has_an_example_that_is_of_its_schema(app: FastAPI) -> None:
    document, wrong, told = app.openapi(), list[str](), 0
    for where, content in bodies(document):
        told += 1
        validator = Draft202012Validator(
            {**content.get("schema", {}), "components": document["components"]},
            format_checker=Draft202012Validator.FORMAT_CHECKER,
        )
        wrong += [f"{where}: {error.message}" for error in validator.iter_errors(content["example"])]
        wordless = [name for name, said in members(content["example"]) if said == NO_WORD]
        wrong += [f"{where}: no word for {name} (api/example_words.py)" for name in wordless]
        if content["example"] in ({}, None):
            wrong.append(f"{where}: no example")
    assert not wrong, "\n".join(wrong)
    assert told > 110


def test_receipt_of_the_examples_is_a_true_one(app: FastAPI) -> None:
    answer = app.openapi()["paths"]["/v1/items/{item_id}/receipt"]["get"]["responses"]["200"]
    example = answer["content"]["application/json"]["example"]
    receipt = parse_receipt(encode_canonical(example))
    key = ReceiptSigner(origin=ORIGIN, private_key=Ed25519PrivateKey.from_private_bytes(bytes(32)))
    verify_receipt(receipt, trusted=[key.verifier_key])
    digests = as_object(receipt.event.fields["digests"])
    assert (receipt.event.subject.id, digests["sha256"]) == (ITEM, hashlib.sha256(b"test").hexdigest())


def test_every_operation_that_needs_a_token_takes_none_and_no_wrong_one(app: FastAPI) -> None:
    asked = 0
    with TestClient(app) as client:
        for path, methods in app.openapi()["paths"].items():
            for method, operation in methods.items():
                if not operation.get("security"):
                    continue
                asked += 1
                for headers in (
                    {},
                    {"Authorization": f"Bearer ev_{'0' * 52}"},
                    {"Authorization": "Basic eDp5"},
                ):
                    own = {"Tus-Resumable": "1.0.0", **headers}
                    answer = client.request(method, path.format_map(Anything()), headers=own)
                    assert answer.status_code == 401, f"{method} {path}"
    assert asked > 90


class Anything(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "1"


def test_description_shows_each_problem_by_an_example(app: FastAPI) -> None:
    gone = app.openapi()["paths"]["/v1/exports/{export_id}/bundle"]["get"]["responses"]["410"]
    assert gone["description"] == KINDS["gone"].title
    example = gone["content"][MEDIA_TYPE]["examples"]["gone"]["value"]
    assert (example["type"], example["status"]) == ("/v1/problems/gone", 410)


def test_may_answer_with_an_unknown_kind_of_problem_is_refused() -> None:
    with pytest.raises(KeyError, match="gome"):
        may_answer("gone", "gome")


@pytest.fixture(scope="module")
def operations(app: FastAPI) -> list[Any]:
    found = schemathesis.openapi.from_asgi("/v1/openapi.json", app).get_all_operations()
    return [one.ok() for one in found if isinstance(one, Ok)]


def test_description_names_every_answer_that_odd_requests_get(
    vault: Vault, operations: list[Any], owner: Person, known: dict[str, str]
) -> None:
    wrong: list[str] = []
    asked, asking = 0, dict[str, str]()
    for operation in operations:
        asking.update(fresh_token(vault, owner))

        @SOME
        @given(case=operation.as_strategy(), exists=st.booleans())
        def ask(case: Any, *, exists: bool) -> None:
            nonlocal asked
            asked += 1
            if exists:
                named = {name: known[name] for name in case.path_parameters if name in known}
                case.path_parameters.update(named)
            case.call_and_validate(headers=asking, checks=CHECKS)

        try:
            ask()
        except AssertionError as error:
            wrong.append(f"{operation.label}: {error}")
        except BaseExceptionGroup as error:
            wrong.append(f"{operation.label}: {error.exceptions}")
    assert not wrong, "\n".join(wrong)
    assert asked > 3 * len(operations)


def test_description_names_every_answer_that_its_own_examples_get(
    vault: Vault,
    app: FastAPI,
    operations: list[Any],
    owner: Person,
    known: dict[str, str],
    *,
    people: dict[str, Person],
) -> None:
    wrong, answered = list[str](), set[str]()
    names = {
        **{ITEM: known["item_id"], CASE: known["case_id"], GRANT: known["grant_id"]},
        **{LAWYER: people["AT"].id, RECEIVER: people["RH"].id},
    }
    told = {where: content["example"] for where, content in bodies(app.openapi())}
    for operation in operations:
        bearer = fresh_token(vault, owner)
        body = renamed(told.get(f"{operation.label} asks"), names)
        given = {name: known.get(name, "1") for name in PARAMETER.findall(operation.path)}
        content: dict[str, Any] = {} if body is None else {"body": body, "media_type": "application/json"}
        case = operation.Case(path_parameters=given, headers=bearer, **content)
        try:
            if case.call_and_validate(headers=bearer, checks=CHECKS).status_code < 300:
                answered.add(operation.label)
        except AssertionError as error:
            wrong.append(f"{operation.label}: {error}")
        except BaseExceptionGroup as error:
            wrong.append(f"{operation.label}: {error.exceptions}")
    assert not wrong, "\n".join(wrong)
    assert answered >= WORKING, WORKING - answered


PARAMETER = re.compile(r"\{(\w+)\}")

WORKING = {
    "POST /v1/cases",
    "POST /v1/cases/{case_id}/parties",
    "POST /v1/cases/{case_id}/items",
    "POST /v1/grants",
    "POST /v1/webhooks",
    "POST /v1/items/{item_id}/exports",
    "POST /v1/items/{item_id}/holds",
    "POST /v1/items/{item_id}/transfers",
    "GET /v1/items/{item_id}/custody",
    "GET /v1/cases/{case_id}/evidence",
}
"""What a rights holder may do at once with things of his own: its example does it."""


def renamed(told: Any, names: Mapping[str, str]) -> Any:
    """Return an example that is about things of this vault."""
    match told:
        case dict():
            return {name: renamed(one, names) for name, one in told.items()}
        case list():
            return [renamed(one, names) for one in told]
        case str():
            return names.get(told, told)
        case _:
            return told
