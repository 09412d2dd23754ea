"""`evidence-vault trust list`: whom a policy trusts with time or as notaries, what it asks, what it distrusts."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from anchors.rfc3161.certificate import load_certificate
from anchors.rfc3161.verdict import TsaTrust
from evidence_vault.cli.shown import shown_line
from evidence_vault.cli.trust_add import describe_root
from evidence_vault.verify.trust import TrustPolicy
from evidence_vault.verify.trusted_lists import TrustedList


def list_text(policy: TrustPolicy, *, now: datetime) -> str:
    """Return what the policy says of time-stamps and notaries, for people."""
    return "\n".join(_lines(policy, now)) + "\n"


def _lines(policy: TrustPolicy, now: datetime) -> Iterator[str]:
    require = policy.require
    groups = sorted({authority.group for authority in policy.authorities})
    yield f"{shown_line(policy.name)}, SHA-256 {policy.sha256.hex()}"
    yield (
        f"Requires tokens of {max(1, require.tsa_groups)} group(s), anchors on {require.anchors} network(s), "
        f"{require.witnesses} witness(es). It names {len(groups)} group(s)."
    )
    if len(groups) < max(1, require.tsa_groups):
        yield "No bundle can pass: it asks for more groups than it names."
    for group in groups:
        yield f"\ngroup {shown_line(group)}"
        for authority in policy.authorities:
            if authority.group == group:
                yield from _authority(authority, now)
    for der in policy.notary_roots:
        yield "\nnotaries under"
        yield from describe_root(load_certificate(der))
    yield ""
    for name, since in sorted(policy.refused.items()):
        yield f"Refused algorithm: {name} from {since}"
    for one in policy.trusted_lists:
        yield from _list(one, now)


def _authority(authority: TsaTrust, now: datetime) -> Iterator[str]:
    yield f"  {shown_line(authority.name)}, class {authority.tsa_class}"
    if authority.policies:
        yield f"  accepted policies: {', '.join(authority.policies)}"
    if authority.distrust_after is not None:
        yield f"  DISTRUSTED after {authority.distrust_after:%Y-%m-%dT%H:%M:%SZ}"
    for der in authority.roots:
        root = load_certificate(der)
        yield from describe_root(root)
        if root.not_after < now:
            yield "    ENDED: tokens count only with proof that they are older"
        elif root.not_after < now + timedelta(days=365):
            yield "    ends within a year"


def _list(one: TrustedList, now: datetime) -> Iterator[str]:
    stale = "" if now <= one.next_update else ", its next issue is due"
    yield f"Trusted list: {shown_line(one.name)} of {one.issued:%Y-%m-%d}, {len(one.services)} service(s){stale}"
