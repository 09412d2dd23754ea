"""`evidence-vault incident list | note | end`: for the operator, on the vault's own machine.

outage-91c0…  outage  2026-11-20T08:00:00.000Z to 2026-11-20T11:30:00.000Z  The vault gave no sign of life.
"""

import argparse

from evidence_vault.cli.home import add_home_argument
from evidence_vault.cli.shown import shown_line
from evidence_vault.core.event_types.form import PARAGRAPH
from evidence_vault.core.names import CODE, encode_time, parse_time
from evidence_vault.pipeline.operation.start import check_start
from evidence_vault.pipeline.platform.incidents import Incident, end_incident, incidents_of, tell_incident
from evidence_vault.pipeline.vault import build_vault
from evidence_vault.settings import load_settings
from evidence_vault.store.schema import require_current


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="list|note|end")
    lister = commands.add_parser("list", help="show all incidents")
    note = commands.add_parser("note", help="tell what happened; name no person and no item")
    note.add_argument("--kind", required=True, help="a code word, such as hosting")
    note.add_argument("--from", dest="began", required=True, help="when it began, 2026-11-20T08:00:00.000Z")
    note.add_argument("--until", help="when it ended; left out while it lasts, or if nobody knows")
    note.add_argument("summary", help="what happened, in a paragraph")
    end = commands.add_parser("end", help="tell when an incident ended")
    end.add_argument("name", help="its name from `incident list`")
    end.add_argument("--at", required=True, help="when it ended, 2026-11-20T11:30:00.000Z")
    for one in (lister, note, end):
        add_home_argument(one)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    vault = build_vault(load_settings(args.home))
    try:
        require_current(vault.database)
        match args.action:
            case "note":
                CODE.check(args.kind, "--kind")
                PARAGRAPH.check(args.summary, "summary")
                check_start(vault)
                _show(
                    tell_incident(
                        vault,
                        kind=args.kind,
                        began_at=parse_time(args.began, place="--from"),
                        ended_at=None if args.until is None else parse_time(args.until, place="--until"),
                        summary=args.summary,
                    )
                )
            case "end":
                check_start(vault)
                _show(end_incident(vault, args.name, ended_at=parse_time(args.at, place="--at")))
            case _:
                with vault.database.read() as session:
                    for incident in incidents_of(session).values():
                        _show(incident)
    finally:
        vault.database.dispose()
    return 0


def _show(incident: Incident) -> None:
    ended = "no end" if incident.ended_at is None else encode_time(incident.ended_at)
    when = f"{encode_time(incident.began_at)} to {ended}"
    print(f"{incident.name}  {incident.kind}  {when}  {shown_line(incident.summary)}")
