"""Qualified, not qualified, not determined: what lists in a policy say of an authority at its tokens' time."""

import hashlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from anchors.values import replace
from evidence_vault.errors import ConfigError
from evidence_vault.verify.render import render_text, report_json
from evidence_vault.verify.report import Report, Verdict
from evidence_vault.verify.trust import parse_policy
from evidence_vault.verify.trusted_lists import ListedService, TrustedList, qualification_of
from tests.verify.asking import ask, policy_of
from tests.verify.handmade import START, Vault
from tests.verify.outside import Authority
from tests.verify.test_times import story

DAY = timedelta(days=1)
FINGERPRINT = bytes(range(32))


def quoted(
    *history: tuple[datetime, bool], issued: datetime = START + DAY, until: datetime = START + 90 * DAY
) -> TrustedList:
    service = ListedService(name="QTST", certificate_sha256=FINGERPRINT, history=history)
    return TrustedList(name="DE", issued=issued, next_update=until, services=(service,))


def asked(*lists: TrustedList, accuracy: timedelta = timedelta(0), at: datetime = START) -> str:
    found = qualification_of([bytes(32), FINGERPRINT], gen_time=at, accuracy=accuracy, trusted_lists=lists)
    return found.status if found.issued is None else f"{found.status} {found.issued:%m-%d}"


GRANTED, WITHDRAWN = (START - 30 * DAY, True), (START - DAY, False)


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ((), "not-determined"),
        ((quoted(GRANTED),), "qualified 11-23"),
        ((quoted(GRANTED, WITHDRAWN),), "not-qualified 11-23"),
        ((quoted(GRANTED, (START, False)),), "not-qualified 11-23"),  # from that moment on
        ((quoted((START, True)),), "qualified 11-23"),
        ((quoted((START + DAY, True)),), "not-determined"),  # before the history begins
        ((quoted(GRANTED, issued=START - 9 * DAY, until=START - DAY),), "not-determined"),  # too old to know
        ((quoted(GRANTED), quoted(GRANTED, WITHDRAWN, issued=START + 2 * DAY)), "not-qualified 11-24"),
        ((quoted(GRANTED, issued=START + 2 * DAY), quoted(GRANTED, WITHDRAWN)), "qualified 11-24"),
    ],
)
def test_qualification_is_what_the_newest_list_that_speaks_says(
    lists: tuple[TrustedList, ...], said: str
) -> None:
    assert asked(*lists) == said


def test_qualification_of_a_certificate_on_no_list_is_not_determined() -> None:
    found = qualification_of([bytes(32)], gen_time=START, accuracy=DAY, trusted_lists=[quoted(GRANTED)])
    assert found.status == "not-determined"


@pytest.mark.parametrize("change", [START - timedelta(seconds=1), START + timedelta(seconds=1)])
def test_qualification_that_changes_within_the_accuracy_is_the_worse(change: datetime) -> None:
    granted_then = quoted(GRANTED, (START - 2 * DAY, False), (change, True))
    assert asked(granted_then, accuracy=timedelta(seconds=2)) == "not-qualified 11-23"


def test_qualification_that_breaks_within_the_accuracy_is_the_worse() -> None:
    broken = quoted(GRANTED, (START, False), (START + timedelta(milliseconds=1), True))
    assert asked(broken, accuracy=timedelta(seconds=2)) == "not-qualified 11-23"


def test_qualification_is_not_that_of_an_issue_which_another_replaced() -> None:
    """The newer issue withdrew it, and speaks of nothing after its own end: the older one must not step in."""
    older = quoted(GRANTED, issued=START - 9 * DAY)
    newer = quoted(GRANTED, WITHDRAWN, issued=START - 5 * DAY, until=START - DAY)
    assert asked(older, newer) == asked(newer, older) == "not-determined"
    assert asked(older, newer, at=START - 7 * DAY) == "qualified 11-17"
    assert asked(older, replace(newer, name="FR")).startswith("qualified")


def test_qualification_on_which_lists_of_one_day_differ_is_the_worse() -> None:
    other = replace(quoted(GRANTED, WITHDRAWN), name="FR")
    assert asked(quoted(GRANTED), other) == asked(other, quoted(GRANTED)) == "not-qualified 11-23"


def test_parse_policy_reads_many_lists_in_time_that_grows_with_their_number() -> None:
    entry = '[[trusted_list]]\nname = "{}"\nissued = 2026-01-01\n'
    text = "version = 1\n" + "".join(entry.format(n) for n in range(20_000))
    begun = time.process_time()
    assert len(parse_policy(text.encode(), name="many").trusted_lists) == 20_000
    assert time.process_time() - begun < 9  # 2 s; 18 s where each is compared with each


def listed_policy(vault: Vault, authority: Authority, status: str) -> dict[str, Any]:
    service = {
        "name": "QTST",
        "sha256": hashlib.sha256(authority.certificate).hexdigest(),
        "history": [{"from": "2020-01-01", "status": "granted"}, {"from": "2026-02-01", "status": status}],
    }
    issue = {"name": "DE", "issued": "2026-11-01", "next_update": "2027-05-01", "service": [service]}
    return vault.policy(trusted_list=[issue])


@pytest.mark.parametrize(
    ("status", "english", "chinese"),
    [
        ("granted", "qualified per list DE of 2026-11-01", "依2026-11-01的清单DE为合格"),
        ("withdrawn", "not qualified per list DE of 2026-11-01", "依2026-11-01的清单DE不合格"),
    ],
)
def test_report_shows_the_status_of_each_authority_and_no_verdict_depends_on_it(
    status: str, english: str, chinese: str
) -> None:
    vault = Vault(authorities=[Authority("Alpha"), Authority("Beta")])
    item = story(vault)
    report = ask(vault.export([item]), listed_policy(vault, vault.authorities[0], status))
    assert report.verdict is Verdict.TOTAL_PASSED
    assert f"Time-stamped by: Alpha (Alpha group), {english}\n" in render_text(report, lang="en")
    assert "Beta (Beta group), qualified status not determined\n" in render_text(report, lang="en")
    assert f"时间戳机构: Alpha (Alpha group), {chinese}\n" in render_text(report, lang="zh")
    told = stampers(report)
    assert told["Alpha"]["list"] == "DE"
    assert told["Alpha"]["issued"] == "2026-11-01T00:00:00.000Z"
    assert told["Alpha"]["status"] == ("qualified" if status == "granted" else "not-qualified")
    assert told["Beta"]["status"] == "not-determined"


def stampers(report: Report) -> dict[str, Any]:
    document: Any = report_json(report)
    return {one["name"]: one["qualified"] for one in document["items"][0]["authorities"]}


GRANTED_IN_2020 = {"from": "2020-01-01", "status": "granted"}


def issue(**changes: Any) -> dict[str, Any]:
    service = {"name": "x", "sha256": "00" * 32, "history": [GRANTED_IN_2020]}
    whole = {"name": "DE", "issued": "2026-11-01", "service": [{**service, **changes.pop("service", {})}]}
    return {**whole, **changes}


@pytest.mark.parametrize(
    ("lists", "named"),
    [
        ([issue(colour="red")], "trusted_list[0].colour"),
        ([issue(issued="2026-13-01")], "policy"),
        ([issue(next_update="2026-10-01")], "trusted_list[0].next_update"),
        ([issue(service={"sha256": "00"})], "trusted_list[0].service[0].sha256"),
        ([issue(service={"history": []})], "trusted_list[0].service[0].history"),
        ([issue(service={"history": [GRANTED_IN_2020 | {"status": "maybe"}]})], "trusted_list[0].service[0]"),
        ([issue(service={"history": [GRANTED_IN_2020] * 2})], "trusted_list[0].service[0]"),
        ([issue(), issue()], "trusted_list[1]"),
    ],
)
def test_parse_policy_refuses_a_list_it_does_not_understand(lists: list[Any], named: str) -> None:
    assert policy_of({"version": 1, "trusted_list": [issue()]}).trusted_lists[0].issued == datetime(
        2026, 11, 1, tzinfo=UTC
    )
    with pytest.raises(ConfigError) as refused:
        policy_of({"version": 1, "trusted_list": lists})
    assert named in refused.value.name
