"""Certificates as text: PEM files that hold nothing else (RFC 7468)."""

import base64
import re
from collections.abc import Sequence

from anchors.rfc3161.certificate import load_certificate
from evidence_vault.errors import FormatError

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\n]+)-----END CERTIFICATE-----\n")


def parse_pem_chain(data: bytes, *, place: str) -> tuple[bytes, ...]:
    """Return the DER certificates of a PEM file that holds nothing else. Raises FormatError."""
    chain: list[bytes] = []
    end = 0
    for block in _PEM.finditer(data):
        if block.start() != end:
            break
        end = block.end()
        try:
            chain.append(base64.b64decode(block[1].replace(b"\n", b""), validate=True))
        except ValueError:
            raise FormatError(f"{place}, certificate {len(chain)}", "base64") from None
    if end != len(data) or not 0 < len(chain) <= 16:
        raise FormatError(place, "1 to 16 PEM certificates and nothing else")
    return tuple(chain)


def certificates_of(pems: Sequence[str]) -> tuple[bytes, ...]:
    """Return all certificates of these PEM texts, DER. Raises FormatError."""
    found = [
        der
        for number, pem in enumerate(pems)
        for der in parse_pem_chain((pem.strip() + "\n").encode("ascii", "replace"), place=f"roots[{number}]")
    ]
    for der in found:
        load_certificate(der)
    return tuple(found)
