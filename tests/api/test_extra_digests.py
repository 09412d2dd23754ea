"""Digests beside SHA-256, by setting: from every way in, through the log, into the bundle, to the verifier."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from anchors.values import replace
from evidence_vault.access.decisions import ALL_SCOPES
from evidence_vault.api.app import create_app
from evidence_vault.core import layout
from evidence_vault.core.events import Subject
from evidence_vault.errors import Conflict
from evidence_vault.identity.actors import issue_token
from evidence_vault.store.blobs import ContentDigest, Sealed
from evidence_vault.verify.reader import open_bundle
from evidence_vault.verify.report import Verdict
from tests.api.test_tus import Client
from tests.pipeline.export.test_export import job_state, policy_of, verified
from tests.pipeline.story import Story, begin_story
from tests.pipeline.vaults import DOORS, new_vault, reopened

pytestmark = pytest.mark.socket

EXTRA = ["sha512", "sha3-256", "sm3"]
LARGE = b"evidence" * 40_000


def digests_of(content: bytes) -> dict[str, str]:
    return {name: hashlib.new(name.replace("-", "_"), content).hexdigest() for name in ("sha256", *EXTRA)}


def raw(tus: Client, content: bytes) -> str:
    answer = tus.http.post("/v1/items", content=content, headers=tus.who)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def form(tus: Client, content: bytes) -> str:
    answer = tus.http.post("/v1/items", files={"file": ("a", content)}, headers=tus.who)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def resumed(tus: Client, content: bytes) -> str:
    path = tus.create(len(content))
    assert tus.patch(path, content[:100_000], 0)[0] == 204
    return tus.patch(path, content[100_000:], 100_000)[1]["evidence-item"]


Way = tuple[Callable[[Client, bytes], str], bytes]
WAYS: dict[str, Way] = {
    "small": (raw, b"small"),
    "large": (raw, LARGE + b"l"),
    "form": (form, LARGE + b"f"),
    "tus": (resumed, LARGE + b"t"),
}


@pytest.fixture
def vault_with_all(tmp_path: Path) -> Iterator[tuple[Story, Client]]:
    """A vault that takes all digests, and somebody who deposits there."""
    story = begin_story(tmp_path, extra_digests=EXTRA)
    token, _ = issue_token(
        story.vault.database,
        name="Somebody",
        role="RH",
        scopes=ALL_SCOPES,
        now=story.clock(),
        life=None,
    )
    with TestClient(create_app(story.vault)) as http:
        yield story, Client(http, {"Authorization": f"Bearer {token}"})
    story.chain.close()


def ask_for(story: Story, tus: Client, item: str) -> str:
    """Ask for a bundle, and let it be made."""
    answer = tus.http.post(f"/v1/items/{item}/exports", headers=tus.who)
    assert answer.status_code == 202, answer.text
    story.go_on(10)
    return str(answer.json()["id"])


@pytest.mark.db
def test_extra_digests_go_from_each_way_in_to_the_verdict(vault_with_all: tuple[Story, Client]) -> None:
    story, tus = vault_with_all
    items = {name: deposit(tus, content) for name, (deposit, content) in WAYS.items()}
    story.go_on(30)
    for name, item in items.items():
        bundle = ask_for(story, tus, item)
        with open_bundle(story.bundle(bundle)) as files:
            event = b"".join(files.chunks(layout.event_path(Subject(kind="item", id=item), 0)))
        assert json.loads(event)["digests"] == digests_of(WAYS[name][1])
        report = verified(story, bundle, policy_of(story))
        assert report.verdict is Verdict.DEVELOPMENT_PASSED
        said = [one.values for one in report.items[0].rows[1].findings if one.code == "content.same"]
        assert [set(values["algorithms"].split(", ")) for values in said] == [{"sha256", *EXTRA}]


@pytest.mark.parametrize("lie", EXTRA)
def test_extra_digest_that_is_wrong_keeps_the_bundle_in_and_is_named(
    vault_with_all: tuple[Story, Client], lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    story, tus = vault_with_all
    honest = ContentDigest.sealed

    def sealed(self: ContentDigest) -> Sealed:
        true = honest(self)
        return replace(true, digests={**true.digests, lie: bytes(len(true.digests[lie]))})

    with monkeypatch.context() as patched:
        patched.setattr(ContentDigest, "sealed", sealed)
        item = raw(tus, b"small")
    story.go_on(30)
    bundle = ask_for(story, tus, item)
    assert job_state(story, bundle) == "FAILED"
    reason = str(tus.http.get(f"/v1/exports/{bundle}", headers=tus.who).json()["reason"])
    assert "content.digest" in reason
    assert lie in reason


@pytest.mark.parametrize("door", DOORS)
def test_repeated_deposit_gets_its_receipt_though_the_setting_changed(tmp_path: Path, door: str) -> None:
    vault = new_vault(tmp_path)
    first = DOORS[door](vault, b"evidence", idempotency_key="k")
    changed: Any = vault.settings.model_copy(update={"extra_digests": EXTRA})
    vault = reopened(replace(vault, settings=changed))
    again = DOORS[door](vault, b"evidence", idempotency_key="k")
    assert (again.receipt, again.replayed) == (first.receipt, True)
    with pytest.raises(Conflict):
        DOORS[door](vault, b"other", idempotency_key="k")
