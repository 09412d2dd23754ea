"""The case bundle: one seal over a case and what its reader may have; decided when asked, sealed and fetched."""

import contextlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from evidence_vault.api.app import create_app
from evidence_vault.core.disclosures import parse_disclosure
from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_id
from evidence_vault.pipeline.export.trust import policy_text
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import bundles
from evidence_vault.verify.report import Report, Verdict
from evidence_vault.verify.trust import parse_policy
from evidence_vault.verify.verifier import verify_path
from tests.api.clients import Person, history, somebody, types
from tests.api.test_opinions import as_also
from tests.pipeline.story import Story, begin_story

pytestmark = pytest.mark.socket

UNKNOWN = encode_id("cs", bytes(16))
EXPORTING = ("export", "open-content", "read-custody", "see-metadata")


@dataclass(slots=True)
class Court:
    """A vault, and a way to people who go to court in it."""

    story: Story
    client: TestClient

    @property
    def vault(self) -> Vault:
        return self.story.vault

    def person(self, role: str = "RH", **more: Any) -> Person:
        return somebody(self.vault, self.client, role, **more)

    def bundle(self, person: Person, path: str) -> "Carried":
        """Ask for a bundle, wait for it, fetch it."""
        asked = person.post(f"{path}/exports")
        assert asked.status_code == 202, asked.text
        for _ in range(12):
            self.story.go_on(1)
            if person.get(f"/exports/{asked.json()['id']}").json().get("state") in ("VERIFIED", "FAILED"):
                break
        return self.fetched(person, asked.json()["id"])

    def fetched(self, person: Person, export: str) -> "Carried":
        answer = person.get(f"/exports/{export}/bundle")
        assert answer.status_code == 200, answer.text + person.get(f"/exports/{export}").text
        return Carried(court=self, view=person.get(f"/exports/{export}").json(), data=answer.content)


@dataclass(slots=True)
class Carried:
    """A bundle that somebody got."""

    court: Court
    view: dict[str, Any]
    data: bytes

    def files(self, under: str = "") -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
            found = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
        return {path: data for path, data in found.items() if path.startswith(under)}

    def events(self, subject: str) -> list[str]:
        """Types in the order of seq; `-` for a redacted one."""
        found = {}
        for path, data in self.files(f"proof/events/{subject}/").items():
            seq = int(path.rpartition("/")[2].split(".")[0])
            found[seq] = "-" if "redacted" in path else json.loads(data)["type"]
        return [found[seq] for seq in sorted(found)]

    def seal(self, subject: str) -> int:
        """The seq of its EXPORTED, the newest that is carried."""
        return len(self.events(subject)) - 1

    def told(self) -> dict[str, dict[str, str]]:
        """What is disclosed, by place."""
        document = json.loads(self.files().get("proof/disclosures.json", b"{}"))
        return {
            place: {one.name: one.value for one in map(parse_disclosure, texts)}
            for place, texts in document.items()
        }

    def verified(self) -> Report:
        story = self.court.story
        path = story.vault.settings.home / "fetched.zip"
        path.write_bytes(self.data)
        with story.vault.database.read() as session:
            text = policy_text(story.vault, session, tsa_groups=2, anchors=0)
        policy = parse_policy(text.encode(), name="trust.toml")
        return verify_path(path, policy, at=story.clock() + timedelta(hours=1))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    """One vault for all tests that bring their own people."""
    with contextlib.contextmanager(_court)(tmp_path_factory.mktemp("court")) as court:
        yield court


@pytest.fixture
def court(shared: Court) -> Court:
    return shared


@pytest.fixture
def own_court(tmp_path: Path) -> Iterator[Court]:
    """A vault of the test's own, on either database."""
    yield from _court(tmp_path)


def _court(home: Path) -> Iterator[Court]:
    story = begin_story(home, anchor_interval_s=3600)
    with TestClient(create_app(story.vault), raise_server_exceptions=False) as client:
        yield Court(story=story, client=client)
    story.chain.close()
    story.vault.database.dispose()


def added(case: str, *items: tuple[Person, str], **line: str) -> None:
    for person, item in items:
        answer = person.post(f"/cases/{case}/items", {"item": item, **line})
        assert answer.status_code == 201, answer.text


def seals(vault: Vault, *subjects: tuple[str, str]) -> list[dict[str, Any]]:
    found = []
    for kind, subject in subjects:
        [seal] = [event for event in history(vault, kind, subject) if event["type"] == "EXPORTED"]
        found.append(seal)
    return found


@pytest.mark.db
def test_judge_gets_the_whole_case_under_one_seal(own_court: Court) -> None:
    court = own_court
    judge, one, two = court.person("JU"), court.person(), court.person()
    parties = [
        {"side": "claimant", "person": one.id, "name": "Alpha"},
        {"side": "respondent", "person": two.id, "name": "Beta"},
    ]
    case = judge.opens(number="(2026) 73", parties=parties)
    items = sorted([one.deposit(b"what one says"), two.deposit(b"what two says")])
    beside = one.deposit(b"not in the case")
    owners = {items[0]: one, items[1]: two}
    if court.client.get(f"/v1/items/{items[0]}", headers=dict(one.headers)).status_code != 200:
        owners = {items[0]: two, items[1]: one}
    for item, owner in owners.items():
        added(case, (owner, item), source="the shop")
    court.story.go_on(3)

    got = court.bundle(judge, f"/cases/{case}")
    assert (got.view["case"], got.view["items"], got.view["left_out"]) == (case, items, 0)
    assert beside not in str(got.files())
    made = seals(court.vault, ("case", case), *(("item", item) for item in items))
    assert {json.dumps([one["bundle"], one["cut"], one["parts_sha256"]]) for one in made} == {
        json.dumps([got.view["id"], made[0]["cut"], made[0]["parts_sha256"]])
    }
    # The case travels whole, up to its seal; the judge sees everything of it.
    assert got.events(case) == types(court.vault, "case", case)[: len(got.events(case))]
    assert got.events(case)[-1] == "EXPORTED"
    assert {"number": "(2026) 73"} in got.told().values()
    assert {"name": "Beta"} in got.told().values()
    assert got.verified().verdict is Verdict.DEVELOPMENT_PASSED
    for item in items:
        assert types(court.vault, "item", item)[-1] == "DOWNLOADED"


def test_party_gets_his_own_items_and_is_told_how_many_are_left_out(court: Court) -> None:
    judge, one, two = court.person("JU"), court.person(), court.person()
    case = judge.opens(
        parties=[{"side": "claimant", "person": one.id}, {"side": "respondent", "person": two.id}]
    )
    own, other = one.deposit(b"own"), two.deposit(b"other")
    added(case, (one, own), (two, other))
    court.story.go_on(3)
    got = court.bundle(one, f"/cases/{case}")
    assert (got.view["items"], got.view["left_out"]) == ([own], 1)
    assert not got.files(f"data/{other}")
    assert not got.files(f"proof/events/{other}")
    assert got.verified().verdict is Verdict.DEVELOPMENT_PASSED
    assert "EXPORTED" not in types(court.vault, "item", other)
    # Handing it out is on record: with the item, and with the case, for its history was in it.
    assert types(court.vault, "item", own)[-1] == "DOWNLOADED"
    last = history(court.vault, "case", case)[-1]
    assert (last["type"], last["actor"]["id"]) == ("CUSTODY_READ", one.id)


def test_expert_gets_his_item_and_of_the_case_what_concerns_him(court: Court) -> None:
    judge, one, expert, lawyer = court.person("JU"), court.person(), court.person("AP"), court.person("AT")
    case = judge.opens(
        confidentiality="open",
        title="Alpha against Beta",
        parties=[{"side": "claimant", "person": one.id, "name": "Li Hua"}],
    )
    shown, hidden = one.deposit(b"shown"), one.deposit(b"hidden")
    added(case, (one, hidden), (one, shown), source="a drawer")
    one.grants(expert, [shown], case=case, actions=list(EXPORTING), purpose="to appraise it")
    one.grants(lawyer, [shown], case=case, purpose="to advise one of us")
    court.story.go_on(3)
    got = court.bundle(expert, f"/cases/{case}")
    assert (got.view["items"], got.view["left_out"]) == ([shown], None)
    everything = b"".join(got.files().values())
    for secret in (hidden, "Li Hua", "to advise one of us"):
        assert secret.encode() not in everything
        assert secret not in str(got.told())
    assert got.events(case) == ["CASE_OPENED", "-", "-", "-", "ITEM_ADDED", "GRANTED", "-", "EXPORTED"]
    assert {"purpose": "to appraise it"} in got.told().values()
    assert got.verified().verdict is Verdict.DEVELOPMENT_PASSED


def test_item_bundle_carries_its_cases_as_of_the_cut_redacted_where_unseen(court: Court) -> None:
    judge, one, lawyer = court.person("JU"), court.person(), court.person("AT")
    case = judge.opens(
        parties=[{"side": "claimant", "person": one.id, "name": "Alpha"}], title="a secret matter"
    )
    item = one.deposit(b"in a case", **{"Content-Disposition": 'attachment; filename="plan.txt"'})
    added(case, (one, item))
    one.grants(lawyer, [item], actions=list(EXPORTING))
    court.story.go_on(3)
    later = one.post(f"/cases/{case}/items", {"item": item, "proves": "more"})
    assert later.status_code == 201
    unseen = court.bundle(lawyer, f"/items/{item}")
    cut = json.loads(unseen.files(f"proof/events/{item}/")[f"proof/events/{item}/{unseen.seal(item)}.json"])[
        "cut"
    ]
    with court.vault.database.read() as session:
        of_case = bundles.logged_events(session, Subject(kind="case", id=case), below=cut["size"])
    assert unseen.events(case) == ["-"] * len(of_case), "as of the cut"
    assert "secret" not in str(unseen.told())
    assert unseen.verified().verdict is Verdict.DEVELOPMENT_PASSED
    # Who may not read its history gets it all the same, for it is the proof; but none of its personal values.
    blind = court.person("AT")
    one.grants(blind, [item], actions=["export", "open-content"])
    told = court.bundle(blind, f"/items/{item}").told()
    assert "plan.txt" in str(unseen.told())
    assert told == {}
    seen = court.bundle(one, f"/items/{item}")
    assert "CASE_OPENED" in seen.events(case)
    assert {"title": "a secret matter"} in seen.told().values()
    assert "EXPORTED" not in types(court.vault, "case", case)


def test_clerk_gets_a_docket_copy_without_content(court: Court) -> None:
    judge, clerk, one = court.person("JU"), court.person("CL"), court.person()
    case = judge.opens(parties=[{"side": "claimant", "person": one.id}])
    item = one.deposit(b"secret content")
    added(case, (one, item))
    bench = {
        "grantee": clerk.id,
        "role": "CL",
        "case": case,
        "items": [],
        "actions": ["export", "read-custody"],
    }
    assert judge.post("/grants", bench).status_code == 201
    court.story.go_on(3)
    got = court.bundle(clerk, f"/cases/{case}")
    assert not got.files(f"data/{item}/content")
    assert b"secret content" not in got.data
    report = got.verified()
    assert (report.verdict, report.items[0].unmet) == (Verdict.INDETERMINATE, ("no-content-compared",))


def test_mediation_leaves_by_nobody_and_each_refusal_stands_on_the_item(court: Court) -> None:
    mediator, one, two = court.person("AM"), court.person(), court.person()
    case = mediator.opens(
        forum="mediation",
        mediation_only=True,
        parties=[
            {"side": "claimant", "person": one.id, "name": "Alpha"},
            {"side": "respondent", "person": two.id},
        ],
    )
    item = one.deposit(b"what we would pay")
    added(case, (one, item), source="our own")
    unknown = mediator.post(f"/cases/{UNKNOWN}/exports")
    for path in (f"/cases/{case}", f"/items/{item}", f"/cases/{case}"):
        refused = mediator.post(f"{path}/exports")
        assert refused.status_code == 404
        assert {**refused.json(), "instance": ""} == {**unknown.json(), "instance": ""}
    marks = [event for event in history(court.vault, "item", item) if event["type"] == "ACCESS_REFUSED"]
    assert [(one["actor"]["id"], one["action"], one["reason"]) for one in marks] == [
        (mediator.id, "export", "mediation")
    ], "once in a while"
    court.story.clock.advance(court.vault.settings.access.refusal_note_s + 1)
    mediator.post(f"/items/{item}/exports")
    assert types(court.vault, "item", item).count("ACCESS_REFUSED") == 2
    # Its owner takes his own out; of the mediation nothing but the chain goes with it.
    court.story.go_on(3)
    got = court.bundle(one, f"/items/{item}")
    assert set(got.events(case)) == {"-"}
    assert "Alpha" not in str(got.told())
    assert got.verified().verdict is Verdict.DEVELOPMENT_PASSED


@pytest.mark.parametrize("role", ["AU", "AD", "TI", "RH", "AT", "JU"])
def test_nobody_else_exports_a_case_or_learns_that_it_is_there(court: Court, role: str) -> None:
    judge, one, other = court.person("JU"), court.person(), court.person(role)
    case = judge.opens(parties=[{"side": "claimant", "person": one.id}])
    item = one.deposit()
    added(case, (one, item))
    if role == "TI":
        bench = {"grantee": other.id, "role": role, "case": case, "items": [], "actions": ["open-content"]}
        assert judge.post("/grants", bench).status_code == 201
    refused, unknown = other.post(f"/cases/{case}/exports"), other.post(f"/cases/{UNKNOWN}/exports")
    assert (refused.status_code, unknown.status_code) == (404, 404)
    assert {**refused.json(), "instance": ""} == {**unknown.json(), "instance": ""}
    assert ("ACCESS_REFUSED" in types(court.vault, "item", item)) == (role == "TI")


def test_case_without_items_says_so_to_who_sees_its_list(court: Court) -> None:
    judge = court.person("JU")
    answer = judge.post(f"/cases/{judge.opens()}/exports")
    assert (answer.status_code, answer.json()["detail"]) == (409, "export: there is no item in the case")


@pytest.mark.db
def test_grant_revoked_before_the_seal_leaves_no_bundle(own_court: Court) -> None:
    court = own_court
    judge, one, expert = court.person("JU"), court.person(), court.person("AP")
    case = judge.opens(confidentiality="open", parties=[{"side": "claimant", "person": one.id}])
    items = [one.deposit(b"1"), one.deposit(b"2")]
    added(case, *((one, item) for item in items))
    kept, lost = (one.grants(expert, [item], case=case, actions=list(EXPORTING))["id"] for item in items)
    asked = expert.post(f"/cases/{case}/exports").json()
    assert asked["items"] == sorted(items)
    assert one.post(f"/grants/{lost}/revocation", {"reason": "done"}).status_code == 204
    court.story.go_on(3)
    told = expert.get(f"/exports/{asked['id']}").json()
    assert (told["state"], told["reason"]) == (
        "FAILED",
        f"the right to {items[1]} ended (revoked) before the bundle was sealed; nothing is exported",
    )
    assert expert.get(f"/exports/{asked['id']}/bundle").status_code == 409
    for kind, subject in (("case", case), ("item", items[0]), ("item", items[1])):
        assert "EXPORTED" not in types(court.vault, kind, subject)
    assert types(court.vault, "item", items[1])[-1] == "ACCESS_REFUSED"
    # What he may still have, he gets when he asks again; and no more when that ends too.
    got = court.bundle(expert, f"/cases/{case}")
    assert got.view["items"] == [items[0]]
    assert one.post(f"/grants/{kept}/revocation", {"reason": "done"}).status_code == 204
    before = types(court.vault, "item", items[0])
    for path in ("", "/bundle"):
        assert expert.get(f"/exports/{got.view['id']}{path}").status_code == 404
        assert expert.get(f"/exports/{asked['id']}{path}").status_code == 404
    assert types(court.vault, "item", items[0]) == [*before, "ACCESS_REFUSED"]


def test_bundle_uses_one_view_for_each_item_or_is_not_handed_out(court: Court) -> None:
    judge, one, expert = court.person("JU"), court.person(), court.person("AP")
    case = judge.opens(confidentiality="open", parties=[{"side": "claimant", "person": one.id}])
    items = sorted([one.deposit(b"1"), one.deposit(b"2")])
    added(case, *((one, item) for item in items))
    one.grants(expert, items, case=case, actions=list(EXPORTING), view_limit=3)
    court.story.go_on(3)
    court.bundle(expert, f"/cases/{case}")
    export = expert.post(f"/cases/{case}/exports").json()["id"]
    court.story.go_on(6)
    before = [types(court.vault, "item", item) for item in items]
    assert expert.get(f"/exports/{export}/bundle").status_code == 404
    after = [types(court.vault, "item", item) for item in items]
    assert after == [before[0], [*before[1], "ACCESS_REFUSED"]], "one view is not two"


def test_who_lost_his_role_gets_no_bundle_sealed(court: Court) -> None:
    one = court.person()
    item = one.deposit()
    export = one.post(f"/items/{item}/exports").json()["id"]
    with court.vault.database.write() as session:
        session.connection().exec_driver_sql(
            "UPDATE actor_roles SET ended_at = given_at WHERE actor_id = '%s'" % one.id  # noqa: UP031
        )
    court.story.go_on(3)
    assert "EXPORTED" not in types(court.vault, "item", item)
    with court.vault.database.read() as session:
        [(state,)] = session.connection().exec_driver_sql(
            f"SELECT state FROM jobs WHERE subject_id = '{export}'"
        )
    assert state == "FAILED"


def test_bundle_whose_file_is_not_there_is_gone_when_its_time_is_over_and_a_fault_before(
    own_court: Court,
) -> None:
    owner, story = own_court.person(), own_court.story
    item = owner.deposit(b"x")
    story.go_on(3)
    export = own_court.bundle(owner, f"/items/{item}").view["id"]
    path, before = f"/exports/{export}/bundle", types(own_court.vault, "item", item)
    story.bundle(export).unlink()
    assert owner.get(path).status_code == 500
    story.clock.advance(story.vault.settings.export_keep_hours * 3600)
    assert owner.get(path).status_code == 410, "and the job hasn't said so yet"
    story.go_on(2)
    assert owner.get(path).status_code == 410
    assert types(own_court.vault, "item", item) == before


@pytest.mark.parametrize("as_whom", ["without his seat", "in another role"])
def test_bundle_that_tells_more_than_one_may_see_now_is_not_handed_out(court: Court, as_whom: str) -> None:
    first, judge, one = court.person("JU"), court.person("JU"), court.person()
    case = first.opens(title="sealed", parties=[{"side": "claimant", "person": one.id, "name": "Alpha"}])
    place = {"grantee": judge.id, "role": "JU", "case": case, "actions": list(EXPORTING)}
    seat = first.post("/grants", place).json()["id"]
    item = one.deposit(b"x")
    added(case, (one, item))
    court.story.go_on(3)
    got = court.bundle(judge, f"/cases/{case}")
    assert "Alpha" in str(got.told())
    later = as_also(court.vault, judge, "AP") if as_whom == "in another role" else judge
    if later is judge:
        assert first.post(f"/grants/{seat}/revocation", {"reason": "recused"}).status_code == 204
    one.grants(later, [item], case=case, actions=list(EXPORTING))
    before = types(court.vault, "item", item)
    for path in (f"/exports/{got.view['id']}/bundle", f"/cases/{case}/report"):
        answer = later.get(path)
        assert answer.status_code == 409
        assert (
            answer.json()["detail"] == "export: you may see less than when it was sealed: ask for a new one"
        )
    assert types(court.vault, "item", item) == before
    if later is not judge:
        court.fetched(judge, got.view["id"])  # to the judge that he still is
    anew = court.bundle(later, f"/cases/{case}")
    assert "Alpha" not in str(anew.told())
    assert later.get(f"/cases/{case}/report").status_code == 200
