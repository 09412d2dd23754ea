"""What else may vouch or travel: headers files, witnesses, cases with hidden events, commitments."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchors.ethereum.headers import HeadersFile, HeaderSource, SourcedBlock
from evidence_vault.core import layout
from evidence_vault.core.canonical import encode_canonical
from evidence_vault.core.events import Subject
from evidence_vault.core.note_keys import SignatureType, encode_vkey, verifier_key
from evidence_vault.core.notes import cosign, encode_signatures, parse_note, sign_note
from evidence_vault.errors import ConfigError
from evidence_vault.verify.report import Verdict
from tests.verify.asking import ask, flaws, outcome, policy_of
from tests.verify.handmade import LOG, OWNER, Keys, Sealed, Vault, encode_redacted, good_bundle, make_id
from tests.verify.outside import derive

# Headers files, for row 7.


def headers_of(good: Sealed, **changes: Any) -> HeadersFile:
    """What two nodes said about the anchors' blocks."""
    blocks: list[dict[str, Any]] = [
        {"number": number, "block_hash": block_hash, "finalized": True}
        for number, block_hash in good.vault.chain.blocks
    ]
    told = tuple(SourcedBlock(**(block | changes)) for block in blocks)
    sources = (HeaderSource(host="a.example", blocks=told), HeaderSource(host="b.example", blocks=()))
    asked = datetime(2026, 11, 23, tzinfo=UTC)
    return HeadersFile(chain_id=good.vault.chain.chain_id, fetched_at=asked, sources=sources)


def without_known_blocks(good: Sealed) -> dict[str, Any]:
    return good.vault.policy(chain=[good.vault.chain.policy | {"known_blocks": []}])


def test_headers_file_vouches_for_the_blocks() -> None:
    good = good_bundle()
    report = ask(good, without_known_blocks(good), headers=[headers_of(good)])
    assert outcome(report) == "TOTAL-PASSED"
    told = next(f for f in report.items[0].rows[6].findings if f.code == "anchor.final")
    assert "a.example" in told.values["source"]
    assert "b.example" not in told.values["source"]


@pytest.mark.parametrize(
    "changes",
    [{"block_hash": bytes(32)}, {"finalized": False}, {"number": 1}],
    ids=["denied", "not final", "other"],
)
def test_headers_file_that_does_not_vouch_leaves_the_blocks_open(changes: dict[str, Any]) -> None:
    good = good_bundle()
    report = ask(good, without_known_blocks(good), headers=[headers_of(good, **changes)])
    assert outcome(report) == "INDETERMINATE 7:anchor.unconfirmed"


def test_one_source_that_denies_is_enough_to_leave_a_block_open() -> None:
    good = good_bundle()
    report = ask(good, headers=[headers_of(good, block_hash=bytes(32))])
    assert outcome(report) == "INDETERMINATE 7:anchor.unconfirmed"


def test_headers_of_another_chain_say_nothing() -> None:
    good = good_bundle()
    headers = headers_of(good)
    other = HeadersFile(chain_id=1, fetched_at=headers.fetched_at, sources=headers.sources)
    assert (
        outcome(ask(good, without_known_blocks(good), headers=[other]))
        == "INDETERMINATE 7:anchor.unconfirmed"
    )


def test_block_of_the_future_does_not_count() -> None:
    good = good_bundle()
    report = ask(good, at=good.vault.now - timedelta(hours=1))
    assert report.verdict is not Verdict.TOTAL_PASSED


# Witnesses.


def witnessed(*, after: bool, wrong: bool = False) -> tuple[Sealed, dict[str, Any]]:
    """A bundle with a cosignature on the first checkpoint that holds the item, or on one before."""
    key = Ed25519PrivateKey.from_private_bytes(derive("witness"))
    vault = Vault()
    early = vault.publish()
    item = vault.receive(b"x")
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    vault.anchor(size)
    cosigned = size if after else early
    text = vault.notes[cosigned].decode().rpartition("\n\n")[0] + "\n"
    line = cosign(
        text.replace("\n2\n", "\n3\n") if wrong else text, name="w.example", private_key=key, timestamp=1
    )
    vault.cosigs[cosigned] = encode_signatures([line])
    vkey = encode_vkey(verifier_key("w.example", SignatureType.COSIGNATURE_V1, key))
    require = {"tsa_groups": 2, "anchors": 1, "witnesses": 1}
    return vault.export([item]), vault.policy(require=require, witness=[{"name": "w", "vkey": vkey}])


def test_witness_on_a_checkpoint_of_the_item_meets_the_requirement() -> None:
    assert outcome(ask(*witnessed(after=True))) == "TOTAL-PASSED"


def test_witness_before_the_item_meets_nothing() -> None:
    report = ask(*witnessed(after=False))
    assert report.items[0].unmet == ("witnesses",)


def test_wrong_cosignature_by_a_trusted_witness_fails() -> None:
    report = ask(*witnessed(after=False, wrong=True))
    assert "4:mismatch(signature by w.example" in outcome(report)
    assert report.verdict is Verdict.TOTAL_FAILED


def test_log_that_witnesses_itself_under_its_next_key_counts_for_nobody() -> None:
    """The policy names only the old key and can't know that the "witness" is the log's new one; the log does."""
    vault, court = Vault(), Keys("next")
    item = vault.receive(b"x")
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    vault.anchor(size)
    text = parse_note(vault.notes[size]).text
    line = cosign(text, name="court.example", private_key=court.log, timestamp=1)
    vault.cosigs[size] = encode_signatures([line])
    vkey = encode_vkey(verifier_key("court.example", SignatureType.COSIGNATURE_V1, court.log))
    require = {"tsa_groups": 2, "anchors": 1, "witnesses": 1}
    policy = vault.policy(require=require, witness=[{"name": "court", "vkey": vkey}])
    vault.add(LOG, "KEY_ROTATED", purpose="log", old_vkey=vault.keys.vkey, new_vkey=court.vkey)
    r = vault.publish()
    handed_over = sign_note(parse_note(vault.notes[r]).text, name=court.origin, private_key=court.log)
    vault.cosigs[r] = encode_signatures([handed_over])
    for authority in vault.authorities:
        vault.stamp(r, authority)
    vault.keys, old = court, vault.keys
    vault.view(item)
    log = vault.policy()["log"][0]
    sealed = vault.export([item])
    vault.keys = old
    report = ask(sealed, policy | {"log": [log | {"vkey": old.vkey}]})
    assert report.items[0].unmet == ("row-4", "witnesses")


@pytest.mark.parametrize("names", [("a", "b"), ("a", "a")])
def test_policy_that_names_one_witness_twice_is_refused(names: tuple[str, str]) -> None:
    _, policy = witnessed(after=True)
    key = Ed25519PrivateKey.from_private_bytes(derive("witness"))
    vkeys = [
        encode_vkey(verifier_key(name, SignatureType.COSIGNATURE_V1, key))
        for name in ("w.example", "other.example")
    ]
    twice = [{"name": name, "vkey": vkey} for name, vkey in zip(names, vkeys, strict=True)]
    with pytest.raises(ConfigError, match="witness"):
        policy_of(policy | {"witness": twice})


def test_line_of_one_witness_twice_fails_and_never_counts_twice() -> None:
    sealed, policy = witnessed(after=True)
    path = next(path for path in sealed.files if path.endswith(".cosigs"))
    twice = sealed.changed({**sealed.files, path: sealed.files[path] * 2})
    report = ask(twice, policy)
    assert report.verdict is Verdict.TOTAL_FAILED
    assert "two" in outcome(report) or "4:mismatch" in outcome(report)


def test_cosignature_of_a_stranger_is_ignored() -> None:
    sealed, policy = witnessed(after=True)
    stranger = policy | {"require": {"tsa_groups": 2, "anchors": 1}}
    del stranger["witness"]
    assert outcome(ask(sealed, stranger)) == "TOTAL-PASSED"


# Cases, with events that the reader may not see.

CASE = Subject(kind="case", id=make_id("cs", "case"))


def with_case(*redacted: int) -> Sealed:
    vault = Vault()
    for _ in range(3):
        vault.add(CASE, "CUSTODY_READ", why=OWNER)
    item = vault.receive(b"x")
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    vault.anchor(size)
    return vault.export([item], cases=[CASE], redacted=[(CASE, seq) for seq in redacted])


@pytest.mark.parametrize("redacted", [(), (0,), (1,), (2,), (0, 1, 2)])
def test_case_with_redacted_events_keeps_chain_and_slots(redacted: tuple[int, ...]) -> None:
    report = ask(with_case(*redacted))
    assert outcome(report) == "TOTAL-PASSED"
    told = [f.values["count"] for f in report.items[0].rows[2].findings if f.place == CASE.id]
    assert told == ([str(len(redacted))] if redacted else [])


@pytest.mark.parametrize("member", ["event_sha256", "nonce", "seq"])
def test_redacted_event_that_is_changed_fails(member: str) -> None:
    sealed = with_case(1)
    path = layout.redacted_path(CASE, 1)
    hidden: dict[str, Any] = {
        "v": 1,
        "seq": 1,
        "event_sha256": sealed.vault.events[CASE][1].sha256.hex(),
        "nonce": sealed.vault.events[CASE][1].nonce.hex(),
    }
    assert sealed.files[path] == encode_canonical(hidden)
    hidden[member] = 2 if member == "seq" else "00" * 32
    report = ask(sealed.changed(sealed.files | {path: encode_canonical(hidden)}, reseal="exported"))
    assert report.verdict is Verdict.TOTAL_FAILED
    expected = {"event_sha256": "3:events.prev", "nonce": "4:mismatch(", "seq": "3:events.misplaced"}
    assert expected[member] in outcome(report)


def test_event_redacted_after_the_export_fails() -> None:
    sealed = with_case()
    files = dict(sealed.files)
    del files[layout.event_path(CASE, 1)]
    files[layout.redacted_path(CASE, 1)] = encode_redacted(sealed.vault.events[CASE][1])
    report = ask(sealed.changed(files))
    assert {"3:parts.missing", "3:parts.unlisted"} <= flaws(report)


# Commitments, and digests beside SHA-256.


def test_commitment_stays_open() -> None:
    vault = Vault()
    item = vault.receive(b"", mode="commitment", digests={"commitment": "00" * 32}, size=None)
    vault.contents[item] = None
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    vault.anchor(size)
    report = ask(vault.export([item]))
    assert outcome(report) == "INDETERMINATE 2:content.commitment"


@pytest.mark.parametrize("algorithm", ["sha512", "sha3-256", "sm3"])
def test_every_digest_of_the_deposit_is_compared(algorithm: str) -> None:
    content = b"x"
    digests = {
        name: hashlib.new(name.replace("-", "_"), content).hexdigest() for name in ("sha256", algorithm)
    }
    for good in (True, False):
        if not good:
            digests[algorithm] = "00" * (len(digests[algorithm]) // 2)
        vault = Vault()
        item = vault.receive(content, digests=digests)
        size = vault.publish()
        for authority in vault.authorities:
            vault.stamp(size, authority)
        vault.anchor(size)
        expected = "TOTAL-PASSED" if good else "TOTAL-FAILED 2:content.digest"
        assert outcome(ask(vault.export([item]))) == expected


# Chains of anchors.


def test_anchor_before_the_deposit_meets_nothing() -> None:
    vault = Vault()
    vault.receive(b"another")
    vault.anchor(vault.publish())
    item = vault.receive(b"x")
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    report = ask(vault.export([item]))
    assert report.items[0].unmet == ("anchors",)
    assert report.items[0].anchors == ()


@pytest.mark.parametrize(("linked", "unmet"), [(True, ()), (False, ("full-chain",))])
def test_full_chain_asks_for_every_anchor_since_the_first(linked: bool, unmet: tuple[str, ...]) -> None:
    vault = Vault()
    item = vault.receive(b"x")
    sizes = []
    for _ in range(3):
        size = vault.publish()
        for authority in vault.authorities:
            vault.stamp(size, authority)
        sizes.append(size)
        if len(sizes) != 2 or linked:
            vault.anchor(size)
        else:  # anchored, but not told: the next one names it as the one before
            vault.anchored.append(size)
        vault.view(item)
    policy = vault.policy(require={"tsa_groups": 2, "anchors": 1, "full_chain": True})
    assert ask(vault.export([item]), policy).items[0].unmet == unmet
