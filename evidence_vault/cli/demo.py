"""`evidence-vault demo DIR`: says at once that it has begun; what it shows is in `demonstration`, slow to load."""

import argparse
import importlib
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("folder", type=Path, nargs="?", default=Path(".demo"), help="default: .demo")


def run(args: argparse.Namespace) -> int:
    """Run the demonstration; 0 if it went as it must."""
    print(f"Evidence Vault, the main job on real input, in {args.folder}. About half a minute.", flush=True)
    demonstration = importlib.import_module("evidence_vault.cli.demonstration")
    return int(demonstration.demonstrate(args.folder))
