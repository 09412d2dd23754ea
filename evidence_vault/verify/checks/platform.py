"""Rows 10 and 11: what the evidence leans on, and what the platform says of itself.

Row 10: the algorithms of the log and the events are adequate at the given time. Those of a token are judged with
the token, in row 5. Row 11: the platform's statement, and the incidents that overlap the time of the record. Both
statements are the operator's own; that they are in the log means only that he can't take them back.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time

from anchors.values import value
from evidence_vault.core.canonical import Json, as_list, as_text
from evidence_vault.core.events import Event, Subject
from evidence_vault.core.names import encode_time, parse_time
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
    """Row 11. An incident overlaps unless it ended before the first deposit. record_time: the earliest."""
    since = _since(bundle, record_time)
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
    for incident in widest_incidents(events):
        if incident.ended is not None and since is not None and incident.ended < since:
            continue
        findings.open(
            PLATFORM,
            "platform.incident",
            f"platform/{incident.newest.seq}",
            kind=incident.newest.fields["kind"],
            began=encode_time(incident.began),
            ended="—" if incident.ended is None else encode_time(incident.ended),
            summary=incident.newest.fields["summary"],
        )


@value
class WidestIncident:
    """An incident at its widest: what was noted once can be ended, not made smaller. latest: end that was noted."""

    newest: Event
    began: datetime
    latest: datetime | None

    @property
    def ended(self) -> datetime | None:
        """When it ended; None: it goes on, or nobody knows."""
        return None if self.newest.fields["ended_at"] is None else self.latest


def widest_incidents(events: Sequence[Event]) -> list[WidestIncident]:
    """Return the incidents in the order in which they were first noted."""
    found: dict[Json, WidestIncident] = {}
    for event in events:
        if event.type != "INCIDENT_NOTED":
            continue
        name, ended = event.fields["incident"], event.fields["ended_at"]
        known = found.get(name)
        begins = [parse_time(as_text(event.fields["began_at"]), place="began_at")]
        ends = [] if ended is None else [parse_time(as_text(ended), place="ended_at")]
        if known is not None:
            begins.append(known.began)
            ends += [known.latest] if known.latest is not None else []
        found[name] = WidestIncident(newest=event, began=min(begins), latest=max(ends, default=None))
    return list(found.values())


def _since(bundle: Bundle, record_time: datetime | None) -> datetime | None:
    """Return from when on incidents count; None: all do.

    That is the first deposit, as the vault dates it, or the record time if that is earlier.
    """
    dated = [
        link.at
        for item in bundle.items
        if isinstance(link := bundle.histories[Subject(kind="item", id=item)].get(0), Event)
    ]
    return None if record_time is None else min([record_time, *dated])
