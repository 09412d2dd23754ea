"""Runs what a vault's workers would, without their threads."""

from collections.abc import Mapping

from evidence_vault.pipeline.vault import Vault
from evidence_vault.workers.runner import Work, advance_due, advance_log


def run_once(vault: Vault, work: Mapping[str, Work]) -> None:
    """Drain all that is due at this moment of the clock, in this thread."""
    moved = True
    while moved:
        moved = advance_log(vault)
        for kind, one in work.items():
            for choice in one.choices:
                while advance_due(vault, kind, one.stage, owner="run-once", choice=choice):
                    moved = True
