"""What a transaction offers (EIP-1559): pure arithmetic over what the chain says.

`max_fee` is the most that is paid for a unit of gas, `priority_fee` the part for the block's maker; in wei.
"""

from anchors.values import value

_BUMP_NUMERATOR, _BUMP_DENOMINATOR = 9, 8  # an eighth more; nodes ask for a tenth on both fees


@value
class Fees:
    """An offer, in wei for a unit of gas."""

    max_fee: int
    priority_fee: int


def offer(*, base_fee: int, priority_fee: int, limit: int) -> Fees | None:
    """A first offer: good for a base fee that doubles (six full blocks in a row); None above `limit`."""
    if base_fee + priority_fee > limit:
        return None
    return Fees(max_fee=min(2 * base_fee + priority_fee, limit), priority_fee=priority_fee)


def raised_offer(before: Fees, *, base_fee: int, priority_fee: int, limit: int) -> Fees | None:
    """An offer that replaces `before`: both fees an eighth higher at least; None if that is above `limit`."""
    raised = Fees(
        max_fee=max(_raised(before.max_fee), 2 * base_fee + priority_fee),
        priority_fee=max(_raised(before.priority_fee), priority_fee),
    )
    least = _raised(before.max_fee)
    if least > limit:
        return None
    return Fees(max_fee=min(raised.max_fee, limit), priority_fee=min(raised.priority_fee, limit))


def _raised(fee: int) -> int:
    return -(-fee * _BUMP_NUMERATOR // _BUMP_DENOMINATOR)
