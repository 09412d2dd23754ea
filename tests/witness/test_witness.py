"""The witness: each answer of the protocol, and that it never signs a second history, whoever asks, and crashes."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from anchors.base import TreeHead
from evidence_vault.core.note_keys import encode_vkey
from evidence_vault.core.notes import Verified, parse_note, parse_signatures, verify_note, verify_signatures
from evidence_vault.core.tlog_witness import SIZE_TYPE, encode_request, origin_name
from evidence_vault.errors import ConfigError, IntegrityError, UnavailableError, VerificationError
from evidence_vault.witness.guard import Cosigned, Guard
from evidence_vault.witness.witness import Answer, Witness
from tests.witness.logs import ORIGIN, MemoryLog, witness_of

NAMES = [f"leaf {number}" for number in range(40)]
LOG = MemoryLog(NAMES)
FORK = MemoryLog([*NAMES[:5], "another", *NAMES[6:]])
STRANGER = MemoryLog(NAMES, seed=b"s" * 32)


def cosigned(witness: Witness, answer: Answer, log: MemoryLog, size: int) -> int:
    """The time in a good answer."""
    assert answer.status == 200, answer
    verdict = verify_signatures(
        parse_note(log.note(size)).text, parse_signatures(answer.body), trusted=[witness.verifier_key]
    )
    assert isinstance(verdict, Verified)
    [signature] = verdict.signatures
    assert signature.timestamp
    return signature.timestamp


def test_witness_follows_a_log_that_grows(tmp_path: Path) -> None:
    with witness_of(tmp_path, LOG) as witness:
        old = 0
        for size in (1, 2, 3, 7, 8, 8, 40):
            assert cosigned(witness, witness.add_checkpoint(LOG.request(old, size)), LOG, size)
            old = size
        note = witness.latest(origin_name(ORIGIN))
        assert note is not None
        both = verify_note(parse_note(note), trusted=[LOG.key, witness.verifier_key])
        assert isinstance(both, Verified)
        assert len(both.signatures) == 2
        assert witness.latest("0" * 64) is None


def test_empty_log_may_be_the_first_contact(tmp_path: Path) -> None:
    with witness_of(tmp_path, LOG) as witness:
        assert witness.add_checkpoint(LOG.request(0, 0)).status == 200
        assert witness.add_checkpoint(LOG.request(0, 3)).status == 200


@pytest.mark.parametrize(
    ("request_bytes", "status", "body"),
    [
        (b"", 400, None),
        (b"old 5\n\nno checkpoint", 400, None),
        (LOG.request(9, 7, proof=[]), 400, None),
        (
            encode_request(
                old_size=5, proof=[], checkpoint=LOG.note(0, TreeHead(size=0, root_hash=bytes(32)))
            ),
            400,
            None,
        ),
        (MemoryLog(NAMES, origin="other.example/log").request(5, 7), 404, None),
        (STRANGER.request(5, 7), 403, None),
        (LOG.request(0, 7), 409, b"5\n"),
        (LOG.request(4, 7), 409, b"5\n"),
        (LOG.request(6, 7), 409, b"5\n"),
        (encode_request(old_size=5, proof=[], checkpoint=FORK.note(6)), 422, None),
        (LOG.request(5, 7, proof=[]), 422, None),
        (LOG.request(5, 7, proof=[bytes(32)] * 3), 422, None),
        (LOG.request(5, 5, proof=[bytes(32)]), 422, None),
    ],
)
def test_witness_that_cosigned_5_answers_as_the_protocol_says(
    tmp_path: Path, request_bytes: bytes, status: int, body: bytes | None
) -> None:
    with witness_of(tmp_path, LOG) as witness:
        assert witness.add_checkpoint(LOG.request(0, 5)).status == 200
        answer = witness.add_checkpoint(request_bytes)
        assert answer.status == status
        assert body in (None, answer.body)
        assert (answer.content_type == SIZE_TYPE) == (body is not None)
        assert cosigned(witness, witness.add_checkpoint(LOG.request(5, 8)), LOG, 8)


def test_another_root_at_the_same_size_is_a_conflict_and_kept_as_evidence(tmp_path: Path) -> None:
    forked = MemoryLog(["one", "two", "else"])
    with witness_of(tmp_path, LOG) as witness:
        witness.add_checkpoint(LOG.request(0, 3))
        for _ in range(2):
            answer = witness.add_checkpoint(forked.request(3, 3))
            assert (answer.status, answer.content_type == SIZE_TYPE) == (409, False)
    refused, accepted = sorted((tmp_path / "evidence").iterdir(), key=lambda path: path.suffix, reverse=True)
    assert refused.read_bytes() == forked.note(3)
    for path in (refused, accepted):  # both signed by the log, side by side: the proof
        assert isinstance(verify_note(parse_note(path.read_bytes()), trusted=[LOG.key]), Verified)


def test_wrong_signature_by_a_known_key_is_forbidden_also_beside_a_good_one(tmp_path: Path) -> None:
    note = LOG.note(3)
    line = note.splitlines()[-1]
    wrong = parse_note(LOG.note(4)).signatures[0]
    with witness_of(tmp_path, LOG) as witness:
        text = note.removesuffix(line + b"\n")
        from_4 = LOG.note(4).splitlines()[-1] + b"\n"
        assert wrong.key_id == LOG.key.key_id
        for lines in (from_4, line + b"\n" + from_4):
            request = encode_request(old_size=0, proof=[], checkpoint=text + lines)
            assert witness.add_checkpoint(request).status == 403
        assert witness.latest(origin_name(ORIGIN)) is None


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([LOG, FORK]), st.integers(0, 12), st.integers(0, 12)), max_size=12
    )
)
def test_whatever_is_asked_all_that_was_cosigned_is_one_history(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[MemoryLog, int, int]]
) -> None:
    with witness_of(tmp_path_factory.mktemp("w"), LOG) as witness:
        signed: list[TreeHead] = []
        for log, old, size in steps:
            if witness.add_checkpoint(log.request(min(old, size), size)).status == 200:
                signed.append(log.head(size))
    assert [head.size for head in signed] == sorted(head.size for head in signed)
    assert any(all(head == log.head(head.size) for head in signed) for log in (LOG, FORK))


def test_restart_remembers_and_another_process_is_kept_out(tmp_path: Path) -> None:
    with witness_of(tmp_path, LOG) as witness:
        vkey = encode_vkey(witness.verifier_key)
        witness.add_checkpoint(LOG.request(0, 9))
        with pytest.raises(ConfigError, match="another witness is running"), witness_of(tmp_path, LOG):
            pass
    with witness_of(tmp_path, LOG, name=None) as again:
        assert encode_vkey(again.verifier_key) == vkey
        assert again.add_checkpoint(FORK.request(0, 7)).body == b"9\n"
    with pytest.raises(ConfigError, match="a name never changes"), witness_of(tmp_path, LOG, name="other"):
        pass
    (tmp_path / "witness.key").unlink()
    with pytest.raises(ConfigError, match="begin a new one"), witness_of(tmp_path, LOG):
        pass


def test_log_is_no_witness_of_itself(tmp_path: Path) -> None:
    with witness_of(tmp_path, LOG):
        pass
    key = Ed25519PrivateKey.from_private_bytes((tmp_path / "witness.key").read_bytes())
    own = MemoryLog(NAMES, seed=key.private_bytes_raw())
    with pytest.raises(ConfigError, match="can't watch itself"), witness_of(tmp_path, own):
        pass


def test_guard_moves_before_the_cosignature_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with witness_of(tmp_path, LOG) as witness, monkeypatch.context() as patched:
        patched.setattr("evidence_vault.witness.witness.encode_signatures", crash)  # after the flush
        with pytest.raises(KeyboardInterrupt):
            witness.add_checkpoint(LOG.request(0, 6))
    with witness_of(tmp_path, LOG) as again:
        assert again.add_checkpoint(FORK.request(0, 6)).status == 409
        assert again.add_checkpoint(FORK.request(6, 6)).status == 409
        assert again.add_checkpoint(LOG.request(0, 6)).body == b"6\n"
        assert cosigned(again, again.add_checkpoint(LOG.request(6, 6)), LOG, 6)


def test_nothing_leaves_when_the_guard_can_not_be_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise UnavailableError("guard", "no space left")

    with witness_of(tmp_path, LOG) as witness:
        with monkeypatch.context() as patched:
            patched.setattr("evidence_vault.witness.guard.save_file", full)
            with pytest.raises(UnavailableError):
                witness.add_checkpoint(LOG.request(0, 6))
        assert witness.latest(origin_name(ORIGIN)) is None
        assert witness.add_checkpoint(LOG.request(0, 5)).status == 200


def test_guard_itself_never_goes_back_or_aside(tmp_path: Path) -> None:
    guard = Guard(tmp_path)
    guard.save(ORIGIN, Cosigned(tree_head=LOG.head(6), note=LOG.note(6)))
    guard.save(ORIGIN, Cosigned(tree_head=LOG.head(6), note=LOG.note(6)))
    for log, size in ((LOG, 5), (FORK, 6)):
        with pytest.raises(IntegrityError):
            guard.save(ORIGIN, Cosigned(tree_head=log.head(size), note=log.note(size)))
    [path] = (tmp_path / "guards").iterdir()
    (tmp_path / "guards" / f"{origin_name('other')}.json").write_bytes(path.read_bytes())
    with pytest.raises(IntegrityError, match="another log's"):
        guard.last("other")
    guard.close()


def test_requests_at_once_never_get_two_roots_signed(tmp_path: Path) -> None:
    with witness_of(tmp_path, LOG) as witness:
        witness.add_checkpoint(LOG.request(0, 5))
        barrier = threading.Barrier(8)

        def ask(number: int) -> tuple[int, int]:
            log = (LOG, FORK)[number % 2]
            barrier.wait()
            return number % 2, witness.add_checkpoint(log.request(5, 6 + number // 2)).status

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(8)))
        assert [status for _, status in answers].count(200) == 1


def test_audit_decides_before_the_guard_moves(tmp_path: Path) -> None:
    seen: list[TreeHead] = []
    outcome: list[Exception] = [UnavailableError("log", "down"), VerificationError("slot", "once", "twice")]

    def audit(head: TreeHead, _note: bytes) -> None:
        seen.append(head)
        if outcome:
            raise outcome.pop(0)

    with witness_of(tmp_path, LOG, audit=audit) as witness:
        assert witness.add_checkpoint(LOG.request(0, 4)).status == 503
        assert witness.add_checkpoint(LOG.request(0, 4)).status == 422
        assert witness.latest(origin_name(ORIGIN)) is None
        assert witness.add_checkpoint(LOG.request(0, 4)).status == 200
    assert [head.size for head in seen] == [4, 4, 4]
