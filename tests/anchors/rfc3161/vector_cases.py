"""The conformance vectors of `rfc3161/`, as cases with everything a verifier needs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from anchors.base import Indeterminate
from anchors.rfc3161.algorithms import DIGEST_SIZES, HASH_OIDS, digest
from anchors.rfc3161.certificate import parse_chain
from anchors.rfc3161.der import OCTET_STRING, SEQUENCE, encode_integer, encode_oid, tlv
from anchors.rfc3161.verdict import Rfc3161Trust, TsaTrust, VerifiedToken
from anchors.rfc3161.verify import verify_response, verify_token
from tests.conftest import VECTORS

SHA1_REFUSED = {"sha1": datetime(2017, 1, 1, tzinfo=UTC).date()}
# doc.bin's vectors were made on this day.
SYNTHETIC_AT = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One vector. `data`: what was stamped, if at hand; `entry`: its line of the index."""

    folder: Path
    entry: Mapping[str, Any]
    at: datetime
    data: bytes | None
    root: Path | None
    request: bytes | None = None
    policies: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        return self.folder / str(self.entry["file"])

    @property
    def expected(self) -> str:
        return str(self.entry["expected"])

    @property
    def is_response(self) -> bool:
        return self.path.suffix == ".tsr"

    def chain_file(self) -> Path | None:
        name = self.entry.get("untrusted_file")
        return self.folder / str(name) if name else None

    def digests(self) -> dict[str, bytes]:
        if self.data is not None:
            return {name: digest(name, self.data) for name in DIGEST_SIZES}
        if "imprint" in self.entry:
            return {str(self.entry["imprint_alg"]): bytes.fromhex(str(self.entry["imprint"]))}
        return {}

    def trust(self, *, refused: bool = True) -> Rfc3161Trust:
        roots = parse_chain(self.root.read_bytes()) if self.root else ()
        authority = TsaTrust(name="under test", group="g", roots=roots, policies=self.policies)
        return Rfc3161Trust(
            authorities=(authority,) if roots else (),
            refused_algorithms=SHA1_REFUSED if refused else {},
            at=self.at,
            skew=timedelta(seconds=60),
        )

    def verify(self, *, trusted: Rfc3161Trust | None = None) -> VerifiedToken | Indeterminate:
        raw = self.path.read_bytes()
        chain = parse_chain(file.read_bytes()) if (file := self.chain_file()) else ()
        trusted = trusted or self.trust()
        if self.is_response:
            return verify_response(
                response=raw, request=self.request, chain=chain, digests=self.digests(), trusted=trusted
            )
        return verify_token(
            token=raw, request=self.request, chain=chain, digests=self.digests(), trusted=trusted
        )


def real_cases() -> list[Any]:
    """Tokens of public authorities, and altered ones; judged one second after their gen_time."""
    folder = VECTORS / "rfc3161"
    if not folder.is_dir():
        return []
    cases = []
    for entry in json.loads((folder / "index.json").read_text())["items"]:
        gen_time = entry.get("gen_time")
        data = folder / entry["data_file"] if "data_file" in entry else None
        request = folder / entry["query_file"] if "query_file" in entry else None
        at = datetime.fromisoformat(gen_time) if gen_time else SYNTHETIC_AT
        case = Case(
            folder=folder,
            entry=entry,
            at=at + timedelta(seconds=1),
            data=data.read_bytes() if data else None,
            root=folder / entry["root"] if "root" in entry else None,
            request=request.read_bytes() if request else None,
        )
        cases.append(pytest.param(case, id=case.path.name))
    return cases


def synthetic_cases() -> list[Any]:
    """One response per attack over doc.bin, under a root of its own."""
    folder = VECTORS / "rfc3161" / "synthetic"
    if not folder.is_dir():
        return []
    data = (folder / "doc.bin").read_bytes()
    cases = []
    for entry in json.loads((folder / "index.json").read_text())["items"]:
        asked = next((name for mark, name in _ASKED.items() if entry["file"].startswith(mark)), "sha256")
        case = Case(
            folder=folder.parent,
            entry=entry,
            at=SYNTHETIC_AT,
            data=data,
            root=folder / "root.pem",
            request=encode_request(
                algorithm=asked,
                imprint=digest(asked, data),
                nonce=int(entry["request_nonce"], 16),
                policy=entry["request_policy"],
            ),
        )
        cases.append(pytest.param(case, id=case.path.name))
    return cases


# The imprint algorithm that the request of a case asked for, where it is not SHA-256.
_ASKED = {
    "synthetic/02-": "sha384",
    "synthetic/03-": "sha512",
    "synthetic/47-": "sha1",
}


def encode_request(
    *, algorithm: str, imprint: bytes, nonce: int | None, policy: str | None, certificate: bool = False
) -> bytes:
    """A TimeStampReq. RFC 3161 §2.4.1."""
    oid = next(oid for oid, name in HASH_OIDS.items() if name == algorithm)
    hash_algorithm = tlv(SEQUENCE, encode_oid(oid), b"\x05\x00")
    parts = [encode_integer(1), tlv(SEQUENCE, hash_algorithm, tlv(OCTET_STRING, imprint))]
    parts += [encode_oid(policy)] if policy else []
    parts += [encode_integer(nonce)] if nonce is not None else []
    parts += [b"\x01\x01\xff"] if certificate else []
    return tlv(SEQUENCE, *parts)
