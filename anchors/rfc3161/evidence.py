"""Fetch what proves that a certificate was not revoked: an OCSP response, else a CRL. RFC 5280 §4.2, RFC 6960.

    certificate, issuer ──► sources_of ──► OCSP, then CRL, in the certificate's own order ──► Evidence

Both certificates are neighbours on a path that was trusted before this is called: only there may an address
decide where we connect to, and only the issuer's word counts as an answer. What comes back is judged by
`revocation.read_status`, as a verifier will judge it years later; what would not count then is not kept.

Not trusted: the network and the server, which may answer with another issuer's list, an old one, one of the
future, a word about another certificate, too much, or nothing. OCSP comes first because it is small; either
is enough. No nonce is asked for: responders that answer in advance ignore it, and the moments decide.
"""

from datetime import datetime, timedelta
from typing import Literal, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from anchors.base import HttpClient, HttpReader
from anchors.errors import EvidenceError, FormatError, UnavailableError
from anchors.rfc3161.certificate import X509_ERRORS, Certificate, extension_of, without_warnings
from anchors.rfc3161.revocation import Status, read_status
from anchors.values import value

OCSP_QUERY, OCSP_REPLY = "application/ocsp-request", "application/ocsp-response"
MAX_SOURCES = 4
"""Addresses of one certificate that are tried; real ones name one or two of each kind."""

MAX_FETCHED_BYTES = 1024 * 1024
"""Lists of time-stamping authorities have 0.5 to 50 kB; every bundle carries one for each token."""

CLOCK_LIMIT = timedelta(minutes=5)
"""How far `this_update` may lie ahead of our clock before an answer is one from the future."""


class EvidenceClient(HttpClient, HttpReader, Protocol):
    """The guarded way out: OCSP is posted, a CRL is read."""


@value
class Source:
    """Where a certificate says that its status can be had."""

    kind: Literal["ocsp", "crl"]
    url: str


@value
class Evidence:
    """A piece that counted when it came: `der` as received, with what it says of its own time."""

    kind: Literal["ocsp", "crl"]
    der: bytes
    this_update: datetime
    next_update: datetime | None
    revoked_at: datetime | None


def sources_of(certificate: Certificate) -> tuple[Source, ...]:
    """Return the http(s) addresses of OCSP responders, then of CRLs, at most MAX_SOURCES."""
    found: list[Source] = []
    access = extension_of(certificate, x509.AuthorityInformationAccess)
    for description in access.value if access else ():
        if description.access_method == AuthorityInformationAccessOID.OCSP:
            found += _web_addresses("ocsp", [description.access_location])
    points = extension_of(certificate, x509.CRLDistributionPoints)
    for point in points.value if points else ():
        if (
            point.reasons is None and point.crl_issuer is None
        ):  # partial and indirect ones are no evidence here
            found += _web_addresses("crl", point.full_name or [])
    return tuple(dict.fromkeys(found))[:MAX_SOURCES]


def fetch_evidence(
    certificate: Certificate,
    issuer: Certificate,
    *,
    http: EvidenceClient,
    moment: datetime,
    now: datetime,
    timeout_s: float,
) -> Evidence:
    """Return the first evidence that shows the certificate's status at `moment`.

    timeout_s: for each address. Raises UnavailableError that says of every address why it gave nothing.
    """
    reasons: list[str] = []
    for source in sources_of(certificate):
        try:
            der = _ask(source, certificate, issuer, http=http, timeout_s=timeout_s)
            status = _judge(der, certificate, issuer, moment=moment, now=now)
        except EvidenceError as error:
            reasons.append(f"{source.kind}: {error}")
            continue
        return Evidence(
            kind=source.kind,
            der=der,
            this_update=status.this_update,
            next_update=status.next_update,
            revoked_at=status.revoked_at,
        )
    raise UnavailableError(f"revocation of {certificate.subject_text!r}", "; ".join(reasons) or "no address")


def _ask(
    source: Source, certificate: Certificate, issuer: Certificate, *, http: EvidenceClient, timeout_s: float
) -> bytes:
    if source.kind == "crl":
        reply = http.get(source.url, headers={}, max_bytes=MAX_FETCHED_BYTES, timeout_s=timeout_s)
    else:
        reply = http.post(
            source.url,
            encode_query(certificate, issuer),
            content_type=OCSP_QUERY,
            headers={},
            max_bytes=MAX_FETCHED_BYTES,
            timeout_s=timeout_s,
        )
        media_type = reply.content_type.partition(";")[0].strip().lower()
        if reply.status == 200 and media_type != OCSP_REPLY:
            raise FormatError("content type", OCSP_REPLY, media_type[:60])
    if reply.status != 200:
        raise FormatError("HTTP status", "200", reply.status)
    return reply.body


def encode_query(certificate: Certificate, issuer: Certificate) -> bytes:
    """An OCSPRequest, DER, for one certificate. RFC 5019 §2.1.1: SHA-1 names the issuer, nothing rests on it."""
    try:
        with without_warnings():
            builder = ocsp.OCSPRequestBuilder().add_certificate(
                certificate.x509,
                issuer.x509,
                hashes.SHA1(),  # noqa: S303 - every responder knows it; it only finds the issuer
            )
            return builder.build().public_bytes(serialization.Encoding.DER)
    except X509_ERRORS as error:
        raise FormatError("OCSP request", "a certificate that can be named", str(error)) from error


def _judge(
    der: bytes, certificate: Certificate, issuer: Certificate, *, moment: datetime, now: datetime
) -> Status:
    """Refuse what a verifier would pass over: it would stand in bundles as if it were evidence."""
    status = read_status(der, certificate, issuer)
    if status is None:
        raise FormatError("answer", "its issuer's word about this certificate", "none that counts")
    if status.this_update > now + CLOCK_LIMIT:
        raise FormatError("thisUpdate", f"at most {now + CLOCK_LIMIT}", status.this_update)
    if not status.covers(moment, certificate):
        raise FormatError("validity", f"current at {moment}", f"{status.this_update} to {status.next_update}")
    return status


def _web_addresses(kind: Literal["ocsp", "crl"], names: list[x509.GeneralName]) -> list[Source]:
    return [
        Source(kind=kind, url=name.value)
        for name in names
        if isinstance(name, x509.UniformResourceIdentifier) and name.value.startswith(("http://", "https://"))
    ]
