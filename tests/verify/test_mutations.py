"""Every mutation, as it is and re-sealed step by step: which check says so.

raw        the file alone: the bag's digests tell
bag        and the bag's manifests: parts.txt tells
parts      and parts.txt: EXPORTED tells
exported   and EXPORTED: the log tells, of which EXPORTED is a leaf
forged     and everything else, with keys, authorities and a chain of the attacker's own: nobody vouches for it
"""

import pytest

from evidence_vault.verify.report import Verdict
from tests.verify.asking import ask, flaws, outcome
from tests.verify.forging import forge
from tests.verify.handmade import Sealed, good_bundle
from tests.verify.mutations import ALL, Mutation
from tests.verify.resealing import assert_named_at_every_step

FORGEABLE = [m for m in ALL if not m.unreadable and m.name != "seq 0 removed"]
NEVER = {Verdict.TOTAL_PASSED, Verdict.DEVELOPMENT_PASSED}


@pytest.fixture(scope="module")
def good() -> Sealed:
    return good_bundle().with_bag()


@pytest.mark.parametrize("mutation", ALL, ids=lambda mutation: mutation.name)
def test_mutation_is_named_at_every_step_of_resealing(good: Sealed, mutation: Mutation) -> None:
    assert_named_at_every_step(good, mutation)


@pytest.mark.parametrize("mutation", FORGEABLE, ids=lambda mutation: mutation.name)
def test_mutation_in_a_log_of_the_attackers_own_is_indeterminate(good: Sealed, mutation: Mutation) -> None:
    forged = forge(good, mutation.files(good))
    policy = good.vault.policy()
    report = ask(forged, policy)
    verdict = Verdict.TOTAL_FAILED if mutation.lasts else Verdict.INDETERMINATE
    assert report.verdict is verdict, outcome(report)
    assert "4:log.unknown-key" in flaws(report)


def test_forged_bundle_agrees_with_itself(good: Sealed) -> None:
    """So that it is the keys, and nothing else, that keep the attacker's bundle from passing."""
    forged = forge(good, good.files)
    assert outcome(ask(forged, forged.vault.policy())) == "TOTAL-PASSED"
