"""One's own items, and nobody else's: state, history, proofs, receipt, content, exports."""

import base64
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from evidence_vault.api.fields import encode_content_disposition
from evidence_vault.core.canonical import encode_canonical
from evidence_vault.core.checkpoint import open_checkpoint
from evidence_vault.core.events import Subject, encode_leaf_entry, first_slot, parse_event
from evidence_vault.core.merkle import leaf_hash, verify_inclusion
from evidence_vault.core.names import encode_id
from evidence_vault.core.tlog_proof import parse_tlog_proof
from evidence_vault.pipeline.vault import Vault
from evidence_vault.workers.runner import timestamp_work
from tests.api.conftest import Bearer
from tests.pipeline.running import run_once

pytestmark = pytest.mark.socket

CONTENT = bytes(range(256)) * 10_000
UNKNOWN = encode_id("it", bytes(16))


@pytest.fixture
def item(client: TestClient, owner: dict[str, str]) -> str:
    headers = {
        **owner,
        "Content-Type": "text/html",
        "Content-Disposition": encode_content_disposition("页.html"),
    }
    return str(client.post("/v1/items", content=CONTENT, headers=headers).json()["id"])


@pytest.fixture
def work(vault: Vault) -> Callable[[], None]:
    """Do all background work that is due, then let two seconds pass and do it again."""

    def run() -> None:
        for _ in range(3):
            run_once(vault, timestamp_work(vault))
            vault.clock.advance(2)  # type: ignore[attr-defined]

    return run


def types_of(client: TestClient, item: str, headers: dict[str, str]) -> list[str]:
    answer = client.get(f"/v1/items/{item}/events", headers=headers).json()
    return [str(event["event"]["type"]) for event in answer["events"]]


def test_item_state_follows_the_facts(
    client: TestClient, owner: dict[str, str], item: str, work: Callable[[], None]
) -> None:
    before = client.get(f"/v1/items/{item}", headers=owner).json()
    assert before["state"] == "received"
    assert {stage["name"]: stage["state"] for stage in before["stages"]} == {
        "received": "done",
        "timestamped": "waiting",
        "logged": "waiting",
        "dated": "waiting",
        "anchored": "off",
        "final": "off",
    }
    assert "There is nothing to do." in before["next"]
    work()
    after = client.get(f"/v1/items/{item}", headers=owner).json()
    assert after["state"] == "logged"
    assert {stage["name"]: stage["state"] for stage in after["stages"]}["dated"] == "done"
    assert "can be exported" in after["next"]


def test_events_are_the_history_with_clear_values(
    client: TestClient, owner: dict[str, str], item: str, work: Callable[[], None]
) -> None:
    work()
    events = client.get(f"/v1/items/{item}/events", headers=owner).json()["events"]
    assert [event["event"]["type"] for event in events] == ["ITEM_RECEIVED", "TIMESTAMP_OBTAINED"]
    assert events[0]["disclosures"] == {"file_name": "页.html", "media_type": "text/html"}
    assert "页" not in str(events[0]["event"])
    parsed = [parse_event(encode_canonical(event["event"])) for event in events]
    assert parsed[1].prev == parsed[0].sha256
    assert [event.sha256.hex() for event in parsed] == [event["sha256"] for event in events]


def test_events_come_in_pages(client: TestClient, owner: dict[str, str], item: str) -> None:
    for _ in range(3):
        client.get(f"/v1/items/{item}/content", headers=owner)
    first = client.get(f"/v1/items/{item}/events?limit=3", headers=owner).json()
    rest = client.get(f"/v1/items/{item}/events?from_seq={first['next']}", headers=owner).json()
    assert [event["seq"] for event in first["events"] + rest["events"]] == [0, 1, 2, 3]
    assert rest["next"] is None


def test_reading_state_and_history_leaves_no_event(
    client: TestClient, owner: dict[str, str], item: str
) -> None:
    for path in ("", "/events", "/proofs", "/receipt"):
        assert client.get(f"/v1/items/{item}{path}", headers=owner).status_code == 200
    assert types_of(client, item, owner) == ["ITEM_RECEIVED"]


def test_proofs_inclusion_verifies_against_the_checkpoint(
    client: TestClient, vault: Vault, owner: dict[str, str], item: str, work: Callable[[], None]
) -> None:
    work()
    proofs = client.get(f"/v1/items/{item}/proofs", headers=owner).json()
    proof = parse_tlog_proof(proofs["inclusion"].encode())
    opened = open_checkpoint(
        proof.checkpoint_note, origin=vault.settings.origin, trusted=[vault.log_signer.verifier_key]
    )
    events = client.get(f"/v1/items/{item}/events", headers=owner).json()["events"]
    entry = encode_leaf_entry(bytes.fromhex(events[0]["sha256"]), first_slot(Subject(kind="item", id=item)))
    verify_inclusion(
        tree_head=opened.checkpoint.tree_head,
        leaf_index=events[0]["leaf_index"],
        leaf_hash=leaf_hash(entry),
        proof=proof.hashes,
    )
    assert set(proofs["timestamps"][0]["parts"]) == {"request.tsq", "response.tsr", "chain.pem"}
    assert base64.b64decode(proofs["timestamps"][0]["parts"]["chain.pem"]) == b"pem"


def test_proofs_before_the_log_has_it_say_so(client: TestClient, owner: dict[str, str], item: str) -> None:
    proofs = client.get(f"/v1/items/{item}/proofs", headers=owner).json()
    assert proofs == {"item": item, "timestamps": [], "inclusion": None, "checkpoints": []}


def test_receipt_again_is_the_same_bytes(client: TestClient, owner: dict[str, str]) -> None:
    made = client.post("/v1/items", content=b"x", headers=owner).json()
    again = client.get(f"/v1/items/{made['id']}/receipt", headers=owner)
    assert again.content == encode_canonical(made["receipt"])
    assert again.headers["content-disposition"] == f'attachment; filename="{made["id"]}.receipt.json"'


def test_content_is_a_download_and_an_event(client: TestClient, owner: dict[str, str], item: str) -> None:
    answer = client.get(f"/v1/items/{item}/content", headers=owner)
    assert answer.content == CONTENT
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["x-content-type-options"] == "nosniff"
    events = client.get(f"/v1/items/{item}/events", headers=owner).json()["events"]
    assert events[-1]["event"]["type"] == "DOWNLOADED"
    assert events[-1]["event"]["what"] == "content"
    assert events[-1]["event"]["why"] == {"basis": "owner", "case": None, "grant": None}


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=1048570-1048590", (1048570, 1048591)),
        ("bytes=2000000-", (2000000, len(CONTENT))),
        ("bytes=-10", (len(CONTENT) - 10, len(CONTENT))),
        ("bytes=0-99999999", (0, len(CONTENT))),
    ],
)
def test_content_range_is_that_span(
    client: TestClient, owner: dict[str, str], item: str, asked: str, span: tuple[int, int]
) -> None:
    start, end = span
    answer = client.get(f"/v1/items/{item}/content", headers={**owner, "Range": asked})
    assert answer.status_code == 206
    assert answer.content == CONTENT[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
    assert types_of(client, item, owner)[-1] == "DOWNLOADED"


@pytest.mark.parametrize("asked", ["bytes=5-2", "bytes=0-1,4-5", "lines=1-2", "bytes=a-b", "bytes=-"])
def test_content_range_not_understood_is_the_whole(
    client: TestClient, owner: dict[str, str], item: str, asked: str
) -> None:
    answer = client.get(f"/v1/items/{item}/content", headers={**owner, "Range": asked})
    assert (answer.status_code, answer.content) == (200, CONTENT)


@pytest.mark.parametrize("asked", [f"bytes={len(CONTENT)}-", "bytes=99999999-", "bytes=-0"])
def test_content_range_beyond_the_end_416_and_no_event(
    client: TestClient, owner: dict[str, str], item: str, asked: str
) -> None:
    answer = client.get(f"/v1/items/{item}/content", headers={**owner, "Range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"
    assert types_of(client, item, owner) == ["ITEM_RECEIVED"]


def test_content_if_range_of_another_version_is_the_whole(
    client: TestClient, owner: dict[str, str], item: str
) -> None:
    headers = {**owner, "Range": "bytes=0-0", "If-Range": '"other"'}
    assert client.get(f"/v1/items/{item}/content", headers=headers).status_code == 200


def test_content_damaged_on_disk_is_not_handed_out(
    client: TestClient, vault: Vault, owner: dict[str, str], item: str
) -> None:
    (blob,) = [path for path in (vault.settings.home / "blobs").rglob(item) if path.is_file()]
    raw = bytearray(blob.read_bytes())
    raw[100] ^= 1
    blob.chmod(0o600)
    blob.write_bytes(raw)
    answer = client.get(f"/v1/items/{item}/content", headers=owner)
    assert (answer.status_code, answer.json()["type"]) == (500, "/v1/problems/internal")
    assert item not in answer.json()["detail"]
    assert types_of(client, item, owner) == ["ITEM_RECEIVED"]


PATHS = ("", "/events", "/proofs", "/receipt", "/content")


# An auditor reads the history of every item, without personal values.
CLOSED = [
    (role, path) for role in ("RH", "AD", "AU", "JU") for path in PATHS if (role, path) != ("AU", "/events")
]


@pytest.mark.parametrize(("role", "path"), CLOSED)
def test_foreign_and_unknown_items_are_one_answer(
    client: TestClient, bearer: Bearer, item: str, path: str, role: str
) -> None:
    stranger = bearer(role)
    answers = [
        client.get(f"/v1/items/{name}{path}", headers=stranger) for name in (item, UNKNOWN, "it_1", "x")
    ]
    assert {answer.status_code for answer in answers} == {404}
    bodies = [{k: v for k, v in answer.json().items() if k != "instance"} for answer in answers]
    assert all(body == bodies[0] for body in bodies)
    assert len({frozenset(answer.headers) for answer in answers}) == 1


def test_foreign_item_cannot_be_exported_or_listed(
    client: TestClient, bearer: Bearer, owner: dict[str, str], item: str
) -> None:
    stranger = bearer()
    assert client.post(f"/v1/items/{item}/exports", headers=stranger).status_code == 404
    assert client.get("/v1/items", headers=stranger).json() == {"items": [], "next": None}
    export = client.post(f"/v1/items/{item}/exports", headers=owner)
    assert export.status_code == 202
    for path in ("", "/bundle"):
        answer = client.get(f"{export.headers['location']}{path}", headers=stranger)
        assert answer.status_code == 404


def test_list_comes_in_pages_newest_first(client: TestClient, owner: dict[str, str]) -> None:
    ids = [client.post("/v1/items", content=bytes([n]), headers=owner).json()["id"] for n in range(5)]
    seen, after = [], ""
    while True:
        page = client.get(f"/v1/items?limit=2{after}", headers=owner).json()
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert seen == ids[::-1]


def test_export_not_ready_409_retry_after(client: TestClient, owner: dict[str, str], item: str) -> None:
    export = client.post(f"/v1/items/{item}/exports", headers=owner)
    assert export.json()["state"] == "READY"
    answer = client.get(f"{export.headers['location']}/bundle", headers=owner)
    assert (answer.status_code, answer.json()["type"]) == (409, "/v1/problems/in-progress")
    assert answer.headers["retry-after"] == "1"


def test_narrow_token_403_names_the_scope(client: TestClient, bearer: Bearer) -> None:
    reader = bearer(scopes=("read",))
    for method, path, scope in (
        ("POST", "/v1/items", "deposit"),
        ("GET", f"/v1/items/{UNKNOWN}/content", "content"),
        ("POST", f"/v1/items/{UNKNOWN}/exports", "export"),
    ):
        answer = client.request(method, path, headers=reader)
        assert answer.status_code == 403
        assert f'scope="{scope}"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("role", ["AD", "AU", "JU", "AT"])
def test_deposit_by_another_role_403(client: TestClient, bearer: Bearer, role: str) -> None:
    answer = client.post("/v1/items", content=b"x", headers=bearer(role))
    assert (answer.status_code, answer.json()["type"]) == (403, "/v1/problems/not-permitted")
