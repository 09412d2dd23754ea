"""The trust policy: whom the person who verifies believes. Given by name, never found, never from a bundle.

    version = 1
    skew_s = 60                      # clocks may differ by this much
    max_merge_delay_s = 3600         # an event may wait this long for its place in the log
    [require]
    tsa_groups = 2                   # distinct root operators that must agree on the time
    anchors = 1                      # distinct networks that must have recorded the log
    witnesses = 0
    content = true
    full_chain = false
    [[log]]
    origin = "vault.example/log"
    vkey = "vault.example/log+d63d5dcc+AQOh…"
    receipt_vkey = "vault.example/log/receipt+…"
    class = "production"
    [[log.anchor]]
    chain = 11155111
    contract = "0x…"
    sender = "0x…"
    [[tsa]]
    name = "example-tsa"
    group = "Example Root Operator"
    roots = ["-----BEGIN CERTIFICATE-----…"]
    class = "production"
    [[chain]]
    chain_id = 11155111
    name = "Sepolia"
    class = "test"
    known_blocks = [{ number = 7000000, hash = "…" }]
    [[bitcoin]]
    network = "main"
    class = "production"
    known_blocks = [{ height = 900000, block = "…" }]

Values above are the defaults where one exists. An unknown or ill-shaped entry is a ConfigError: a policy that
is not understood as a whole must not be half obeyed.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from anchors.ethereum.verify import KnownBlock, TrustedContract
from anchors.rfc3161.certificate import load_certificate
from anchors.rfc3161.verdict import TsaTrust
from anchors.values import field, value
from evidence_vault.core.canonical import Json, as_list
from evidence_vault.core.note_keys import VerifierKey, parse_vkey
from evidence_vault.errors import ConfigError, FormatError
from evidence_vault.verify.conflicts import refuse_conflicts
from evidence_vault.verify.pem import parse_pem_chain
from evidence_vault.verify.trust_form import (
    ALGORITHMS,
    NOTARY,
    checked_table,
    json_of,
    parse_when,
    tables_of,
)
from evidence_vault.verify.trusted_bitcoin import TrustedBitcoin, parse_bitcoin
from evidence_vault.verify.trusted_lists import TrustedList, parse_trusted_lists

MAX_POLICY_BYTES = 4 * 1024 * 1024

REFUSED_BY_DEFAULT: Mapping[str, date] = {"sha1": date(2017, 1, 1)}
"""Where a policy has no [algorithms]. SHA-1: no new use since 2017; the first collision was shown that year."""


@value
class Requirements:
    """What TOTAL-PASSED takes, beyond the floor that no policy can lower."""

    tsa_groups: int = 2
    anchors: int = 1
    witnesses: int = 0
    content: bool = True
    full_chain: bool = False


@value
class TrustedLog:
    """One key of one log, for the sizes it signed (both ends inclusive; None is open).

    not_after: checkpoints that don't provably exist by then say nothing; for a key that was stolen.
    former_receipt_keys: retired ones; what they signed stays good.
    """

    origin: str
    key: VerifierKey
    receipt_key: VerifierKey | None
    former_receipt_keys: tuple[VerifierKey, ...]
    log_class: str
    from_size: int
    last_size: int | None
    not_after: datetime | None
    contracts: tuple[TrustedContract, ...]


@value
class TrustedChain:
    """A network by its chain id, with the blocks that are known to be final on it."""

    chain_id: int
    name: str
    chain_class: str
    known_blocks: tuple[KnownBlock, ...]


@value
class TrustPolicy:
    """Everything that is trusted. `sha256` covers the file, roots included: they are inline."""

    name: str
    sha256: bytes
    skew: timedelta = timedelta(seconds=60)
    max_merge_delay: timedelta = timedelta(seconds=3600)
    max_age: timedelta | None = None
    require: Requirements = field(default_factory=Requirements)
    logs: tuple[TrustedLog, ...] = ()
    authorities: tuple[TsaTrust, ...] = ()
    chains: tuple[TrustedChain, ...] = ()
    bitcoin: tuple[TrustedBitcoin, ...] = ()
    witnesses: Mapping[str, VerifierKey] = field(default_factory=dict)
    notary_roots: tuple[bytes, ...] = ()
    refused: Mapping[str, date] = field(default_factory=dict)
    trusted_lists: tuple[TrustedList, ...] = ()


def parse_policy(data: bytes, *, name: str) -> TrustPolicy:
    """Return the policy in a `trust.toml`. Raises ConfigError naming the entry."""
    if len(data) > MAX_POLICY_BYTES:
        raise ConfigError(name, f"a trust policy has at most {MAX_POLICY_BYTES} bytes")
    try:
        document = tomllib.loads(data.decode("utf-8"))
        policy = _policy(document, name=name, sha256=hashlib.sha256(data).digest())
        refuse_conflicts(policy)
        return policy
    except FormatError as error:
        raise ConfigError(
            f"{name}: {error.place}", f"expected {error.expected}, found {error.found!r:.100}"
        ) from None
    except (ValueError, OverflowError, RecursionError) as error:
        # tomllib itself stops at numbers of thousands of digits, times without a UTC, and deep nesting.
        raise ConfigError(name, f"not a TOML file: {error}") from None


def _policy(document: dict[str, object], *, name: str, sha256: bytes) -> TrustPolicy:
    top = checked_table(document, "policy", place="policy", nested=True)
    require = checked_table(document.get("require", {}), "require", place="require")
    refused = document.get("algorithms", {})
    notary = document.get("notary", {})
    max_age_days = top.get("max_age_days")
    return TrustPolicy(
        name=name,
        sha256=sha256,
        skew=timedelta(seconds=_number(top.get("skew_s", 60))),
        max_merge_delay=timedelta(seconds=_number(top.get("max_merge_delay_s", 3600))),
        max_age=None if max_age_days is None else timedelta(days=_number(max_age_days)),
        require=Requirements(**require),  # type: ignore[arg-type] # the table's shape is the class's
        logs=tuple(_log(entry, i) for i, entry in enumerate(tables_of(document, "log"))),
        authorities=tuple(_authority(entry, i) for i, entry in enumerate(tables_of(document, "tsa"))),
        chains=tuple(_chain(entry, i) for i, entry in enumerate(tables_of(document, "chain"))),
        bitcoin=parse_bitcoin(document),
        witnesses=_witnesses(tables_of(document, "witness")),
        notary_roots=_notary_roots(notary),
        refused=_refused(refused),
        trusted_lists=parse_trusted_lists(document),
    )


def _log(entry: object, number: int) -> TrustedLog:
    place = f"log[{number}]"
    if not isinstance(entry, dict):
        raise FormatError(place, "a table", entry)
    anchors = entry.get("anchor", [])
    if not isinstance(anchors, list):
        raise FormatError(f"{place}.anchor", "an array of tables", anchors)
    table = checked_table({key: value for key, value in entry.items() if key != "anchor"}, "log", place=place)
    key = _key(table["vkey"], f"{place}.vkey")
    if key.name != table["origin"]:
        raise FormatError(f"{place}.vkey", f"a key named {table['origin']}", key.name)
    receipt = table.get("receipt_vkey")
    last = table.get("last_size")
    return TrustedLog(
        origin=str(table["origin"]),
        key=key,
        receipt_key=None if receipt is None else _key(receipt, f"{place}.receipt_vkey"),
        former_receipt_keys=tuple(
            _key(vkey, f"{place}.former_receipt_vkeys")
            for vkey in as_list(table.get("former_receipt_vkeys", []))
        ),
        log_class=str(table["class"]),
        from_size=_number(table.get("from_size", 0)),
        last_size=None if last is None else _number(last),
        not_after=_when(table.get("not_after")),
        contracts=tuple(_contract(anchor, f"{place}.anchor[{i}]") for i, anchor in enumerate(anchors)),
    )


def _contract(entry: object, place: str) -> TrustedContract:
    table = checked_table(entry, "log.anchor", place=place)
    to_size = table.get("to_size")
    return TrustedContract(
        chain_id=_number(table["chain"]),
        contract=_bytes(table["contract"]),
        sender=_bytes(table["sender"]),
        from_size=_number(table.get("from_size", 0)),
        to_size=None if to_size is None else _number(to_size),
    )


def _authority(entry: object, number: int) -> TsaTrust:
    place = f"tsa[{number}]"
    table = checked_table(entry, "tsa", place=place)
    policies = table.get("policies", [])
    return TsaTrust(
        name=str(table["name"]),
        group=str(table["group"]),
        roots=_roots(table["roots"], place),
        policies=tuple(str(oid) for oid in policies) if isinstance(policies, list) else (),
        distrust_after=_when(table.get("distrust_after")),
        tsa_class=str(table["class"]),
    )


def _chain(entry: object, number: int) -> TrustedChain:
    table = checked_table(entry, "chain", place=f"chain[{number}]")
    chain_id = _number(table["chain_id"])
    blocks = table.get("known_blocks", [])
    known = tuple(
        KnownBlock(chain_id=chain_id, number=_number(block["number"]), block_hash=_bytes(block["hash"]))
        for block in (blocks if isinstance(blocks, list) else [])
        if isinstance(block, dict)
    )
    return TrustedChain(
        chain_id=chain_id,
        name=str(table.get("name", f"chain {chain_id}")),
        chain_class=str(table["class"]),
        known_blocks=known,
    )


def _witnesses(entries: list[object]) -> dict[str, VerifierKey]:
    """Return keys by name; a name twice would drop one witness in silence."""
    witnesses: dict[str, VerifierKey] = {}
    for number, entry in enumerate(entries):
        place = f"witness[{number}]"
        table = checked_table(entry, "witness", place=place)
        name, key = str(table["name"]), _key(table["vkey"], f"{place}.vkey")
        if name in witnesses:
            raise FormatError(place, "a name and a key that stand nowhere else", name)
        witnesses[name] = key
    return witnesses


def _notary_roots(table: object) -> tuple[bytes, ...]:
    if table == {}:
        return ()
    NOTARY.check(json_of(table), "notary")
    return _roots(table["roots"], "notary") if isinstance(table, dict) else ()


def _refused(table: object) -> dict[str, date]:
    if table == {}:
        return dict(REFUSED_BY_DEFAULT)
    ALGORITHMS.check(json_of(table), "algorithms")
    refuse = table["refuse"] if isinstance(table, dict) else {}
    days = {str(name): _when(json_of(since)) for name, since in refuse.items()}
    return {name: since.date() for name, since in days.items() if since}


def _roots(values: object, place: str) -> tuple[bytes, ...]:
    roots: list[bytes] = []
    for i, pem in enumerate(values if isinstance(values, list) else []):
        text = str(pem).strip() + "\n"
        for der in parse_pem_chain(text.encode("ascii", "replace"), place=f"{place}.roots[{i}]"):
            load_certificate(der)  # here, where a flaw is the policy's and not the bundle's
            roots.append(der)
    return tuple(roots)


def _when(value: Json) -> datetime | None:
    return None if value is None else parse_when(value)


def _key(value: Json, place: str) -> VerifierKey:
    try:
        return parse_vkey(str(value))
    except FormatError as error:
        raise FormatError(place, error.expected, error.found) from None


def _bytes(value: Json) -> bytes:
    return bytes.fromhex(str(value).removeprefix("0x"))


def _number(value: Json) -> int:
    if not isinstance(value, int):
        raise FormatError("policy", "an integer", value)
    return value
