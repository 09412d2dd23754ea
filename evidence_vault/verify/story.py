"""What the events of a bundle tell: who did what, on what ground, under which order; as the vault's own view does.

Told are events whose place in the log was shown (row 4), and of their personal values those that are disclosed
and whose digests the events hold (row 3). It is the vault's account as it was logged; whether it is true, no
verifier can know. Names are those that the events themselves give to an actor.
"""

from collections.abc import Iterable, Iterator, Mapping

from anchors.values import field, value
from evidence_vault.core.canonical import Json, as_object
from evidence_vault.core.disclosures import open_disclosures
from evidence_vault.core.events import COMMON, Event, Subject
from evidence_vault.errors import FormatError, VerificationError
from evidence_vault.verify.contents import Bundle
from evidence_vault.verify.parts import Position
from evidence_vault.verify.report import Bounds, CaseReport, Person, Told

_NAMING: Mapping[str, tuple[str, str]] = {
    "PARTY_NAMED": ("person", "name"),
    "ORDER_REGISTERED": ("respondent", "respondent_name"),
    "PSEUDONYM_REVEALED": ("pseudonym", "name"),
}
"""Events that give an actor a name: the field with his id, the disclosure with his name."""


@value
class _Account:
    """All that the events say of each other. orders: by grant; numbers: by order; names: by actor."""

    events: Mapping[Position, Event]
    clear: Mapping[Position, Mapping[str, str]]
    orders: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


def tell_story(bundle: Bundle, logged: Iterable[Position]) -> dict[tuple[str, int], Told]:
    """Return what each event tells, by subject id and seq. logged: those whose inclusion was shown."""
    account = _read(bundle, logged)
    return {
        (subject.id, seq): _tell(account, event, account.clear[subject, seq])
        for (subject, seq), event in account.events.items()
    }


def report_cases(bundle: Bundle, bounds: Iterable[Bounds]) -> tuple[CaseReport, ...]:
    """Return the cases that travel, each with its events. bounds: of all carried events, in the log's order."""
    lines: dict[str, list[Bounds]] = {}
    for bound in bounds:
        lines.setdefault(bound.subject, []).append(bound)
    return tuple(
        CaseReport(
            case=subject.id,
            exported=any(
                isinstance(link, Event) and link.type == "EXPORTED" and link.fields["bundle"] == bundle.id
                for link in history.values()
            ),
            redacted=sum(not isinstance(link, Event) for link in history.values()),
            left_out=tuple(_left_out(history.values(), bundle.items)),
            bounds=tuple(lines.get(subject.id, ())),
        )
        for subject, history in bundle.histories.items()
        if subject.kind == "case"
    )


def _left_out(links: Iterable[object], items: tuple[str, ...]) -> Iterator[str]:
    """Items that the case says are in it, and that are not in this bundle."""
    named = {
        str(link.fields["item"]) for link in links if isinstance(link, Event) and link.type == "ITEM_ADDED"
    }
    yield from sorted(named - set(items))


def _read(bundle: Bundle, logged: Iterable[Position]) -> _Account:
    events: dict[Position, Event] = {}
    clear: dict[Position, Mapping[str, str]] = {}
    for subject, seq in logged:
        link = bundle.histories[subject][seq]
        if isinstance(link, Event) and (link.subject, link.seq) == (subject, seq):
            events[subject, seq] = link
            clear[subject, seq] = _opened(bundle, link, (subject, seq))
    orders: dict[str, str] = {}
    numbers: dict[str, str] = {}
    names: dict[str, str] = {}
    for place, event in events.items():
        told, known = clear[place], event.known
        if known and event.type == "GRANTED" and event.fields["order"] is not None:
            orders[str(event.fields["grant"])] = str(event.fields["order"])
        if known and event.type == "ORDER_REGISTERED" and "number" in told:
            numbers[str(event.fields["order"])] = told["number"]
        whom, name = _NAMING.get(event.type, ("", ""))
        if known and name in told and event.fields[whom] is not None:
            names[str(event.fields[whom])] = told[name]
        elif known and event.type == "UNDERTAKING_SIGNED" and "name" in told:
            names[str(as_object(event.fields["actor"])["id"])] = told["name"]
    return _Account(events=events, clear=clear, orders=orders, numbers=numbers, names=names)


def _opened(bundle: Bundle, event: Event, place: tuple[Subject, int]) -> Mapping[str, str]:
    try:
        return open_disclosures(event, bundle.disclosures.get(place, ()), place=f"{place[0].id}/{place[1]}")
    except (FormatError, VerificationError):
        return {}  # row 3 says what is wrong with them; nothing of it is told


def _tell(account: _Account, event: Event, clear: Mapping[str, str]) -> Told:
    fields, actor = event.fields, as_object(event.fields["actor"])
    why = as_object(fields["why"]) if event.known else {}  # of an unknown type it may be anything
    own = {name: one for name, one in fields.items() if name not in COMMON and name not in ("where", "why")}
    grant = _text(why.get("grant")) or _text(own.get("grant"))
    order = account.orders.get(grant or "") or _text(own.get("order"))
    behalf = _text(actor["on_behalf_of"])
    return Told(
        actor=Person(
            id=str(actor["id"]),
            role=str(actor["role"]),
            auth=str(actor["auth"]),
            on_behalf_of=behalf,
            name=account.names.get(str(actor["id"])),
            holder=account.names.get(behalf or ""),
        ),
        result=str(fields["result"]),
        basis=_text(why.get("basis")),
        grant=grant,
        case=_text(why.get("case")) or _text(own.get("case")),
        order=order,
        order_number=account.numbers.get(order or ""),
        fields=own if event.known else {},
        disclosures=clear,
        undisclosed=len(event.disclosure_digests) - len(clear),
    )


def _text(one: Json) -> str | None:
    return one if isinstance(one, str) else None
