"""The access table: every cell, every missing scope, and that refused and unknown are one answer."""

from typing import get_args

import pytest

from evidence_vault.access.decisions import (
    ALL_SCOPES,
    RULES,
    SCOPES,
    Action,
    ItemFacts,
    NotPermitted,
    Requester,
    decide_on_deposit,
    decide_on_item,
)
from evidence_vault.core.events import ROLES
from evidence_vault.errors import AccessRefused

PEOPLE = [role for role in ROLES if role != "SYSTEM"]
ACTIONS: tuple[Action, ...] = get_args(Action)
ON_ITEMS = [action for action in ACTIONS if action not in ("deposit", "attest")]
ITEM = ItemFacts(item_id="it_1", owner_id="ac_owner")


def person(role: str, actor_id: str = "ac_owner", scopes: tuple[str, ...] = ALL_SCOPES) -> Requester:
    return Requester(actor_id=actor_id, role=role, scopes=frozenset(scopes), auth="token")


def test_rules_table_names_every_action_and_role() -> None:
    header, *rows = (line.split() for line in RULES.strip().splitlines())
    assert header[1:] == PEOPLE
    assert [row[0] for row in rows] == list(ACTIONS)
    assert set(SCOPES) == set(ACTIONS)
    assert all(set(row[1:]) <= {"Y", "O", "-"} and len(row) == len(header) for row in rows)


@pytest.mark.parametrize("action", ON_ITEMS)
def test_decide_on_item_owner_allowed(action: Action) -> None:
    assert decide_on_item(action, person("RH"), ITEM, asked_id="it_1") == "owner"


@pytest.mark.parametrize("action", ON_ITEMS)
@pytest.mark.parametrize("role", [*PEOPLE, "SYSTEM", "??"])
def test_decide_on_item_stranger_refused(action: Action, role: str) -> None:
    with pytest.raises(AccessRefused):
        decide_on_item(action, person(role, "ac_other"), ITEM, asked_id="it_1")


@pytest.mark.parametrize("action", ON_ITEMS)
@pytest.mark.parametrize("role", [*PEOPLE[1:], "SYSTEM", "??"])
def test_decide_on_item_owner_in_another_role_refused(action: Action, role: str) -> None:
    with pytest.raises(AccessRefused):
        decide_on_item(action, person(role), ITEM, asked_id="it_1")


@pytest.mark.parametrize("action", ON_ITEMS)
def test_decide_on_item_forbidden_and_unknown_are_one_answer(action: Action) -> None:
    with pytest.raises(AccessRefused) as forbidden:
        decide_on_item(action, person("RH", "ac_other"), ITEM, asked_id="it_1")
    with pytest.raises(AccessRefused) as unknown:
        decide_on_item(action, person("RH", "ac_other"), None, asked_id="it_1")
    assert type(forbidden.value) is type(unknown.value) is AccessRefused
    assert str(forbidden.value) == str(unknown.value)


@pytest.mark.parametrize("action", ON_ITEMS)
@pytest.mark.parametrize("item", [ITEM, None])
def test_decide_on_item_token_too_narrow_refused_before_the_item(
    action: Action, item: ItemFacts | None
) -> None:
    narrow = tuple(scope for scope in ALL_SCOPES if scope != SCOPES[action])
    with pytest.raises(NotPermitted) as caught:
        decide_on_item(action, person("RH", scopes=narrow), item, asked_id="it_1")
    assert caught.value.missing_scope == SCOPES[action]


@pytest.mark.parametrize("role", [*PEOPLE, "SYSTEM", "??"])
@pytest.mark.parametrize("actor_id", ["ac_owner", "ac_other"])
def test_decide_on_item_notaries_and_appraisers_attest(role: str, actor_id: str) -> None:
    """By their office, which an owner has not; a technical investigator's opinion is sealed, and another thing."""
    if role in ("NO", "AP"):
        assert decide_on_item("attest", person(role, actor_id), ITEM, asked_id="it_1") == "role"
        with pytest.raises(AccessRefused):
            decide_on_item("attest", person(role, actor_id), None, asked_id="it_1")
    else:
        with pytest.raises(AccessRefused):
            decide_on_item("attest", person(role, actor_id), ITEM, asked_id="it_1")


def test_decide_on_deposit_rights_holder_only() -> None:
    decide_on_deposit(person("RH"))
    for role in [*PEOPLE[1:], "SYSTEM", "??"]:
        with pytest.raises(NotPermitted) as caught:
            decide_on_deposit(person(role))
        assert caught.value.missing_scope is None


def test_decide_on_deposit_token_too_narrow_refused() -> None:
    with pytest.raises(NotPermitted) as caught:
        decide_on_deposit(person("RH", scopes=("read", "content", "export")))
    assert caught.value.missing_scope == "deposit"
