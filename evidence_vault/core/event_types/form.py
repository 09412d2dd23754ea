"""What an event type says of itself, and the shapes that several types share.

Personal values (names, numbers that lead to a person, free text) have no shape here: they are disclosures, and
the types name the ones they bring.
"""

from collections.abc import Mapping

from anchors.values import value
from evidence_vault.core.names import CASE_ID, GRANT_ID, ITEM_ID, SHA256
from evidence_vault.core.shapes import Integer, ListOf, Nullable, OneOf, Record, Shape, Text

DIGEST_HEX = Text(r"(?:[0-9a-f]{2}){32,64}", 128, "a digest of 32 to 64 bytes in lower-case hex")
PARAGRAPH = Text(r"[^\x00-\x09\x0b-\x1f\x7f]*", 2000, "text of at most 2000 characters")

PEOPLE = ("RH", "AT", "NO", "AP", "TI", "AM", "JU", "CL", "AU", "AD")
"""The roles of people: rights holder, attorney, notary, appraiser, technical investigator, arbitrator or
mediator, judge, clerk, auditor, administrator."""

ROLE = OneOf(PEOPLE)

MAX_LISTED_ITEMS = 500
"""Items that one event lists: 16 kB of ids, half of what an event may have."""

ITEM_LIST = ListOf(ITEM_ID, max_items=MAX_LISTED_ITEMS, sorted_unique=True)

FROZEN: Mapping[str, Shape] = {"item_count": Integer(0, MAX_LISTED_ITEMS), "items_sha256": SHA256}
"""A frozen list of items that an event commits to without showing it: SHA-256 over the ids in ascending order,
each with LF. Who reads one item's history learns nothing of the others; who has all ids can tell that none is
missing."""

NOTHING = Record({})

ACCESS = Record(
    {
        "basis": OneOf(("owner", "grant", "order", "role", "break-glass")),
        "grant": Nullable(GRANT_ID),
        "case": Nullable(CASE_ID),
    }
)
"""Why somebody was let in: as owner, under a grant or order, by role, or by breaking the glass."""


@value
class EventType:
    """Where a type may stand and what it says. `why` replaces the empty `why` where a reason is asked.

    discloses: the names under which a writer gives its personal values. Readers don't hold it against events.
    """

    kinds: tuple[str, ...]
    fields: Mapping[str, Shape]
    why: Shape = NOTHING
    discloses: tuple[str, ...] = ()
