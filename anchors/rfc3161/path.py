"""A certificate path from a signer to a trusted root, good at one moment. RFC 5280 §6, RFC 3161 §2.3.

Trusted roots and candidates never share a parameter: embedded and supplied certificates are only material to
build with, and a path ends at a certificate whose bytes the policy names, nowhere else. A root may be any
certificate the operator chose, self-signed or not; its own signature proves nothing and is not checked.

For each path found, the rules are:
 (a) every certificate, the root included, is within its validity at the moment;
 (b) every issuer says cA TRUE, allows this depth (pathLenConstraint), and its keyUsage, if any, keyCertSign;
 (c) the signer fits the purpose, and an issuer's extended key usage, if any, allows it (`purpose`);
 (d) no critical extension is one that this module doesn't process;
 (e) names lie within every name constraint above them (directory names; other forms are refused if present);
 (f) where a policy constraint asks for an explicit policy, all certificates below the root share one (no
     mappings).

Deliberately not checked: privateKeyUsagePeriod, which RFC 5280 dropped; certificate policies where nothing
asks for them; key identifiers, which only help to find a path; algorithms, which `verify` judges by date.
Roots of the same name are told apart by signature.
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from anchors.rfc3161.certificate import Certificate, extension_of, is_signed_by, same_name
from anchors.rfc3161.purpose import TIME_STAMPS, Purpose, extended_key_usage
from anchors.values import value

# Real paths have two to four certificates.
MAX_PATH = 8
# Signatures tried before giving up: stops bags of look-alike issuers from costing seconds.
MAX_SIGNATURE_CHECKS = 64
ANY_POLICY = "2.5.29.32.0"

_PROCESSED = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.NAME_CONSTRAINTS,
    ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.POLICY_CONSTRAINTS,
    ExtensionOID.INHIBIT_ANY_POLICY,
    # Mappings are never applied, which only refuses more.
    ExtensionOID.POLICY_MAPPINGS,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
}


@value
class NoPath:
    """No path, and why not. `sub_indication`: ETSI EN 319 102-1 §5.1.3."""

    sub_indication: str
    reason: str


def find_path(
    signer: Certificate,
    *,
    candidates: Sequence[Certificate],
    roots: Sequence[Certificate],
    moment: datetime,
    purpose: Purpose = TIME_STAMPS,
) -> tuple[Certificate, ...] | NoPath:
    """A path that is good for `purpose` at `moment`: signer first, trusted root last.

    The shortest ones are tried first.
    """
    why = NoPath(
        sub_indication="NO_CERTIFICATE_CHAIN_FOUND",
        reason=f"no trusted root issued {signer.subject_text!r} (issuer {signer.issuer_text!r})",
    )
    trusted = frozenset(roots)
    issuers = [*roots, *(one for one in dict.fromkeys(candidates) if one not in trusted)]
    waiting: list[tuple[Certificate, ...]] = [(signer,)]
    checks = 0
    while waiting:
        path = waiting.pop(0)
        if path[-1] in trusted:
            flaw = _flaw(path, moment, purpose)
            if flaw is None:
                return path
            why = flaw
            continue
        if len(path) == MAX_PATH:
            continue
        for issuer in issuers:
            if issuer in path or not same_name(issuer.subject, path[-1].issuer):
                continue
            checks += 1
            if checks > MAX_SIGNATURE_CHECKS:
                return NoPath(
                    sub_indication="NO_CERTIFICATE_CHAIN_FOUND",
                    reason=f"no path among the first {MAX_SIGNATURE_CHECKS} signatures tried",
                )
            if is_signed_by(path[-1], issuer):
                waiting.append((*path, issuer))
    return why


def _flaw(path: tuple[Certificate, ...], moment: datetime, purpose: Purpose) -> NoPath | None:
    for one in path:
        # (a) validity
        if not one.not_before <= moment <= one.not_after:
            return NoPath(
                sub_indication="OUT_OF_BOUNDS_NO_POE",
                reason=f"{one.subject_text!r} is valid from {one.not_before} to {one.not_after}, "
                f"not at {moment}",
            )
        # (d) critical extensions
        for extension in one.x509.extensions:
            if extension.critical and extension.oid not in _PROCESSED:
                return _constraint(one, f"the critical extension {extension.oid.dotted_string}")
    for depth, issuer in enumerate(path[1:]):
        if (flaw := _issuer_flaw(issuer, path[: depth + 1], purpose)) is not None:
            return _constraint(issuer, flaw)
    if (flaw := purpose.signer_flaw(path[0])) is not None:
        return _constraint(path[0], flaw)
    return _policy_flaw(path)


def _constraint(one: Certificate, flaw: str) -> NoPath:
    return NoPath(sub_indication="CHAIN_CONSTRAINTS_FAILURE", reason=f"{one.subject_text!r} has {flaw}")


def _issuer_flaw(issuer: Certificate, below: tuple[Certificate, ...], purpose: Purpose) -> str | None:
    """Why `issuer` may not issue what is below it (signer first), or None: rules (b), (c), (e)."""
    basic = extension_of(issuer, x509.BasicConstraints)
    if basic is None or not basic.value.ca:
        return "no basic constraint that makes it an authority"
    # Self-issued certificates don't count towards the path length (RFC 5280 §6.1.4 (l)).
    intermediates = sum(1 for one in below[1:] if one.subject != one.issuer)
    if basic.value.path_length is not None and intermediates > basic.value.path_length:
        return f"a path length of {basic.value.path_length}"
    key_usage = extension_of(issuer, x509.KeyUsage)
    if key_usage is not None and not key_usage.value.key_cert_sign:
        return "a key usage without keyCertSign"
    extended = extended_key_usage(issuer)
    if extended is not None and not purpose.issuer_may(extended):
        return f"an extended key usage without {purpose.name}"
    constraints = extension_of(issuer, x509.NameConstraints)
    if constraints is None:
        return None
    last = len(below) - 1
    for position, one in enumerate(reversed(below)):
        # Self-issued intermediates are exempt (RFC 5280 §6.1.3 (b)).
        if one.subject == one.issuer and position != last:
            continue
        if not _within(one, constraints.value):
            return f"name constraints that exclude {one.subject_text!r}"
    return None


def _within(one: Certificate, constraints: x509.NameConstraints) -> bool:
    """RFC 5280 §4.2.1.10 for directory names; any other constrained form must not occur in `one`."""
    names = [one.x509.subject] if len(one.x509.subject.rdns) else []
    others: set[type[x509.GeneralName]] = set()
    alternative = extension_of(one, x509.SubjectAlternativeName)
    for name in alternative.value if alternative is not None else ():
        if isinstance(name, x509.DirectoryName):
            names.append(name.value)
        else:
            others.add(type(name))
    permitted = constraints.permitted_subtrees or ()
    excluded = constraints.excluded_subtrees or ()
    if any(type(base) in others for base in (*permitted, *excluded)):
        return False
    allowed = [base.value for base in permitted if isinstance(base, x509.DirectoryName)]
    banned = [base.value for base in excluded if isinstance(base, x509.DirectoryName)]
    return all(
        (not allowed or any(_is_prefix(base, name) for base in allowed))
        and not any(_is_prefix(base, name) for base in banned)
        for name in names
    )


def _is_prefix(base: x509.Name, name: x509.Name) -> bool:
    return list(name.rdns[: len(base.rdns)]) == list(base.rdns)


def _policy_flaw(path: tuple[Certificate, ...]) -> NoPath | None:
    """Rule (f), stricter than RFC 5280 §6.1: no mappings, and skip counts are read as zero."""
    asking = [
        one
        for one in path
        if (constraint := extension_of(one, x509.PolicyConstraints)) is not None
        and constraint.value.require_explicit_policy is not None
    ]
    if not asking or len(path) == 1:
        return None
    inhibited = any(extension_of(one, x509.InhibitAnyPolicy) is not None for one in path)
    shared: frozenset[str] | None = None
    for one in path[:-1]:
        policies = extension_of(one, x509.CertificatePolicies)
        found = (
            frozenset(each.policy_identifier.dotted_string for each in policies.value)
            if policies
            else frozenset()
        )
        if ANY_POLICY in found and not inhibited:
            continue
        shared = found if shared is None else shared & found
    if shared is None or shared - {ANY_POLICY}:
        return None
    return _constraint(asking[0], "a policy constraint, and the certificates share no policy")
