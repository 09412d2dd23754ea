"""What a certificate path is for, and which certificates may stand on it. RFC 5280 §4.2.1.3, §4.2.1.12.

A path for one purpose proves nothing for another: a server's certificate signs no time-stamps, a
time-stamping unit's no documents. `path` asks; here are the answers for time-stamps.
"""

from collections.abc import Callable

from cryptography import x509

from anchors.rfc3161.certificate import ANY_EXTENDED_KEY_USAGE, TIME_STAMPING, Certificate, extension_of
from anchors.values import value


@value
class Purpose:
    """A purpose. signer_flaw: why a certificate can't sign for it, or None.

    issuer_may: whether an issuer whose extended key usage holds these OIDs may issue signers for it.
    name: for people, in the reason of a refusal.
    """

    name: str
    signer_flaw: Callable[[Certificate], str | None]
    issuer_may: Callable[[frozenset[str]], bool]


def extended_key_usage(one: Certificate) -> frozenset[str] | None:
    """The OIDs of the certificate's extended key usage; None if it has none. RFC 5280 §4.2.1.12."""
    extension = extension_of(one, x509.ExtendedKeyUsage)
    return None if extension is None else frozenset(oid.dotted_string for oid in extension.value)


def time_stamping_flaw(signer: Certificate) -> str | None:
    """Why this certificate can't sign time-stamps for anyone, or None. RFC 3161 §2.3.

    Its extended key usage is critical and exactly timeStamping; its keyUsage, if any, is digitalSignature or
    nonRepudiation only.
    """
    usage = extension_of(signer, x509.ExtendedKeyUsage)
    if usage is None:
        return "no extended key usage"
    if not usage.critical:
        return "an extended key usage that is not critical"
    purposes = sorted(oid.dotted_string for oid in usage.value)
    if purposes != [TIME_STAMPING]:
        return f"the purposes {', '.join(purposes)}"
    key_usage = extension_of(signer, x509.KeyUsage)
    if key_usage is None:
        return None
    value = key_usage.value
    signs = value.digital_signature or value.content_commitment
    other = (
        value.key_encipherment
        or value.data_encipherment
        or value.key_agreement
        or value.key_cert_sign
        or value.crl_sign
    )
    return None if signs and not other else "a key usage beyond digitalSignature and nonRepudiation"


TIME_STAMPS = Purpose(
    name="timeStamping",
    signer_flaw=time_stamping_flaw,
    issuer_may=lambda oids: bool(oids & {TIME_STAMPING, ANY_EXTENDED_KEY_USAGE}),
)
