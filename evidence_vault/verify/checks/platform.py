"""Rows 10 and 11: what the evidence leans on, and what the platform says of itself.

Row 10: the algorithms of the log and the events are adequate at the given time. Those of a token are judged with
the token, in row 5. Row 11: the platform's statement, and the incidents that overlap the time of the record. Both
statements are the operator's own; that they are in the log means only that he can't take them back.
"""

from datetime import UTC, datetime, time

from evidence_vault.core.canonical import as_list, as_text
from evidence_vault.core.events import Event, Subject
from evidence_vault.core.names import parse_time
from evidence_vault.verify.contents import Bundle
from evidence_vault.verify.report import Findings
from evidence_vault.verify.trust import TrustPolicy

ALGORITHMS, PLATFORM = 10, 11
IN_USE = ("sha256", "ed25519")
"""What leaves, events, parts and checkpoints of this format rest on."""


def check_algorithms(policy: TrustPolicy, *, at: datetime, findings: Findings) -> None:
    """Row 10."""
    for name in IN_USE:
        since = policy.refused.get(name)
        if since is not None and at >= datetime.combine(since, time(), UTC):
            findings.open(ALGORITHMS, "algorithm.refused", name, since=since)
        else:
            findings.passed(ALGORITHMS, "algorithm.adequate", name)


def check_platform(bundle: Bundle, *, record_time: datetime | None, findings: Findings) -> None:
    """Row 11. An incident overlaps unless it ended before the earliest record time."""
    history = bundle.histories.get(Subject(kind="platform", id="platform"), {})
    events = [link for _, link in sorted(history.items()) if isinstance(link, Event)]
    statements = [event for event in events if event.type == "PLATFORM_STATED"]
    if statements:
        newest = statements[-1].fields
        filings = "; ".join(as_text(filing) for filing in as_list(newest["filings"]))
        place = f"platform/{newest['seq']}"
        findings.passed(
            PLATFORM,
            "platform.stated",
            place,
            operator=newest["operator"],
            relation=newest["relation_to_parties"],
            filings=filings or "—",
        )
        if not filings:
            findings.remark(PLATFORM, "platform.no-filings", place)
        can_read = "platform.can-read" if newest["can_read_content"] else "platform.can-not-read"
        findings.remark(PLATFORM, can_read, place)
        if newest["operated_by_depositor"]:
            findings.remark(PLATFORM, "platform.own", place)
    latest = {event.fields["incident"]: event for event in events if event.type == "INCIDENT_NOTED"}
    for event in latest.values():
        ended = event.fields["ended_at"]
        if ended and record_time and parse_time(as_text(ended), place="incident") < record_time:
            continue
        findings.open(
            PLATFORM,
            "platform.incident",
            f"platform/{event.seq}",
            kind=event.fields["kind"],
            began=event.fields["began_at"],
            ended=ended or "—",
            summary=event.fields["summary"],
        )
