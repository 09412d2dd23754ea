"""The vault and its witnesses: lines are verified, kept and shown; nobody waits; and a fork is an outage."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from anchors.base import HttpReply
from evidence_vault.core.checkpoint import open_checkpoint
from evidence_vault.core.note_keys import VerifierKey, encode_vkey
from evidence_vault.core.notes import Verified, cosign, encode_signatures, parse_note
from evidence_vault.core.tlog_witness import parse_request
from evidence_vault.errors import EvidenceError, IntegrityError, ReadOnly, UnavailableError, VerificationError
from evidence_vault.pipeline.export.trust import final_blocks, policy_text
from evidence_vault.pipeline.log.cosign import ask_witness, compare_with_witness, witness_states
from evidence_vault.pipeline.log.publish import published_head
from evidence_vault.pipeline.log.rotation import rotate_key
from evidence_vault.pipeline.operation.fsck import fsck
from evidence_vault.pipeline.vault import Vault, build_vault
from evidence_vault.settings import Witness as WitnessSettings
from evidence_vault.store.queries import bundles, cosignatures, log
from evidence_vault.verify.report import Report, Verdict
from evidence_vault.verify.trust import parse_policy
from evidence_vault.verify.verifier import verify_path
from evidence_vault.witness.folder import open_witness
from evidence_vault.witness.witness import WatchedLog, Witness
from evidence_vault.workers.runner import advance_log
from tests.anchors.answering import Answering, Posted
from tests.pipeline.story import begin_story
from tests.pipeline.vaults import deposit, new_vault, settings_for

URL = "http://witness.example"


@dataclass
class Wire(Answering):
    """A client whose network is one witness in this process; `say` answers instead of it."""

    witness: Witness
    posted: list[bytes] = field(default_factory=list)
    say: Callable[[bytes], HttpReply] | None = None

    def reply_to(self, sent: Posted) -> HttpReply:
        assert (sent.url, sent.timeout_s) == (f"{URL}/add-checkpoint", 10.0)
        self.posted.append(sent.body)
        if self.say is not None:
            return self.say(sent.body)
        answer = self.witness.add_checkpoint(sent.body)
        return HttpReply(status=answer.status, content_type=answer.content_type, body=answer.body)

    def get(self, url: str, *, headers: Mapping[str, str], max_bytes: int, timeout_s: float) -> HttpReply:
        note = self.witness.latest(url.removeprefix(f"{URL}/").removesuffix("/checkpoint"))
        return HttpReply(status=200 if note else 404, content_type="text/plain", body=note or b"")


@dataclass
class Watched:
    """A vault, its one witness, and the wire between them."""

    vault: Vault
    witness: Witness
    settings: WitnessSettings
    wire: Wire

    def ask(self) -> bool:
        return ask_witness(self.vault, self.settings, self.wire)

    def grow(self) -> int:
        deposit(self.vault)
        advance_log(self.vault)
        return published_head(self.vault).size


def watched_by(vault: Vault, folder: Path, stack: ExitStack) -> Watched:
    """The vault as it is when its settings name this witness."""
    watched = WatchedLog(origin=vault.settings.origin, keys=vault.log_signer.verifier_keys)
    witness = stack.enter_context(open_witness(folder, name="court.example/w1", logs=[watched]))
    named = WitnessSettings(name="court", vkey=encode_vkey(witness.verifier_key), url=URL)
    settings = vault.settings.model_copy(update={"witnesses": [named]})
    vault = build_vault(settings, clock=vault.clock, submitters=vault.submitters)
    return Watched(vault=vault, witness=witness, settings=named, wire=Wire(witness))


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with ExitStack() as stack:
        vault = new_vault(tmp_path / "vault")
        advance_log(vault)
        yield watched_by(vault, tmp_path / "witness", stack)


def signers(vault: Vault, *trusted: VerifierKey) -> set[str]:
    note = vault.public.checkpoint()
    assert note is not None
    opened = open_checkpoint(note, origin=vault.settings.origin, trusted=trusted)
    assert isinstance(opened.signed, Verified)
    return {signature.key.name for signature in opened.signed.signatures}


def test_line_is_kept_shown_and_asked_for_once(watched: Watched) -> None:
    assert watched.ask()
    assert not watched.ask()
    assert len(watched.wire.posted) == 1
    both = {watched.vault.settings.origin, "court.example/w1"}
    keys = (watched.vault.log_signer.verifier_key, watched.witness.verifier_key)
    assert signers(watched.vault, *keys) == both
    sizes = [watched.grow() for _ in range(3)]
    assert signers(watched.vault, *keys) == {watched.vault.settings.origin}
    assert watched.ask()
    request, _ = parse_request(watched.wire.posted[-1])
    assert (request.old_size, len(watched.wire.posted)) == (2, 2)
    assert signers(watched.vault, *keys) == both
    note = watched.vault.public.note_path(sizes[-1])
    assert len(parse_note(note.read_bytes()).signatures) == 1
    assert note.with_suffix(".cosigs").is_file()
    with watched.vault.database.read() as session:
        [state] = witness_states(watched.vault, session)
    assert (state.name, state.size, state.behind) == ("court", sizes[-1], False)
    assert published_head(watched.vault).size == sizes[-1]


def test_witness_that_remembers_more_than_we_do_is_followed(watched: Watched) -> None:
    """Its answer was lost on the way: it says its size, and signs again."""
    real = watched.witness.add_checkpoint

    def lost(body: bytes) -> HttpReply:
        real(body)
        raise UnavailableError("court", "connection reset")

    watched.wire.say = lost
    with pytest.raises(UnavailableError):
        watched.ask()
    watched.wire.say = None
    assert watched.ask()  # 409, then an equal size with an empty proof
    watched.wire.say = lost
    watched.grow()
    with pytest.raises(UnavailableError):
        watched.ask()
    watched.wire.say = None
    size = watched.grow()
    assert watched.ask()
    with watched.vault.database.read() as session:
        assert cosignatures.cosignatures_of(session, [size])[size]


def lying(watched: Watched, case: str) -> Callable[[bytes], HttpReply]:
    """A witness's bad answers."""
    stranger = Ed25519PrivateKey.from_private_bytes(b"s" * 32)

    def say(body: bytes) -> HttpReply:
        _, note = parse_request(body)
        lines = {
            "stranger": [cosign(note.text, name="court.example/w1", private_key=stranger, timestamp=1)],
            "other text": [
                cosign("other\n1\nAA==\n", name="court.example/w1", private_key=stranger, timestamp=1)
            ],
        }
        bodies = {
            "garbage": (200, "text/plain", b"\xff" * 100),
            "nothing": (200, "text/plain", b""),
            "ahead": (409, "text/x.tlog.size", b"999\n"),
            "round and round": (409, "text/x.tlog.size", b"0\n"),
            "no size": (409, "text/x.tlog.size", b"x\n"),
            "refuses": (422, "text/plain", b"no\x1b[2J"),
            "forbids": (403, "text/plain", b"no"),
            "server": (500, "text/plain", b""),
        }
        status, kind, answer = bodies.get(case, (200, "text/plain", b""))
        return HttpReply(
            status=status, content_type=kind, body=encode_signatures(lines[case]) if case in lines else answer
        )

    return say


@pytest.mark.parametrize(
    "case",
    ["garbage", "nothing", "ahead", "round and round", "no size", "refuses", "forbids", "server", "stranger"],
)
def test_lying_witness_changes_nothing_and_stops_nothing(watched: Watched, case: str) -> None:
    watched.wire.say = lying(watched, case)
    before = watched.vault.public.checkpoint()
    with pytest.raises(EvidenceError):
        watched.ask()
    assert watched.vault.public.checkpoint() == before
    assert watched.vault.gate.reasons == ()
    with watched.vault.database.read() as session:
        assert cosignatures.cosignatures_of(session, [2]) == {}
    assert watched.grow() > 2  # the log goes on
    watched.wire.say = None
    assert watched.ask()


def test_replayed_line_of_an_older_checkpoint_is_refused(watched: Watched) -> None:
    watched.ask()
    with watched.vault.database.read() as session:
        old = cosignatures.cosignatures_of(session, [2])[2]
    watched.grow()
    watched.wire.say = lambda _: HttpReply(status=200, content_type="text/plain", body=encode_signatures(old))
    with pytest.raises(VerificationError):
        watched.ask()


def test_restored_backup_with_a_forced_guard_is_refused_and_the_vault_stops(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Everything in the home is yesterday's, guard and checkpoint too: only the witness knows more."""
    home = tmp_path / "vault"
    with ExitStack() as stack:
        watched = watched_by(new_vault(home), tmp_path / "witness", stack)
        advance_log(watched.vault)
        watched.ask()
        watched.vault.database.dispose()
        yesterday = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
        watched.grow()
        watched.ask()
        watched.vault.database.dispose()
        for path in [path for path in home.rglob("*") if path.is_file()]:
            path.unlink()
        for path, data in yesterday.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(0o600)
        settings = settings_for(home).model_copy(update={"witnesses": [watched.settings]})
        watched.vault = build_vault(settings, clock=watched.vault.clock)
        ahead = build_vault(settings, clock=watched.vault.clock)
        compare_with_witness(ahead, watched.settings, watched.wire)  # as at start: before anything is signed
        assert "restored from an older backup" in ahead.gate.reasons[0]
        ahead.database.dispose()
        deposit(watched.vault, b"something else")
        deposit(watched.vault, b"and more")
        advance_log(watched.vault)  # the fork: signed, for nothing on this machine knows better
        with (
            caplog.at_level(logging.CRITICAL, "evidence_vault"),
            pytest.raises(ReadOnly, match="court holds has size"),
        ):
            watched.ask()
        assert "a witness refuses our log" in caplog.messages
        assert "read-only" in caplog.messages
        with pytest.raises(ReadOnly):
            deposit(watched.vault)
        assert list((tmp_path / "witness" / "evidence").glob("*.refused"))


def test_witness_follows_a_rotation_once_it_is_given_the_new_key(tmp_path: Path) -> None:
    with ExitStack() as stack:
        watched = watched_by(new_vault(tmp_path / "vault"), tmp_path / "witness", stack)
        advance_log(watched.vault)
        watched.ask()
        new = rotate_key(watched.vault, "log").new
        advance_log(watched.vault)
        assert watched.ask()  # r is signed by the old key
        watched.grow()
        with pytest.raises(UnavailableError, match="403"):
            watched.ask()
        assert watched.vault.gate.reasons == ()
        stack.pop_all().close()
        both = WatchedLog(origin=new.name, keys=(*watched.vault.log_signer.verifier_keys, new))
        again = stack.enter_context(open_witness(tmp_path / "witness", name=None, logs=[both]))
        watched.wire.witness = again
        assert watched.ask()


def test_bundle_carries_lines_that_the_verifier_counts(tmp_path: Path) -> None:
    with ExitStack() as stack:
        story = begin_story(tmp_path / "vault", log_class="production")
        stack.callback(story.chain.close)
        watched = watched_by(story.vault, tmp_path / "witness", stack)
        story.vault = watched.vault
        item = story.deposit(b"witnessed")
        story.go_on(30)
        early = story.export(item)
        story.go_on(10)
        watched.ask()
        story.go_on(5)
        late = story.export(item)
        story.go_on(10)
        with story.vault.database.read() as session:
            newest = log.latest_published(session)
            assert newest is not None
            blocks = final_blocks(session, bundles.anchored_sizes(session, published=newest.size))
            text = policy_text(story.vault, session, known_blocks=blocks)
        assert f'[[witness]]\nname = "court"\nvkey = "{watched.settings.vkey}"' in text
        text = text.replace("[require]", "[require]\nwitnesses = 1")

        def verified(bundle: str, policy: str) -> Report:
            parsed = parse_policy(policy.encode(), name="trust.toml")
            return verify_path(story.bundle(bundle), parsed, at=story.clock() + timedelta(hours=1))

        assert verified(late, text).verdict is Verdict.TOTAL_PASSED
        assert verified(early, text).items[0].unmet == ("witnesses",)
        two = text.replace("witnesses = 1", "witnesses = 2")
        assert verified(late, two).items[0].unmet == ("witnesses",)


def unguarded(vault: Vault, change: str) -> None:
    """Change the database as someone could who has its file."""
    with vault.database.migrating() as connection:
        found = connection.execute(text("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'"))
        for name, _ in found.all():
            connection.execute(text(f"DROP TRIGGER {name}"))
        assert connection.execute(text(change)).rowcount == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE cosignatures SET signature = CAST(X'00' || signature AS BLOB)", "signature"),
        ("UPDATE cosignatures SET key_id = X'00000000'", "public cosignatures at size"),
        ("UPDATE cosignatures SET size = 2", "signature|public cosignatures at size"),
        ("DELETE FROM cosignatures WHERE size > 0", "public cosignatures at size"),
    ],
)
def test_fsck_verifies_the_lines_that_are_kept(watched: Watched, change: str, named: str) -> None:
    watched.grow()
    assert watched.ask()
    fsck(watched.vault)
    unguarded(watched.vault, change)
    with pytest.raises(IntegrityError, match=named):
        fsck(watched.vault)


@pytest.mark.parametrize("suffix", [".cosigs", "checkpoint"])
def test_fsck_verifies_the_lines_that_are_shown(watched: Watched, suffix: str) -> None:
    size = watched.grow()
    assert watched.ask()
    public = watched.vault.public
    path = public.folder / suffix if suffix == "checkpoint" else public.note_path(size).with_suffix(suffix)
    data = path.read_bytes()
    for damaged in (
        data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
        data + data[data.rindex(b"\xe2\x80\x94") :],
    ):
        path.write_bytes(damaged)
        with pytest.raises(IntegrityError):
            fsck(watched.vault)
    path.write_bytes(data)
    fsck(watched.vault)
