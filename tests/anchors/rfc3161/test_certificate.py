"""What a certificate must be before any path is looked for (RFC 5280 §4.1)."""

import pytest

from anchors.errors import FormatError
from anchors.rfc3161.certificate import load_certificate
from tests.anchors.rfc3161.pki import authority

ECDSA_WITH_SHA256 = bytes.fromhex("06082a8648ce3d040302")
ECDSA_WITH_SHA384 = bytes.fromhex("06082a8648ce3d040303")


@pytest.mark.parametrize("which", [0, 1], ids=["inner", "outer"])
def test_load_certificate_refuses_two_signature_algorithms(which: int) -> None:
    good = authority("Root").der
    pieces = good.split(ECDSA_WITH_SHA256)
    assert len(pieces) == 3
    names = [ECDSA_WITH_SHA256, ECDSA_WITH_SHA256]
    names[which] = ECDSA_WITH_SHA384

    with pytest.raises(FormatError, match=r"signatureAlgorithm.*5280 §4\.1\.1\.2"):
        load_certificate(pieces[0] + names[0] + pieces[1] + names[1] + pieces[2])
