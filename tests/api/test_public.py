"""What anyone may read: checkpoint, tiles, trust policy; and the judge of bundles."""

import errno

import pytest
from starlette.testclient import TestClient

from evidence_vault.core.checkpoint import open_checkpoint
from evidence_vault.core.merkle import root_hash
from evidence_vault.core.note_keys import encode_vkey
from evidence_vault.core.tiles import Tile, TileNodeReader
from evidence_vault.pipeline.vault import Vault
from evidence_vault.verify.trust import parse_policy
from tests.pipeline.running import run_once

pytestmark = pytest.mark.socket


def test_checkpoint_before_the_first_404(client: TestClient) -> None:
    assert client.get("/v1/log/checkpoint").status_code == 404


def test_log_read_over_http_gives_the_checkpoints_root(
    client: TestClient, vault: Vault, owner: dict[str, str]
) -> None:
    for n in range(3):
        client.post("/v1/items", content=bytes([n]), headers=owner)
    run_once(vault, {})
    answer = client.get("/v1/log/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    head = open_checkpoint(
        answer.content, origin=vault.settings.origin, trusted=[vault.log_signer.verifier_key]
    ).checkpoint.tree_head

    def read(tile: Tile) -> bytes:
        got = client.get(f"/v1/log/{tile.path}")
        assert got.headers["content-type"] == "application/octet-stream"
        assert "immutable" in got.headers["cache-control"]
        return got.content

    assert head.size == 5
    assert root_hash(head.size, TileNodeReader(read, head.size)) == head.root_hash
    assert client.get(f"/v1/log/tile/entries/000.p/{head.size}").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["0/000", "0/000.p/2", "0/1", "9/000", "../keys/log.key", "0/x000/000", "%2e%2e/%2e%2e/vault.db", ""],
)
def test_tile_that_is_not_there_404(client: TestClient, vault: Vault, path: str) -> None:
    run_once(vault, {})
    answer = client.get(f"/v1/log/tile/{path}" if path != "0/000.p/2" else "/v1/log/tile/0/000.p/9")
    assert answer.status_code == 404


@pytest.fixture
def readable_roots(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vault of these tests has an authority without a real root."""
    monkeypatch.setattr(vault.settings, "__dict__", {**vault.settings.__dict__, "authorities": []})


@pytest.mark.usefixtures("readable_roots")
def test_trust_policy_is_one_that_the_verifier_reads(client: TestClient, vault: Vault) -> None:
    answer = client.get("/v1/trust.toml")
    assert answer.headers["content-type"] == "application/toml; charset=utf-8"
    policy = parse_policy(answer.content, name="x")
    assert [log.key for log in policy.logs] == [vault.log_signer.verifier_key]
    assert policy.logs[0].receipt_key == vault.receipt_signer.verifier_key


@pytest.mark.usefixtures("readable_roots")
def test_verify_garbage_is_an_unreadable_report(client: TestClient) -> None:
    answer = client.post("/v1/verify", files={"bundle": b"this is no zip"})
    assert answer.status_code == 200
    assert answer.json()["verdict"] == "UNREADABLE"
    assert "its own" in str(answer.json()["policy"])


def test_verify_with_a_policy_of_ones_own(client: TestClient) -> None:
    files = {"bundle": b"PK", "trust": b"version = 1\n"}
    answer = client.post("/v1/verify", files=files)
    assert (answer.status_code, answer.json()["verdict"]) == (200, "UNREADABLE")


def test_verify_broken_policy_refused_by_place(client: TestClient) -> None:
    answer = client.post("/v1/verify", files={"bundle": b"PK", "trust": b"version = 2\n"})
    assert answer.status_code == 400
    assert "policy.version" in answer.json()["place"]


def test_verify_without_a_bundle_refused(client: TestClient) -> None:
    answer = client.post("/v1/verify", files={"trust": b"version = 1\n"})
    assert (answer.status_code, answer.json()["place"]) == (400, "body.bundle")


def test_verify_unknown_length_refused_unread(client: TestClient) -> None:
    answer = client.post("/v1/verify", content=iter([b"x"]))
    assert (answer.status_code, answer.json()["type"]) == (411, "/v1/problems/length-required")


@pytest.mark.usefixtures("readable_roots")
def test_verify_on_a_full_disk_507(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("evidence_vault.api.verification.shutil.copyfileobj", full)
    answer = client.post("/v1/verify", files={"bundle": b"PK" * 100})
    assert (answer.status_code, answer.json()["type"]) == (507, "/v1/problems/storage-full")


def test_address_with_a_slash_too_many_is_not_redirected(client: TestClient) -> None:
    answer = client.get("/v1/trust.toml/", headers={"Host": "mallory.example"}, follow_redirects=False)
    assert (answer.status_code, answer.json()["type"]) == (404, "/v1/problems/not-found")


def test_verify_too_long_refused_unread(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evidence_vault.api.verification.MAX_BODY_BYTES", 10)
    answer = client.post("/v1/verify", files={"bundle": b"PK" * 100})
    assert answer.status_code == 413


def test_reference_page_shows_every_call_and_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/v1/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    for path, methods in client.get("/v1/openapi.json").json()["paths"].items():
        for method in methods:
            assert f"<b>{method.upper()}</b> {path}</h3>" in page.text
    assert "<script" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text


@pytest.fixture
def grown(client: TestClient, vault: Vault, owner: dict[str, str]) -> TestClient:
    for n in range(3):
        client.post("/v1/items", content=bytes([n]), headers=owner)
    run_once(vault, {})
    return client


PUBLIC = [
    "log/checkpoint",
    "log/tile/0/000.p/5",
    "log/tile/entries/000.p/5",
    "log/vkey",
    "log/checkpoints/000/000/5.note",
]


@pytest.mark.parametrize("path", PUBLIC)
def test_public_file_answers_as_a_static_server_would(grown: TestClient, path: str) -> None:
    whole = grown.get(f"/v1/{path}")
    assert whole.status_code == 200
    tag, size = whole.headers["etag"], len(whole.content)
    head = grown.head(f"/v1/{path}")
    assert (head.status_code, head.content) == (200, b"")
    assert dict(head.headers) | {"request-id": ""} == dict(whole.headers) | {"request-id": ""}
    assert int(head.headers["content-length"]) == size
    same = grown.get(f"/v1/{path}", headers={"If-None-Match": f'"other", W/{tag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert grown.get(f"/v1/{path}", headers={"If-None-Match": '"other"'}).content == whole.content
    part = grown.get(f"/v1/{path}", headers={"Range": "bytes=2-9", "If-Range": tag})
    assert (part.status_code, part.content) == (206, whole.content[2:10])
    assert part.headers["content-range"] == f"bytes 2-9/{size}"
    old = grown.get(f"/v1/{path}", headers={"Range": "bytes=2-9", "If-Range": '"other"'})
    assert (old.status_code, old.content) == (200, whole.content)
    beyond = grown.get(f"/v1/{path}", headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert beyond.headers["content-type"] == "application/problem+json"


def test_public_file_that_is_not_there_is_a_problem_document(grown: TestClient) -> None:
    missing = grown.get("/v1/log/tile/0/000")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
    assert grown.head("/v1/log/tile/0/000").status_code == 404


def test_log_names_its_key(grown: TestClient, vault: Vault) -> None:
    assert grown.get("/v1/log/vkey").text == encode_vkey(vault.log_signer.verifier_key) + "\n"


def test_note_of_a_size_and_lines_beside_it(grown: TestClient, vault: Vault) -> None:
    note = grown.get("/v1/log/checkpoints/000/000/5.note")
    assert note.content == vault.public.note_path(5).read_bytes()
    assert "immutable" in note.headers["cache-control"]
    assert grown.get("/v1/log/checkpoints/000/000/5.cosigs").status_code == 404
    vault.public.note_path(5).with_suffix(".cosigs").write_bytes(b"lines")
    lines = grown.get("/v1/log/checkpoints/000/000/5.cosigs")
    assert (lines.content, lines.headers["cache-control"]) == (b"lines", "no-cache")


@pytest.mark.parametrize(
    "path",
    [
        "000/000/4.note",
        "000/000/05.note",
        "001/000/5.note",
        "0000/000/5.note",
        "000/000/5.notes",
        "000/000/..%2F5.note",
        "000/000/5.note/",
        "000/000/٥.note",
        "000/000/99999999999999999999.note",
        "",
    ],
)
def test_note_by_any_other_path_is_not_there(grown: TestClient, path: str) -> None:
    assert grown.get(f"/v1/log/checkpoints/{path}").status_code == 404
