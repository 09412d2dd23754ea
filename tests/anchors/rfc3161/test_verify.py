import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from anchors.base import AnchorProof, Attested, Indeterminate, Statement
from anchors.errors import FormatError, VerificationError
from anchors.rfc3161 import devtsa
from anchors.rfc3161.certificate import encode_chain
from anchors.rfc3161.der import SEQUENCE, encode_oid, tlv
from anchors.rfc3161.devtsa import DevelopmentTsa
from anchors.rfc3161.verdict import Rfc3161Trust, TsaTrust, VerifiedToken
from anchors.rfc3161.verifier import Rfc3161Verifier
from anchors.rfc3161.verify import verify_response
from anchors.values import replace
from tests.anchors.rfc3161.conftest import NOW, SHA256, World
from tests.anchors.rfc3161.pki import YEAR, Holder, authority, signer
from tests.anchors.rfc3161.test_revocation import crl
from tests.anchors.rfc3161.vector_cases import encode_request

DAY = timedelta(days=1)
REQUEST = encode_request(algorithm="sha256", imprint=SHA256, nonce=9, policy=None, certificate=True)


def judge(
    world: World, *, trusted: Rfc3161Trust | None = None, response: bytes | None = None
) -> VerifiedToken | Indeterminate:
    return verify_response(
        response=response or world.respond(),
        request=world.request,
        chain=(),
        digests={"sha256": SHA256},
        trusted=trusted or world.trusted,
    )


def verified(verdict: object) -> VerifiedToken:
    assert isinstance(verdict, VerifiedToken)
    return verdict


def sub_indication(verdict: object) -> str:
    assert isinstance(verdict, Indeterminate)
    return verdict.sub_indication


def test_verify_accepts_without_the_request_and_with_a_longer_chain(world: World) -> None:
    verdict = verify_response(
        response=world.respond(),
        request=None,
        chain=world.trusted.authorities[0].roots,
        digests={"sha256": SHA256},
        trusted=world.trusted,
    )
    assert isinstance(verdict, VerifiedToken)
    assert verdict.response_sha256 is not None
    assert len(verdict.path) == 2


def test_verify_trusts_no_root_because_it_was_supplied(world: World, make_world: Callable[[], World]) -> None:
    stranger = make_world()
    verdict = verify_response(
        response=stranger.respond(),
        request=None,
        chain=stranger.trusted.authorities[0].roots,
        digests={"sha256": SHA256},
        trusted=world.trusted,
    )
    assert sub_indication(verdict) == "NO_CERTIFICATE_CHAIN_FOUND"


def test_verify_trusts_nobody_by_default(world: World) -> None:
    nobody = replace(world.trusted, authorities=())
    assert sub_indication(judge(world, trusted=nobody)) == "NO_CERTIFICATE_CHAIN_FOUND"


def test_verify_says_wrong_before_untrusted(world: World) -> None:
    with pytest.raises(VerificationError, match="imprint"):
        verify_response(
            response=world.respond(),
            request=None,
            chain=(),
            digests={"sha256": bytes(32)},
            trusted=replace(world.trusted, authorities=()),
        )


def test_verify_without_a_digest_of_that_kind_compares_nothing(world: World) -> None:
    verdict = verify_response(
        response=world.respond(),
        request=None,
        chain=(),
        digests={"sha512": bytes(64)},
        trusted=world.trusted,
    )
    assert sub_indication(verdict) == "SIGNED_DATA_NOT_FOUND"


def test_verify_keeps_to_the_policies_of_the_authority(world: World) -> None:
    assert isinstance(judge(world, trusted=world.trust(policies=(world.tsa.policy,))), VerifiedToken)
    verdict = judge(world, trusted=world.trust(policies=("1.2.3",)))
    assert sub_indication(verdict) == "SIG_CONSTRAINTS_FAILURE"


def test_verify_looks_for_the_authority_whose_terms_fit(world: World) -> None:
    fits = world.trusted.authorities[0]
    misfits = replace(fits, name="first", policies=("1.2.3",))
    verdict = judge(world, trusted=replace(world.trusted, authorities=(misfits, fits)))
    assert isinstance(verdict, VerifiedToken)
    assert verdict.authority == "development"


def test_verify_says_of_many_authorities_the_one_that_came_closest(
    world: World, make_world: Callable[[], World]
) -> None:
    reached = world.trust(policies=("1.2.3",)).authorities[0]
    stranger = make_world().trusted.authorities[0]
    for order in ((reached, stranger), (stranger, reached)):
        verdict = judge(world, trusted=replace(world.trusted, authorities=order))
        assert sub_indication(verdict) == "SIG_CONSTRAINTS_FAILURE"


def test_verify_distrusts_tokens_made_after_the_date(world: World) -> None:
    assert sub_indication(judge(world, trusted=world.trust(distrust_after=NOW - DAY))) == (
        "NO_CERTIFICATE_CHAIN_FOUND"
    )
    before = judge(world, trusted=world.trust(distrust_after=NOW + DAY))
    assert isinstance(before, VerifiedToken)
    assert before.good_at(NOW + DAY)
    assert sub_indication(before.why_not_good(NOW + DAY * 2)) == "NO_CERTIFICATE_CHAIN_FOUND_NO_POE"


def test_verify_refuses_algorithms_from_their_day_on(world: World) -> None:
    def refusing(day: date) -> Rfc3161Trust:
        return replace(world.trusted, refused_algorithms={"secp256r1": day, "sha1": date(2017, 1, 1)})

    weak = judge(world, trusted=refusing(NOW.date()))
    assert sub_indication(weak) == "CRYPTO_CONSTRAINTS_FAILURE"
    strong = judge(world, trusted=refusing(NOW.date() + DAY))
    assert isinstance(strong, VerifiedToken)
    assert strong.good_at(NOW)
    assert sub_indication(strong.why_not_good(NOW + DAY)) == "CRYPTO_CONSTRAINTS_FAILURE_NO_POE"


@pytest.mark.parametrize(
    ("refused", "name", "counts"),
    [
        ("sha1", "sha1", False),
        ("sha1", "sha256", True),
        ("rsa-1024", "rsa-1024", False),
        ("rsa-1024", "rsa-512", False),
        ("rsa-1024", "rsa-2048", True),
        ("rsa-2048", "secp256r1", True),
        ("rsa-x", "rsa-512", True),
    ],
)
def test_trust_refuses_shorter_rsa_keys_too(world: World, refused: str, name: str, counts: bool) -> None:
    trusted = replace(world.trusted, refused_algorithms={refused: date(2020, 1, 1)})
    assert (trusted.refused_from(name) is None) is counts


def test_verify_wants_the_signers_digest_among_the_announced(world: World) -> None:
    sha256, sha512 = (bytes.fromhex(f"310d300b060960864801650304020{n}") for n in (1, 3))
    response = world.respond()
    assert response.count(sha256) == 1
    with pytest.raises(VerificationError, match="digestAlgorithms"):
        judge(world, response=response.replace(sha256, sha512))


def test_verify_wants_the_certificate_that_the_request_asked_for(world: World) -> None:
    asked, bare = (
        encode_request(algorithm="sha256", imprint=SHA256, nonce=9, policy=None, certificate=wanted)
        for wanted in (True, False)
    )
    signer_der = verified(judge(world)).path[0]
    response = world.tsa.respond(bare, NOW)
    for request, good in ((bare, True), (None, True), (asked, False)):
        arguments: dict[str, Any] = {"response": response, "request": request, "chain": (signer_der,)}
        arguments |= {"digests": {"sha256": SHA256}, "trusted": world.trusted}
        if good:
            verified(verify_response(**arguments))
            continue
        with pytest.raises(VerificationError, match="certReq"):
            verify_response(**arguments)


class SignsWithSha384:
    """A key whose owner says SHA-256 of the content and signs with SHA-384."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self.key = key

    def sign(self, data: bytes, _: object) -> bytes:
        return self.key.sign(data, ec.ECDSA(hashes.SHA384()))


def test_verify_wants_one_hash_for_content_and_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devtsa, "_ECDSA_SHA256", tlv(SEQUENCE, encode_oid("1.2.840.10045.4.3.3")))
    key: Any = SignsWithSha384(LEAF.key)
    response = DevelopmentTsa(key, LEAF.der, ROOT.der).respond(REQUEST, NOW)
    with pytest.raises(VerificationError, match="signatureAlgorithm: expected one with sha256"):
        judge_stamped(response)


def test_verify_compares_a_nonce_of_zero(world: World) -> None:
    request = encode_request(algorithm="sha256", imprint=SHA256, nonce=0, policy=None)
    with pytest.raises(VerificationError, match="nonce"):
        verify_response(
            response=world.respond(),
            request=request,
            chain=(),
            digests={"sha256": SHA256},
            trusted=world.trusted,
        )


def test_verify_refuses_a_time_ahead_by_more_than_skew_and_accuracy(world: World) -> None:
    limit = timedelta(seconds=61)
    assert isinstance(judge(world, response=world.respond(NOW + limit)), VerifiedToken)
    with pytest.raises(VerificationError, match="genTime"):
        judge(world, response=world.respond(NOW + limit + timedelta(milliseconds=1)))


def test_verify_refuses_a_time_before_all_clocks(world: World) -> None:
    with pytest.raises(VerificationError, match="genTime: expected at least 1970"):
        judge(world, response=world.respond(datetime(1969, 12, 31, tzinfo=UTC)))


def test_verified_token_is_good_until_its_path_ends(world: World) -> None:
    verdict = judge(world)
    assert isinstance(verdict, VerifiedToken)
    assert verdict.good_until == verdict.path_valid_until
    assert verdict.good_at(verdict.path_valid_until)
    late = verdict.path_valid_until + timedelta(seconds=1)
    assert sub_indication(verdict.why_not_good(late)) == "OUT_OF_BOUNDS_NO_POE"


ROOT = authority("Root")
MIDDLE = authority("Middle", ROOT)
LEAF = signer(MIDDLE, not_before=NOW - YEAR, not_after=NOW + DAY)


def stamped(leaf: Holder = LEAF, at: datetime = NOW) -> bytes:
    return DevelopmentTsa(leaf.key, leaf.der, ROOT.der).respond(REQUEST, at)


def judge_stamped(response: bytes, *evidence: bytes, at: datetime = NOW) -> VerifiedToken | Indeterminate:
    authority_trust = TsaTrust(name="Example", group="example", roots=(ROOT.der,))
    return verify_response(
        response=response,
        request=REQUEST,
        chain=(MIDDLE.der,),
        revocation=evidence,
        digests={"sha256": SHA256},
        trusted=Rfc3161Trust(authorities=(authority_trust,), at=at, skew=timedelta(0)),
    )


def test_verify_a_stolen_expired_key_needs_proof_of_existence() -> None:
    # The thief signs years later with a gen_time at which the certificate was good.
    verdict = judge_stamped(stamped(), at=NOW + 5 * YEAR)
    assert isinstance(verdict, VerifiedToken)
    assert not verdict.good_at(NOW + 5 * YEAR)
    assert verdict.good_at(NOW + DAY / 2)
    # And with the time of the theft, the certificate is out of bounds.
    assert sub_indication(judge_stamped(stamped(at=NOW + 2 * DAY), at=NOW + 5 * YEAR)) == (
        "OUT_OF_BOUNDS_NO_POE"
    )


def test_verify_a_revoked_certificate_by_when_it_was_revoked() -> None:
    before = judge_stamped(stamped(), crl(MIDDLE, LEAF, revoked_at=NOW - DAY))
    assert sub_indication(before) == "REVOKED_NO_POE"
    after = judge_stamped(stamped(), crl(MIDDLE, LEAF, revoked_at=NOW + DAY / 2), crl(ROOT))
    assert isinstance(after, VerifiedToken)
    assert after.good_at(NOW + DAY / 4)
    assert sub_indication(after.why_not_good(NOW + DAY / 2)) == "REVOKED_NO_POE"


def test_verify_says_whether_revocation_was_checked() -> None:
    unchecked, checked = (
        judge_stamped(stamped()),
        judge_stamped(stamped(), crl(MIDDLE, this_update=NOW), crl(ROOT, this_update=NOW)),
    )
    assert isinstance(unchecked, VerifiedToken)
    assert isinstance(checked, VerifiedToken)
    assert (unchecked.revocation_checked, checked.revocation_checked) == (False, True)


def proof_of(response: bytes, **parts: bytes) -> AnchorProof:
    return AnchorProof(kind="rfc3161", parts={"response.tsr": response, **parts})


def test_verifier_attests_or_says_which_proof_is_missing(world: World) -> None:
    verifier, statement = Rfc3161Verifier(), Statement(sha256=SHA256)
    proof = proof_of(world.respond(), **{"request.tsq": world.request})
    attested = verifier.verify(proof, statement=statement, trusted=world.trusted)
    assert isinstance(attested, Attested)
    assert (attested.time, attested.accuracy) == (NOW, timedelta(seconds=1))
    assert "development" in attested.source
    assert any("revoked" in one for one in attested.assumptions)
    later = replace(world.trusted, at=NOW + 40 * YEAR)
    assert sub_indication(verifier.verify(proof, statement=statement, trusted=later)) == (
        "OUT_OF_BOUNDS_NO_POE"
    )


def test_verifier_reads_chain_and_revocation_parts() -> None:
    proof = proof_of(
        stamped(),
        **{
            "chain.pem": encode_chain((LEAF.der, MIDDLE.der, ROOT.der)),
            "revocation/0.crl": crl(MIDDLE, LEAF, revoked_at=NOW - DAY),
        },
    )
    trusted = Rfc3161Trust(
        authorities=(TsaTrust(name="Example", group="e", roots=(ROOT.der,)),), at=NOW, skew=timedelta(0)
    )
    verdict = Rfc3161Verifier().verify(proof, statement=Statement(sha256=SHA256), trusted=trusted)
    assert sub_indication(verdict) == "REVOKED_NO_POE"


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"response.tsr": b"x"},
        {"response.tsr": b"", "extra": b""},
        {"response.tsr": b"", "revocation/00.crl": b""},
        {"response.tsr": b"", "chain.pem": b"junk"},
        {"response.tsr": b"", "chain.pem": b"-----BEGIN CERTIFICATE-----\n"},
        {"response.tsr": b"", "chain.pem": b"-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n"},
    ],
)
def test_verifier_refuses_parts_that_are_not_the_format(world: World, parts: dict[str, bytes]) -> None:
    with pytest.raises(FormatError):
        Rfc3161Verifier().verify(
            AnchorProof(kind="rfc3161", parts=parts),
            statement=Statement(sha256=hashlib.sha256(b"").digest()),
            trusted=world.trusted,
        )
