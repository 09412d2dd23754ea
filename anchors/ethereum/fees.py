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


@value
class Limits:
    """The most that is offered, in wei for a unit of gas: in all, and of that for the block's maker."""

    max_fee: int
    priority_fee: int


def offer(*, base_fee: int, priority_fee: int, limits: Limits) -> Fees | None:
    """A first offer: good for a base fee that doubles (six full blocks in a row); None above the limits."""
    if base_fee + priority_fee > limits.max_fee or priority_fee > limits.priority_fee:
        return None
    return Fees(max_fee=min(2 * base_fee + priority_fee, limits.max_fee), priority_fee=priority_fee)


def raised_offer(before: Fees, *, base_fee: int, priority_fee: int, limits: Limits) -> Fees | None:
    """An offer that replaces `before`: both fees an eighth higher at least; None if that is above the limits."""
    least = Fees(max_fee=_raised(before.max_fee), priority_fee=_raised(before.priority_fee))
    if least.max_fee > limits.max_fee or least.priority_fee > limits.priority_fee:
        return None
    return Fees(
        max_fee=min(max(least.max_fee, 2 * base_fee + priority_fee), limits.max_fee),
        priority_fee=min(max(least.priority_fee, priority_fee), limits.priority_fee, limits.max_fee),
    )


def _raised(fee: int) -> int:
    return -(-fee * _BUMP_NUMERATOR // _BUMP_DENOMINATOR)
