"""The states of background work: every step is named, and nothing else is a step."""

import pytest

from evidence_vault.core.states import STEPS, JobState, check_step
from evidence_vault.errors import IntegrityError


@pytest.mark.parametrize("kind", sorted(STEPS))
def test_every_state_that_can_be_reached_is_drawn(kind: str) -> None:
    steps = STEPS[kind]
    reached = {JobState.READY} | {new for following in steps.values() for new in following}
    assert reached == set(steps)


@pytest.mark.parametrize("kind", sorted(STEPS))
def test_check_step_allows_exactly_what_is_drawn(kind: str) -> None:
    for old in STEPS[kind]:
        for new in JobState:
            if new in STEPS[kind][old]:
                check_step(kind, old, new)
            else:
                with pytest.raises(IntegrityError):
                    check_step(kind, old, new)


def test_final_may_only_be_lost() -> None:
    assert STEPS["anchor"][JobState.FINAL] == {JobState.LOST}
