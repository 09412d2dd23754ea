"""The verifier's report of one's own newest bundle: the same object as the verifier's, for whoever may have it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from evidence_vault.api.app import create_app
from evidence_vault.core.names import encode_id
from tests.api.clients import Person, somebody, types
from tests.pipeline.story import Story, begin_story

pytestmark = pytest.mark.socket

MAY = ["export", "open-content", "read-custody", "see-metadata"]


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    story = begin_story(tmp_path)
    yield story
    story.chain.close()
    story.vault.database.dispose()


@pytest.fixture
def client(story: Story) -> Iterator[TestClient]:
    with TestClient(create_app(story.vault), raise_server_exceptions=False) as opened:
        yield opened


def test_report_is_the_verifier_s_of_one_s_own_newest_bundle(story: Story, client: TestClient) -> None:
    judge, owner, other = (somebody(story.vault, client, role) for role in ("JU", "RH", "RH"))
    case = judge.opens(parties=[{"side": "claimant", "person": owner.id}])
    item = owner.deposit()
    assert owner.post(f"/cases/{case}/items", {"item": item}).status_code == 201
    story.go_on(12)
    for path in (f"/items/{item}", f"/cases/{case}"):
        none = judge.get(f"{path}/report")
        assert none.status_code == 409
        assert "no finished bundle" in none.json()["detail"]
        assert judge.get(f"{path}/custody").json()["report"] == f"/v1{path}/report"
    asked = {
        path: judge.post(f"{path}/exports").json()["id"] for path in (f"/items/{item}", f"/cases/{case}")
    }
    story.go_on(6)
    for path, export in asked.items():
        report = judge.get(f"{path}/report")
        assert report.status_code == 200, report.text
        bundle = judge.get(f"/exports/{export}/bundle").content
        verified = client.post("/v1/verify", files={"bundle": ("b.zip", bundle)}).json()
        assert report.json() == verified
        assert report.json()["bundle"] == export
    assert types(story.vault, "item", item)[-4:] == [
        "CUSTODY_READ",
        "DOWNLOADED",
        "CUSTODY_READ",
        "DOWNLOADED",
    ]
    unknown = encode_id("it", bytes(16))
    refused = other.get(f"/items/{item}/report")
    assert refused.status_code == 404
    assert refused.json() | {"instance": 0} == other.get(f"/items/{unknown}/report").json() | {"instance": 0}
    assert owner.get(f"/items/{item}/report").status_code == 409  # another's bundle is none of his
    assert auditor_of(story, client).get(f"/items/{item}/report").status_code == 404
    before = types(story.vault, "item", item)
    (story.vault.settings.home / "spool" / f"ev-{asked[f'/items/{item}']}.zip").unlink()
    assert judge.get(f"/items/{item}/report").status_code == 410
    assert types(story.vault, "item", item)[len(before) :] == ["CUSTODY_READ"]


def test_report_ends_with_the_right_to_the_bundle(story: Story, client: TestClient) -> None:
    owner, lawyer = somebody(story.vault, client), somebody(story.vault, client, "AT")
    item = owner.deposit()
    grant = owner.grants(lawyer, [item], actions=MAY)
    story.go_on(12)
    assert lawyer.post(f"/items/{item}/exports").status_code == 202
    story.go_on(6)
    assert lawyer.get(f"/items/{item}/report").status_code == 200
    assert owner.post(f"/grants/{grant['id']}/revocation").status_code == 204
    assert lawyer.get(f"/items/{item}/report").status_code == 404
    assert types(story.vault, "item", item)[-1] == "ACCESS_REFUSED"


def test_report_of_a_case_is_a_reading_of_all_of_it_and_ends_with_the_right_to_a_part(
    story: Story, client: TestClient
) -> None:
    judge, owner, lawyer = (somebody(story.vault, client, role) for role in ("JU", "RH", "AT"))
    case = judge.opens(parties=[{"side": "claimant", "person": owner.id}])
    items = [owner.deposit(content) for content in (b"1", b"2")]
    for item in items:
        assert owner.post(f"/cases/{case}/items", {"item": item}).status_code == 201
    _, second = (owner.grants(lawyer, [item], case=case, actions=MAY)["id"] for item in items)
    story.go_on(12)
    assert lawyer.post(f"/cases/{case}/exports").status_code == 202
    story.go_on(6)
    about = [("case", case), *(("item", item) for item in items)]
    before = [types(story.vault, *one) for one in about]
    assert lawyer.get(f"/cases/{case}/report").status_code == 200
    read = [types(story.vault, *one) for one in about]
    assert read == [[*one, "CUSTODY_READ"] for one in before]
    assert owner.post(f"/grants/{second}/revocation").status_code == 204
    ended = [types(story.vault, *one) for one in about]
    assert lawyer.get(f"/cases/{case}/report").status_code == 404
    refused = [types(story.vault, *one) for one in about]
    assert refused == [*ended[:2], [*ended[2], "ACCESS_REFUSED"]]


def auditor_of(story: Story, client: TestClient) -> Person:
    return somebody(story.vault, client, "AU")
