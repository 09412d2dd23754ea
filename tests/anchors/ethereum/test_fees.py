from hypothesis import given
from hypothesis import strategies as st

from anchors.ethereum.fees import Fees, offer, raised_offer

GWEI = 10**9
_FEE = st.integers(0, 1000 * GWEI)


def test_offer_covers_a_base_fee_that_doubles() -> None:
    assert offer(base_fee=30 * GWEI, priority_fee=2 * GWEI, limit=200 * GWEI) == Fees(
        max_fee=62 * GWEI, priority_fee=2 * GWEI
    )


@given(_FEE, _FEE, _FEE)
def test_offer_is_never_above_the_limit_and_always_payable(base_fee: int, tip: int, limit: int) -> None:
    fees = offer(base_fee=base_fee, priority_fee=tip, limit=limit)
    if fees is None:
        assert base_fee + tip > limit
    else:
        assert base_fee + tip <= fees.max_fee <= limit


@given(st.integers(1, 1000 * GWEI), _FEE, _FEE, _FEE, _FEE)
def test_raised_offer_is_a_tenth_more_on_both_fees_or_nothing(
    max_fee: int, priority_fee: int, base_fee: int, tip: int, limit: int
) -> None:
    before = Fees(max_fee=max_fee, priority_fee=min(priority_fee, max_fee))
    raised = raised_offer(before, base_fee=base_fee, priority_fee=tip, limit=limit)
    if raised is None:
        return
    assert raised.max_fee * 10 >= before.max_fee * 11
    assert raised.priority_fee * 10 >= before.priority_fee * 11
    assert raised.priority_fee <= raised.max_fee <= limit
