"""OpenTimestamps anchors in bundles: rows 6 and 7, the policy's Bitcoin networks; and parts under proof/added."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from anchors.opentimestamps.bitcoin import parse_header, shown
from anchors.opentimestamps.headers import BitcoinHeaders, ShownBlock, ShownBy
from anchors.opentimestamps.proof import encode_proof
from evidence_vault.core import layout
from evidence_vault.core.merkle import prove_consistency
from evidence_vault.errors import ConfigError
from evidence_vault.verify.report import Status
from tests.anchors.opentimestamps.toy import ToyBitcoin, made_proof
from tests.verify.asking import ask, flaws, outcome, policy_of
from tests.verify.handmade import Files, Sealed, Vault, encode_consistency


def digest(vault: Vault, size: int) -> bytes:
    return hashlib.sha256(vault.notes[size]).digest()


def stamped_bundle(
    *, with_header: bool = True, ethereum: bool = False, proof: tuple[bytes, bytes] | None = None, **own: Any
) -> tuple[Sealed, ToyBitcoin]:
    """One item, one checkpoint with two tokens, and its proof in the toy chain."""
    vault, chain = Vault(), ToyBitcoin()
    chain.mine(30)  # the log begins at 16:00, block 30 is of 17:00
    item = vault.receive(b"x")
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    if ethereum:
        vault.anchor(size)
    vault.now += timedelta(hours=2)
    data, ots = proof or made_proof(chain, digest(vault, size), with_header=with_header)
    event = vault.record_anchor(size, data, **({"anchor_kind": "opentimestamps"} | own))
    vault.parts[layout.ots_path(size, event.seq)] = ots
    return vault.export([item]), chain


def policy(sealed: Sealed, known: dict[int, str] | None = None, **changes: Any) -> dict[str, Any]:
    blocks = [{"height": height, "block": block} for height, block in (known or {}).items()]
    bitcoin = {"network": "regtest", "name": "Toy", "class": "production", "known_blocks": blocks}
    return sealed.vault.policy(**({"bitcoin": [bitcoin | changes.pop("own", {})]} | changes))


def block_hash(chain: ToyBitcoin, height: int) -> str:
    return shown(parse_header(chain.headers[height]).block_hash)


def shown_by(chain: ToyBitcoin, height: int, most: int = 6) -> BitcoinHeaders:
    block = ShownBlock(height=height, headers=chain.shown_headers(height, most))
    source = ShownBy(host="a.example", blocks=(block,))
    return BitcoinHeaders(network="regtest", fetched_at=datetime(2026, 11, 23, tzinfo=UTC), sources=(source,))


def codes(sealed: Sealed, *arguments: Any, **named: Any) -> set[str]:
    report = ask(sealed, *arguments, **named)
    return {finding.code for row in report.items[0].rows for finding in row.findings}


def test_a_known_block_meets_the_requirement_of_an_anchor() -> None:
    sealed, chain = stamped_bundle()
    report = ask(sealed, policy(sealed, {31: block_hash(chain, 31)}))
    assert outcome(report) == "TOTAL-PASSED"
    assert report.items[0].anchors == ("Toy (production network), block 31",)


def test_a_known_header_does_without_a_carried_one() -> None:
    sealed, chain = stamped_bundle(with_header=False)
    assert outcome(ask(sealed, policy(sealed, {31: chain.headers[31].hex()}))) == "TOTAL-PASSED"
    by_hash = ask(sealed, policy(sealed, {31: block_hash(chain, 31)}))
    assert by_hash.items[0].unmet == ("anchors",)


def test_a_headers_file_meets_it_too_and_a_thin_one_does_not() -> None:
    sealed, chain = stamped_bundle()
    assert outcome(ask(sealed, policy(sealed), headers=[shown_by(chain, 31)])) == "TOTAL-PASSED"
    thin = ask(sealed, policy(sealed), headers=[shown_by(chain, 31, 3)])
    assert (thin.items[0].unmet, flaws(thin)) == (("anchors",), {"7:anchor.unconfirmed"})
    heavy = policy(sealed, own={"least_difficulty": 1})
    assert ask(sealed, heavy, headers=[shown_by(chain, 31)]).items[0].unmet == ("anchors",)


def test_without_either_it_is_indeterminate_and_says_what_to_compare() -> None:
    sealed, chain = stamped_bundle()
    report = ask(sealed, policy(sealed))
    assert report.items[0].unmet == ("anchors",)
    row = report.items[0].rows[6]
    assert row.status is Status.INDETERMINATE
    reason = row.findings[0].values["reason"]
    assert "block 31" in reason
    assert shown(parse_header(chain.headers[31]).merkle_root) in reason
    # A policy that names no Bitcoin at all leaves it open likewise, and nothing is FAILED.
    assert flaws(ask(sealed, sealed.vault.policy())) == {"7:anchor.unconfirmed"}


def test_two_kinds_are_two_networks() -> None:
    sealed, chain = stamped_bundle(ethereum=True)
    two = {"tsa_groups": 2, "anchors": 2}
    asked = policy(sealed, {31: block_hash(chain, 31)}, require=two)
    assert outcome(ask(sealed, asked)) == "TOTAL-PASSED"
    assert ask(sealed, sealed.vault.policy(require=two)).items[0].unmet == ("anchors",)
    # full_chain is about anchors that name the one before: those of Bitcoin neither meet nor spoil it.
    full = policy(sealed, {31: block_hash(chain, 31)}, require={"anchors": 1, "full_chain": True})
    assert outcome(ask(sealed, full)) == "TOTAL-PASSED"
    alone, chain = stamped_bundle()
    full = policy(alone, {31: block_hash(chain, 31)}, require={"anchors": 1, "full_chain": True})
    assert ask(alone, full).items[0].unmet == ("full-chain",)


def test_another_stamp_or_none_beside_the_json_is_failed() -> None:
    sealed, chain = stamped_bundle()
    asked = policy(sealed, {31: block_hash(chain, 31)})
    (path,) = (path for path in sealed.files if path.endswith(".ots"))
    _, other = made_proof(chain, hashlib.sha256(b"another").digest())
    for files in (sealed.files | {path: other}, {k: v for k, v in sealed.files.items() if k != path}):
        assert "6:mismatch" in " ".join(flaws(ask(sealed.changed(files, reseal="exported"), asked)))
    changed = sealed.files | {path: b"\x00" + sealed.files[path][1:-1]}
    assert "6:mismatch" in " ".join(flaws(ask(sealed.changed(changed, reseal="exported"), asked)))


def test_a_proof_over_another_checkpoint_is_failed() -> None:
    chain = ToyBitcoin()
    chain.mine(30)
    sealed, _ = stamped_bundle(proof=made_proof(chain, hashlib.sha256(b"another note").digest()))
    report = ask(sealed, policy(sealed, {31: block_hash(chain, 31)}))
    assert "6:mismatch(opentimestamps digest)" in flaws(report)


def test_a_recorded_promise_is_told_and_meets_nothing() -> None:
    vault = Vault()
    item = vault.receive(b"x")
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    _, ots = made_proof(ToyBitcoin(), digest(vault, size))
    promise = encode_proof(network="regtest", height=None, header=None, ots=ots)
    event = vault.record_anchor(size, promise, anchor_kind="opentimestamps")
    vault.parts[layout.ots_path(size, event.seq)] = ots
    sealed = vault.export([item])
    report = ask(sealed, policy(sealed))
    assert (report.items[0].unmet, flaws(report)) == (("anchors",), set())
    assert "anchor.promised" in codes(sealed, policy(sealed))


def test_a_block_younger_than_the_given_time_does_not_count() -> None:
    sealed, chain = stamped_bundle()
    asked = policy(sealed, {31: block_hash(chain, 31)})
    at = parse_header(chain.headers[31]).time
    assert "7:anchor.ahead" not in flaws(ask(sealed, asked, at=at - timedelta(hours=1)))
    assert "7:anchor.ahead" in flaws(ask(sealed, asked, at=at - timedelta(hours=2, minutes=2)))


def test_policy_refuses_what_names_one_twice_or_never_was() -> None:
    sealed, chain = stamped_bundle()
    one = policy(sealed)["bitcoin"][0]
    no_work = chain.headers[31][:-4] + bytes(4)
    while parse_header(no_work).block_hash[-1] < 0x80:
        no_work = no_work[:-4] + (int.from_bytes(no_work[-4:], "little") + 1).to_bytes(4, "little")
    for bitcoin in (
        [one, one | {"name": "Other"}],
        [one, {"network": "test", "name": "Toy", "class": "test"}],
        [one | {"name": sealed.vault.policy()["chain"][0]["name"]}],
        [one | {"network": "moon"}],
        [one | {"known_blocks": [{"height": 1, "block": "00"}]}],
        [one | {"known_blocks": [{"height": 1, "block": no_work.hex()}]}],
        [one | {"unknown": 1}],
    ):
        with pytest.raises(ConfigError):
            policy_of(sealed.vault.policy(bitcoin=bitcoin))


# What comes later, outside the seal.


def bare_bundle() -> tuple[Sealed, int]:
    vault = Vault()
    item = vault.receive(b"x")
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    return vault.export([item]), size


def added(sealed: Sealed, extra: Files) -> Sealed:
    return sealed.changed(sealed.files | extra)


def test_an_added_stamp_meets_the_requirement() -> None:
    sealed, size = bare_bundle()
    chain = ToyBitcoin()
    proof, ots = made_proof(chain, digest(sealed.vault, size))
    asked = policy(sealed, {1: block_hash(chain, 1)})
    assert ask(sealed, asked).items[0].unmet == ("anchors",)
    files = {layout.anchor_path(size, 0, added=True): proof, layout.ots_path(size, 0, added=True): ots}
    assert outcome(ask(added(sealed, files), asked)) == "TOTAL-PASSED"
    promise = encode_proof(network="regtest", height=None, header=None, ots=ots)
    pending = added(sealed, files | {layout.anchor_path(size, 0, added=True): promise})
    assert ask(pending, asked).items[0].unmet == ("anchors",)
    assert "anchor.added-open" in codes(pending, asked)


MALFORMED = {
    "unknown path": {"proof/added/notes.txt": b"hello"},
    "unknown kind of file": {"proof/added/anchors/3/0.xml": b"<x/>"},
    "note": {"proof/added/log/900.note": b"no note"},
    "cosigs": {"proof/added/log/900.cosigs": b"no lines"},
    "consistency": {"proof/added/log/consistency/3-900.json": b"{}"},
    "anchor": {"proof/added/anchors/3/0.json": b"no json"},
    "anchor without a kind": {"proof/added/anchors/3/0.json": b"{}"},
    "ethereum": {"proof/added/anchors/3/0.json": b'{"kind":"ethereum"}'},
    "opentimestamps": {"proof/added/anchors/3/0.json": b'{"kind":"opentimestamps"}'},
    "stamp": {"proof/added/anchors/3/0.ots": b"nothing"},
    "unknown kind": {"proof/added/anchors/3/0.json": b'{"kind":"moon"}'},
    "token in part": {"proof/added/timestamps/3/0/request.tsq": b"0"},
    "token": {
        "proof/added/timestamps/3/0/request.tsq": b"0",
        "proof/added/timestamps/3/0/response.tsr": b"0",
        "proof/added/timestamps/3/0/chain.pem": b"0",
    },
    "token of an unknown checkpoint": {
        "proof/added/timestamps/900/0/request.tsq": b"0",
        "proof/added/timestamps/900/0/response.tsr": b"0",
        "proof/added/timestamps/900/0/chain.pem": b"",
    },
    "too many": {f"proof/added/anchors/3/{n}.json": b'{"kind":"moon"}' for n in range(120)},
    "too large": {"proof/added/log/900.note": b"a" * (17 * 1024 * 1024)},
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_added_part_is_told_and_spoils_nothing(name: str) -> None:
    sealed, _ = bare_bundle()
    asked = sealed.vault.policy(require={"tsa_groups": 2, "anchors": 0})
    spoiled = added(sealed, MALFORMED[name])
    report = ask(spoiled, asked)
    assert outcome(report) == "TOTAL-PASSED"
    told = codes(spoiled, asked) & {"added.malformed", "anchor.added-open", "token.added-wrong"}
    assert told, name
    # The same bytes inside the seal make the bundle unreadable, or fail it.
    inside = sealed.files | {
        path.replace("proof/added/", "proof/"): data for path, data in MALFORMED[name].items()
    }
    assert outcome(ask(sealed.changed(inside, reseal="exported"), asked)) != "TOTAL-PASSED"


def test_malformed_added_parts_hide_no_good_one() -> None:
    """Attack: junk between M and a later checkpoint, so that the two are no neighbours any more."""
    vault = Vault()
    item = vault.receive(b"x")
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    sealed = vault.export([item])
    newest = max(vault.notes)
    for _ in range(4):
        vault.view(item)
    later = vault.publish()
    chain = ToyBitcoin()
    proof, ots = made_proof(chain, digest(vault, later))
    asked = policy(sealed, {1: block_hash(chain, 1)})
    good = {
        layout.note_path(later, added=True): vault.notes[later],
        layout.consistency_path(newest, later, added=True): encode_consistency(
            prove_consistency(newest, later, vault.read)
        ),
        layout.anchor_path(later, 0, added=True): proof,
        layout.ots_path(later, 0, added=True): ots,
    }
    assert outcome(ask(added(sealed, good), asked)) == "TOTAL-PASSED"
    other = Vault(keys=type(vault.keys)(seed="attacker"))
    while len(other.leaves) < later - 1:
        other.receive(b"y")
    for junk in (b"junk", other.keys.sign(other.head(later - 1))):
        assert (
            outcome(ask(added(sealed, good | {layout.note_path(later - 1, added=True): junk}), asked))
            == "TOTAL-PASSED"
        )


@pytest.mark.parametrize("path", ["proof/added/anchors/3/0.json", "proof/added/log/90.note", "proof/added/x"])
def test_a_decayed_added_part_is_told_and_fails_nothing(path: str) -> None:
    """The bag's digest of it disagrees, or the zip's CRC-32: no fault of what was sealed."""
    sealed, _ = bare_bundle()
    asked = sealed.vault.policy(require={"tsa_groups": 2, "anchors": 0})
    whole = added(sealed, {path: b'{"kind":"moon"}'})
    changed = whole.changed(whole.files | {path: b'{"kind":"mooo"}'}, reseal="raw")
    torn = whole.zip().replace(b'{"kind":"moon"}', b'{"kind":"mooo"}')
    for broken in (changed, torn):
        report = ask(broken, asked)
        assert outcome(report) == "TOTAL-PASSED"
        told = [one for row in report.items[0].rows for one in row.findings if one.code == "added.malformed"]
        assert [one.place for one in told] == [path]


def test_a_decayed_added_proof_counts_for_nothing() -> None:
    """Attack: a good proof whose digest disagrees; what the bag doesn't vouch for is not read."""
    sealed, size = bare_bundle()
    chain = ToyBitcoin()
    proof, ots = made_proof(chain, digest(sealed.vault, size))
    asked = policy(sealed, {1: block_hash(chain, 1)})
    place = layout.ots_path(size, 0, added=True)
    whole = added(sealed, {layout.anchor_path(size, 0, added=True): proof, place: b"x"})
    mended = whole.changed(whole.files | {place: ots}, reseal="raw")
    assert ask(mended, asked).items[0].unmet == ("anchors",)
