"""The Bitcoin networks of a trust policy: how much work headers files must show, and the blocks that are known.

[[bitcoin]]
network = "main"
name = "Bitcoin"
class = "production"
least_difficulty = 10000000000000      # of each header that a headers file shows; a known block needs none
known_blocks = [{ height = 900000, block = "<its hash as everyone shows it, or its header, in hex>" }]
"""

from collections.abc import Mapping

from anchors.opentimestamps.bitcoin import (
    HEADER_BYTES,
    LEAST_DIFFICULTY,
    NETWORKS,
    from_shown,
    parse_header,
    verify_work,
)
from anchors.opentimestamps.verify import KnownHeader, TrustedNetwork
from anchors.values import value
from evidence_vault.core.canonical import Json, as_integer, as_list, as_object, as_text
from evidence_vault.errors import FormatError, VerificationError
from evidence_vault.verify.trust_form import checked_table, tables_of


@value
class TrustedBitcoin:
    """A network as the report names it, its class, and what is trusted about it."""

    name: str
    bitcoin_class: str
    trusted: TrustedNetwork


def parse_bitcoin(document: Mapping[str, object]) -> tuple[TrustedBitcoin, ...]:
    """Return the policy's Bitcoin networks. Raises FormatError naming the entry."""
    return tuple(_network(entry, f"bitcoin[{n}]") for n, entry in enumerate(tables_of(document, "bitcoin")))


def _network(entry: object, place: str) -> TrustedBitcoin:
    table = checked_table(entry, "bitcoin", place=place)
    network = as_text(table["network"])
    least = table.get("least_difficulty", LEAST_DIFFICULTY.get(network, 0))
    known = enumerate(as_list(table.get("known_blocks", [])))
    return TrustedBitcoin(
        name=as_text(table.get("name", f"bitcoin {network}")),
        bitcoin_class=as_text(table["class"]),
        trusted=TrustedNetwork(
            network=network,
            least_difficulty=as_integer(least),
            known_blocks=tuple(_known(block, network, f"{place}.known_blocks[{n}]") for n, block in known),
        ),
    )


def _known(block: Json, network: str, place: str) -> KnownHeader:
    fields = as_object(block)
    height, text = as_integer(fields["height"]), as_text(fields["block"])
    if len(text) != 2 * HEADER_BYTES:
        return KnownHeader(height=height, block_hash=from_shown(text))
    header = parse_header(bytes.fromhex(text), place=place)
    try:
        verify_work(header, NETWORKS[network])
    except VerificationError as error:  # a slip of the pen: no such header was ever made
        raise FormatError(place, str(error.expected), error.found) from None
    return KnownHeader(height=height, block_hash=header.block_hash, header=header.raw)
