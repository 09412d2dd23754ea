"""Depositing over HTTP: what is kept, what is refused, and that a refusal keeps nothing."""

import errno
import hashlib

import pytest
from starlette.testclient import TestClient

from evidence_vault.api.fields import (
    HASH_MEDIA_TYPE,
    encode_content_disposition,
    encode_ext_value,
    encode_repr_digest,
)
from evidence_vault.api.schemas import DepositedView
from evidence_vault.core.canonical import encode_canonical
from evidence_vault.core.receipt import parse_receipt, verify_receipt
from evidence_vault.identity.actors import list_tokens, revoke_token
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store import packs, segment_writer
from tests.api.conftest import Bearer

pytestmark = pytest.mark.socket

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


def assert_nothing_kept(vault: Vault) -> None:
    home = vault.settings.home
    left = [path for name in ("incoming", "blobs") for path in (home / name).rglob("*") if path.is_file()]
    assert left == []
    with vault.database.read() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM items").scalar() == 0
        assert session.connection().exec_driver_sql("SELECT count(*) FROM idempotency_keys").scalar() == 0


def test_deposit_content_gets_a_receipt_that_verifies(
    client: TestClient, vault: Vault, owner: dict[str, str]
) -> None:
    content = b"what was seen" * 200_000
    answer = client.post("/v1/items", content=content, headers=owner)
    assert answer.status_code == 201
    body = answer.json()
    assert answer.headers["location"] == f"/v1/items/{body['id']}"
    assert (body["sha256"], body["size"]) == (hashlib.sha256(content).hexdigest(), len(content))
    receipt = parse_receipt(encode_canonical(body["receipt"]))
    verify_receipt(receipt, trusted=[vault.receipt_signer.verifier_key])
    assert receipt.event.subject.id == body["id"]
    assert b"".join(vault.blobs.chunks(body["id"])) == content


def test_deposit_empty_file_accepted_and_hashed(client: TestClient, owner: dict[str, str]) -> None:
    answer = client.post("/v1/items", content=b"", headers=owner)
    assert answer.status_code == 201
    assert (answer.json()["sha256"], answer.json()["size"]) == (EMPTY_SHA256, 0)


@pytest.mark.parametrize("name", ["证据·照片.png", "📷 foto.jpg", "a\u202eb.txt", "con.txt", "x" * 255])
def test_deposit_name_kept_as_given(client: TestClient, owner: dict[str, str], name: str) -> None:
    headers = {**owner, "Content-Disposition": encode_content_disposition(name)}
    item_id = client.post("/v1/items", content=b"x", headers=headers).json()["id"]
    assert client.get(f"/v1/items/{item_id}", headers=owner).json()["file_name"] == name
    listed = client.get("/v1/items", headers=owner).json()["items"]
    assert [item["file_name"] for item in listed] == [name]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a\0b", "x" * 4096, "", "..", "a/b", "a\\b", "two\nlines"]
)
def test_deposit_name_that_is_none_refused_by_place(
    client: TestClient, vault: Vault, owner: dict[str, str], name: str
) -> None:
    headers = {**owner, "Content-Disposition": encode_content_disposition(name)}
    answer = client.post("/v1/items", content=b"x", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["place"] == "file name"
    assert_nothing_kept(vault)


def test_deposit_note_and_secret_kept(client: TestClient, owner: dict[str, str]) -> None:
    headers = {**owner, "Evidence-Note": encode_ext_value("第三页"), "Evidence-Secret": "?1"}
    item_id = client.post("/v1/items", content=b"x", headers=headers).json()["id"]
    shown = client.get(f"/v1/items/{item_id}", headers=owner).json()
    assert (shown["note"], shown["secret"]) == ("第三页", True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Content-Disposition", "attachment; filename*=latin"),
        ("Evidence-Note", "plain"),
        ("Evidence-Secret", "yes"),
        ("Repr-Digest", "md5=:AAAA:"),
        ("Idempotency-Key", "k" * 201),
    ],
)
def test_deposit_unreadable_field_refused_by_name(
    client: TestClient, vault: Vault, owner: dict[str, str], field: str, value: str
) -> None:
    answer = client.post("/v1/items", content=b"x", headers={**owner, field: value})
    assert answer.status_code == 400
    assert answer.json()["place"].lower().replace(" ", "-").startswith(field.lower())
    assert_nothing_kept(vault)


def test_deposit_digest_that_agrees_accepted(client: TestClient, owner: dict[str, str]) -> None:
    headers = {**owner, "Repr-Digest": encode_repr_digest(hashlib.sha256(b"x").digest())}
    assert client.post("/v1/items", content=b"x", headers=headers).status_code == 201


def test_deposit_digest_that_disagrees_refused_with_both(
    client: TestClient, vault: Vault, owner: dict[str, str]
) -> None:
    headers = {**owner, "Repr-Digest": encode_repr_digest(bytes(32))}
    answer = client.post("/v1/items", content=b"x", headers=headers)
    assert answer.status_code == 422
    assert answer.json()["type"] == "/v1/problems/digest-mismatch"
    assert answer.json()["expected"] == bytes(32).hex()
    assert answer.json()["found"] == hashlib.sha256(b"x").hexdigest()
    assert_nothing_kept(vault)


@pytest.mark.parametrize("announced", [True, False])
def test_deposit_oversize_refused(
    client: TestClient, vault: Vault, owner: dict[str, str], announced: bool
) -> None:
    content = bytes(vault.settings.max_upload_bytes + 1)
    pieces = (content[i : i + 65536] for i in range(0, len(content), 65536))
    answer = client.post("/v1/items", content=content if announced else pieces, headers=owner)
    assert answer.status_code == 413
    assert answer.json()["expected"] == f"at most {vault.settings.max_upload_bytes} bytes"
    assert_nothing_kept(vault)


def test_deposit_same_key_same_request_same_receipt(client: TestClient, owner: dict[str, str]) -> None:
    headers = {**owner, "Idempotency-Key": "k1"}
    first = client.post("/v1/items", content=b"x", headers=headers)
    again = client.post("/v1/items", content=b"x", headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert len(client.get("/v1/items", headers=owner).json()["items"]) == 1


def test_deposit_same_key_other_bytes_conflict(client: TestClient, owner: dict[str, str]) -> None:
    headers = {**owner, "Idempotency-Key": "k1"}
    client.post("/v1/items", content=b"x", headers=headers)
    answer = client.post("/v1/items", content=b"y", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (409, "/v1/problems/conflict")


def test_deposit_same_key_other_name_conflict(client: TestClient, owner: dict[str, str]) -> None:
    headers = {**owner, "Idempotency-Key": "k1"}
    client.post("/v1/items", content=b"x", headers=headers)
    named = {**headers, "Content-Disposition": "attachment; filename=a"}
    assert client.post("/v1/items", content=b"x", headers=named).status_code == 409


def test_deposit_same_key_of_another_actor_is_another_key(
    client: TestClient, owner: dict[str, str], bearer: Bearer
) -> None:
    first = client.post("/v1/items", content=b"x", headers={**owner, "Idempotency-Key": "k1"})
    other = client.post("/v1/items", content=b"y", headers={**bearer(), "Idempotency-Key": "k1"})
    assert (first.status_code, other.status_code) == (201, 201)


def test_deposit_refused_then_right_with_the_same_key_accepted(
    client: TestClient, owner: dict[str, str]
) -> None:
    wrong = {**owner, "Idempotency-Key": "k1", "Repr-Digest": encode_repr_digest(bytes(32))}
    assert client.post("/v1/items", content=b"x", headers=wrong).status_code == 422
    right = {**owner, "Idempotency-Key": "k1"}
    assert client.post("/v1/items", content=b"x", headers=right).status_code == 201


@pytest.mark.parametrize(
    ("content", "owner_and_name"),
    [(bytes(100_000), (segment_writer, "_write_at")), (b"x", (packs, "_write_all"))],
    ids=["streamed", "small"],
)
def test_deposit_full_disk_507_nothing_kept(
    client: TestClient,
    vault: Vault,
    owner: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    content: bytes,
    owner_and_name: tuple[object, str],
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(*owner_and_name, full)
        answer = client.post("/v1/items", content=content, headers={**owner, "Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["type"]) == (507, "/v1/problems/storage-full")
    assert_nothing_kept(vault)
    assert (
        client.post("/v1/items", content=b"x", headers={**owner, "Idempotency-Key": "k"}).status_code == 201
    )


def test_deposit_read_only_503_with_the_reason(
    client: TestClient, vault: Vault, owner: dict[str, str]
) -> None:
    vault.gate.shut("the database was restored from an older backup")
    answer = client.post("/v1/items", content=b"x", headers=owner)
    assert (answer.status_code, answer.json()["type"]) == (503, "/v1/problems/read-only")
    assert "older backup" in answer.json()["detail"]
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert ready.json()["reasons"] == ["the database was restored from an older backup"]
    assert client.get("/v1/items", headers=owner).status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Content-Type", "multipart/mixed; boundary=x"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Encoding", "gzip"),
    ],
)
def test_deposit_wrapped_content_refused(
    client: TestClient, vault: Vault, owner: dict[str, str], field: str, value: str
) -> None:
    answer = client.post("/v1/items", content=b"x", headers={**owner, field: value})
    assert (answer.status_code, answer.json()["type"]) == (415, "/v1/problems/unsupported-media-type")
    assert_nothing_kept(vault)


def test_deposit_of_a_part_refused(client: TestClient, vault: Vault, owner: dict[str, str]) -> None:
    answer = client.post("/v1/items", content=b"x", headers={**owner, "Content-Range": "bytes 0-0/2"})
    assert (answer.status_code, answer.json()["type"]) == (400, "/v1/problems/bad-request")
    assert "Content-Range" in answer.json()["detail"]
    assert_nothing_kept(vault)


def hash_deposit(client: TestClient, headers: dict[str, str], body: str) -> tuple[int, dict[str, object]]:
    answer = client.post("/v1/items", content=body, headers={**headers, "Content-Type": HASH_MEDIA_TYPE})
    return answer.status_code, answer.json()


def test_deposit_hash_only_kept_without_content(
    client: TestClient, vault: Vault, owner: dict[str, str]
) -> None:
    status, body = hash_deposit(client, owner, f'{{"digests":{{"sha256":"{EMPTY_SHA256}"}},"size":0}}')
    assert status == 201
    shown = client.get(f"/v1/items/{body['id']}", headers=owner).json()
    assert (shown["mode"], shown["sha256"], shown["size"]) == ("hash", EMPTY_SHA256, 0)
    assert client.get(f"/v1/items/{body['id']}/content", headers=owner).status_code == 404


def test_deposit_json_file_is_content(client: TestClient, owner: dict[str, str]) -> None:
    headers = {**owner, "Content-Type": "application/json"}
    body = client.post("/v1/items", content=b'{"digests":{}}', headers=headers).json()
    assert client.get(f"/v1/items/{body['id']}", headers=owner).json()["mode"] == "content"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"digests":{}}',
        '{"digests":{"sha256":"ab"}}',
        '{"digests":{"md5":"' + "a" * 64 + '"}}',
        '{"digests":{"sha256":"' + "A" * 64 + '"}}',
        '{"digests":{"sha256":"' + "a" * 64 + '"},"size":-1}',
        '{"digests":{"sha256":"' + "a" * 64 + '"},"more":1}',
        '{"digests":{"sha512":"' + "a" * 128 + '"}}',
        '{"digests":{"sha256":"' + "a" * 128 + '"}}',
    ],
)
def test_deposit_hash_only_malformed_refused(
    client: TestClient, vault: Vault, owner: dict[str, str], body: str
) -> None:
    status, problem = hash_deposit(client, owner, body)
    assert status in (400, 422)
    assert problem["place"]
    assert_nothing_kept(vault)


def test_deposit_hash_only_huge_body_refused(client: TestClient, owner: dict[str, str]) -> None:
    assert hash_deposit(client, owner, " " * 20_000)[0] == 413


def test_deposit_another_holds_the_key_409_retry_after(
    client: TestClient, vault: Vault, owner: dict[str, str]
) -> None:
    from evidence_vault.identity.actors import authenticate
    from evidence_vault.pipeline.cases.entering import event_actor
    from evidence_vault.pipeline.intake.deposit import begin_deposit
    from evidence_vault.pipeline.intake.wishes import Wish

    requester = authenticate(vault.database, owner["Authorization"][7:], now=vault.clock())
    assert requester is not None
    with begin_deposit(vault, Wish(actor=event_actor(requester), idempotency_key="k1")) as running:
        running.write(b"slow")
        answer = client.post("/v1/items", content=b"slow", headers={**owner, "Idempotency-Key": "k1"})
        assert (answer.status_code, answer.json()["type"]) == (409, "/v1/problems/in-progress")
        assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("Authorization", ("Bearer a", "Bearer b")),
        ("Evidence-Secret", ("?0", "?1")),
        ("Idempotency-Key", ("a", "b")),
        ("Repr-Digest", (encode_repr_digest(hashlib.sha256(b"x").digest()), encode_repr_digest(bytes(32)))),
        ("Content-Disposition", ("attachment; filename=a", "attachment; filename=b")),
    ],
)
def test_deposit_field_sent_twice_refused(
    client: TestClient, vault: Vault, owner: dict[str, str], field: str, values: tuple[str, str]
) -> None:
    headers = [*owner.items(), *((field, value) for value in values)]
    answer = client.post("/v1/items", content=b"x", headers=headers)
    assert (answer.status_code, answer.json()["place"]) == (400, field)
    assert_nothing_kept(vault)


@pytest.mark.parametrize(
    "value", [{"size": True}, {"size": "12"}, {"secret": 0}, {"secret": "no"}, {"secret": None}]
)
def test_deposit_digests_loosely_typed_refused(
    client: TestClient, vault: Vault, owner: dict[str, str], value: dict[str, object]
) -> None:
    answer = client.post(
        "/v1/items",
        json={"digests": {"sha256": EMPTY_SHA256}, **value},
        headers={**owner, "Content-Type": HASH_MEDIA_TYPE},
    )
    assert (answer.status_code, answer.json()["place"]) == (400, f"hash deposit.{next(iter(value))}")
    assert_nothing_kept(vault)


def test_deposit_token_revoked_meanwhile_keeps_nothing(
    client: TestClient, vault: Vault, owner: dict[str, str]
) -> None:
    assert client.post("/v1/items", content=b"1", headers=owner).status_code == 201
    [token] = [fact for fact in list_tokens(vault.database) if fact.revoked_at is None]
    revoke_token(vault.database, token.id, now=vault.clock())  # as another process does
    for _ in range(2):  # at the commit, and then at the door
        for content in (b"2", bytes(100_000)):
            answer = client.post("/v1/items", content=content, headers={**owner, "Idempotency-Key": "k"})
            assert (answer.status_code, answer.json()["type"]) == (401, "/v1/problems/unauthorized")
            assert "invalid_token" in answer.headers["www-authenticate"]
    with vault.database.read() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM items").scalar() == 1
        assert session.connection().exec_driver_sql("SELECT count(*) FROM idempotency_keys").scalar() == 0


def test_deposit_beyond_the_backlog_429_retry_after(
    client: TestClient, vault: Vault, owner: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault.backlog, "room", lambda *_, **__: 0)
    for content in (b"x", bytes(100_000)):
        answer = client.post("/v1/items", content=content, headers={**owner, "Idempotency-Key": "k"})
        assert (answer.status_code, answer.json()["type"]) == (429, "/v1/problems/too-many-requests")
        assert int(answer.headers["retry-after"]) >= 1
    monkeypatch.undo()
    assert_nothing_kept(vault)
    again = client.post("/v1/items", content=b"x", headers={**owner, "Idempotency-Key": "k"})
    assert again.status_code == 201


def test_deposit_answer_is_the_view_that_the_schema_promises(
    client: TestClient, owner: dict[str, str]
) -> None:
    for answer in (
        client.post("/v1/items", content=b"x", headers=owner),
        client.post(
            "/v1/items",
            json={"digests": {"sha256": EMPTY_SHA256}},
            headers={**owner, "Content-Type": HASH_MEDIA_TYPE},
        ),
    ):
        view = DepositedView.model_validate_json(answer.content)
        assert view.model_dump(mode="json") == answer.json()
        assert answer.headers["content-type"] == "application/json"
