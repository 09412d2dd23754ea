"""One authority under two roots of the policy: cross-certified, it is still one, and on its own root's terms."""

from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from anchors.rfc3161.certificate import encode_chain
from anchors.rfc3161.devtsa import DevelopmentTsa
from evidence_vault.verify.report import Report, Verdict
from tests.verify.asking import ask
from tests.verify.handmade import START, Vault
from tests.verify.outside import FAR_OFF, LONG_AGO, Authority, Token, _key, _name

DAY = timedelta(days=1)


def certify(subject: str, key: str, issuer: str, *, ca: bool = True) -> bytes:
    """A certificate over somebody's key, by the root of the authority `issuer`."""
    owner, _, kind = key.partition(" ")
    builder = (
        x509.CertificateBuilder(_name(issuer + " root"), _name(subject), _key(owner, kind).public_key())
        .serial_number(4711)
        .not_valid_before(LONG_AGO)
        .not_valid_after(FAR_OFF)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca:
        only = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(only, critical=True)
    signed = builder.sign(_key(issuer, "root"), hashes.SHA256(), ecdsa_deterministic=True)
    return signed.public_bytes(serialization.Encoding.DER)


class Crossed(Authority):
    """Alpha under a root of Beta, who certified its root (own_root), else its signing key."""

    def __init__(self, *, own_root: bool) -> None:
        super().__init__("Alpha")
        self.beta_root = certify("Beta root", "Beta root", "Beta")
        self.own_root = own_root
        if not own_root:
            self.certificate = certify("Alpha TSA", "Alpha tsa", "Beta", ca=False)
            self._tsa = DevelopmentTsa(self._tsa._key, self.certificate, self.beta_root)

    def stamp(self, sha256: bytes, at: Any) -> Token:
        token = super().stamp(sha256, at)
        cross = (certify("Alpha root", "Alpha root", "Beta"),) if self.own_root else ()
        chain = encode_chain((self.certificate, *cross, self.beta_root))
        return Token(token.request, token.response, chain)


def report_of(own_root: bool, **alpha_terms: Any) -> Report:
    vault = Vault(authorities=[Authority("Alpha"), Crossed(own_root=own_root)])
    item = vault.receive(b"x")
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    vault.anchor(size)
    policy = vault.policy(require={"tsa_groups": 2, "anchors": 1})
    beta = encode_chain((certify("Beta root", "Beta root", "Beta"),)).decode()
    alpha = Authority("Alpha").policy | alpha_terms
    policy["tsa"] = [
        {"name": "Beta", "group": "Beta group", "class": "production", "roots": [beta]},
        alpha,
    ]
    return ask(vault.export([item], cut=size), policy)


def test_authority_whose_root_another_certified_is_one_group() -> None:
    report = report_of(True)
    assert report.items[0].record_groups == ("Alpha group",)
    assert report.verdict is Verdict.INDETERMINATE


def test_authority_that_is_distrusted_does_not_come_back_by_a_cross_certificate() -> None:
    report = report_of(True, distrust_after=START - DAY)
    assert report.items[0].record_groups == ()


def test_authority_whose_key_two_roots_certified_is_one_group() -> None:
    report = report_of(False)
    assert len(report.items[0].record_groups) == 1
    assert report.verdict is Verdict.INDETERMINATE
