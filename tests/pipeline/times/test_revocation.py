"""Revocation evidence, from the token that wants it to the bundle that carries it, and years later."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from anchors.base import HttpReply
from anchors.rfc3161.devtsa import DevelopmentTsa
from evidence_vault.core.events import VAULT
from evidence_vault.core.states import JobState
from evidence_vault.errors import UnavailableError
from evidence_vault.pipeline.times.revocation import GIVE_UP_AFTER, advance_revocation
from evidence_vault.store.models import Job
from evidence_vault.store.queries import jobs
from evidence_vault.store.revocation_models import RevocationEvidence
from evidence_vault.verify.report import Report, Status, Verdict
from evidence_vault.verify.trust import parse_policy
from evidence_vault.verify.verifier import verify_path
from evidence_vault.workers.runner import Work, singly
from tests.anchors.rfc3161.pki import Holder, authority, signer
from tests.anchors.rfc3161.test_evidence import has_list
from tests.anchors.rfc3161.test_revocation import crl
from tests.pipeline.export.test_export import policy_of
from tests.pipeline.story import Story, begin_story

DAY = timedelta(days=1)
LIST_URL = "http://lists.example/{}.crl"


@dataclass
class Lists:
    """The web servers of two certificate authorities, and the authorities themselves."""

    story: Story | None = None
    issuers: dict[str, Holder] = field(default_factory=dict)
    revoked: dict[str, Holder] = field(default_factory=dict)
    served: dict[str, bytes] = field(default_factory=dict)
    down: bool = False
    asked: list[str] = field(default_factory=list)

    def get(self, url: str, **_: object) -> HttpReply:
        self.asked.append(url)
        if self.down:
            raise UnavailableError("lists.example", "connection refused")
        return HttpReply(status=200, content_type="application/pkix-crl", body=self.served[url])

    def post(self, url: str, body: bytes, **_: object) -> HttpReply:
        raise AssertionError("no certificate here names a responder")

    def publish(self, at: datetime, *, revoked: Mapping[str, tuple[Holder, datetime]] | None = None) -> None:
        """Issue new lists, good for a week."""
        for name, issuer in self.issuers.items():
            gone, gone_at = (revoked or {}).get(name, (None, at))
            self.served[LIST_URL.format(name)] = crl(issuer, gone, revoked_at=gone_at, this_update=at)


@dataclass
class RevocableStory(Story):
    lists: Lists

    def work(self) -> Mapping[str, Work]:
        revocation = Work(stage=singly(partial(advance_revocation, http=self.lists)))
        return {**Story.work(self), "revocation": revocation}

    def evidence(self) -> list[RevocationEvidence]:
        with self.vault.database.read() as session:
            return list(session.query(RevocationEvidence).order_by(RevocationEvidence.this_update))

    def revocation_jobs(self) -> list[Job]:
        with self.vault.database.read() as session:
            return list(jobs.jobs_of(session, VAULT))

    def exported(self, item: str) -> str:
        bundle = self.export(item)
        self.go_on(8)
        return bundle

    def verdict(self, bundle: str, *, after: timedelta) -> Report:
        policy = parse_policy(policy_of(self).encode(), name="trust.toml")
        return verify_path(self.bundle(bundle), policy, at=self.clock() + after)


@pytest.fixture
def told(tmp_path: Path) -> RevocableStory:
    """Two authorities whose certificates end in two years and name lists that are served."""
    lists = Lists()

    def make(folder: Path, now: datetime) -> DevelopmentTsa:
        name = folder.name
        root = authority(f"DEVELOPMENT root {name}", not_after=now + 3650 * DAY)
        leaf = signer(root, f"DEVELOPMENT {name}", extra=[has_list(LIST_URL.format(name))],
                      not_after=now + 730 * DAY)  # fmt: skip
        lists.issuers[name] = root
        lists.revoked[name] = leaf
        return DevelopmentTsa(leaf.key, leaf.der, root.der)

    story = begin_story(tmp_path, make_tsa=make)
    lists.publish(story.clock())
    return RevocableStory(
        vault=story.vault, clock=story.clock, wires=story.wires, chain=story.chain, lists=lists
    )


def findings(report: Report, row: int) -> list[str]:
    return [
        finding.code
        for item in report.items
        for one in item.rows
        if one.number == row
        for finding in one.findings
    ]


def test_evidence_is_fetched_once_for_all_tokens_of_a_chain_and_travels(told: RevocableStory) -> None:
    item = told.deposit()
    told.go_on(8)
    assert len(told.evidence()) == 2  # one list for each authority, for many tokens
    assert len(told.lists.asked) == 2
    report = told.verdict(told.exported(item), after=timedelta(hours=1))
    assert report.verdict is Verdict.DEVELOPMENT_PASSED
    codes = findings(report, 5)
    assert "token.not-revoked" in codes
    assert "token.revocation-unknown" not in codes


def test_bundle_with_evidence_passes_after_the_certificates_ended(told: RevocableStory) -> None:
    item = told.deposit()
    told.go_on(8)
    bundle = told.exported(item)
    late = told.verdict(bundle, after=3 * 365 * DAY)
    # A block that is known, and the other group's tokens, show that these existed while they were good.
    assert late.verdict is Verdict.DEVELOPMENT_PASSED
    assert "token.not-revoked" in findings(late, 5)


def test_evidence_that_cannot_be_had_never_keeps_a_token_waiting(told: RevocableStory) -> None:
    told.lists.down = True
    item = told.deposit()
    told.go_on(8)
    bundle = told.exported(item)
    report = told.verdict(bundle, after=timedelta(hours=1))
    assert report.verdict is Verdict.DEVELOPMENT_PASSED
    assert "token.revocation-unknown" in findings(report, 5)
    for job in told.revocation_jobs():
        assert job.state == JobState.READY
        assert job.run_at is not None
        assert "connection refused" in (job.last_error or "")
    told.lists.down = False
    told.lists.publish(told.clock())
    told.clock.advance(700)
    told.go_on(2)
    assert len(told.evidence()) == 2
    assert "token.not-revoked" in findings(told.verdict(told.exported(item), after=DAY), 5)


@pytest.mark.db
def test_a_later_list_is_fetched_when_it_is_due_and_shows_a_theft_noticed_late(
    told: RevocableStory,
) -> None:
    item = told.deposit()
    stamped_at = told.clock()
    told.go_on(8)
    assert len(told.evidence()) == 2
    assert all(job.state == JobState.READY for job in told.revocation_jobs())
    stolen_at = (stamped_at - timedelta(days=2)).replace(microsecond=0)
    told.clock.advance(7 * 86400)
    told.lists.publish(told.clock(), revoked={"tsa-one": (told.lists.revoked["tsa-one"], stolen_at)})
    told.go_on(3)
    assert len(told.evidence()) == 4
    told.clock.advance(1)
    report = told.verdict(told.exported(item), after=timedelta(hours=1))
    rows = {row.number: row.status for row in report.items[0].rows}
    assert rows[5] is Status.INDETERMINATE
    assert report.verdict is Verdict.INDETERMINATE  # one group is left, two are asked for


def test_job_ends_when_a_list_came_that_is_younger_than_all_tokens(told: RevocableStory) -> None:
    told.deposit()
    told.go_on(8)
    told.clock.advance(7 * 86400)
    told.lists.publish(told.clock())
    told.wires.down |= set(told.wires.answer)  # no further tokens
    told.go_on(3)
    assert [job.state for job in told.revocation_jobs()] == [JobState.DONE, JobState.DONE]
    told.wires.down.clear()
    told.clock.advance(3600)
    told.deposit(b"another")
    told.go_on(3)
    assert [job.state for job in told.revocation_jobs()] == [JobState.READY, JobState.READY]


def test_job_gives_up_in_words_when_nothing_comes_for_a_long_time(told: RevocableStory) -> None:
    told.lists.down = True
    told.deposit()
    told.go_on(4)
    told.wires.down |= set(told.wires.answer)
    told.clock.advance(GIVE_UP_AFTER.total_seconds() + 120)
    told.go_on(2)
    for job in told.revocation_jobs():
        assert job.state == JobState.FAILED
        assert "connection refused" in (job.last_error or "")
    asked = len(told.lists.asked)
    assert asked < 40  # slower and slower


def test_chain_without_addresses_wants_nothing(tmp_path: Path) -> None:
    story = begin_story(tmp_path)
    story.deposit()
    story.go_on(5)
    with story.vault.database.read() as session:
        assert list(jobs.jobs_of(session, VAULT)) == []
    story.chain.close()
