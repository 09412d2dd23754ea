"""`python -m bench [--short] [--only PART …] [--out FILE]`: measure, print a table, write the rows as JSON."""

import argparse
import importlib
import time
from collections.abc import Mapping
from pathlib import Path

from bench.rows import Row, save_rows, table

PARTS: Mapping[str, str] = {
    "upload": "bench.upload",
    "deposit": "bench.deposit",
    "sequence": "bench.sequencing",
    "verify": "bench.verifying",
    "proofs": "bench.proofs",
    "fsck": "bench.checking",
    "tokens": "bench.tokens",
    "anchors": "bench.anchoring",
}
"""Each has `measure(*, short: bool) -> Iterable[Row]`."""

LONG = ("fsck",)
"""Not measured unless it is named: it alone takes about ten minutes, and all the others must end within twenty."""

LATEST = Path(__file__).parent / "results" / "latest.json"


def main() -> None:
    """Run the parts one after the other, so that none disturbs another."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="small sizes: shows that it runs, not how fast")
    parser.add_argument("--only", nargs="+", choices=tuple(PARTS), metavar="PART")
    parser.add_argument("--out", type=Path, default=LATEST, help="where the rows go (default: %(default)s)")
    args = parser.parse_args()
    rows: list[Row] = []
    for part in args.only or [part for part in PARTS if part not in LONG]:
        began = time.monotonic()
        print(f"{part} …", flush=True)
        rows += importlib.import_module(PARTS[part]).measure(short=args.short)
        print(f"{part}: {time.monotonic() - began:.0f} s", flush=True)
    save_rows(args.out, rows)
    print(f"\n{table(rows)}\n\nwritten to {args.out}")


if __name__ == "__main__":
    main()
