"""The signer: keys are nobody else's, and no second history is ever signed."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchors.base import TreeHead
from evidence_vault.core.checkpoint import open_checkpoint
from evidence_vault.core.merkle import EMPTY_ROOT
from evidence_vault.core.notes import Verified, parse_note, verify_signatures
from evidence_vault.errors import ConfigError, EvidenceError, IntegrityError, ReadOnly
from evidence_vault.signer.keys import create_key, load_ed25519, load_key, promote_key
from evidence_vault.signer.log_signer import LogSigner

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
ORIGIN = "vault.example/log"


def head(size: int, fill: int = 1) -> TreeHead:
    return TreeHead(size=size, root_hash=bytes([fill]) * 32)


def signer_in(folder: Path) -> LogSigner:
    key = folder / "log.key"
    if not key.exists():
        create_key(key, random=lambda _: KEY.private_bytes_raw())
    return LogSigner(origin=ORIGIN, key_path=key, guard_path=folder / "log.guard")


@pytest.fixture
def signer(tmp_path: Path) -> LogSigner:
    signer = signer_in(tmp_path)
    signer.ensure_empty_guard()
    return signer


def test_sign_makes_the_same_note_each_time_with_one_line(signer: LogSigner) -> None:
    note = signer.sign(head(5), key=signer.verifier_key)
    assert signer.sign(head(5), key=signer.verifier_key) == note
    opened = open_checkpoint(note, origin=ORIGIN, trusted=[signer.verifier_key])
    assert isinstance(opened.signed, Verified)
    assert len(opened.note.signatures) == 1
    assert signer.guarded_head() == head(5)


@pytest.mark.parametrize(
    "refused", [head(5, fill=2), head(4), head(0), TreeHead(size=0, root_hash=EMPTY_ROOT)]
)
def test_sign_refuses_a_fork_and_a_smaller_tree_also_after_a_restart(
    signer: LogSigner, tmp_path: Path, refused: TreeHead
) -> None:
    signer.sign(head(5), key=signer.verifier_key)
    restarted = signer_in(tmp_path)
    for one in (signer, restarted):
        with pytest.raises(IntegrityError):
            one.sign(refused, key=one.verifier_key)
    assert restarted.sign(head(6), key=restarted.verifier_key)


def test_sign_without_a_guard_is_refused(signer: LogSigner, tmp_path: Path) -> None:
    (tmp_path / "log.guard").unlink()
    with pytest.raises(ReadOnly, match="`evidence-vault log adopt` rebuilds it from what was published"):
        signer.sign(head(5), key=signer.verifier_key)


@pytest.mark.parametrize(
    "text", ["", "{}", '{"origin":"other.example/log","root":"' + "00" * 32 + '","size":1,"v":1}']
)
def test_sign_with_a_damaged_or_foreign_guard_is_refused(
    signer: LogSigner, tmp_path: Path, text: str
) -> None:
    (tmp_path / "log.guard").write_text(text)
    with pytest.raises(EvidenceError):
        signer.sign(head(5), key=signer.verifier_key)


def test_guard_moves_before_the_signature_leaves(signer: LogSigner, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("evidence_vault.signer.log_signer.sign_note", crash)
        with pytest.raises(KeyboardInterrupt):
            signer.sign(head(5), key=signer.verifier_key)
    assert signer.guarded_head() == head(5)
    with pytest.raises(IntegrityError):
        signer.sign(head(5, fill=2), key=signer.verifier_key)


def test_both_keys_of_a_rotation_sign_the_last_head_and_no_other(signer: LogSigner, tmp_path: Path) -> None:
    old = signer.verifier_key
    create_key(tmp_path / "log.next.key", random=lambda _: b"n" * 32)
    _, new = signer.verifier_keys
    assert (signer.verifier_key, new == old) == (old, False)
    with pytest.raises(IntegrityError, match="countersign"):
        signer.countersign(head(5), successor=new)
    text = parse_note(signer.sign(head(5), key=old)).text
    line = signer.countersign(head(5), successor=new)
    assert isinstance(verify_signatures(text, [line], trusted=[new]), Verified)
    promote_key(tmp_path / "log.key")
    assert signer.verifier_keys == (new,)
    assert signer.sign(head(6), key=new)
    with pytest.raises(ReadOnly, match="not in the keys folder"):
        signer.sign(head(7), key=old)
    assert signer.guarded_head() == head(6)


def test_sign_by_many_threads_never_signs_two_roots_of_one_size(signer: LogSigner) -> None:
    barrier = threading.Barrier(8)

    def attempt(fill: int) -> bool:
        barrier.wait()
        try:
            signer.sign(head(9, fill), key=signer.verifier_key)
        except IntegrityError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1


def test_a_key_that_signed_before_opens_no_second_log(signer: LogSigner) -> None:
    signer.ensure_empty_guard()
    signer.sign(head(1), key=signer.verifier_key)
    with pytest.raises(ConfigError, match="a log begins once"):
        signer.ensure_empty_guard()


def test_keys_are_written_once_and_for_the_vault_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "log.key"
    answers = [b"\xff" * 32, bytes(32), b"s" * 32]  # neither 0 nor above the order is a secp256k1 key
    create_key(path, random=lambda _: answers.pop(0))
    assert load_key(path) == b"s" * 32
    assert load_ed25519(path).private_bytes_raw() == b"s" * 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with pytest.raises(ConfigError, match="never overwritten"):
        create_key(path, random=bytes)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="others may read it"):
        load_key(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(IntegrityError) as caught:
        load_key(path)
    assert "short" not in str(caught.value)
    with pytest.raises(ConfigError):
        load_key(tmp_path / "none.key")
