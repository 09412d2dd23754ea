"""What the API says of itself: an OpenAPI 3.1 document, in which every status a call may answer with is told.

FastAPI reads parameters, bodies and successes from the routes. The problems (RFC 9457) follow from a call's form:
whoever needs a token may hear that it isn't good, whoever names a thing that there is none, whoever sends a body
that it is too large. What a call has beside these it names itself, with `may_answer`. An answer that isn't there is
a defect: a test sends odd requests without number and compares.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from evidence_vault.api.examples import give_examples
from evidence_vault.api.problems import KINDS, MEDIA_TYPE, PATH, Problem

_OWN = "x-problems"
_WRITING = ("post", "put", "patch", "delete")

Operation = dict[str, Any]


def may_answer(*names: str) -> Operation:
    """Return what a route gives as `openapi_extra` to name the problems that its form doesn't tell."""
    if unknown := sorted(set(names) - set(KINDS)):
        raise KeyError(f"no such kinds of problems: {', '.join(unknown)}")
    return {_OWN: list(names)}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an app."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    for methods in document["paths"].values():
        for method, operation in methods.items():
            _tell_problems(method, operation)
    give_examples(document)
    schemas = document["components"]["schemas"]
    schemas["Problem"] = Problem.model_json_schema()
    for name in (
        "HTTPValidationError",
        "ValidationError",
    ):  # FastAPI's own; here they are problems like all others
        schemas.pop(name, None)
    return document


def _tell_problems(method: str, operation: Operation) -> None:
    names = {*operation.pop(_OWN, ()), *_of_form(method, operation)}
    responses = operation["responses"]
    responses.pop("422", None)
    by_status: dict[str, list[str]] = {}
    for name in (name for name in KINDS if name in names):
        by_status.setdefault(str(int(KINDS[name].status)), []).append(name)
    for status, kinds in sorted(by_status.items()):
        responses[status] = _problem_response(kinds, has_body=method != "head")


def _of_form(method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    """The problems that follow from what a call asks for."""
    parameters = operation.get("parameters", [])
    yield from ("internal", "unavailable")
    if operation.get("security"):
        yield from ("unauthorized", "not-permitted")
    if any(parameter["in"] == "path" for parameter in parameters):
        yield "not-found"
    if parameters or "requestBody" in operation:
        yield from ("bad-request", "invalid")
    if "requestBody" in operation:
        yield from ("too-large", "length-required", "unsupported-media-type")
    if method in _WRITING:
        yield from ("conflict", "read-only", "storage-full", "too-many-requests")


def _problem_response(names: Iterable[str], *, has_body: bool) -> Operation:
    kinds = {name: KINDS[name] for name in names}
    response: Operation = {"description": "; ".join(kind.title for kind in kinds.values())}
    if has_body:
        examples = {
            name: {
                "summary": kind.title,
                "value": {
                    "type": f"{PATH}/{name}",
                    "title": kind.title,
                    "status": int(kind.status),
                    "detail": kind.advice,
                    "instance": "urn:request:9f86d081884c7d65",
                },
            }
            for name, kind in kinds.items()
        }
        schema = {"$ref": "#/components/schemas/Problem"}
        response["content"] = {MEDIA_TYPE: {"schema": schema, "examples": examples}}
    return response
