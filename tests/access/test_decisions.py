"""Every role × action × state, against the matrix written down a second time; and the edges of each check."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchors.values import replace
from evidence_vault.access.decisions import (
    NotPermitted,
    decide_on_deposit,
    decide_on_item,
)
from evidence_vault.access.facts import GrantFacts, ItemFacts, Requester, Rules
from evidence_vault.access.matrix import (
    ALL_SCOPES,
    BENCH_ACTIONS,
    GRANTABLE,
    RULES,
    SCOPES,
    Action,
)
from evidence_vault.core.events import ROLES
from evidence_vault.errors import AccessRefused

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ME, OTHER = "ac_me", "ac_other"
PEOPLE = [role for role in ROLES if role != "SYSTEM"]
ACTIONS: tuple[Action, ...] = get_args(Action)
ON_ITEMS = [action for action in ACTIONS if action not in ("deposit", "manage", "open-secret")]
ALL_NAMED = frozenset((*GRANTABLE, *BENCH_ACTIONS))


def person(role: str, actor_id: str = ME, scopes: tuple[str, ...] = ALL_SCOPES) -> Requester:
    return Requester(actor_id=actor_id, role=role, scopes=frozenset(scopes), auth="token")


def grant(role: str, **changes: object) -> GrantFacts:
    facts = GrantFacts(
        id="gr_1",
        grantee_id=ME,
        grantee_role=role,
        actions=ALL_NAMED,
        not_before=NOW - DAY,
        expires_at=NOW + DAY,
        confirmed_at=NOW - DAY,
        holder_id=OTHER,
        case_id="cs_1",
    )
    return replace(facts, **changes)


def item(*grants: GrantFacts, **changes: object) -> ItemFacts:
    return replace(ItemFacts(item_id="it_1", owner_id=OTHER, grants=grants), **changes)


STATES: dict[str, Callable[[str], ItemFacts]] = {
    "nothing": lambda role: item(),
    "own": lambda role: item(owner_id=ME),
    "own, secret": lambda role: item(owner_id=ME, secret=True),
    "own, in mediation": lambda role: item(owner_id=ME, compartments=frozenset({"cs_9"})),
    "party": lambda role: item(party_in=frozenset({"cs_1"})),
    "granted": lambda role: item(grant(role)),
    "granted, onward": lambda role: item(grant(role, onward=True)),
    "on the bench": lambda role: item(grant(role, whole_case=True)),
    "not yet": lambda role: item(grant(role, not_before=NOW + DAY / 2)),
    "expired": lambda role: item(grant(role, expires_at=NOW)),
    "revoked": lambda role: item(grant(role, revoked=True)),
    "somebody else's grant": lambda role: item(grant(role, grantee_id=OTHER)),
    "other role": lambda role: item(grant("AT" if role != "AT" else "NO")),
    "other organisation": lambda role: item(grant(role, organisation_id="og_1")),
    "login taken over": lambda role: item(grant(role, trusted_since=NOW)),
    "secret, no undertaking": lambda role: item(grant(role), secret=True),
    "secret, undertaking": lambda role: item(grant(role, undertaken=True), secret=True),
    "views used up": lambda role: item(grant(role, views_left=0)),
    "mediation, inside": lambda role: item(grant(role), compartments=frozenset({"cs_1"})),
    "mediation, elsewhere": lambda role: item(grant(role), compartments=frozenset({"cs_9"})),
    "mediation, no case": lambda role: item(grant(role, case_id=None), compartments=frozenset({"cs_9"})),
    "mediation, opened": lambda role: item(
        grant(role), compartments=frozenset({"cs_9"}), opened_for=frozenset({"cs_1"})
    ),
    "mediation, opened for another": lambda role: item(
        grant(role), compartments=frozenset({"cs_9"}), opened_for=frozenset({"cs_8"})
    ),
    "of the owner before": lambda role: item(grant(role, holder_id="ac_former")),
    "two sides": lambda role: item(grant(role, other_side=True)),
    "let in as the other expert too": lambda role: item(
        grant(role), grant({"AP": "TI", "TI": "AP"}.get(role, role), id="gr_2")
    ),
    "was the other expert in its case": lambda role: item(
        grant(role), experts=frozenset({"AP": {"TI"}, "TI": {"AP"}}.get(role, set()))
    ),
    "opinion, own": lambda role: item(owner_id=ME, opinion_in="cs_1"),
    "opinion, own, not sealed yet": lambda role: item(owner_id=ME),
    "opinion, sealed, on its bench": lambda role: item(grant(role, whole_case=True), opinion_in="cs_1"),
    "opinion, sealed, on another bench": lambda role: item(
        grant(role, whole_case=True, case_id="cs_2"), opinion_in="cs_1"
    ),
    "opinion, sealed, granted": lambda role: item(grant(role), opinion_in="cs_1"),
    "opinion, sealed, under an order": lambda role: item(
        grant(role, order_id="gr_9", holder_id=None), opinion_in="cs_1"
    ),
    "opinion, sealed, party": lambda role: item(party_in=frozenset({"cs_1"}), opinion_in="cs_1"),
    "opinion, unsealed, party": lambda role: item(
        party_in=frozenset({"cs_1"}), opinion_in="cs_1", unsealed=True
    ),
    "opinion, unsealed, party of another case": lambda role: item(
        party_in=frozenset({"cs_2"}), opinion_in="cs_1", unsealed=True
    ),
    "opinion, unsealed, granted": lambda role: item(grant(role), opinion_in="cs_1", unsealed=True),
    "opinion, unsealed, under an order": lambda role: item(
        grant(role, order_id="gr_9", holder_id=None), opinion_in="cs_1", unsealed=True
    ),
    "foreign": lambda role: item(grant(role, jurisdiction="us")),
}
"""What there may be between somebody in a role and an item."""

GRANTED = {
    "see-metadata": "AT NO AP TI AM JU CL",
    "open-content": "AT NO AP TI AM JU",
    "export": "AT NO AP AM JU CL",
    "read-custody": "AT NO AP TI AM JU CL AU",
    "attest": "NO AP",
    "object": "AT",
}
NOTHING = {"read-custody": "AU", "attest": "NO AP"}
KEPT = {"read-custody": "AU"}
OWN = {
    "see-metadata": "RH NO AP TI CL",
    "open-content": "RH NO AP TI",
    "export": "RH NO AP",
    "read-custody": "RH NO AP TI CL AU",
    "grant": "RH",
    "hold": "RH",
    "attest": "",
}
AUTHOR = {"see-metadata": "TI", "open-content": "TI", "read-custody": "TI AU"}
ONE_SIDE = {
    action: " ".join(role for role in roles.split() if role not in ("AP", "TI"))
    for action, roles in GRANTED.items()
}

EXPECTED: dict[str, dict[str, str]] = {
    "nothing": NOTHING,
    "own": OWN,
    "own, secret": OWN,
    "own, in mediation": OWN,
    "party": {**NOTHING, "object": "RH"},
    "granted": GRANTED,
    "granted, onward": {**GRANTED, "grant": "AT"},
    "on the bench": {
        "see-metadata": "TI AM JU CL",
        "open-content": "TI AM JU",
        "export": "AM JU CL",
        "read-custody": "TI AM JU CL AU",
        "attest": "NO AP",
        "hold": "AM JU CL",
        "order": "AM JU CL",
        "object": "AM JU CL",
        "unseal": "AM JU",
    },
    "not yet": NOTHING,
    "expired": NOTHING,
    "revoked": NOTHING,
    "somebody else's grant": NOTHING,
    "other role": NOTHING,
    "other organisation": NOTHING,
    "login taken over": NOTHING,
    "secret, no undertaking": {**GRANTED, "open-content": "TI JU", "export": "JU CL"},
    "secret, undertaking": GRANTED,
    "views used up": {**GRANTED, "open-content": "", "export": "CL"},
    "mediation, inside": {**GRANTED, "export": ""},
    "mediation, elsewhere": KEPT,
    "mediation, no case": KEPT,
    "mediation, opened": GRANTED,
    "mediation, opened for another": KEPT,
    "of the owner before": NOTHING,
    "two sides": KEPT,
    "let in as the other expert too": ONE_SIDE,
    "was the other expert in its case": ONE_SIDE,
    "opinion, own": AUTHOR,
    "opinion, own, not sealed yet": OWN,
    "opinion, sealed, on its bench": {
        "see-metadata": "TI AM JU CL",
        "open-content": "TI AM JU",
        "export": "AM JU CL",
        "read-custody": "TI AM JU CL AU",
        "hold": "AM JU CL",
        "order": "AM JU CL",
        "object": "AM JU CL",
        "unseal": "AM JU",
    },
    "opinion, sealed, on another bench": KEPT,
    "opinion, sealed, granted": KEPT,
    "opinion, sealed, under an order": KEPT,
    "opinion, sealed, party": KEPT,
    "opinion, unsealed, party": {
        **NOTHING,
        "see-metadata": "RH",
        "open-content": "RH",
        "read-custody": "RH AU",
        "object": "RH",
    },
    "opinion, unsealed, party of another case": {**NOTHING, "object": "RH"},
    "opinion, unsealed, granted": NOTHING,
    "opinion, unsealed, under an order": GRANTED,
    "foreign": NOTHING,
}
"""Who may do what, by state: the matrix again, in other words and by another hand than RULES."""


def decide(action: Action, who: Requester, facts: ItemFacts | None, **rules: bool) -> object:
    return decide_on_item(
        action, who, facts, asked_id="it_1", now=NOW, rules=Rules(cross_border=False, **rules)
    )


def combinations() -> Iterator[tuple[str, str, Action]]:
    for state in STATES:
        for role in [*PEOPLE, "SYSTEM", "??"]:
            for action in ON_ITEMS:
                yield state, role, action


def test_decide_on_item_walks_the_whole_matrix() -> None:
    assert STATES.keys() == EXPECTED.keys()
    wrong = []
    for state, role, action in combinations():
        try:
            decide(action, person(role), STATES[state](role))
            allowed = True
        except AccessRefused:
            allowed = False
        if allowed != (role in EXPECTED[state].get(action, "").split()):
            wrong.append((state, role, action, allowed))
    assert not wrong


def test_rules_table_has_every_action_and_role_and_known_letters() -> None:
    header, *rows = (line.split() for line in RULES.strip().splitlines())
    assert header[1:] == PEOPLE
    assert [row[0] for row in rows] == list(ACTIONS)
    assert set(SCOPES) == set(ACTIONS)
    assert all(set("".join(row[1:])) <= set("YOGWUNCFDPERS2-") for row in rows)


def test_administrator_has_no_letter_for_evidence() -> None:
    for state, make in STATES.items():
        for action in ON_ITEMS:
            with pytest.raises(AccessRefused):
                decide(action, person("AD"), make("AD"))
            assert "AD" not in EXPECTED[state].get(action, "").split()


def test_decide_on_item_forbidden_and_unknown_are_one_answer() -> None:
    for state, role, action in combinations():
        if role in EXPECTED[state].get(action, "").split():
            continue
        with pytest.raises(AccessRefused) as forbidden:
            decide(action, person(role), STATES[state](role))
        with pytest.raises(AccessRefused) as unknown:
            decide(action, person(role), None)
        assert type(forbidden.value) is type(unknown.value) is AccessRefused
        assert str(forbidden.value) == str(unknown.value)


@pytest.mark.parametrize("action", ON_ITEMS)
@pytest.mark.parametrize("facts", [item(owner_id=ME), item(), None])
def test_decide_on_item_token_too_narrow_refused_before_the_item(
    action: Action, facts: ItemFacts | None
) -> None:
    narrow = tuple(scope for scope in ALL_SCOPES if scope != SCOPES[action])
    with pytest.raises(NotPermitted) as caught:
        decide(action, person("RH", scopes=narrow), facts)
    assert caught.value.missing_scope == SCOPES[action]


@pytest.mark.parametrize("action", GRANTABLE)
def test_grant_that_does_not_name_the_action_is_worth_nothing_for_it(action: Action) -> None:
    if action == "deposit":
        return
    roles = GRANTED[action].split()
    for role in roles:
        if role == "AU" or (action == "attest" and role != "TI"):
            continue  # by office
        rest = ALL_NAMED - {action}
        with pytest.raises(AccessRefused) as caught:
            decide(action, person(role), item(grant(role, actions=rest)))
        assert caught.value.reason == "action"


def test_export_of_content_needs_leave_to_open_it() -> None:
    only = frozenset({"export"})
    with pytest.raises(AccessRefused):
        decide("export", person("JU"), item(grant("JU", actions=only)))
    docket = decide("export", person("CL"), item(grant("CL", actions=only)))
    assert docket.without_content  # type: ignore[attr-defined]
    assert decide("export", person("JU"), item(grant("JU", actions=only), has_content=False))


def test_refusal_tells_its_reason_to_the_history_alone() -> None:
    for state, reason in {
        "expired": "expired",
        "revoked": "revoked",
        "not yet": "not-yet",
        "other organisation": "organisation",
        "login taken over": "identity",
        "mediation, elsewhere": "mediation",
        "two sides": "two-sides",
        "foreign": "cross-border",
    }.items():
        with pytest.raises(AccessRefused) as caught:
            decide("open-content", person("JU"), STATES[state]("JU"))
        assert (caught.value.reason, caught.value.grant) == (reason, "gr_1")
        assert reason not in str(caught.value)


def test_refusal_names_the_newest_grant_that_was_about_this() -> None:
    day = timedelta(days=1)
    old = grant("AT", id="gr_1", revoked=True, confirmed_at=NOW - 3 * day)
    new = grant("AT", id="gr_2", expires_at=NOW - day / 2, confirmed_at=NOW - 2 * day)
    other = grant("AT", id="gr_3", actions=frozenset({"object"}))
    for order in ((old, new, other), (other, new, old), (new, old, other)):
        with pytest.raises(AccessRefused) as caught:
            decide("open-content", person("AT"), item(*order))
        assert (caught.value.reason, caught.value.grant) == ("expired", "gr_2")


def test_foreign_grant_counts_where_the_deployer_allows_it() -> None:
    facts = STATES["foreign"]("JU")
    permission = decide_on_item(
        "open-content", person("JU"), facts, asked_id="it_1", now=NOW, rules=Rules(cross_border=True)
    )
    assert permission.grant == "gr_1"


def test_nobody_attests_his_own() -> None:
    facts = item(grant("NO"), owner_id=ME)
    with pytest.raises(AccessRefused) as caught:
        decide("attest", person("NO"), facts)
    assert caught.value.reason == "own"


def test_several_grants_one_that_is_dead_hides_none_that_lives() -> None:
    facts = item(grant("AT", id="gr_0", revoked=True), grant("AT"))
    assert decide("open-content", person("AT"), facts).grant == "gr_1"  # type: ignore[attr-defined]
    limited = item(grant("AT", id="gr_0", views_left=5), grant("AT"))
    assert not decide("open-content", person("AT"), limited).counts  # type: ignore[attr-defined]


def test_under_an_order_the_basis_says_so() -> None:
    permission = decide("open-content", person("AT"), item(grant("AT", order_id="gr_9", holder_id=None)))
    assert (permission.basis, permission.grant, permission.case) == ("order", "gr_1", "cs_1")  # type: ignore[attr-defined]


def test_acting_for_a_holder_needs_his_grant() -> None:
    for_other = replace(person("AT"), on_behalf_of=OTHER)
    assert decide("open-content", for_other, item(grant("AT")))
    for_third = replace(person("AT"), on_behalf_of="ac_third")
    with pytest.raises(AccessRefused) as caught:
        decide("open-content", for_third, item(grant("AT")))
    assert caught.value.reason == "delegation"
    with pytest.raises(AccessRefused):
        decide("see-metadata", replace(person("RH"), on_behalf_of=OTHER), item(owner_id=ME))


def test_decide_on_deposit_who_may() -> None:
    for role in PEOPLE:
        if role in ("RH", "NO", "AP", "CL"):
            decide_on_deposit(person(role))
            continue
        with pytest.raises(NotPermitted) as caught:
            decide_on_deposit(person(role))
        assert caught.value.missing_scope is None


def test_decide_on_deposit_lawyer_for_a_holder_by_his_mandate() -> None:
    lawyer = replace(person("AT"), on_behalf_of=OTHER)
    decide_on_deposit(lawyer, [grant("AT", whole_case=True)], now=NOW)
    for wrong in (
        grant("AT", holder_id="ac_third"),
        grant("AT", revoked=True),
        grant("AT", expires_at=NOW),
        grant("AT", actions=ALL_NAMED - {"deposit"}),
        grant("NO"),
        grant("AT", grantee_id=OTHER),
    ):
        with pytest.raises(NotPermitted):
            decide_on_deposit(lawyer, [wrong], now=NOW)
    with pytest.raises(NotPermitted):
        decide_on_deposit(replace(person("RH"), on_behalf_of=OTHER), [grant("AT")], now=NOW)


def test_decide_on_deposit_investigator_by_his_seat() -> None:
    decide_on_deposit(person("TI"), [grant("TI", whole_case=True)], now=NOW)
    for wrong in (
        grant("TI"),
        grant("TI", whole_case=True, revoked=True),
        grant("TI", whole_case=True, expires_at=NOW),
        grant("JU", whole_case=True),
        grant("TI", whole_case=True, grantee_id=OTHER),
    ):
        with pytest.raises(NotPermitted):
            decide_on_deposit(person("TI"), [wrong], now=NOW)


def test_decide_on_deposit_token_too_narrow_refused() -> None:
    with pytest.raises(NotPermitted) as caught:
        decide_on_deposit(person("RH", scopes=("read", "content", "export")))
    assert caught.value.missing_scope == "deposit"


@given(
    role=st.sampled_from(PEOPLE),
    action=st.sampled_from(ON_ITEMS),
    seconds=st.integers(-(10**6), 10**6),
    until=st.integers(-(10**6), 10**6),
    revoked=st.booleans(),
)
def test_no_grant_outlives_its_time(
    role: str, action: Action, seconds: int, until: int, revoked: bool
) -> None:
    one = grant(
        role,
        not_before=NOW + timedelta(seconds=seconds),
        expires_at=NOW + timedelta(seconds=until),
        revoked=revoked,
        whole_case=role in ("TI", "AM", "JU", "CL"),
    )
    if seconds <= 0 < until and not revoked:
        return
    try:
        permission = decide(action, person(role), item(one))
    except AccessRefused:
        return
    assert permission.grant is None  # type: ignore[attr-defined]
