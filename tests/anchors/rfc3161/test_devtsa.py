import stat
from datetime import timedelta
from pathlib import Path

import pytest
import rfc3161_client
from cryptography import x509

from anchors.errors import ConfigError
from anchors.rfc3161.algorithms import digest
from anchors.rfc3161.devtsa import FILE_NAME, DevelopmentTsa
from anchors.rfc3161.token import parse_response, parse_token
from anchors.rfc3161.verdict import VerifiedToken
from anchors.rfc3161.verify import verify_response
from tests.anchors.rfc3161.conftest import DATA, NOW, SHA256, World
from tests.anchors.rfc3161.judges import openssl_accepts
from tests.anchors.rfc3161.vector_cases import encode_request


def test_respond_is_accepted_by_openssl(world: World, tmp_path: Path) -> None:
    def judge(response: bytes) -> bool:
        return openssl_accepts(
            response=response, request=world.request, root=world.root, at=NOW, folder=tmp_path
        )

    response = world.respond()
    assert judge(response)
    assert not judge(response.replace(SHA256, bytes(32)))


def test_respond_is_accepted_by_rfc3161_client(world: World) -> None:
    root = x509.load_pem_x509_certificate(world.tsa.root_pem.encode())
    verifier = rfc3161_client.VerifierBuilder().add_root_certificate(root).build()
    parsed = rfc3161_client.decode_timestamp_response(world.respond())
    assert verifier.verify_message(parsed, DATA)
    with pytest.raises(rfc3161_client.VerificationError):
        verifier.verify_message(parsed, b"another")


def test_respond_gives_a_token_that_verifies(world: World) -> None:
    verdict = verify_response(
        response=world.respond(),
        request=world.request,
        chain=(),
        digests={"sha256": SHA256},
        trusted=world.trusted,
    )
    assert isinstance(verdict, VerifiedToken)
    assert verdict.gen_time == NOW
    assert verdict.accuracy == timedelta(seconds=1)
    assert verdict.policy == world.tsa.policy
    assert verdict.tsa_class == "development"
    assert "DEVELOPMENT" in verdict.signer_subject
    assert verdict.path_valid_until > NOW + timedelta(days=29 * 365)
    assert verdict.algorithms_used == ("secp256r1", "sha256")


def test_respond_never_repeats_a_serial_number(world: World) -> None:
    tokens = [parse_response(world.respond()).token for _ in range(200)]
    assert len({parse_token(token).serial_number for token in tokens if token}) == 200


def test_respond_embeds_the_certificate_only_if_asked(world: World) -> None:
    bare = encode_request(algorithm="sha256", imprint=SHA256, nonce=None, policy=None)
    token = parse_response(world.tsa.respond(bare, NOW)).token
    assert token is not None
    assert parse_token(token).embedded_certificates == ()
    assert parse_token(token).nonce is None
    token = parse_response(world.respond()).token
    assert token is not None
    assert len(parse_token(token).embedded_certificates) == 1


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512", "sha3-256", "sha3-512", "sm3"])
def test_respond_stamps_other_imprints(world: World, algorithm: str) -> None:
    imprint = digest(algorithm, DATA)
    request = encode_request(
        algorithm=algorithm, imprint=imprint, nonce=7, policy=world.tsa.policy, certificate=True
    )
    verdict = verify_response(
        response=world.tsa.respond(request, NOW),
        request=request,
        chain=(),
        digests={algorithm: imprint},
        trusted=world.trusted,
    )
    assert isinstance(verdict, VerifiedToken)


@pytest.mark.parametrize(
    ("algorithm", "imprint", "policy", "failure"),
    [
        ("sha1", bytes(20), None, "badAlg"),
        ("sha256", bytes(20), None, "badDataFormat"),
        ("sha256", bytes(32), "1.2.3.4", "unacceptedPolicy"),
    ],
)
def test_respond_rejects_what_it_does_not_do(
    world: World, algorithm: str, imprint: bytes, policy: str | None, failure: str
) -> None:
    request = encode_request(algorithm=algorithm, imprint=imprint, nonce=1, policy=policy)
    answer = parse_response(world.tsa.respond(request, NOW))
    assert answer.status == "rejection"
    assert answer.token is None
    assert answer.failure_info[0].startswith(failure)


@pytest.mark.parametrize("request_der", [b"", b"\x00", b"<html>", bytes(100), b"\x30\x03\x02\x01\x01"])
def test_respond_rejects_garbage(world: World, request_der: bytes) -> None:
    answer = parse_response(world.tsa.respond(request_der, NOW))
    assert answer.status == "rejection"
    assert answer.failure_info[0].startswith("badDataFormat")


def test_create_keeps_one_private_file_that_load_takes_up(tmp_path: Path) -> None:
    made = DevelopmentTsa.create(tmp_path, NOW)
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    assert DevelopmentTsa.load(tmp_path).root_pem == made.root_pem
    with pytest.raises(ConfigError, match="already"):
        DevelopmentTsa.create(tmp_path, NOW)


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\n"])
def test_load_says_what_is_missing(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(ConfigError, match="no development authority"):
        DevelopmentTsa.load(tmp_path)
