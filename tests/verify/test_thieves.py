"""Who stole an authority's key, with the operator on his side: what it takes more than one of.

The thief signs any time. Against him stand the k-th of distinct groups, proof that a token is older than the end of
its key, and the day from which the reader no longer trusts the authority.
"""

from datetime import timedelta
from typing import Any

import pytest

from evidence_vault.verify.report import Report, Verdict
from tests.verify.asking import ask, flaws, outcome
from tests.verify.handmade import START, Vault
from tests.verify.outside import FAR_OFF, Authority
from tests.verify.test_times import story

DAY = timedelta(days=1)
BACK = -60 * DAY
"""How far the thief dates back."""


def stolen(*others: str, groups: int = 2, ends: timedelta | None = None, **changes: Any) -> Report:
    """A log that is made today, with tokens that the thief of Alpha's key dates back, and honest others."""
    alpha = Authority("Alpha", ahead=BACK, not_after=FAR_OFF if ends is None else START + ends)
    vault = Vault(authorities=[alpha, *map(Authority, others)])
    item = story(vault)
    policy = vault.policy(require={"tsa_groups": groups, "anchors": 1})
    policy["tsa"] = [one | changes if one["name"] == "Alpha" else one for one in policy["tsa"]]
    return ask(vault.export([item]), policy)


def record_age(report: Report) -> timedelta | None:
    record = report.items[0].record_time
    return None if record is None else abs(record - START)


@pytest.mark.parametrize("others", [("Beta",), ("Beta", "Gamma")])
def test_thief_of_one_key_moves_no_time_and_is_named(others: tuple[str, ...]) -> None:
    report = stolen(*others)
    age = record_age(report)
    assert age is not None
    assert age < timedelta(minutes=1)
    assert outcome(report) == "INDETERMINATE 8:time.dissent"
    named = {
        f.values["group"] for row in report.items[0].rows for f in row.findings if f.code == "time.dissent"
    }
    assert named == {"Alpha group"}


def test_thief_of_the_only_key_is_contradicted_by_the_chain() -> None:
    report = stolen(groups=1)
    assert report.verdict is Verdict.TOTAL_FAILED
    assert "8:time.contradiction" in flaws(report)


def test_thief_of_an_expired_key_counts_for_nothing() -> None:
    """The certificate ended before the log began; the tokens say that it was still good."""
    report = stolen("Beta", ends=-30 * DAY)
    assert outcome(report) == "INDETERMINATE 5:token.open"
    assert report.items[0].record_groups == ("Beta group",)
    assert report.items[0].unmet == ("tsa-groups",)
    assert report.items[0].record_time is None
    assert stolen("Beta", "Gamma", ends=-30 * DAY).items[0].record_groups == ("Beta group", "Gamma group")


@pytest.mark.parametrize("day", [BACK - DAY, BACK + DAY, -DAY], ids=["before", "after", "yesterday"])
def test_thief_of_a_distrusted_key_counts_for_nothing(day: timedelta) -> None:
    """Also where he dates his tokens before the day from which the authority is distrusted."""
    report = stolen("Beta", distrust_after=START + day)
    assert "5:token.open" in flaws(report)
    assert report.items[0].record_groups == ("Beta group",)
    assert report.verdict is Verdict.INDETERMINATE


def test_thief_of_a_revoked_key_counts_for_nothing() -> None:
    """The authority noticed; its list, which the bundle carries, is older than every token he made."""
    alpha = Authority("Alpha", ahead=-DAY)
    vault = Vault(authorities=[alpha, Authority("Beta")])
    item = vault.receive(b"x")
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    vault.parts[f"proof/timestamps/{size}/0/revocation/0.crl"] = alpha.revoke(START - 2 * DAY)
    vault.anchor(size)
    report = ask(vault.export([item], cut=size), vault.policy(require={"tsa_groups": 2, "anchors": 1}))
    assert "5:token.open" in flaws(report)
    assert report.items[0].record_groups == ("Beta group",)
    assert report.verdict is Verdict.INDETERMINATE


def test_thief_of_a_key_revoked_in_another_tokens_evidence_counts_for_nothing() -> None:
    """The list that names the theft came with a later token; the earlier ones are judged by it too."""
    alpha = Authority("Alpha", ahead=-DAY)
    vault = Vault(authorities=[alpha, Authority("Beta")])
    item = vault.receive(b"x")
    sizes = [vault.publish()]
    for authority in vault.authorities:
        vault.stamp(sizes[0], authority)
    sizes.append(vault.publish())
    vault.stamp(sizes[1], alpha)
    vault.anchor(sizes[1])
    policy = vault.policy(require={"tsa_groups": 2, "anchors": 1})
    assert "5:token.open" not in flaws(ask(vault.export([item], cut=sizes[1]), policy))

    vault.parts[f"proof/timestamps/{sizes[1]}/0/revocation/0.crl"] = alpha.revoke(START - 2 * DAY)

    report = ask(vault.export([item], cut=sizes[1]), policy)
    opened = {f.place for f in report.items[0].rows[4].findings if f.code == "token.open"}
    assert {f"proof/timestamps/{size}/0" for size in sizes} == opened
    assert report.items[0].record_groups == ("Beta group",)
