"""tus and rights that end midway: what was let in when it began is judged again when it becomes an item."""

import threading
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from evidence_vault.identity.actors import find_requesters, list_tokens, revoke_token
from evidence_vault.identity.tokens import digest_token
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store import partial
from evidence_vault.store.queries import uploads
from evidence_vault.workers.keeping import keep_uploads
from tests.api.test_tus import CONTENT, PIECE, Client, files, item_count, tus
from tests.pipeline.vaults import SetClock

__all__ = ["tus"]
pytestmark = [pytest.mark.socket, pytest.mark.db]


def revoke(vault: Vault) -> None:
    """End every token, as another process does."""
    for token in list_tokens(vault.database):
        if token.revoked_at is None:
            revoke_token(vault.database, token.id, now=vault.clock())


def journals(vault: Vault) -> list[str]:
    return [path.name for path in (vault.settings.home / "blobs").rglob("*.event")]


def test_token_revoked_while_its_upload_is_committed_keeps_no_item(
    tus: Client, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tus.create()
    real = partial.PartialFile.read_again

    def read_then_revoke(*args: object, **kwargs: object) -> object:
        sealed = real(*args, **kwargs)  # type: ignore[arg-type]
        revoke(vault)
        return sealed

    with monkeypatch.context() as patched:
        patched.setattr(partial.PartialFile, "read_again", read_then_revoke)
        assert tus.patch(path, CONTENT, 0)[0] == 401
    assert (item_count(vault), journals(vault)) == (0, [])
    keep_uploads(vault)  # nor does the keeper make one of it
    assert (item_count(vault), journals(vault)) == (0, [])
    assert isinstance(vault.clock, SetClock)
    vault.clock.advance(73 * 3600)
    keep_uploads(vault)
    blobs = [path for path in (vault.settings.home / "blobs").rglob("it_*") if path.is_file()]
    assert (item_count(vault), files(vault), blobs) == (0, [], [])


def test_token_revoked_while_a_piece_comes_counts_nothing_of_it(
    client: TestClient, tus: Client, vault: Vault
) -> None:
    path = tus.create()
    assert tus.patch(path, CONTENT[:1000], 0)[0] == 204

    def body() -> Iterator[bytes]:
        yield CONTENT[1000:2000]
        revoke(vault)
        yield CONTENT[2000:3000]

    answer = client.patch(path, content=body(), headers={**tus.who, **PIECE, "Upload-Offset": "1000"})
    assert answer.status_code == 401
    assert {tus.ask(method, path)[0] for method in ("HEAD", "GET", "PATCH", "DELETE")} == {401}
    with vault.database.read() as session:
        row = uploads.get_upload(session, path.rpartition("/")[2])
    assert row is not None
    assert row.received == 1000


def test_token_revoked_before_the_form_ends_keeps_nothing(
    client: TestClient, owner: dict[str, str], vault: Vault
) -> None:
    def body() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + bytes(200_000)
        revoke(vault)
        yield b"\r\n--x--\r\n"

    headers = {**owner, "Content-Type": "multipart/form-data; boundary=x"}
    assert client.post("/v1/items", content=body(), headers=headers).status_code == 401
    assert (item_count(vault), files(vault), journals(vault)) == (0, [], [])


def test_upload_goes_through_on_both_engines(tus: Client, vault: Vault) -> None:
    path = tus.create()
    for start in range(0, len(CONTENT), 900_000):
        assert tus.offset(path) == start
        assert tus.patch(path, CONTENT[start : start + 900_000], start)[0] == 204
    assert tus.view(path)["deposited"]
    gone = tus.create(5)
    assert tus.ask("DELETE", gone)[0] == 204
    assert (item_count(vault), files(vault)) == (1, [])


def test_hundred_uploads_may_be_open_and_no_more(tus: Client, vault: Vault) -> None:
    assert vault.settings.max_open_uploads == 100
    paths = [tus.create(10) for _ in range(100)]
    assert tus.ask("POST", "/v1/uploads", Upload_Length="10")[0] == 429
    assert len(files(vault)) == 100
    assert tus.patch(paths[0], b"0123456789", 0)[0] == 204
    tus.create(10)


@pytest.mark.db("postgresql")
def test_revocation_waits_for_a_deposit_that_is_being_committed(owner: dict[str, str], vault: Vault) -> None:
    """Once a revocation is acknowledged, nothing is committed in the token's name any more."""
    (token,) = list_tokens(vault.database)
    digest = digest_token(owner["Authorization"].removeprefix("Bearer "))
    ended = threading.Event()

    def revoke() -> None:
        revoke_token(vault.database, token.id, now=vault.clock())
        ended.set()

    with vault.database.write() as session:
        assert find_requesters(session, {digest}, now=vault.clock())
        thread = threading.Thread(target=revoke)
        thread.start()
        assert not ended.wait(0.5)
    thread.join(10)
    assert ended.is_set()
    with vault.database.write() as session:
        assert not find_requesters(session, {digest}, now=vault.clock())
