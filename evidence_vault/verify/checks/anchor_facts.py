"""What rows 6 and 7 establish of an anchor, whatever its kind; and row 7's findings, which all kinds share."""

from datetime import datetime

from anchors.base import Attested, Indeterminate
from anchors.values import value
from evidence_vault.core.names import NETWORK_CLASSES, encode_time
from evidence_vault.verify.report import Findings
from evidence_vault.verify.trust import TrustPolicy

INCLUDED, CONFIRMED = 6, 7


@value
class AnchorFact:
    """An anchor that passed row 6; `confirmed` if it passed row 7 too.

    prev_size: of the anchor before; 0 if it is the first, None for a kind whose anchors name none before them.
    recorded_at: index of the recording event.
    """

    size: int
    network: str
    chain_class: str
    block_number: int
    prev_size: int | None
    recorded_at: int | None
    confirmed: Attested | None


@value
class Standing:
    """Where an anchor stands: its proof's path, its checkpoint's size, the index of the recording event.

    at: the given time. is_lost: the log says that the anchor is lost.
    """

    place: str
    size: int
    recorded_at: int | None
    at: datetime
    is_lost: bool


@value
class NamedNetwork:
    """A network as the policy names it. known: it does; else the name is made up from what the proof says."""

    name: str
    network_class: str
    known: bool = True

    @property
    def class_words(self) -> str:
        """What the network's word is worth, as people read it."""
        return NETWORK_CLASSES[self.network_class]

    @property
    def shown(self) -> str:
        """Name and class."""
        return f"{self.name} ({self.class_words})"


def name_network(named: str | None, claimed: str, network_class: str | None) -> NamedNetwork:
    """Return a network under the policy's name and class; under the proof's own word where it has none."""
    if named is None or network_class is None:
        return NamedNetwork(name=claimed, network_class="unknown", known=False)
    return NamedNetwork(name=named, network_class=network_class)


def settle(
    confirmed: Attested | Indeterminate,
    *,
    network: NamedNetwork,
    number: int,
    prev_size: int | None,
    standing: Standing,
    policy: TrustPolicy,
    findings: Findings,
) -> AnchorFact:
    """Note what row 7 comes to, and return what rows 6 and 7 establish."""
    counts = _counting(
        confirmed, network=network, number=number, standing=standing, policy=policy, findings=findings
    )
    return AnchorFact(
        size=standing.size,
        network=network.name,
        chain_class=network.network_class,
        block_number=number,
        prev_size=prev_size,
        recorded_at=standing.recorded_at,
        confirmed=counts,
    )


def _counting(
    confirmed: Attested | Indeterminate,
    *,
    network: NamedNetwork,
    number: int,
    standing: Standing,
    policy: TrustPolicy,
    findings: Findings,
) -> Attested | None:
    """What of row 7 counts."""
    place = standing.place
    if standing.is_lost:
        findings.remark(CONFIRMED, "anchor.lost", place, size=standing.size)
        return None
    if isinstance(confirmed, Indeterminate):
        findings.open(CONFIRMED, "anchor.unconfirmed", place, network=network.shown, reason=confirmed.reason)
        return None
    if not network.known:
        findings.open(CONFIRMED, "anchor.unknown-chain", place, chain=network.name)
        return None
    if confirmed.time > standing.at + confirmed.accuracy + policy.skew:
        # Whoever vouches for a block that nobody can have seen yet is wrong, or asked about too early a time.
        expected, found = f"<= {encode_time(standing.at)}", encode_time(confirmed.time)
        findings.open(CONFIRMED, "anchor.ahead", place, expected=expected, found=found)
        return None
    findings.passed(
        CONFIRMED,
        "anchor.final",
        place,
        network=network.name,
        chain_class=network.class_words,
        block=number,
        time=encode_time(confirmed.time),
        source="; ".join(confirmed.assumptions[:1]),
    )
    return confirmed
