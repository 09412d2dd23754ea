"""Tokens that are signed by the right key and say odd things: what a careless or lying authority would make."""

import hashlib
from collections.abc import Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from anchors.rfc3161.cms import SIGNED_DATA
from anchors.rfc3161.der import (
    GENERALIZED_TIME,
    OCTET_STRING,
    SEQUENCE,
    SET,
    context,
    context_constructed,
    encode_integer,
    encode_oid,
    tlv,
)
from anchors.rfc3161.ess import SIGNING_CERTIFICATE_V2
from anchors.rfc3161.message import CONTENT_TYPE, MESSAGE_DIGEST
from anchors.rfc3161.token import TST_INFO
from tests.anchors.rfc3161.conftest import SHA256
from tests.anchors.rfc3161.pki import Holder

SHA256_ALGORITHM = tlv(SEQUENCE, encode_oid("2.16.840.1.101.3.4.2.1"))
ECDSA_SHA256 = tlv(SEQUENCE, encode_oid("1.2.840.10045.4.3.2"))
GRANTED = tlv(SEQUENCE, encode_integer(0))


def tst_info(*, gen_time: bytes = b"20261122120000Z", after_time: bytes = b"") -> bytes:
    """A TSTInfo over the statement; `after_time`: accuracy, ordering, nonce, tsa and extensions, encoded."""
    imprint = tlv(SEQUENCE, SHA256_ALGORITHM, tlv(OCTET_STRING, SHA256))
    return tlv(
        SEQUENCE,
        encode_integer(1),
        encode_oid("1.2.3"),
        imprint,
        encode_integer(7),
        tlv(GENERALIZED_TIME, gen_time),
        after_time,
    )


def attribute(oid: str, *values: bytes) -> bytes:
    return tlv(SEQUENCE, encode_oid(oid), tlv(SET, *values))


def certificate_id(holder: Holder, *, issuer: bytes | None = None, serial_number: int | None = None) -> bytes:
    """An ESSCertIDv2, with issuer and serial number if an issuer (a Name, DER) is given."""
    parts = [tlv(OCTET_STRING, hashlib.sha256(holder.der).digest())]
    if issuer is not None:
        number = holder.x509.serial_number if serial_number is None else serial_number
        parts.append(
            tlv(SEQUENCE, tlv(SEQUENCE, tlv(context_constructed(4), issuer)), encode_integer(number))
        )
    return tlv(SEQUENCE, *parts)


def signing_certificate(*ids: bytes) -> bytes:
    return attribute(SIGNING_CERTIFICATE_V2, tlv(SEQUENCE, tlv(SEQUENCE, *ids)))


def forge(
    holder: Holder,
    content: bytes,
    *,
    ids: Sequence[bytes] | None = None,
    more: Sequence[bytes] = (),
    key_identifier: bytes | None = None,
    signature_algorithm: bytes = ECDSA_SHA256,
    status: bytes = GRANTED,
) -> bytes:
    """A TimeStampResp with this TSTInfo, correctly signed; `more`: further signed attributes."""
    named = [certificate_id(holder)] if ids is None else ids
    attributes = [
        attribute(CONTENT_TYPE, encode_oid(TST_INFO)),
        attribute(MESSAGE_DIGEST, tlv(OCTET_STRING, hashlib.sha256(content).digest())),
        signing_certificate(*named),
        *more,
    ]
    signature = holder.key.sign(tlv(SET, *attributes), ec.ECDSA(hashes.SHA256()))
    certificate = holder.certificate
    sid = tlv(SEQUENCE, certificate.issuer, encode_integer(certificate.serial_number))
    signer = tlv(
        SEQUENCE,
        encode_integer(1 if key_identifier is None else 3),
        sid if key_identifier is None else tlv(context(0), key_identifier),
        SHA256_ALGORITHM,
        tlv(context_constructed(0), *attributes),
        signature_algorithm,
        tlv(OCTET_STRING, signature),
    )
    signed_data = tlv(
        SEQUENCE,
        encode_integer(3),
        tlv(SET, SHA256_ALGORITHM),
        tlv(SEQUENCE, encode_oid(TST_INFO), tlv(context_constructed(0), tlv(OCTET_STRING, content))),
        tlv(context_constructed(0), holder.der),
        tlv(SET, signer),
    )
    token = tlv(SEQUENCE, encode_oid(SIGNED_DATA), tlv(context_constructed(0), signed_data))
    return tlv(SEQUENCE, status, token)
