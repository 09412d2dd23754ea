from hypothesis import given
from hypothesis import strategies as st

from anchors.ethereum.fees import Fees, Limits, offer, raised_offer

GWEI = 10**9
_FEE = st.integers(0, 1000 * GWEI)


def test_offer_covers_a_base_fee_that_doubles() -> None:
    assert offer(
        base_fee=30 * GWEI,
        priority_fee=2 * GWEI,
        limits=Limits(max_fee=200 * GWEI, priority_fee=5 * GWEI),
    ) == Fees(max_fee=62 * GWEI, priority_fee=2 * GWEI)


@given(_FEE, _FEE, _FEE, _FEE)
def test_offer_is_never_above_a_limit_and_always_payable(
    base_fee: int, tip: int, limit: int, tip_limit: int
) -> None:
    limits = Limits(max_fee=limit, priority_fee=tip_limit)
    fees = offer(base_fee=base_fee, priority_fee=tip, limits=limits)
    if fees is None:
        assert base_fee + tip > limit or tip > tip_limit
    else:
        assert base_fee + tip <= fees.max_fee <= limit
        assert fees.priority_fee <= tip_limit


@given(st.integers(1, 1000 * GWEI), _FEE, _FEE, _FEE, st.tuples(_FEE, _FEE))
def test_raised_offer_is_a_tenth_more_on_both_fees_or_nothing(
    max_fee: int, priority_fee: int, base_fee: int, tip: int, limit: tuple[int, int]
) -> None:
    before = Fees(max_fee=max_fee, priority_fee=min(priority_fee, max_fee))
    limits = Limits(max_fee=limit[0], priority_fee=limit[1])
    raised = raised_offer(before, base_fee=base_fee, priority_fee=tip, limits=limits)
    if raised is None:
        return
    assert raised.max_fee * 10 >= before.max_fee * 11
    assert raised.priority_fee * 10 >= before.priority_fee * 11
    assert raised.priority_fee <= min(raised.max_fee, limit[1])
    assert raised.max_fee <= limit[0]
