"""Whether an authority was qualified when it stamped, as trusted lists say that the policy quotes.

eIDAS (Regulation 910/2014) art. 22 and 42; the lists are those of ETSI TS 119 612. A policy quotes what it needs
of them: services by their certificate, each with the history of its status. Nothing is fetched here, and no list's
signature is checked: whoever wrote the policy vouches for the quotation, as for everything in it.

    qualified        a list names a certificate of the token's path as a service that was granted then
    not-qualified    a list names it as one that was not granted then
    not-determined   no list names it, or none speaks of that time: before a history, or after
                     a list's next update or next issue

It informs the reader and changes no verdict: what a token proves rests on keys and clocks, its status on law.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from anchors.values import value
from evidence_vault.core.canonical import Json, as_list, as_object, as_text
from evidence_vault.errors import FormatError
from evidence_vault.verify.trust_form import checked_table, parse_when, tables_of

Status = Literal["qualified", "not-qualified", "not-determined"]


@value
class ListedService:
    """One service of a list. history: from when on it had which status, ascending; `granted` is qualified."""

    name: str
    certificate_sha256: bytes
    history: tuple[tuple[datetime, bool], ...]

    def granted_between(self, first: datetime, last: datetime) -> bool | None:
        """Whether it was granted from first to last without a break; None if its history begins later."""
        before = [granted for since, granted in self.history if since <= first]
        meanwhile = [granted for since, granted in self.history if first < since <= last]
        return all((before[-1], *meanwhile)) if before else None


@value
class TrustedList:
    """What a policy quotes of one issue of one list. It speaks of nothing after `next_update`."""

    name: str
    issued: datetime
    next_update: datetime
    services: tuple[ListedService, ...]


@value
class Qualification:
    """What the lists say of one token. list_name, issued: of the list that says it."""

    status: Status
    list_name: str | None = None
    issued: datetime | None = None


NOT_DETERMINED = Qualification(status="not-determined")


def qualification_of(
    path_sha256: Sequence[bytes],
    *,
    gen_time: datetime,
    accuracy: timedelta,
    trusted_lists: Sequence[TrustedList],
) -> Qualification:
    """Return what the newest list says that names a certificate of the path and speaks of gen_time.

    path_sha256: fingerprints of the token's path. A status that changed within the accuracy counts as the worse,
    and so does one on which lists of one day differ. An issue speaks of nothing after the next issue of its list.
    """
    first, last = gen_time - accuracy, gen_time + accuracy
    found: list[tuple[datetime, bool, TrustedList]] = []
    later: dict[str, datetime] = {}
    for one in sorted(trusted_lists, key=lambda one: one.issued, reverse=True):
        until = min(one.next_update, later.get(one.name, one.next_update))
        later[one.name] = one.issued
        if last > until:
            continue
        said = [
            service.granted_between(first, last)
            for service in one.services
            if service.certificate_sha256 in path_sha256
        ]
        if said and None not in said:
            found.append((one.issued, not all(said), one))
    if not found:
        return NOT_DETERMINED
    _, withdrawn, newest = max(found, key=lambda each: each[:2])
    return Qualification(
        status="not-qualified" if withdrawn else "qualified", list_name=newest.name, issued=newest.issued
    )


def parse_trusted_lists(document: Mapping[str, object]) -> tuple[TrustedList, ...]:
    """Return the lists that a policy quotes. Raises FormatError naming the entry."""
    lists = tuple(
        _list(entry, f"trusted_list[{i}]") for i, entry in enumerate(tables_of(document, "trusted_list"))
    )
    issues: set[tuple[str, datetime]] = set()
    for number, one in enumerate(lists):
        if (one.name, one.issued) in issues:
            raise FormatError(f"trusted_list[{number}]", "each issue of a list once", one.name)
        issues.add((one.name, one.issued))
    return lists


def _list(entry: object, place: str) -> TrustedList:
    if not isinstance(entry, dict):
        raise FormatError(place, "a table", entry)
    services = as_list(entry.get("service", []))
    table = checked_table(
        {key: value for key, value in entry.items() if key != "service"}, "trusted_list", place=place
    )
    issued, next_update = parse_when(table["issued"]), parse_when(table.get("next_update", table["issued"]))
    if next_update < issued:
        raise FormatError(f"{place}.next_update", f"not before {issued}", next_update)
    return TrustedList(
        name=as_text(table["name"]),
        issued=issued,
        next_update=next_update,
        services=tuple(_service(one, f"{place}.service[{i}]") for i, one in enumerate(services)),
    )


def _service(entry: object, place: str) -> ListedService:
    table = checked_table(entry, "trusted_list.service", place=place)
    history = tuple(map(_change, as_list(table["history"])))
    since = [at for at, _ in history]
    if not history or since != sorted(set(since)):
        raise FormatError(
            f"{place}.history", "one change or more, each later than the one before", len(since)
        )
    return ListedService(
        name=as_text(table["name"]),
        certificate_sha256=bytes.fromhex(as_text(table["sha256"]).removeprefix("0x")),
        history=history,
    )


def _change(entry: Json) -> tuple[datetime, bool]:
    change = as_object(entry)
    return parse_when(change["from"]), change["status"] == "granted"
