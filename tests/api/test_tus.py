"""tus 1.0: what the protocol asks for, and everything a client can do wrong or on purpose."""

import base64
import hashlib
import random
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from evidence_vault.api.fields import encode_repr_digest
from evidence_vault.core.canonical import encode_canonical
from evidence_vault.core.receipt import parse_receipt
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store import segment_writer
from evidence_vault.store.upload_models import ResumableUpload
from evidence_vault.workers.keeping import keep_uploads
from tests.api.conftest import Bearer
from tests.pipeline.vaults import SetClock

pytestmark = pytest.mark.socket

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {"Content-Type": "application/offset+octet-stream"}
CONTENT = random.Random(2).randbytes(2_500_000)
SHA256 = hashlib.sha256(CONTENT).digest()


def b64(text: str | bytes) -> str:
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def metadata(**values: str) -> dict[str, Any]:
    return {"Upload-Metadata": ",".join(f"{key} {b64(value)}" for key, value in values.items())}


class Client:
    """One person's tus client."""

    def __init__(self, client: TestClient, who: Mapping[str, str]) -> None:
        self.http, self.who = client, {**TUS, **who}

    def ask(
        self, method: str, path: str, content: bytes = b"", **fields: Any
    ) -> tuple[int, Mapping[str, str]]:
        headers = {**self.who, **{name.replace("_", "-"): value for name, value in fields.items()}}
        answer = self.http.request(method, path, content=content, headers=headers)
        return answer.status_code, answer.headers

    def create(self, size: int = len(CONTENT), **fields: Any) -> str:
        status, headers = self.ask("POST", "/v1/uploads", Upload_Length=str(size), **fields)
        assert status == 201, headers
        return headers["location"].removeprefix("http://127.0.0.1:8460")

    def patch(self, path: str, content: bytes, offset: int, **fields: str) -> tuple[int, Mapping[str, str]]:
        return self.ask(
            "PATCH", path, content, Content_Type=PIECE["Content-Type"], Upload_Offset=str(offset), **fields
        )

    def offset(self, path: str) -> int:
        status, headers = self.ask("HEAD", path)
        assert status == 200
        return int(headers["upload-offset"])

    def view(self, path: str) -> dict[str, object]:
        answer = self.http.get(path, headers=self.who)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert isinstance(found, dict)
        return found


@pytest.fixture
def tus(client: TestClient, owner: dict[str, str]) -> Client:
    return Client(client, owner)


def item_count(vault: Vault) -> int:
    with vault.database.read() as session:
        return int(session.connection().exec_driver_sql("SELECT count(*) FROM items").scalar() or 0)


def files(vault: Vault) -> list[str]:
    return sorted(path.name for path in (vault.settings.home / "incoming").iterdir())


def test_upload_in_pieces_becomes_an_item_with_its_receipt(tus: Client, vault: Vault) -> None:
    path = tus.create(
        **metadata(filename="照片.png", filetype="image/png", note="page 3", sha256=SHA256.hex())
    )
    for start, end in ((0, 700_000), (700_000, 1_048_576), (1_048_576, 2_000_001), (2_000_001, 2_500_000)):
        assert tus.offset(path) == start
        status, headers = tus.patch(path, CONTENT[start:end], start)
        assert (status, headers["upload-offset"], headers["tus-resumable"]) == (204, str(end), "1.0.0")
    done = tus.view(path)["deposited"]
    assert isinstance(done, dict)
    assert (done["id"], done["sha256"]) == (headers["evidence-item"], SHA256.hex())
    receipt = parse_receipt(encode_canonical(done["receipt"]))
    assert receipt.event.fields["size"] == len(CONTENT)
    assert b"".join(vault.blobs.chunks(str(done["id"]))) == CONTENT
    item = tus.http.get(f"/v1/items/{done['id']}", headers=tus.who).json()
    assert (item["file_name"], item["media_type"], item["note"]) == ("照片.png", "image/png", "page 3")
    assert tus.offset(path) == len(CONTENT)
    assert tus.patch(path, b"", len(CONTENT))[0] == 409
    assert tus.ask("DELETE", path)[0] == 409
    assert tus.view(path)["deposited"] == done
    assert (item_count(vault), files(vault)) == (1, [])


@pytest.mark.parametrize("size", [0, 1, 1 << 20])
def test_upload_with_its_creation_is_done_at_once(tus: Client, vault: Vault, size: int) -> None:
    fields = {"Content_Type": PIECE["Content-Type"]} if size else {}
    status, headers = tus.ask("POST", "/v1/uploads", CONTENT[:size], Upload_Length=str(size), **fields)
    assert (status, headers["upload-offset"]) == (201, str(size))
    assert b"".join(vault.blobs.chunks(headers["evidence-item"])) == CONTENT[:size]


def test_options_tells_what_is_spoken(client: TestClient) -> None:
    answer = client.options("/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert set(answer.headers["tus-extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "checksum",
        "expiration",
        "termination",
    }
    assert answer.headers["tus-max-size"] == str(4 * 2**20)
    assert answer.headers["tus-checksum-algorithm"] == "sha1,sha256,sha512"


@pytest.mark.parametrize("version", [None, "0.2.2", "1.0.1", "1.0.0, 1.0.0"])
def test_other_version_412_and_nothing_done(
    client: TestClient, vault: Vault, owner: dict[str, str], version: str | None
) -> None:
    headers = {**owner, "Upload-Length": "5", **({"Tus-Resumable": version} if version else {})}
    answer = client.post("/v1/uploads", headers=headers)
    assert (answer.status_code, answer.headers["tus-version"]) == (412, "1.0.0")
    assert files(vault) == []


@pytest.mark.parametrize("offset", ["1", "2499999", "99999999999999999999", "-1", "01", "0x0", ""])
def test_piece_for_another_offset_refused(tus: Client, offset: str) -> None:
    path = tus.create()
    status, _ = tus.ask("PATCH", path, b"x", Content_Type=PIECE["Content-Type"], Upload_Offset=offset)
    assert status == (409 if offset in ("1", "2499999") else 400)


def test_piece_sent_twice_is_kept_once(tus: Client) -> None:
    path = tus.create()
    assert tus.patch(path, CONTENT[:1000], 0)[0] == 204
    assert tus.patch(path, CONTENT[:1000], 0)[0] == 409
    assert tus.offset(path) == 1000


def test_piece_beyond_the_length_refused(tus: Client) -> None:
    path = tus.create(10)
    assert tus.patch(path, b"x" * 11, 0)[0] == 400
    assert tus.offset(path) == 0
    chunks = (b"x" * 6 for _ in range(2))
    answer = tus.http.patch(path, content=chunks, headers={**tus.who, **PIECE, "Upload-Offset": "0"})
    assert answer.status_code == 413
    assert tus.offset(path) == 0


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
def test_checksum_is_checked_and_a_wrong_one_keeps_nothing(tus: Client, algorithm: str) -> None:
    path = tus.create()
    right = b64(hashlib.new(algorithm, CONTENT[:1_500_000]).digest())
    wrong = b64(hashlib.new(algorithm, b"other").digest())
    status, headers = tus.patch(path, CONTENT[:1_500_000], 0, Upload_Checksum=f"{algorithm} {wrong}")
    assert status == 460
    assert headers["content-type"] == "application/problem+json"
    assert tus.offset(path) == 0
    assert tus.patch(path, CONTENT[:1_500_000], 0, Upload_Checksum=f"{algorithm} {right}")[0] == 204
    assert tus.patch(path, CONTENT[1_500_000:], 1_500_000, Upload_Checksum=f"{algorithm} {wrong}")[0] == 460
    assert tus.patch(path, CONTENT[1_500_000:], 1_500_000)[0] == 204
    assert tus.view(path)["deposited"]


@pytest.mark.parametrize(
    "field", ["md5 rL0Y20zC+Fzt72VPzMSk2A==", "sha256", "sha256 AAAA", "sha256  x", "sha256 *"]
)
def test_checksum_that_cannot_be_made_400(tus: Client, field: str) -> None:
    path = tus.create()
    assert tus.patch(path, b"x", 0, Upload_Checksum=field)[0] == 400
    assert tus.offset(path) == 0


def test_upload_of_another_is_not_there(tus: Client, client: TestClient, bearer: Bearer) -> None:
    path = tus.create()
    other = Client(client, bearer())
    unknown = "/v1/uploads/up_" + "0" * 26
    for method in ("HEAD", "PATCH", "DELETE", "GET"):
        for where in (path, unknown, "/v1/uploads/up_..%2f..%2fetc", "/v1/uploads/x"):
            answer = client.request(method, where, headers={**other.who, **PIECE, "Upload-Offset": "0"})
            assert answer.status_code == 404, (method, where)
    assert tus.offset(path) == 0
    assert client.patch(path, headers={**TUS, **PIECE, "Upload-Offset": "0"}).status_code == 401


@pytest.mark.parametrize("bad", [{"role": "AD"}, {"scopes": ("read",)}])
def test_who_may_not_deposit_may_not_upload(
    client: TestClient, bearer: Bearer, bad: dict[str, str], vault: Vault
) -> None:
    answer = client.post("/v1/uploads", headers={**bearer(**bad), **TUS, "Upload-Length": "1"})
    assert answer.status_code == 403
    assert files(vault) == []


@pytest.mark.parametrize(
    "field",
    [
        f"filename {b64('../../etc/passwd')}",
        f"filename {b64('a' + chr(0) + 'b')}",
        f"filename {b64('a' + chr(10) + 'b')}",
        f"filename {b64('x' * 256)}",
        f"filename {b64(chr(255).encode('latin-1'))}",
        f"filename {b64('a')},filename {b64('b')}",
        "filename *",
        f"unknown {b64('x')}",
        f"sha256 {b64('00')}",
        f"sha256 {b64(SHA256.hex().upper())}",
        f"secret {b64('perhaps')}",
        f"filetype {b64('no type')}",
        f"note {b64('x' * 2001)}",
        "note " + b64("x" * 13_000),
        ",",
    ],
)
def test_metadata_that_cannot_be_kept_400(tus: Client, vault: Vault, field: str) -> None:
    status, _ = tus.ask("POST", "/v1/uploads", Upload_Length="5", Upload_Metadata=field)
    assert status == 400
    assert files(vault) == []


@pytest.mark.parametrize(
    "name", ["Evidence-Secret", "Evidence-Note", "Content-Disposition", "Idempotency-Key"]
)
def test_fields_of_a_raw_deposit_are_not_passed_over(tus: Client, name: str) -> None:
    assert tus.ask("POST", "/v1/uploads", Upload_Length="5", **dict[str, Any]({name: "?1"}))[0] == 400


def test_digest_announced_must_agree_or_the_upload_ends(tus: Client, vault: Vault) -> None:
    path = tus.create(5, Repr_Digest=encode_repr_digest(hashlib.sha256(b"other").digest()))
    assert tus.patch(path, b"12345", 0)[0] == 422
    assert tus.ask("HEAD", path)[0] == 410
    assert (item_count(vault), files(vault)) == (0, [])
    both: dict[str, Any] = metadata(sha256=SHA256.hex()) | {"Repr_Digest": encode_repr_digest(bytes(32))}
    assert tus.ask("POST", "/v1/uploads", Upload_Length="5", **both)[0] == 400


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 411),
        ({"Upload_Defer_Length": "1"}, 411),
        ({"Upload_Length": str(4 * 2**20 + 1)}, 413),
        ({"Upload_Length": "-1"}, 400),
        ({"Upload_Length": str(2**63)}, 400),
        ({"Upload_Length": "5", "Content_Type": "text/plain"}, 415),
    ],
)
def test_creation_that_cannot_be_meant_refused(
    tus: Client, vault: Vault, fields: dict[str, Any], status: int
) -> None:
    assert tus.ask("POST", "/v1/uploads", b"12345", **fields)[0] == status
    assert item_count(vault) == 0


def test_terminated_upload_is_gone_with_its_bytes(tus: Client, vault: Vault) -> None:
    path = tus.create()
    tus.patch(path, CONTENT[:1000], 0)
    assert tus.ask("DELETE", path)[0] == 204
    assert files(vault) == []
    assert {tus.ask(method, path)[0] for method in ("HEAD", "DELETE", "GET")} == {410}
    assert tus.patch(path, b"x", 1000)[0] == 410


def test_method_may_be_overridden_by_post(tus: Client) -> None:
    path = tus.create(5)
    override = {
        "X_HTTP_Method_Override": "PATCH",
        "Upload_Offset": "0",
        "Content_Type": PIECE["Content-Type"],
    }
    assert tus.ask("POST", path, b"12", **override)[0] == 204
    assert tus.ask("POST", path, X_HTTP_Method_Override="HEAD")[1]["upload-offset"] == "2"
    assert tus.ask("POST", path)[0] == 405
    assert tus.ask("POST", path, X_HTTP_Method_Override="DELETE")[0] == 204
    assert tus.ask("HEAD", path)[0] == 410


def test_upload_without_news_expires_and_is_swept(tus: Client, vault: Vault) -> None:
    assert isinstance(vault.clock, SetClock)
    path, kept = tus.create(), tus.create()
    vault.clock.advance(71 * 3600)
    assert tus.patch(kept, CONTENT[:1000], 0)[0] == 204
    vault.clock.advance(3600)
    assert tus.ask("HEAD", path)[0] == 410
    assert tus.patch(path, b"x", 0)[0] == 410
    keep_uploads(vault)
    assert files(vault) == [kept.rpartition("/")[2]]
    assert (tus.ask("HEAD", path)[0], tus.offset(kept)) == (410, 1000)
    told = parsedate_to_datetime(tus.ask("HEAD", kept)[1]["upload-expires"])
    vault.clock.advance((told - vault.clock()).total_seconds() - 1)
    keep_uploads(vault)
    assert tus.offset(kept) == 1000
    vault.clock.advance(1)
    keep_uploads(vault)
    assert (tus.ask("HEAD", kept)[0], files(vault)) == (410, [])
    vault.clock.advance((90 * 24 - 71) * 3600 - 1)
    keep_uploads(vault)
    assert tus.ask("HEAD", path)[0] == 410  # how it ended is told for 90 days
    vault.clock.advance(1)
    keep_uploads(vault)
    assert (tus.ask("HEAD", path)[0], tus.ask("HEAD", kept)[0]) == (404, 410)


def test_what_was_said_of_an_upload_is_forgotten_before_its_row(tus: Client, vault: Vault) -> None:
    def said() -> list[tuple[str, str, object]]:
        with vault.database.read() as session:
            rows = session.scalars(select(ResumableUpload).order_by(ResumableUpload.created_at)).all()
            return [(row.state, row.metadata_sent, row.wish) for row in rows]

    assert isinstance(vault.clock, SetClock)
    name = metadata(filename="name of a person.txt")
    done, left = tus.create(1, **name), tus.create(1, **name)
    assert tus.patch(done, b"x", 0)[0] == 204
    assert tus.ask("DELETE", left)[0] == 204
    assert ("TERMINATED", "", {}) in said()
    vault.clock.advance(72 * 3600 - 1)
    keep_uploads(vault)
    assert tus.ask("HEAD", done)[1]["upload-metadata"] == name["Upload-Metadata"]
    vault.clock.advance(1)
    keep_uploads(vault)
    assert sorted(said(), key=str) == [("DONE", "", {}), ("TERMINATED", "", {})]
    assert tus.view(done)["deposited"]
    vault.clock.advance(90 * 86400)
    keep_uploads(vault)
    assert said() == []
    assert item_count(vault) == 1


def test_open_uploads_are_limited_by_number_and_bytes(
    tus: Client, client: TestClient, vault: Vault, bearer: Bearer
) -> None:
    settings = vault.settings
    object.__setattr__(settings, "__dict__", {**settings.__dict__, "max_open_uploads": 2})
    first, _ = tus.create(10), tus.create(10)
    assert tus.ask("POST", "/v1/uploads", Upload_Length="10")[0] == 429
    Client(client, bearer()).create(10)
    assert tus.ask("DELETE", first)[0] == 204
    tus.create(10)
    object.__setattr__(
        settings, "__dict__", {**settings.__dict__, "max_open_uploads": 9, "max_open_upload_bytes": 25}
    )
    assert tus.ask("POST", "/v1/uploads", Upload_Length="6")[0] == 429
    tus.create(5)
    assert len(files(vault)) == 4


def test_read_only_vault_takes_nothing_and_tells_offsets(tus: Client, vault: Vault) -> None:
    path = tus.create()
    tus.patch(path, CONTENT[:1000], 0)
    vault.gate.shut("for the test")
    assert tus.patch(path, b"x", 1000)[0] == 503
    assert tus.ask("POST", "/v1/uploads", Upload_Length="5")[0] == 503
    assert tus.offset(path) == 1000


def test_full_disk_507_and_the_upload_stands(
    tus: Client, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tus.create()
    tus.patch(path, CONTENT[:1000], 0)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(segment_writer, "_write_at", full)
        assert tus.patch(path, CONTENT[1000:], 1000)[0] == 507
    assert tus.offset(path) == 1000
    assert tus.patch(path, CONTENT[1000:], 1000)[0] == 204
    assert tus.view(path)["deposited"]
