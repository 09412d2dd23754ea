"""What an independent authority makes, `openssl ts -reply`, by our submitter and verifier. RSA and ECDSA."""

import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from anchors.base import Attested, HttpReply, Statement
from anchors.errors import UnavailableError
from anchors.rfc3161.certificate import parse_chain
from anchors.rfc3161.errors import RefusedError
from anchors.rfc3161.submit import REPLY_TYPE, Rfc3161Submitter, TsaConfig
from anchors.rfc3161.verdict import Rfc3161Trust
from anchors.rfc3161.verifier import Rfc3161Verifier
from tests.anchors.answering import Answering, Posted
from tests.anchors.rfc3161.conftest import SHA256
from tests.anchors.rfc3161.judges import openssl_accepts
from tests.conftest import absent

CONFIG = """
[tsa]
default_tsa = own
[own]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
certs = {folder}/root.pem
signer_key = {folder}/tsa.key
signer_digest = {digest}
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.5
digests = sha256, sha512
accuracy = secs:1, millisecs:500, microsecs:100
ordering = yes
tsa_name = yes
ess_cert_id_chain = {chain}
ess_cert_id_alg = {ess}
clock_precision_digits = {digits}
"""
KEYS = {
    "rsa": ["-newkey", "rsa:2048"],
    "p256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p521": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
}


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=60)


@dataclass(frozen=True)
class OpensslTsa(Answering):
    """An authority whose every answer is made by the openssl command."""

    folder: Path

    @classmethod
    def create(
        cls, folder: Path, *, key: str, digest: str, ess: str, chain: str, digits: int
    ) -> "OpensslTsa":
        if shutil.which("openssl") is None:
            absent("no openssl command")
        request = ["openssl", "req", "-x509", "-nodes", "-days", "30", *KEYS[key]]
        run(
            *request,
            "-subj",
            "/O=Foreign/CN=Root",
            "-keyout",
            folder / "root.key",
            "-out",
            folder / "root.pem",
        )
        # `req -x509` with a CA signs by it; the extensions are exactly those of RFC 3161 §2.3.
        extensions = ["basicConstraints=critical,CA:FALSE", "extendedKeyUsage=critical,timeStamping"]
        given = [part for extension in extensions for part in ("-addext", extension)]
        signed_by = ["-CA", folder / "root.pem", "-CAkey", folder / "root.key"]
        run(
            *request, "-subj", "/O=Foreign/CN=TSA", *given, *signed_by,
            "-keyout", folder / "tsa.key", "-out", folder / "tsa.pem", "-config", _empty(folder),
        )  # fmt: skip
        config = CONFIG.format(folder=folder, digest=digest, ess=ess, chain=chain, digits=digits)
        (folder / "tsa.cnf").write_text(config)
        (folder / "serial").write_text("01\n")
        return cls(folder)

    @property
    def root(self) -> Path:
        return self.folder / "root.pem"

    def reply_to(self, sent: Posted) -> HttpReply:
        (self.folder / "q").write_bytes(sent.body)
        run(
            "openssl", "ts", "-reply", "-config", self.folder / "tsa.cnf",
            "-queryfile", self.folder / "q", "-out", self.folder / "r",
        )  # fmt: skip
        return HttpReply(status=200, content_type=REPLY_TYPE, body=(self.folder / "r").read_bytes())


def _empty(folder: Path) -> Path:
    path = folder / "empty.cnf"
    path.write_text("[req]\ndistinguished_name = dn\n[dn]\n")
    return path


def config_for(tsa: OpensslTsa, policy: str | None = None) -> TsaConfig:
    return TsaConfig(
        name="foreign",
        group="foreign",
        url="http://tsa.example",
        roots=parse_chain(tsa.root.read_bytes()),
        policy=policy,
    )


@pytest.mark.parametrize(
    "made",
    [
        {"key": "rsa", "digest": "sha256", "ess": "sha256", "chain": "no", "digits": 0},
        {"key": "rsa", "digest": "sha512", "ess": "sha1", "chain": "no", "digits": 3},
        {"key": "p256", "digest": "sha256", "ess": "sha256", "chain": "yes", "digits": 6},
        {"key": "p521", "digest": "sha512", "ess": "sha512", "chain": "no", "digits": 0},
    ],
)
def test_a_foreign_authority_passes_submitter_verifier_and_its_own_judge(
    tmp_path: Path, made: dict[str, Any]
) -> None:
    tsa = OpensslTsa.create(tmp_path, **made)
    config, statement = config_for(tsa), Statement(sha256=SHA256)
    sending = Rfc3161Submitter(config, tsa, lambda: datetime.now(UTC))
    proof = sending.advance(statement, sending.prepare(statement))
    trusted = Rfc3161Trust(authorities=(config.trust,), at=datetime.now(UTC), skew=timedelta(seconds=5))
    verdict = Rfc3161Verifier().verify(proof, statement=statement, trusted=trusted)
    assert isinstance(verdict, Attested)
    assert verdict.accuracy == timedelta(seconds=1, microseconds=500_100)
    assert openssl_accepts(
        response=proof.parts["response.tsr"],
        request=proof.parts["request.tsq"],
        root=tsa.root,
        at=verdict.time,
        folder=tmp_path,
    )


def test_a_foreign_authority_refuses_a_policy_in_words(tmp_path: Path) -> None:
    tsa = OpensslTsa.create(tmp_path, key="p256", digest="sha256", ess="sha256", chain="no", digits=0)
    statement = Statement(sha256=SHA256)
    sending = Rfc3161Submitter(config_for(tsa, "1.2.3.4.9"), tsa, lambda: datetime.now(UTC))
    with pytest.raises(RefusedError, match="unacceptedPolicy"):
        sending.advance(statement, sending.prepare(statement))


def test_a_foreign_authority_is_compared_with_our_clock(tmp_path: Path) -> None:
    tsa = OpensslTsa.create(tmp_path, key="p256", digest="sha256", ess="sha256", chain="no", digits=0)
    statement = Statement(sha256=SHA256)
    late = Rfc3161Submitter(config_for(tsa), tsa, lambda: datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(UnavailableError, match=r"its time is .* s behind our clock"):
        late.advance(statement, late.prepare(statement))
