"""A row of the bench: one figure of ours beside one of somebody else's, from the same run.

    {"name": "verify_cold", "value": 0.21, "unit": "s", "reference": "openssl ts -verify", "reference_value": 0.009,
     "ratio": 23.3}

ratio = value / reference_value. For rates more is better, for times, bytes and gas less.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from anchors.values import value


@value
class Row:
    """One figure. reference: what `reference_value` was measured on; both in `unit`."""

    name: str
    value: float
    unit: str
    reference: str
    reference_value: float

    @property
    def ratio(self) -> float:
        """Ours by theirs."""
        return self.value / self.reference_value


def encode_rows(rows: Iterable[Row]) -> str:
    """Return the rows as a JSON list, one a line."""
    lines = (
        json.dumps(
            {
                "name": row.name,
                "value": _rounded(row.value),
                "unit": row.unit,
                "reference": row.reference,
                "reference_value": _rounded(row.reference_value),
                "ratio": _rounded(row.ratio),
            }
        )
        for row in rows
    )
    return "[\n  " + ",\n  ".join(lines) + "\n]\n"


def save_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write the rows to a file, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(encode_rows(rows), "utf-8")


def table(rows: Sequence[Row]) -> str:
    """Return the rows as lines for people."""
    lines = [f"{'name':<24} {'value':>12} {'unit':<10} {'reference':<44} {'its value':>12} {'ratio':>9}"]
    lines += [
        f"{row.name:<24} {_shown(row.value):>12} {row.unit:<10} {row.reference:<44} "
        f"{_shown(row.reference_value):>12} {_shown(row.ratio):>9}"
        for row in rows
    ]
    return "\n".join(lines)


def _rounded(number: float) -> float:
    return float(f"{number:.4g}")


def _shown(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"
