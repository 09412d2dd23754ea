"""HEAD is GET without the body, everywhere; of content it is a look at what the item is, and no download."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from evidence_vault.pipeline.vault import Vault
from tests.api.clients import Person, somebody, types

pytestmark = pytest.mark.socket

Make = Callable[..., Person]


@pytest.fixture
def make(vault: Vault, client: TestClient) -> Make:
    return lambda role="RH", **more: somebody(vault, client, role, **more)


def test_head_of_every_get_says_what_get_says_without_the_body(make: Make) -> None:
    owner = make()
    names = {"item_id": owner.deposit(), "case_id": owner.opens(), "name": "not-found"}
    app = owner.client.app
    assert isinstance(app, FastAPI)
    asked = 0
    for path, methods in app.openapi()["paths"].items():
        if "get" not in methods or "head" in methods or path == "/v1/oidc/callback":
            continue
        address = path.format_map(Anything(names))
        whole = owner.client.get(address, headers=owner.headers)
        head = owner.client.head(address, headers=owner.headers)
        told = [{name: one.headers.get(name) for name in ("content-type", "etag")} for one in (whole, head)]
        assert (head.status_code, head.content, told[1]) == (whole.status_code, b"", told[0]), path
        asked += 1
    assert asked > 40


class Anything(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "1"


def test_head_of_content_tells_size_and_digest_and_is_no_download(vault: Vault, make: Make) -> None:
    owner, lawyer, stranger = make(), make("AT"), make()
    item = owner.deposit(b"evidence")
    grant = owner.grants(lawyer, [item], view_limit=1)
    path = f"/v1/items/{item}/content"
    before = types(vault, "item", item)
    whole = {"content-length": "8", "accept-ranges": "bytes"}
    head = owner.client.head(path, headers=owner.headers)
    assert (head.status_code, head.content) == (200, b"")
    assert {name: head.headers[name] for name in whole} == whole
    assert head.headers["repr-digest"].startswith("sha-256=:")
    assert types(vault, "item", item) == before, "an owner leaves no mark"
    assert lawyer.client.head(path, headers=lawyer.headers).status_code == 200
    assert types(vault, "item", item) == [*before, "VIEWED"]
    refused = stranger.client.head(path, headers=stranger.headers)
    assert (refused.status_code, refused.content) == (404, b"")
    assert owner.get(f"/grants/{grant['id']}").json()["views_used"] == 0
    assert lawyer.get(f"/items/{item}/content").content == b"evidence", "the one view is left"
    assert types(vault, "item", item)[-1] == "DOWNLOADED"


def test_head_uses_no_login_up_and_makes_nothing(client: TestClient) -> None:
    assert client.head("/v1/oidc/callback?state=x&code=y").status_code == 405
    assert client.head("/v1/oidc/nobody/login").status_code == 405
    assert client.head("/v1/nothing").status_code == 404
