"""What a trust policy must not say: that one is two. Its counts would then be met by one and the same.

    (1) a log has one class, and each of its keys one entry: the first entry would hide the limits of the second
    (2) checkpoints are signed by keys of the type 0x01, cosigned by keys of the types 0x04 and 0x06
    (3) a witness is nobody else: not another witness, not the log itself
    (4) a root operator has one group, in one spelling, and one class
    (5) a chain, and a Bitcoin network, has one entry and a name of its own
    (6) an anchor's sender serves one log

Whether two names stand for two operators only the policy's author can know.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from anchors.rfc3161.certificate import load_certificate
from anchors.rfc3161.verdict import TsaTrust
from evidence_vault.core.note_keys import COSIGNER_TYPES, SignatureType, VerifierKey
from evidence_vault.errors import FormatError

if TYPE_CHECKING:
    from evidence_vault.verify.trust import TrustedChain, TrustedLog, TrustPolicy
    from evidence_vault.verify.trusted_bitcoin import TrustedBitcoin


def refuse_conflicts(policy: "TrustPolicy") -> None:
    """Raise FormatError naming the entry that says again, and otherwise, what another one says."""
    _check_logs(policy.logs)
    _check_witnesses(policy.witnesses, [log.key for log in policy.logs])
    check_authorities(policy.authorities)
    _check_chains(policy.chains, policy.bitcoin)


def _check_logs(logs: Iterable["TrustedLog"]) -> None:
    """(1), (2) and (6)."""
    classes: dict[str, str] = {}
    keys: set[VerifierKey] = set()
    senders: dict[tuple[int, bytes, bytes], str] = {}
    for number, log in enumerate(logs):
        place = f"log[{number}]"
        if classes.setdefault(log.origin, log.log_class) != log.log_class:
            raise FormatError(f"{place}.class", f"one class for all keys of {log.origin}", log.log_class)
        if log.key.type is not SignatureType.ED25519:
            raise FormatError(f"{place}.vkey", "a key of the type 0x01", f"{log.key.type:#04x}")
        if log.key in keys:
            raise FormatError(f"{place}.vkey", "one entry for each key", log.origin)
        keys.add(log.key)
        for contract in log.contracts:
            sender = (contract.chain_id, contract.contract, contract.sender)
            if senders.setdefault(sender, log.origin) != log.origin:
                raise FormatError(f"{place}.anchor", "a sender that serves one log", contract.sender.hex())


def _check_witnesses(witnesses: Mapping[str, VerifierKey], log_keys: Iterable[VerifierKey]) -> None:
    """(2) and (3)."""
    taken = {key.public_key for key in log_keys}
    for number, (name, key) in enumerate(witnesses.items()):
        place = f"witness[{number}]"
        if key.type not in COSIGNER_TYPES:
            raise FormatError(f"{place}.vkey", "a key of the type 0x04 or 0x06", f"{key.type:#04x}")
        if key.public_key in taken:
            raise FormatError(place, "a name and a key that stand nowhere else", name)
        taken.add(key.public_key)


def check_authorities(authorities: Iterable[TsaTrust]) -> None:
    """(4). Roots are compared by their keys: one key may stand in several certificates. Raises FormatError."""
    spellings: dict[str, str] = {}
    owners: dict[bytes, tuple[str, str]] = {}
    for number, authority in enumerate(authorities):
        place = f"tsa[{number}]"
        folded = fold_name(authority.group)
        if spellings.setdefault(folded, authority.group) != authority.group:
            raise FormatError(f"{place}.group", f"the spelling {spellings[folded]}", authority.group)
        owner = (authority.group, authority.tsa_class)
        for der in authority.roots:
            if owners.setdefault(load_certificate(der).key_octets, owner) != owner:
                raise FormatError(f"{place}.roots", "a root with one group and one class", authority.name)


def fold_name(name: str) -> str:
    """Return what is left of a name for the eye: its case, spaces, width and invisible characters don't count."""
    seen = "".join(char for char in unicodedata.normalize("NFKC", name) if unicodedata.category(char) != "Cf")
    return " ".join(seen.split()).casefold()


def _check_chains(chains: Iterable["TrustedChain"], bitcoin: Iterable["TrustedBitcoin"]) -> None:
    """(5)."""
    seen: set[object] = set()
    named = [(f"chain[{n}]", chain.chain_id, chain.name) for n, chain in enumerate(chains)]
    named_too = [(f"bitcoin[{n}]", one.trusted.network, one.name) for n, one in enumerate(bitcoin)]
    for place, network, name in (*named, *named_too):
        if (network, None) in seen or name in seen:
            raise FormatError(place, "a network and a name that stand nowhere else", name)
        seen |= {(network, None), name}
