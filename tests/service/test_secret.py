"""A secret digest, from the API to the verdict: no authority outside sees it, and the time is the checkpoint's."""

import hashlib
import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from anchors.rfc3161.token import parse_request
from evidence_vault.access.decisions import ALL_SCOPES
from evidence_vault.api.app import create_app
from evidence_vault.identity.actors import issue_token
from evidence_vault.verify.render import render_text
from evidence_vault.verify.report import Status, Verdict
from evidence_vault.verify.trust import parse_policy
from evidence_vault.verify.verifier import verify_path
from tests.pipeline.export.test_export import policy_of
from tests.pipeline.story import begin_story
from tests.verify.asking import ask, hand_in
from tests.verify.handmade import good_bundle

pytestmark = pytest.mark.socket

SECRET, OPEN = b"the guessable answer is 42", b"may be seen"


def test_secret_digest_goes_to_no_authority_and_its_time_is_the_logs(tmp_path: Path) -> None:
    story = begin_story(tmp_path / "home")
    seen: list[bytes] = []
    for url, answer in list(story.wires.answer.items()):
        if url.endswith("/tsr"):

            def spied(request: bytes, answer=answer) -> bytes:  # type: ignore[no-untyped-def]
                seen.append(parse_request(request).imprint)
                return answer(request)  # type: ignore[no-any-return]

            story.wires.answer[url] = spied
    token, _ = issue_token(
        story.vault.database, name="Somebody", role="RH", scopes=ALL_SCOPES, now=story.clock(), life=None
    )
    headers = {"Authorization": f"Bearer {token}"}
    digests = [{"sha256": hashlib.sha256(content).hexdigest()} for content in (SECRET, OPEN)]
    with TestClient(create_app(story.vault)) as client:
        secret, _ = (
            client.post(
                "/v1/items",
                content=json.dumps({"digests": one, "secret": is_secret}),
                headers={**headers, "Content-Type": "application/vnd.evidence-vault.hash+json"},
            ).json()["id"]
            for one, is_secret in zip(digests, (True, False), strict=True)
        )
        story.go_on(10)
        told = client.get(f"/v1/items/{secret}", headers=headers).json()
        history = client.get(f"/v1/items/{secret}/events", headers=headers).json()["events"]
        made = client.post(f"/v1/items/{secret}/exports", headers=headers).json()
        story.go_on(10)
    stages = {stage["name"]: stage["state"] for stage in told["stages"]}
    assert told["secret"] is True
    assert (stages["timestamped"], stages["dated"]) == ("off", "done")
    assert [event["event"]["type"] for event in history] == ["ITEM_RECEIVED"]
    assert history[0]["not_after"] is not None
    # What the authorities were shown: the open digest, and notes of checkpoints. Never the secret one.
    assert hashlib.sha256(OPEN).digest() in seen
    assert hashlib.sha256(SECRET).digest() not in seen
    policy = parse_policy(policy_of(story).encode(), name="trust.toml")
    report = verify_path(
        story.bundle(made["id"]), policy, at=story.clock(), handed_in=[hand_in("answer.txt", SECRET)]
    )
    [judged] = report.items
    assert judged.verdict is Verdict.DEVELOPMENT_PASSED
    assert judged.record_time is not None
    assert judged.content_time is None
    [five] = [row for row in judged.rows if row.number == 5]
    assert five.status is Status.PASSED
    assert "token.secret" in {finding.code for finding in five.findings}
    assert "declared secret" in render_text(report, lang="en")
    assert "保密" in render_text(report, lang="zh")
    story.chain.close()


def test_report_of_an_open_digest_says_nothing_of_a_secret() -> None:
    report = ask(good_bundle())
    assert "token.secret" not in {f.code for item in report.items for row in item.rows for f in row.findings}
