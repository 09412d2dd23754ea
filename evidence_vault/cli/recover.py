"""`evidence-vault recover`: bring an older database up to what was published and the deposits beside it.

0 done, or nothing to do · 3 what is missing can't be recovered here: nothing was changed · 70 a content that came
back is not what its event says, or a pack can't be read; all else is done; and the codes of every command
"""

import argparse

from evidence_vault.cli.home import add_home_argument
from evidence_vault.cli.offline import offline_vault
from evidence_vault.cli.shown import shown
from evidence_vault.pipeline.operation.recover import Plan, Recovered, plan_recovery, recover
from evidence_vault.pipeline.operation.start import check_start

LOST, DAMAGED = 3, 70
MANY = 20
"""Lines shown of a long list."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_home_argument(parser)
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")


def run(args: argparse.Namespace) -> int:
    """Recover, or say what it would take."""
    with offline_vault(args.home) as vault:
        plan = plan_recovery(vault)
        _print_plan(plan)
        if plan.lost:
            return LOST
        unreadable = DAMAGED if plan.deposits.unreadable else 0
        if args.dry_run or not plan.is_needed:
            return unreadable
        done = recover(vault, plan)
        _print_done(done)
        for problem in check_start(vault).problems:
            print(f"still read-only: {shown(problem)}")
    return DAMAGED if done.damaged else unreadable


def _print_plan(plan: Plan) -> None:
    print(f"the database has {plan.head.size} leaves; the log was shown or signed up to {plan.target.size}")
    logged = len(plan.deposits.found) - len(plan.unlogged)
    print(f"to re-adopt: {plan.leaves} published leaves, {logged} deposits among them")
    print(f"to replay: {len(plan.unlogged)} deposits that no published leaf holds")
    _print_list("no journal of ours, left where it is:", plan.deposits.refused)
    _print_list("torn, as a crash leaves the end of a pack:", plan.deposits.torn)
    _print_list("CAN'T BE READ, and may hold deposits:", plan.deposits.unreadable)
    if plan.lost:
        lines = [f"leaf {one.index}, event {one.event_sha256.hex()}" for one in plan.lost]
        _print_list("lost:", lines)
        print(
            f"{len(plan.lost)} published leaves have no event in any journal here: nothing was changed, and the "
            "vault stays read-only. Restore a newer database, or the folders events/, blobs/ and packs/ of the "
            "vault that was lost."
        )


def _print_done(done: Recovered) -> None:
    print(f"done: {done.leaves} leaves, {done.deposits} logged deposits, {done.replayed} replayed")
    _print_list("content missing or changed:", done.damaged)
    if done.leaves or done.replayed:
        print(
            "As old as the backup are still: tokens of access and their revocation, idempotency keys of "
            "deposits without one in their journal, and requests for bundles. See `evidence-vault token list`."
        )


def _print_list(title: str, lines: tuple[str, ...] | list[str]) -> None:
    for line in lines[:MANY]:
        print(f"{title} {shown(line)}")
    if len(lines) > MANY:
        print(f"{title} and {len(lines) - MANY} more")
