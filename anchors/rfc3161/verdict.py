"""What a verifier trusts about time-stamps, and what it concludes. ETSI EN 319 102-1 §5.6.

A token is judged at its own gen_time. Whether it still stands at a later moment is a separate question,
because a stolen key signs any past time: after a certificate of its path ended or was revoked, an algorithm
was refused, or its authority distrusted, a token stands only with proof that it existed before then (its
digest in a logged event with external time, another authority group, a final block, an evidence record).
Such proof is not here: its holder asks again with the time it proves.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from anchors.base import Indeterminate
from anchors.values import field, value


@value
class TsaTrust:
    """One trusted authority.

    group: who runs its root; authorities of one group count once. roots: certificates, DER. policies:
    accepted policy OIDs, empty for any. distrust_after: tokens with a later gen_time, or not proved to
    exist by then, don't count. tsa_class: production, test or development.
    """

    name: str
    group: str
    roots: tuple[bytes, ...]
    policies: tuple[str, ...] = ()
    distrust_after: datetime | None = None
    tsa_class: str = "production"


@value
class Rfc3161Trust:
    """What a verifier trusts about time-stamps, and the time it judges at.

    refused_algorithms: name → the day from which it is refused, as `refused_from` reads it.
    at: the time of the question; skew: how far clocks may disagree.
    """

    authorities: tuple[TsaTrust, ...]
    refused_algorithms: Mapping[str, date] = field(default_factory=dict)
    at: datetime
    skew: timedelta

    def refused_from(self, name: str) -> datetime | None:
        """When an algorithm stops to count, or None."""
        return refused_from(name, self.refused_algorithms)


@value
class VerifiedToken:
    """A token that was good when it was made: the statement existed at gen_time, give or take accuracy.

    accuracy: zero where the token states none (`accuracy_stated`). authority, group, tsa_class: of the
    policy. path: DER, signer first, trusted root last. path_valid_until: the earliest notAfter along it,
    the root's included, as `openssl verify` counts: a root is a promise its operator limited himself.
    revoked_at: the earliest revocation along the path that the evidence shows, later than gen_time.
    revocation_checked: evidence covers every certificate of the path but the root, at or after gen_time.
    algorithms_used: digests, signatures and keys relied on; algorithms_until: when the first is refused.
    """

    gen_time: datetime
    accuracy: timedelta
    accuracy_stated: bool
    authority: str
    group: str
    tsa_class: str
    policy: str
    serial_number: int
    signer_subject: str
    path: tuple[bytes, ...]
    path_valid_until: datetime
    revoked_at: datetime | None
    revocation_checked: bool
    distrust_after: datetime | None
    algorithms_used: tuple[str, ...]
    algorithms_until: datetime | None
    token_sha256: bytes
    response_sha256: bytes | None

    @property
    def good_until(self) -> datetime:
        """Until when the token stands by itself; later it needs proof that it existed before then."""
        ends = (self.path_valid_until, self.revoked_at, self.distrust_after, self.algorithms_until)
        return min(end for end in ends if end is not None)

    def good_at(self, at: datetime) -> bool:
        """Whether the token stands by itself at `at`."""
        return self.why_not_good(at) is None

    def why_not_good(self, at: datetime) -> Indeterminate | None:
        """Why proof of existence is needed at `at`, or None. ETSI EN 319 102-1 §5.1.3.

        Whoever proves that the token existed at some earlier time asks again with that time.
        """
        if self.revoked_at is not None and at >= self.revoked_at:
            return Indeterminate(
                sub_indication="REVOKED_NO_POE", reason=f"a certificate was revoked at {self.revoked_at}"
            )
        if at > self.path_valid_until:
            return Indeterminate(
                sub_indication="OUT_OF_BOUNDS_NO_POE",
                reason=f"the certificates were valid until {self.path_valid_until}",
            )
        if self.algorithms_until is not None and at >= self.algorithms_until:
            return Indeterminate(
                sub_indication="CRYPTO_CONSTRAINTS_FAILURE_NO_POE",
                reason=f"an algorithm among {', '.join(self.algorithms_used)} "
                f"is refused from {self.algorithms_until}",
            )
        if self.distrust_after is not None and at > self.distrust_after:
            return Indeterminate(
                sub_indication="NO_CERTIFICATE_CHAIN_FOUND_NO_POE",
                reason=f"{self.authority} is not trusted after {self.distrust_after}",
            )
        return None


def refused_from(name: str, refused_algorithms: Mapping[str, date]) -> datetime | None:
    """When an algorithm stops to count, or None: `sha1`, `secp192r1`; `rsa-1024` with all shorter keys."""
    days = [
        day
        for refused, day in refused_algorithms.items()
        if refused == name or _is_shorter_rsa(name, refused)
    ]
    return datetime.combine(min(days), time(), tzinfo=UTC) if days else None


def _is_shorter_rsa(name: str, refused: str) -> bool:
    kind, _, bits = name.partition("-")
    refused_kind, _, refused_bits = refused.partition("-")
    if kind != "rsa" or refused_kind != "rsa" or not (bits.isdecimal() and refused_bits.isdecimal()):
        return False
    return int(bits) < int(refused_bits)
