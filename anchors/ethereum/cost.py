"""What anchoring costs: gas times price, told before it is spent. Pure arithmetic; prices in wei for a unit of gas.

Gas as measured on the contract of this version; a test measures again. A fork may reprice it: what is sent is
always estimated by a node, and never offered for more than the settings' limit.
"""

from decimal import Decimal

from anchors.ethereum.network import GWEI

DEPLOY_GAS = 130_586
FIRST_GAS = 46_123
NEXT_GAS = 29_023
"""A sender's first anchor writes a new storage slot; each later one changes it."""

ETHER = 10**18
DAY_S = 86_400


def anchors_per_day(interval_s: float) -> int:
    """The most anchors in a day, one each `interval_s` seconds: each costs, whether or not much waited for it."""
    return max(1, int(DAY_S / interval_s))


def cost_per_day(*, interval_s: float, gas_price_wei: int) -> int:
    """The most that a day costs, in wei."""
    return anchors_per_day(interval_s) * NEXT_GAS * gas_price_wei


def lasts_days(*, balance_wei: int, interval_s: float, gas_price_wei: int) -> float:
    """How many days a balance lasts at the least."""
    return balance_wei / max(1, cost_per_day(interval_s=interval_s, gas_price_wei=gas_price_wei))


def in_ether(wei: int) -> str:
    """Wei as a person reads them: `0.00104 ETH`, four significant digits."""
    return f"{Decimal(f'{Decimal(wei) / ETHER:.3e}'):f} ETH"


def in_gwei(wei: int) -> str:
    """A price as a person reads it: `1.5 gwei`."""
    return f"{Decimal(wei) / GWEI:f} gwei"
