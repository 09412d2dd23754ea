"""Trust policies that can't be used as a whole are not half obeyed."""

from typing import Any

import pytest

from evidence_vault.errors import ConfigError
from evidence_vault.verify.trust import parse_policy
from tests.verify.asking import policy_of, write_policy
from tests.verify.handmade import Keys, Vault
from tests.verify.outside import Authority


def entry(name: str, **changes: Any) -> list[dict[str, Any]]:
    return [{**Vault().policy()[name][0], **changes}]


BAD_PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"version": 2}, "policy.version"),
        ({"colour": "red"}, "policy.colour"),
        ({"skew_s": -1}, "policy.skew_s"),
        ({"skew_s": True}, "policy.skew_s"),
        ({"require": {"tsa_groups": -1}}, "require.tsa_groups"),
        ({"require": {"tsa": 1}}, "require.tsa"),
        ({"log": entry("log", vkey="vault.example/log+00000000+AAAA")}, "log[0].vkey"),
        ({"log": entry("log", vkey=Keys(origin="other.example/log").vkey)}, "log[0].vkey"),
        ({"log": entry("log", not_after="2026-13-45")}, "policy"),
        ({"log": entry("log") + entry("log", **{"class": "test"})}, "log[1].class"),
        ({"log": entry("log", anchor=[{"chain": 1}])}, "log[0].anchor[0]"),
        ({"tsa": entry("tsa", roots=["nothing"])}, "tsa[0].roots[0]"),
        ({"tsa": entry("tsa", roots=[BAD_PEM])}, "certificate"),
        ({"tsa": entry("tsa", distrust_after="soon")}, "tsa[0].distrust_after"),
        ({"chain": entry("chain", known_blocks=[{"number": 1, "hash": "00"}])}, "chain[0].known_blocks"),
        ({"algorithms": {"refuse": {"sha1": "2017-02-30"}}}, "policy"),
        ({"witness": [{"name": "w", "vkey": Keys().vkey}] * 2}, "witness[1]"),
    ],
)
def test_parse_policy_refuses(changes: dict[str, Any], named: str) -> None:
    text = write_policy(Vault().policy() | changes)
    with pytest.raises(ConfigError) as refused:
        parse_policy(text.encode(), name="trust.toml")
    assert named in refused.value.name


@pytest.mark.parametrize(
    "text", [b"version = ", b"\xff", b"", b"version = 1\nrequire = 5", b"version = 1\nlog = 5"]
)
def test_parse_policy_refuses_what_is_no_policy(text: bytes) -> None:
    with pytest.raises(ConfigError):
        parse_policy(text, name="trust.toml")


def test_parse_policy_reads_the_defaults() -> None:
    policy = policy_of({"version": 1})
    assert policy.skew.total_seconds() == 60
    assert policy.max_merge_delay.total_seconds() == 3600
    assert (policy.require.tsa_groups, policy.require.anchors, policy.require.witnesses) == (2, 1, 0)
    assert policy.require.content
    assert not policy.require.full_chain
    assert policy.max_age is None


@pytest.mark.parametrize(
    "other", ["ALPHA  group", "Ａlpha group", "Alpha\u200b group", " alpha\u00a0group\u2060"]
)
def test_group_in_another_spelling_is_refused(other: str) -> None:
    vault = Vault(authorities=[Authority("Alpha"), Authority("Beta")])
    policy = vault.policy()
    policy["tsa"][1]["group"] = other
    with pytest.raises(ConfigError, match="the spelling Alpha group"):
        policy_of(policy)
