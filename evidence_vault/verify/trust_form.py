"""The form of a trust policy: which tables and entries it may have, and what each looks like.

Closed, like every format of ours: an unknown entry is refused, because a misspelt one would protect nobody.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime

from anchors.opentimestamps.bitcoin import NETWORKS
from anchors.rfc3161.algorithms import HASH_OIDS
from evidence_vault.core.canonical import Json
from evidence_vault.core.names import LOG_CLASS, ORIGIN
from evidence_vault.core.shapes import Boolean, Integer, ListOf, MapOf, OneOf, Record, Shape, Text
from evidence_vault.errors import FormatError

_LINE = Text(r"[^\x00-\x1f\x7f]{1,200}", 200, "one line of text")
_OID = Text(r"[0-2](?:\.(?:0|[1-9][0-9]*)){1,40}", 200, "an object identifier in dotted decimal")
_VKEY = Text(max_chars=3000, what="a verifier key")
_HEX20 = Text(r"(?:0x)?[0-9a-fA-F]{40}", 42, "20 bytes in hex")
_HEX32 = Text(r"(?:0x)?[0-9a-fA-F]{64}", 66, "32 bytes in hex")
_BLOCK = Text(r"[0-9a-f]{64}|[0-9a-f]{160}", 160, "a block's hash (64 hex digits) or header (160)")
_WHEN = Text(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|\+00:00))?",
    40,
    "a date or a UTC time",
)
_ALGORITHM = "|".join(
    (*HASH_OIDS.values(), "ed25519", "ed448", "rsa-[1-9][0-9]{0,4}", "(?:secp|sect|brainpoolP)[a-z0-9]{1,20}")
)
"""Names that `refuse` may give: a misspelt one would refuse nothing, in silence."""
_PEMS = ListOf(Text(max_chars=100_000, what="a PEM certificate"), max_items=100)

_NESTED = ("require", "notary", "algorithms", "log", "tsa", "chain", "bitcoin", "witness", "trusted_list")
"""Entries of the policy that are tables, each with a shape of its own."""

OPTIONAL: Mapping[str, Mapping[str, Shape]] = {
    "policy": {
        "skew_s": Integer(0, 86400),
        "max_merge_delay_s": Integer(0, 30 * 86400),
        "max_age_days": Integer(1, 100_000),
        **dict.fromkeys(_NESTED, OneOf(())),
    },
    "require": {
        "tsa_groups": Integer(0, 100),
        "anchors": Integer(0, 100),
        "witnesses": Integer(0, 100),
        "content": Boolean(),
        "full_chain": Boolean(),
    },
    "log": {
        "receipt_vkey": _VKEY,
        "former_receipt_vkeys": ListOf(_VKEY, 100),
        "from_size": Integer(),
        "last_size": Integer(),
        "not_after": _WHEN,
    },
    "log.anchor": {"from_size": Integer(), "to_size": Integer()},
    "tsa": {"policies": ListOf(_OID, 100), "distrust_after": _WHEN},
    "chain": {
        "name": _LINE,
        "genesis": _HEX32,
        "runtime_sha256": _HEX32,
        "known_blocks": ListOf(Record({"number": Integer(), "hash": _HEX32}), 100_000),
    },
    "bitcoin": {
        "name": _LINE,
        "least_difficulty": Integer(),
        "known_blocks": ListOf(Record({"height": Integer(), "block": _BLOCK}), 100_000),
    },
    "witness": {},
    "trusted_list": {"next_update": _WHEN},
    "trusted_list.service": {},
}
REQUIRED: Mapping[str, Mapping[str, Shape]] = {
    "policy": {"version": OneOf((1,))},
    "require": {},
    "log": {"origin": ORIGIN, "vkey": _VKEY, "class": LOG_CLASS},
    "log.anchor": {"chain": Integer(1), "contract": _HEX20, "sender": _HEX20},
    "tsa": {"name": _LINE, "group": _LINE, "roots": _PEMS, "class": LOG_CLASS},
    "chain": {"chain_id": Integer(1), "class": LOG_CLASS},
    "bitcoin": {"network": OneOf(tuple(NETWORKS)), "class": LOG_CLASS},
    "witness": {"name": _LINE, "vkey": _VKEY},
    "trusted_list": {"name": _LINE, "issued": _WHEN},
    "trusted_list.service": {
        "name": _LINE,
        "sha256": _HEX32,
        "history": ListOf(Record({"from": _WHEN, "status": OneOf(("granted", "withdrawn"))}), 1000),
    },
}


NOTARY = Record({"roots": _PEMS})
ALGORITHMS = Record({"refuse": MapOf(_ALGORITHM, _WHEN, max_items=100)})


def tables_of(document: Mapping[str, object], name: str) -> list[object]:
    """Return the tables of an array of tables; empty if the policy has none."""
    value = document.get(name, [])
    if not isinstance(value, list):
        raise FormatError(name, f"an array of tables [[{name}]]", value)
    return value


def checked_table(value: object, kind: str, *, place: str, nested: bool = False) -> dict[str, Json]:
    """Return a table's entries, checked. `nested`: those that have a shape of their own are checked by others."""
    if not isinstance(value, dict):
        raise FormatError(place, "a table", value)
    fields = {**REQUIRED[kind], **OPTIONAL[kind]}
    for name in value.keys() - fields.keys():
        raise FormatError(
            f"{place}.{name}", "an entry that trust policies have: " + ", ".join(sorted(fields)), name
        )
    for name in REQUIRED[kind].keys() - value.keys():
        raise FormatError(f"{place}.{name}", "a value", "none")
    scalars = {name: json_of(v) for name, v in value.items() if not (nested and name in _NESTED)}
    for name, member in scalars.items():
        fields[name].check(member, f"{place}.{name}")
    return scalars


def json_of(value: object) -> Json:
    """Return a TOML value as JSON: dates and times become text."""
    match value:
        case datetime():
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            return aware.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case list():
            return [json_of(member) for member in value]
        case dict():
            return {str(name): json_of(member) for name, member in value.items()}
        case bool() | int() | str() | None:
            return value
        case _:
            return str(value)


def parse_when(value: Json) -> datetime:
    """Return a day's first moment, or a time, in UTC. Raises FormatError for one that doesn't exist."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        raise FormatError("policy", "a day and time that exist", value) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
