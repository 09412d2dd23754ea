"""`evidence-vault fixity show | check ITEM… | sweep`: for the operator, on the vault's own machine.

sweep 3 goes on since 2026-11-22T16:37:00.000Z: 1042 contents read, 1 of them failed
not sound: 1
  it_01hzx3v9k2m8q4r6t7w5y0abcd  altered
"""

import argparse

from evidence_vault.cli.home import add_home_argument
from evidence_vault.core.names import ITEM_ID, encode_time
from evidence_vault.pipeline.custody.looks import check_now
from evidence_vault.pipeline.custody.sweep import ask_for_sweep
from evidence_vault.pipeline.operation.start import check_start
from evidence_vault.pipeline.vault import Vault, build_vault
from evidence_vault.settings import load_settings
from evidence_vault.store.custody_models import SOUND
from evidence_vault.store.queries import sweep
from evidence_vault.store.schema import require_current

FAILED = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="show|check|sweep")
    show = commands.add_parser("show", help="how far the sweep is, and what failed")
    check = commands.add_parser("check", help="read these contents now; 2 if any is not sound")
    check.add_argument("item", nargs="+", help="an item's id, it_…")
    again = commands.add_parser("sweep", help="have the vault read all contents again now")
    for one in (show, check, again):
        add_home_argument(one)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    vault = build_vault(load_settings(args.home))
    try:
        require_current(vault.database)
        match args.action:
            case "check":
                check_start(vault)
                return _check(vault, args.item)
            case "sweep":
                ask_for_sweep(vault)
                print("The running vault begins a sweep within seconds, or when the present one is through.")
            case _:
                _show(vault)
    finally:
        vault.database.dispose()
    return 0


def _check(vault: Vault, item_ids: list[str]) -> int:
    worst = 0
    for item_id in item_ids:
        ITEM_ID.check(item_id, "item")
        with vault.database.read() as session:
            content = sweep.content_of(session, item_id)
        if content is None:
            print(f"{item_id}  no content is kept")
        else:
            look, _ = check_now(vault, content)
            found = f", SHA-256 {look.found_sha256.hex()}" if look.found_sha256 else ""
            print(f"{item_id}  {look.state}{found}")
            worst = worst if look.state == SOUND else FAILED
    return worst


def _show(vault: Vault) -> None:
    with vault.database.read() as session:
        state = sweep.fixity_state(session)
        checks = sweep.checks_of(session, state.failing)
    last = state.sweep
    if last is None or last.number == 0:
        print("no sweep yet")
    else:
        finished = last.finished_at
        when = "goes on" if finished is None else f"finished {encode_time(finished)},"
        read = f"{last.items} contents read, {last.failed} of them failed"
        print(f"sweep {last.number} {when} since {encode_time(last.started_at)}: {read}")
    print(f"not sound: {state.failures}")
    for item_id in state.failing:
        print(f"  {item_id}  {checks[item_id].state}")
