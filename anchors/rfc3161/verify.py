"""Judge a time-stamp: is it a token of a trusted authority over this statement? RFC 3161 §2.2, §2.4.2, §4.3.

Pure: time, trust and revocation evidence are parameters. Everything is judged AT gen_time; whether the
token is still good later is another question, which `VerifiedToken.good_until` answers and its caller
decides, because only the caller can know that the token existed before a certificate ended (a stolen
*expired* key signs any past time).

Steps:
  (1) the response is granted and has a token                                     RFC 3161 §2.4.2
  (2) exactly one signer                                                          RFC 3161 §2.4.2
  (3) signed attributes with contentType and messageDigest, each once             RFC 5652 §5.3, §11
  (4) the imprint is the statement's digest, by a known algorithm                 RFC 3161 §2.4.2
  (5) policy, nonce, imprint and certificate as the request asked, if given       RFC 3161 §2.4.1, §2.4.2
  (6) gen_time is not ahead of the given time                                     RFC 3161 §2.4.2
  (7) the signer's certificate is among the candidates, by sid and by ESSCertID   RFC 5652 §5.3, RFC 5816 §2.2
  (8) its signature covers the signed attributes as sent                          RFC 5652 §5.4
  (9) its extended key usage is critical and only timeStamping; its name fits     RFC 3161 §2.3, §2.4.2
 (10) no critical extension of TSTInfo is unknown                                 RFC 3161 §2.4.2
 (11) a path to a root of a trusted authority, good at gen_time                   RFC 5280 §6
 (12) the authority's policy, and gen_time not after its distrust                 trust policy
 (13) no algorithm refused at gen_time                                            trust policy
 (14) no certificate of the path revoked at gen_time, by the evidence carried     RFC 5280 §6.3, RFC 6960

What is wrong raises VerificationError or FormatError; what can't be decided is Indeterminate. A lie comes
first: (1) to (9) need no trust, so an untrusted token over another file is wrong, not undecided.

Trusted: the roots, policies and dates in `trusted`, and that they name who their operator means. Embedded
and supplied certificates, CRLs and OCSP replies are the prover's, and count only where a path to a root
bears them. Deliberately not checked: freshness (in a bundle the request is the prover's, so a nonce that
fits shows nothing); `ordering`; unsigned attributes; that the authority's clock was right, which nobody can
check alone.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from anchors.base import Indeterminate
from anchors.errors import VerificationError
from anchors.rfc3161.algorithms import UnknownAlgorithm
from anchors.rfc3161.certificate import Certificate, load_certificate
from anchors.rfc3161.message import (
    CertificateIds,
    algorithms_used,
    certificate_ids,
    check_attributes,
    check_imprint,
    check_purpose,
    check_request,
    check_signature,
    find_signer,
    one_signer,
    unnamed_on_path,
)
from anchors.rfc3161.path import find_path
from anchors.rfc3161.revocation import judge_revocation
from anchors.rfc3161.token import TST_INFO, TimeStampToken, parse_response, parse_token
from anchors.rfc3161.verdict import Rfc3161Trust, TsaTrust, VerifiedToken

FIRST_GEN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Before any authority; times near year 1 can't be reckoned with."""

NO_CHAIN = "NO_CERTIFICATE_CHAIN_FOUND"


def verify_response(
    *,
    response: bytes,
    request: bytes | None,
    chain: tuple[bytes, ...],
    revocation: tuple[bytes, ...] = (),
    digests: Mapping[str, bytes],
    trusted: Rfc3161Trust,
) -> VerifiedToken | Indeterminate:
    """Verify a TimeStampResp over a statement.

    request: the TimeStampReq, DER, if known. chain: certificates, DER, supplied beside the token.
    revocation: CRLs and OCSP responses, DER. digests: the statement's, by algorithm (`sha256` → 32 bytes).
    Raises FormatError, VerificationError.
    """
    # (1) A rejection may carry a genuine old token: the status decides, not what is attached.
    parsed = parse_response(response)
    if not parsed.granted or parsed.failure_info:
        why = "; ".join((parsed.status, *parsed.failure_info, *parsed.texts))
        raise VerificationError("RFC 3161 §2.4.2 status", "granted or grantedWithMods", why)
    if parsed.token is None:
        raise VerificationError("RFC 3161 §2.4.2 timeStampToken", "a token", "none")
    return verify_token(
        token=parsed.token,
        request=request,
        chain=chain,
        revocation=revocation,
        digests=digests,
        trusted=trusted,
        response_sha256=hashlib.sha256(response).digest(),
    )


def verify_token(
    *,
    token: bytes,
    request: bytes | None,
    chain: tuple[bytes, ...],
    revocation: tuple[bytes, ...] = (),
    digests: Mapping[str, bytes],
    trusted: Rfc3161Trust,
    response_sha256: bytes | None = None,
) -> VerifiedToken | Indeterminate:
    """Verify a bare TimeStampToken: steps (2) to (14) of `verify_response`."""
    parsed = parse_token(token)
    candidates = [load_certificate(der) for der in (*parsed.embedded_certificates, *chain)]
    try:
        signer_info = one_signer(parsed)  # (2)
        check_attributes(  # (3)
            signer_info,
            content_type=TST_INFO,
            content=parsed.tst_info,
            digest_algorithms=parsed.digest_algorithms,
        )
        ids = certificate_ids(signer_info)
        undecided = check_imprint(parsed, digests)  # (4)
        if request is not None:
            check_request(parsed, request)  # (5)
        _check_gen_time(parsed, trusted)  # (6)
        signer = find_signer(signer_info, ids, candidates)  # (7)
        if signer is None:
            return Indeterminate(
                sub_indication="NO_SIGNING_CERTIFICATE_FOUND",
                reason="the signer's certificate is neither in the token nor supplied",
            )
        check_signature(signer_info, signer)  # (8)
    except UnknownAlgorithm as unknown:
        return Indeterminate(
            sub_indication="CRYPTO_CONSTRAINTS_FAILURE", reason=f"this verifier doesn't know {unknown}"
        )
    check_purpose(parsed, signer)  # (9)
    # (10) what we don't understand may change what the rest means
    if parsed.critical_extensions:
        undecided = Indeterminate(
            sub_indication="SIG_CONSTRAINTS_FAILURE",
            reason=f"critical extension {parsed.critical_extensions[0]} of TSTInfo is not known",
        )
    if undecided is not None:
        return undecided
    found = _find_authority(parsed, signer, ids, candidates, trusted)  # (11), (12)
    if isinstance(found, Indeterminate):
        return found
    authority, path = found
    # (13) weak by then: anyone might have made it
    used = tuple(sorted({parsed.imprint_algorithm, *algorithms_used(signer_info, ids, path)}))
    refused = [(start, name) for name in used if (start := trusted.refused_from(name)) is not None]
    algorithms_until, weakest = min(refused, default=(None, ""))
    if algorithms_until is not None and parsed.gen_time >= algorithms_until:
        return Indeterminate(
            sub_indication="CRYPTO_CONSTRAINTS_FAILURE",
            reason=f"{weakest} is refused from {algorithms_until}, gen_time is {parsed.gen_time}",
        )
    # (14) revoked by then: a thief might have made it
    evidence = (*revocation, *parsed.embedded_crls)
    revoked = judge_revocation(path, evidence=evidence, moment=parsed.gen_time)
    if (stolen := revoked.by(parsed.gen_time)) is not None:
        return stolen
    return VerifiedToken(
        gen_time=parsed.gen_time,
        accuracy=parsed.accuracy or timedelta(0),
        accuracy_stated=parsed.accuracy is not None,
        authority=authority.name,
        group=authority.group,
        tsa_class=authority.tsa_class,
        policy=parsed.policy,
        serial_number=parsed.serial_number,
        signer_subject=signer.subject_text,
        path=tuple(one.der for one in path),
        path_valid_until=min(one.not_after for one in path),
        revoked_at=revoked.revoked_at,
        revocation_checked=revoked.checked,
        distrust_after=authority.distrust_after,
        algorithms_used=used,
        algorithms_until=algorithms_until,
        token_sha256=hashlib.sha256(token).digest(),
        response_sha256=response_sha256,
    )


def _check_gen_time(token: TimeStampToken, trusted: Rfc3161Trust) -> None:
    limit = trusted.at + trusted.skew + (token.accuracy or timedelta(0))
    if token.gen_time > limit:
        raise VerificationError("RFC 3161 §2.4.2 genTime", f"at most {limit}", token.gen_time)
    if token.gen_time < FIRST_GEN_TIME:
        raise VerificationError("RFC 3161 §2.4.2 genTime", f"at least {FIRST_GEN_TIME}", token.gen_time)


def _find_authority(
    token: TimeStampToken,
    signer: Certificate,
    ids: CertificateIds,
    candidates: Sequence[Certificate],
    trusted: Rfc3161Trust,
) -> tuple[TsaTrust, tuple[Certificate, ...]] | Indeterminate:
    """The first authority of the policy whose root a good path reaches and whose terms the token meets.

    No path leads through the key of another group's root: whose root a key is by the policy, on his terms it
    counts, and once, whoever else has certified it.

    If none fits, the answer is that of the authority that came closest: one whose root was reached.
    """
    closest: Indeterminate | None = None
    for authority in trusted.authorities:
        roots = [load_certificate(der) for der in authority.roots]
        others = {
            load_certificate(der).key_octets
            for other in trusted.authorities
            if other.group != authority.group
            for der in other.roots
        }
        if signer.key_octets in others:
            continue
        own = [one for one in candidates if one.key_octets not in others]
        path = find_path(signer, candidates=own, roots=roots, moment=token.gen_time)
        answer = (
            _terms_flaw(token, authority, ids, path)
            if isinstance(path, tuple)
            else Indeterminate(sub_indication=path.sub_indication, reason=path.reason)
        )
        if answer is None:
            assert isinstance(path, tuple)
            return authority, path
        if closest is None or isinstance(path, tuple) or path.sub_indication != NO_CHAIN:
            closest = answer
    return closest or Indeterminate(sub_indication=NO_CHAIN, reason="the trust policy names no authority")


def _terms_flaw(
    token: TimeStampToken, authority: TsaTrust, ids: CertificateIds, path: tuple[Certificate, ...]
) -> Indeterminate | None:
    if (one := unnamed_on_path(ids, path)) is not None:
        return Indeterminate(
            sub_indication="CHAIN_CONSTRAINTS_FAILURE",
            reason=f"the signer's certificate ids don't name {one.subject_text!r} on its path",
        )
    if authority.policies and token.policy not in authority.policies:
        return Indeterminate(
            sub_indication="SIG_CONSTRAINTS_FAILURE",
            reason=f"policy {token.policy} is not one accepted of {authority.name}",
        )
    if authority.distrust_after is not None and token.gen_time > authority.distrust_after:
        return Indeterminate(
            sub_indication=NO_CHAIN,
            reason=f"{authority.name} is not trusted after {authority.distrust_after}, "
            f"gen_time is {token.gen_time}",
        )
    return None
