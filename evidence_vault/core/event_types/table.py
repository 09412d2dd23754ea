"""The event types: which subject each may have, and its fields beyond the common ones.

A published type's fields never change, also inside `where`, `why`, `how`, `clock` and `actor`: a new field
is a new type. A type that is not in this table is carried and chained like any other, but its own fields
can't be judged: the verifier then says INDETERMINATE, never PASSED.
"""

from collections.abc import Mapping

from evidence_vault.core.event_types.access import ACCESSES
from evidence_vault.core.event_types.cases import CASES
from evidence_vault.core.event_types.custody import CUSTODY
from evidence_vault.core.event_types.deposits import DEPOSITS
from evidence_vault.core.event_types.form import EventType
from evidence_vault.core.event_types.house import HOUSE
from evidence_vault.core.event_types.log import LOG

EVENT_TYPES: Mapping[str, EventType] = {**DEPOSITS, **ACCESSES, **CASES, **CUSTODY, **HOUSE, **LOG}
"""Every type this version can read, by name."""
