"""A signed message, such as a token: a ContentInfo with a SignedData, parsed strictly. RFC 5652 §3, §5.

DER, except for the order of SETs, which is kept as sent. The signed attributes keep their bytes, because the
signature covers them as sent: verifiers that sort them again refuse real tokens.

Not read, because nothing depends on it: unsigned attributes (only their form is checked), and certificates
and revocation data of other kinds than X.509. Never raises anything but FormatError.
"""

from collections.abc import Mapping

from anchors.errors import FormatError
from anchors.rfc3161.algorithms import AlgorithmIdentifier, read_algorithm
from anchors.rfc3161.der import SEQUENCE, SET, Reader, context, context_constructed, parse_whole
from anchors.values import value

DATA = "1.2.840.113549.1.7.1"
SIGNED_DATA = "1.2.840.113549.1.7.2"

# Real tokens embed one to five certificates and have six to eight attributes.
MAX_CERTIFICATES = 32
MAX_ATTRIBUTES = 32
MAX_SIGNERS = 8


@value
class SignerInfo:
    """A SignerInfo. RFC 5652 §5.3.

    issuer, serial_number: the signer's certificate by issuer (its Name, DER) and number; or
    subject_key_identifier: by key identifier; the other form is None.
    signed_attributes: the bytes the signature covers: as sent, under the tag of a SET; None if absent.
    attributes: type → the values as sent, each one DER value; a type that occurs twice has them all.
    """

    issuer: bytes | None
    serial_number: int | None
    subject_key_identifier: bytes | None
    digest_algorithm: AlgorithmIdentifier
    signature_algorithm: AlgorithmIdentifier
    signed_attributes: bytes | None
    attributes: Mapping[str, tuple[bytes, ...]]
    signature: bytes


@value
class SignedMessage:
    """A SignedData over `content`, inside it or beside it. certificates, crls: X.509, DER, as sent."""

    version: int
    content: bytes
    digest_algorithms: tuple[AlgorithmIdentifier, ...]
    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    signers: tuple[SignerInfo, ...]


def parse_signed_message(der: bytes, place: str, *, content_type: str) -> SignedMessage:
    """Parse a ContentInfo with a SignedData whose eContentType is `content_type`. Raises FormatError."""
    # 3 because the content is not id-data; 4 and 5 only with certificates of other kinds (RFC 5652 §5.1).
    return _parse(der, place, versions=(3, 4, 5), content_type=content_type, beside=None)


def parse_detached_message(der: bytes, place: str, *, content: bytes) -> SignedMessage:
    """Parse a ContentInfo with a SignedData over id-data that lies beside it: `content`, as signed.

    RFC 5652 §5.2. Raises FormatError, also where a content is inside: two could say different things.
    """
    message = _parse(der, place, versions=(1, 3), content_type=DATA, beside=content)
    # 4 and 5 would announce certificates of other kinds (RFC 5652 §5.1), which carry nothing here.
    by_key_identifier = any(one.subject_key_identifier is not None for one in message.signers)
    if message.version != (3 if by_key_identifier else 1):
        raise FormatError(f"{place}.version", "3 with a key identifier, else 1", message.version)
    return message


def _parse(
    der: bytes, place: str, *, versions: tuple[int, ...], content_type: str, beside: bytes | None
) -> SignedMessage:
    content_info = parse_whole(der, SEQUENCE, place)
    _oid_is(content_info, "contentType", SIGNED_DATA)
    explicit = content_info.inside(context_constructed(0), "content")
    content_info.end()
    signed_data = explicit.sequence("signedData")
    explicit.end()
    version = read_version(signed_data, versions)
    digest_algorithms = _algorithms(signed_data.inside(SET, "digestAlgorithms"))
    content = _content(signed_data.sequence("encapContentInfo"), content_type, beside)
    certificates = _bag(signed_data, context_constructed(0), "certificates")
    crls = _bag(signed_data, context_constructed(1), "crls")
    signers = _signers(signed_data.inside(SET, "signerInfos"))
    signed_data.end()
    return SignedMessage(
        version=version,
        content=content,
        digest_algorithms=digest_algorithms,
        certificates=certificates,
        crls=crls,
        signers=signers,
    )


def _content(encapsulated: Reader, content_type: str, beside: bytes | None) -> bytes:
    _oid_is(encapsulated, "eContentType", content_type)
    if beside is not None:
        if encapsulated.more:
            raise FormatError(f"{encapsulated.place}.eContent", "none: the content lies beside", "one")
        return beside
    wrapped = encapsulated.inside(context_constructed(0), "eContent")
    encapsulated.end()
    content = wrapped.octets("octets")
    wrapped.end()
    return content


def read_version(reader: Reader, allowed: tuple[int, ...]) -> int:
    """Take a version number, which must be one of `allowed`."""
    if (version := reader.integer("version")) not in allowed:
        raise FormatError(f"{reader.place}.version", f"one of {allowed}", version)
    return version


def _oid_is(reader: Reader, name: str, expected: str) -> None:
    if (found := reader.oid(name)) != expected:
        raise FormatError(f"{reader.place}.{name}", expected, found)


def _algorithms(reader: Reader) -> tuple[AlgorithmIdentifier, ...]:
    found: list[AlgorithmIdentifier] = []
    while reader.more:
        if len(found) == MAX_SIGNERS:
            raise FormatError(reader.place, f"at most {MAX_SIGNERS}", "more")
        found.append(read_algorithm(reader, "algorithm"))
    return tuple(found)


def _bag(signed_data: Reader, tag: int, name: str) -> tuple[bytes, ...]:
    """The SEQUENCEs of a set: X.509 certificates or CRLs; CHOICEs of other kinds have context tags."""
    found: list[bytes] = []
    field = signed_data.optional_inside(tag, name)
    count = 0
    while field is not None and field.more:
        if count == MAX_CERTIFICATES:
            raise FormatError(field.place, f"at most {MAX_CERTIFICATES}", "more")
        count += 1
        element = field.any("entry")
        if element.tag == SEQUENCE:
            found.append(element.encoded)
        elif element.tag & 0xE0 != 0xA0:
            raise FormatError(field.place, "a SEQUENCE or a context tag", f"tag {element.tag:02x}")
    return tuple(found)


def _signers(reader: Reader) -> tuple[SignerInfo, ...]:
    found: list[SignerInfo] = []
    while reader.more:
        if len(found) == MAX_SIGNERS:
            raise FormatError(reader.place, f"at most {MAX_SIGNERS}", "more")
        found.append(_signer(reader.sequence("signerInfo")))
    return tuple(found)


def _signer(reader: Reader) -> SignerInfo:
    version = reader.integer("version")
    issuer = serial_number = key_identifier = None
    if reader.next_is(context(0)):
        key_identifier = reader.any("sid").contents
    else:
        sid = reader.sequence("sid")
        issuer, serial_number = sid.element(SEQUENCE, "issuer").encoded, sid.integer("serialNumber")
        sid.end()
    if version != (1 if key_identifier is None else 3):
        raise FormatError(f"{reader.place}.version", "1 with an issuer, 3 with a key identifier", version)
    digest_algorithm = read_algorithm(reader, "digestAlgorithm")
    signed_attributes, attributes = None, {}
    if sent := reader.optional(context_constructed(0), "signedAttrs"):
        # Signed under the tag of a SET OF, not the [0] they travel with (RFC 5652 §5.4); order as sent.
        signed_attributes = bytes((SET,)) + sent.encoded[1:]
        attributes = _attributes(Reader(sent.contents, f"{reader.place}.signedAttrs"))
    signature_algorithm = read_algorithm(reader, "signatureAlgorithm")
    signature = reader.octets("signature")
    if unsigned := reader.optional_inside(context_constructed(1), "unsignedAttrs"):
        _attributes(unsigned)
    reader.end()
    return SignerInfo(
        issuer=issuer,
        serial_number=serial_number,
        subject_key_identifier=key_identifier,
        digest_algorithm=digest_algorithm,
        signature_algorithm=signature_algorithm,
        signed_attributes=signed_attributes,
        attributes=attributes,
        signature=signature,
    )


def _attributes(reader: Reader) -> dict[str, tuple[bytes, ...]]:
    found: dict[str, tuple[bytes, ...]] = {}
    count = 0
    while reader.more:
        attribute = reader.sequence("attribute")
        oid = attribute.oid("type")
        values = attribute.inside(SET, "values")
        attribute.end()
        while values.more:
            count += 1
            if count > MAX_ATTRIBUTES:
                raise FormatError(reader.place, f"at most {MAX_ATTRIBUTES} values", "more")
            found[oid] = (*found.get(oid, ()), values.any("value").encoded)
    return found
