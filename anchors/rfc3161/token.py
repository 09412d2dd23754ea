"""Requests, responses and tokens, parsed strictly. RFC 3161 §2.4, RFC 5652 §5, RFC 5816, RFC 5035.

    TimeStampResp ::= SEQUENCE { status PKIStatusInfo, timeStampToken ContentInfo OPTIONAL }

A response is split at its outer SEQUENCE first, so that a rejection without a token parses like any other.
Everything is DER: RFC 3161 §3.4 asks it of the messages, §2.4.2 of TSTInfo. Nothing is judged here: two
signers, a missing attribute or an unknown algorithm are well-formed and belong to `verify`. Never raises
anything but FormatError, whatever the bytes; work and memory are linear in their number.
"""

from datetime import datetime, timedelta

from anchors.errors import FormatError
from anchors.rfc3161.algorithms import HASH_OIDS, AlgorithmIdentifier, read_algorithm
from anchors.rfc3161.cms import SignerInfo, parse_signed_message, read_version
from anchors.rfc3161.der import (
    BIT_STRING,
    INTEGER,
    SEQUENCE,
    UTF8_STRING,
    Reader,
    context,
    context_constructed,
    parse_whole,
)
from anchors.values import value

TST_INFO = "1.2.840.113549.1.9.16.1.4"

# Real responses have 0.8 to 12 kB; some carry certificate chains and CRLs. The bound keeps parsing under 50
# ms.
MAX_RESPONSE_BYTES = 256 * 1024
# A request is an imprint, an OID and a nonce; extensions are rare.
MAX_REQUEST_BYTES = 16 * 1024
MAX_EXTENSIONS = 32
MAX_TEXTS = 8

PKI_STATUSES = (
    "granted",
    "grantedWithMods",
    "rejection",
    "waiting",
    "revocationWarning",
    "revocationNotification",
)
# PKIFailureInfo by bit number, in the words of RFC 3161 §2.4.2.
PKI_FAILURES = {
    0: "badAlg: unrecognized or unsupported algorithm identifier",
    2: "badRequest: transaction not permitted or supported",
    5: "badDataFormat: the data submitted has the wrong format",
    14: "timeNotAvailable: the authority's time source is not available",
    15: "unacceptedPolicy: the requested policy is not supported by the authority",
    16: "unacceptedExtension: the requested extension is not supported by the authority",
    17: "addInfoNotAvailable: the additional information requested can't be understood or is not available",
    25: "systemFailure: the request can't be handled due to a system failure",
}


@value
class Request:
    """A TimeStampReq. `imprint_algorithm`: a name of HASH_OIDS, or the OID of one that is not known."""

    imprint_algorithm: str
    imprint: bytes
    policy: str | None
    nonce: int | None
    wants_certificate: bool
    extensions: tuple[str, ...]


@value
class Response:
    """A TimeStampResp: the status in RFC 3161's word, why it failed in words, and the token as sent."""

    status: str
    texts: tuple[str, ...]
    failure_info: tuple[str, ...]
    token: bytes | None

    @property
    def granted(self) -> bool:
        """Whether a token must be present (RFC 3161 §2.4.2)."""
        return self.status in PKI_STATUSES[:2]


@value
class TimeStampToken:
    """A TimeStampToken: what TSTInfo says, and the signed message around it.

    tst_info: the signed content as sent. tsa: a GeneralName, DER. embedded_*: DER, in the order sent.
    """

    tst_info: bytes
    policy: str
    imprint_algorithm: str
    imprint: bytes
    serial_number: int
    gen_time: datetime
    accuracy: timedelta | None
    ordering: bool
    nonce: int | None
    tsa: bytes | None
    critical_extensions: tuple[str, ...]
    digest_algorithms: tuple[AlgorithmIdentifier, ...]
    embedded_certificates: tuple[bytes, ...]
    embedded_crls: tuple[bytes, ...]
    signers: tuple[SignerInfo, ...]


def parse_response(der: bytes) -> Response:
    """Parse a TimeStampResp, granted or not. Raises FormatError."""
    _bounded(der, MAX_RESPONSE_BYTES, "TimeStampResp")
    reader = parse_whole(der, SEQUENCE, "TimeStampResp")
    info = reader.sequence("status")
    number = info.integer("status")
    if not 0 <= number < len(PKI_STATUSES):
        raise FormatError("TimeStampResp.status.status", "0 to 5 (RFC 3161 §2.4.2)", number)
    texts: list[str] = []
    if free_text := info.optional_inside(SEQUENCE, "statusString"):
        while free_text.more and len(texts) < MAX_TEXTS:
            texts.append(_utf8(free_text.element(UTF8_STRING, "text").contents, free_text.place))
        free_text.end()
    failures = _failure_info(info)
    info.end()
    token = reader.any("timeStampToken").encoded if reader.more else None
    reader.end()
    return Response(status=PKI_STATUSES[number], texts=tuple(texts), failure_info=failures, token=token)


def parse_request(der: bytes) -> Request:
    """Parse a TimeStampReq. RFC 3161 §2.4.1. Raises FormatError."""
    _bounded(der, MAX_REQUEST_BYTES, "TimeStampReq")
    reader = parse_whole(der, SEQUENCE, "TimeStampReq")
    read_version(reader, (1,))
    algorithm, imprint = _message_imprint(reader)
    policy = reader.oid("reqPolicy") if reader.next_is(0x06) else None
    nonce = reader.integer("nonce") if reader.next_is(INTEGER) else None
    wants_certificate = reader.boolean_default_false("certReq")
    extensions = _extensions(reader, context_constructed(0))
    reader.end()
    return Request(
        imprint_algorithm=algorithm,
        imprint=imprint,
        policy=policy,
        nonce=nonce,
        wants_certificate=wants_certificate,
        extensions=tuple(oid for oid, _ in extensions),
    )


def parse_token(der: bytes) -> TimeStampToken:
    """Parse a TimeStampToken: a ContentInfo with a SignedData over a TSTInfo. Raises FormatError."""
    _bounded(der, MAX_RESPONSE_BYTES, "TimeStampToken")
    message = parse_signed_message(der, "TimeStampToken", content_type=TST_INFO)
    reader = parse_whole(message.content, SEQUENCE, "TSTInfo")
    read_version(reader, (1,))
    policy = reader.oid("policy")
    algorithm, imprint = _message_imprint(reader)
    serial_number = reader.integer("serialNumber")
    gen_time = reader.generalized_time("genTime")
    accuracy = _accuracy(reader.sequence("accuracy")) if reader.next_is(SEQUENCE) else None
    ordering = reader.boolean_default_false("ordering")
    nonce = reader.integer("nonce") if reader.next_is(INTEGER) else None
    tsa = None
    if name := reader.optional_inside(context_constructed(0), "tsa"):
        tsa = name.any("generalName").encoded
        name.end()
    extensions = _extensions(reader, context_constructed(1))
    reader.end()
    return TimeStampToken(
        tst_info=message.content,
        policy=policy,
        imprint_algorithm=algorithm,
        imprint=imprint,
        serial_number=serial_number,
        gen_time=gen_time,
        accuracy=accuracy,
        ordering=ordering,
        nonce=nonce,
        tsa=tsa,
        critical_extensions=tuple(oid for oid, critical in extensions if critical),
        digest_algorithms=message.digest_algorithms,
        embedded_certificates=message.certificates,
        embedded_crls=message.crls,
        signers=message.signers,
    )


def _bounded(der: bytes, limit: int, place: str) -> None:
    if len(der) > limit:
        raise FormatError(place, f"at most {limit} bytes", len(der))


def _utf8(octets: bytes, place: str) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(place, "UTF-8", octets) from error


def _failure_info(info: Reader) -> tuple[str, ...]:
    field = info.optional(BIT_STRING, "failInfo")
    if field is None:
        return ()
    octets = field.contents
    if not 1 <= len(octets) <= 8 or octets[0] > 7 or (len(octets) == 1 and octets[0]):
        raise FormatError(f"{info.place}.failInfo", "a bit string of at most 56 bits", octets.hex())
    bits = "".join(f"{octet:08b}" for octet in octets[1:])
    return tuple(PKI_FAILURES.get(n, f"bit {n}") for n, bit in enumerate(bits) if bit == "1")


def _message_imprint(reader: Reader) -> tuple[str, bytes]:
    inside = reader.sequence("messageImprint")
    algorithm = read_algorithm(inside, "hashAlgorithm")
    imprint = inside.octets("hashedMessage")
    inside.end()
    known = HASH_OIDS.get(algorithm.oid) if algorithm.has_no_parameters else None
    return known or algorithm.oid, imprint


def _extensions(reader: Reader, tag: int) -> list[tuple[str, bool]]:
    """Extension OIDs and whether each is critical. RFC 5280 §4.1.2.9."""
    found: list[tuple[str, bool]] = []
    field = reader.optional_inside(tag, "extensions")
    while field is not None and field.more:
        if len(found) == MAX_EXTENSIONS:
            raise FormatError(field.place, f"at most {MAX_EXTENSIONS} extensions", "more")
        extension = field.sequence("extension")
        found.append((extension.oid("extnID"), extension.boolean_default_false("critical")))
        extension.octets("extnValue")
        extension.end()
    return found


def _accuracy(reader: Reader) -> timedelta:
    """RFC 3161 §2.4.2: missing parts are zero; millis and micros are 1 to 999."""
    seconds = reader.integer("seconds") if reader.next_is(INTEGER) else 0
    millis = reader.integer("millis", context(0)) if reader.next_is(context(0)) else 0
    micros = reader.integer("micros", context(1)) if reader.next_is(context(1)) else 0
    reader.end()
    # A day of inaccuracy is no time-stamp any more; the bound also keeps timedelta from overflowing.
    if not (0 <= seconds <= 86_400 and 0 <= millis <= 999 and 0 <= micros <= 999):
        raise FormatError(
            reader.place, "0 to 86400 s, 0 to 999 ms, 0 to 999 µs", f"{seconds}, {millis}, {micros}"
        )
    return timedelta(seconds=seconds, milliseconds=millis, microseconds=micros)
