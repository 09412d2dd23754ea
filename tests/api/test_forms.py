"""A browser's form: its one file is the evidence, byte for byte, and nothing of the envelope."""

import hashlib
import random

import pytest
from starlette.testclient import TestClient

from evidence_vault.pipeline.vault import Vault
from tests.api.test_deposits import assert_nothing_kept

pytestmark = pytest.mark.socket

CONTENT = random.Random(8).randbytes(1_500_000) + b"\r\n--x\r\n--x-\r\n" + b"\r\n--"
FORM = {"Content-Type": "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxk"}


def part(head: str, body: bytes) -> bytes:
    return b"------WebKitFormBoundary7MA4YWxk\r\n" + head.encode() + b"\r\n\r\n" + body + b"\r\n"


def field(name: str, value: str) -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"', value.encode())


def file(content: bytes = CONTENT, *, name: str = "file", filename: str = 'filename="a.png"') -> bytes:
    return part(
        f'Content-Disposition: form-data; name="{name}"; {filename}\r\nContent-Type: image/png', content
    )


END = b"------WebKitFormBoundary7MA4YWxk--\r\n"


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ('filename="照片 1.png"', "照片 1.png"),
        ('filename="a%22b.png"', 'a"b.png'),
        ('filename="100%.png"', "100%.png"),
        ('filename="a;b=c\'d.png"', "a;b=c'd.png"),
        ('filename="e\u0301 🎞.mov"', "e\u0301 🎞.mov"),
        ("filename*=UTF-8''%E7%85%A7%E7%89%87.png", "照片.png"),
    ],
)
def test_form_file_is_the_item_with_its_name(
    client: TestClient, vault: Vault, owner: dict[str, str], filename: str, name: str
) -> None:
    body = field("note", "page 3\r\nand 4") + file(filename=filename) + field("secret", "on") + END
    answer = client.post("/v1/items", content=body, headers={**owner, **FORM})
    assert answer.status_code == 201, answer.text
    done = answer.json()
    assert done["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert b"".join(vault.blobs.chunks(done["id"])) == CONTENT
    item = client.get(f"/v1/items/{done['id']}", headers=owner).json()
    assert (item["file_name"], item["media_type"]) == (name, "image/png")
    assert (item["note"], item["secret"]) == ("page 3\nand 4", True)


def test_form_of_another_client_library_is_taken(client: TestClient, owner: dict[str, str]) -> None:
    answer = client.post(
        "/v1/items",
        files={"file": ('my "photo" 照片.png', CONTENT, "image/png")},
        data={"note": "by a library", "idempotency_key": "k", "sha256": hashlib.sha256(CONTENT).hexdigest()},
        headers=owner,
    )
    assert answer.status_code == 201, answer.text
    item = client.get(f"/v1/items/{answer.json()['id']}", headers=owner).json()
    assert item["file_name"] == 'my "photo" 照片.png'


def test_form_sent_twice_under_one_key_is_one_item(client: TestClient, owner: dict[str, str]) -> None:
    body = field("idempotency_key", "k") + file() + END
    first = client.post("/v1/items", content=body, headers={**owner, **FORM})
    second = client.post("/v1/items", content=body, headers={**owner, **FORM})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    other = field("idempotency_key", "k") + file() + field("note", "x") + END
    assert client.post("/v1/items", content=other, headers={**owner, **FORM}).status_code == 409


BAD: dict[str, tuple[bytes, int]] = {
    "no file": (field("note", "x") + END, 400),
    "no file chosen": (file(b"", filename='filename=""') + END, 400),
    "two files": (file() + file() + END, 400),
    "two notes": (field("note", "a") + field("note", "b") + file() + END, 400),
    "unknown field": (field("case", "a") + file() + END, 400),
    "unknown file": (file(name="other") + END, 400),
    "note as a file": (file(name="note") + file() + END, 400),
    "path": (file(filename='filename="../../etc/passwd"') + END, 400),
    "windows path": (file(filename='filename="C:\\\\a.png"') + END, 400),
    "line end in the name": (file(filename='filename="a%0D%0Ab.png"') + END, 400),
    "two spellings": (file(filename="filename=\"a\"; filename*=UTF-8''b") + END, 400),
    "two names": (file(filename='filename="a"; filename="b"') + END, 400),
    "no quotes": (file(filename="filename=a") + END, 400),
    "wrong digest": (field("sha256", "00" * 32) + file() + END, 422),
    "wrong digest behind": (file() + field("sha256", "00" * 32) + END, 422),
    "digest of another form": (field("sha256", "AB" * 32) + file() + END, 400),
    "key behind the file": (file() + field("idempotency_key", "k") + END, 400),
    "secret perhaps": (file() + field("secret", "perhaps") + END, 400),
    "long note": (field("note", "x" * 9000) + file() + END, 413),
    "long header": (part('Content-Disposition: form-data; name="' + "x" * 20_000 + '"', b""), 400),
    "many headers": (part("\r\n".join(["Content-Type: a/b"] * 9), b""), 400),
    "other header": (part('Content-Disposition: form-data; name="note"\r\nX: y', b"n") + END, 400),
    "base64": (
        part('Content-Disposition: form-data; name="note"\r\nContent-Transfer-Encoding: base64', b"n"),
        400,
    ),
    "no end": (file(), 400),
    "cut in the file": (file()[:-200_000], 400),
    "no form": (b"just bytes", 400),
    "empty": (b"", 400),
    "name not UTF-8": (file().replace(b"a.png", b"\xff.png") + END, 400),
    "too long": (file(bytes(5 << 20)) + END, 413),
}


@pytest.mark.parametrize("case", BAD)
def test_form_that_cannot_be_meant_is_refused_and_nothing_kept(
    client: TestClient, vault: Vault, owner: dict[str, str], case: str
) -> None:
    body, status = BAD[case]
    answer = client.post("/v1/items", content=body, headers={**owner, **FORM})
    assert answer.status_code == status, answer.text
    assert_nothing_kept(vault)


@pytest.mark.parametrize("name", ["Repr-Digest", "Evidence-Secret", "Evidence-Note", "Content-Disposition"])
def test_fields_of_a_raw_deposit_are_not_taken_for_the_file(
    client: TestClient, vault: Vault, owner: dict[str, str], name: str
) -> None:
    answer = client.post("/v1/items", content=file() + END, headers={**owner, **FORM, name: "?1"})
    assert answer.status_code == 400
    assert_nothing_kept(vault)


def test_form_without_a_boundary_is_refused(client: TestClient, owner: dict[str, str]) -> None:
    for content_type in (
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "x" * 71,
    ):
        answer = client.post(
            "/v1/items", content=file() + END, headers={**owner, "Content-Type": content_type}
        )
        assert answer.status_code == 400
