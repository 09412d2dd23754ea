"""Checkpoints under proof/added, and the anchors that stand on them: each lie is named, and lifts no verdict."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from anchors.ethereum.proof import encode_proof
from anchors.values import replace
from evidence_vault.core import layout
from evidence_vault.core.layout import encode_consistency
from evidence_vault.core.merkle import prove_consistency
from evidence_vault.verify.parts import MAX_ADDED
from evidence_vault.verify.report import Verdict
from tests.verify.asking import ask, outcome
from tests.verify.handmade import LOG, Files, Keys, Sealed, Vault
from tests.verify.outside import encode_prev


class Later:
    """A bundle without an anchor that holds its item, and what came since: two checkpoints and their anchors.

    first: anchored before the item, and no checkpoint of the bundle; the later anchors are linked to it.
    """

    def __init__(self) -> None:
        vault = self.vault = Vault()
        self.first = vault.publish()
        item = vault.receive(b"x")
        size = vault.publish()
        for authority in vault.authorities:
            vault.stamp(size, authority)
        sealed = vault.export([item])
        files = dict(sealed.files)
        m = self.m = max(vault.notes)
        for path in (layout.note_path(self.first), layout.consistency_path(self.first, size)):
            del files[path]
        self.sealed = replace(sealed, files=files)
        vault.view(item)
        self.one = vault.publish()
        vault.view(item)
        vault.view(item)
        self.two = vault.publish()
        self.good: Files = {
            **self.note(self.first),
            **self.join(self.first, m),
            **self.note(self.one),
            **self.join(m, self.one),
            **self.note(self.two),
            **self.join(self.one, self.two),
            **self.anchor(self.one, self.first),
        }

    def note(self, size: int, vault: Vault | None = None) -> Files:
        return {layout.note_path(size, added=True): (vault or self.vault).notes[size]}

    def join(self, older: int, newer: int, vault: Vault | None = None) -> Files:
        proof = prove_consistency(older, newer, (vault or self.vault).read)
        return {layout.consistency_path(older, newer, added=True): encode_consistency(proof)}

    def anchor(self, size: int, prev: int, number: int = 0, **changes: bytes) -> Files:
        head = self.vault.head
        chain = replace(self.vault.chain, **changes)
        link = encode_prev(prev, head(prev).root_hash) if prev else bytes(32)
        proof = chain.anchor(size, head(size).root_hash, self.vault.now + timedelta(minutes=1), prev=link)
        return {layout.anchor_path(size, number, added=True): encode_proof(proof)}

    def with_added(self, files: Files) -> Sealed:
        return self.sealed.changed(self.sealed.files | files)

    def told(self, files: Files) -> set[tuple[str, str, str]]:
        """What the report says of added parts: code, place below proof/added, reason."""
        report = ask(self.with_added(files), self.vault.policy())
        return {
            (one.code, one.place.removeprefix(layout.ADDED), one.values.get("reason", ""))
            for row in report.items[0].rows
            for one in row.findings
            if one.place.startswith(layout.ADDED)
        }


def test_later_anchor_linked_to_one_from_before_the_item_meets_the_requirement() -> None:
    later = Later()
    assert outcome(ask(later.sealed)) == "INDETERMINATE"
    assert ask(later.sealed).items[0].unmet == ("anchors",)
    assert outcome(ask(later.with_added(later.good))) == "TOTAL-PASSED"
    added = {place for code, place, _ in later.told(later.good) if code == "log.added"}
    assert added == {f"log/{size}.note" for size in (later.first, later.one, later.two)}
    # It bounds no event's time: nothing records it.
    bounds = ask(later.with_added(later.good)).items[0].bounds
    assert bounds == ask(later.sealed).items[0].bounds
    # Another anchor, linked to the first later one: by its own way or by that of its neighbour.
    more = later.good | later.anchor(later.two, later.one)
    assert outcome(ask(later.with_added(more))) == "TOTAL-PASSED"
    straight = {p: d for p, d in more.items() if p not in later.join(later.one, later.two)}
    straight |= later.join(later.m, later.two)
    assert outcome(ask(later.with_added(straight))) == "TOTAL-PASSED"


def test_full_chain_is_met_by_added_anchors() -> None:
    later = Later()
    policy = later.vault.policy(require={"tsa_groups": 2, "anchors": 1, "full_chain": True})
    later.good |= later.anchor(later.two, later.one)
    policy = later.vault.policy(require={"tsa_groups": 2, "anchors": 1, "full_chain": True})
    assert outcome(ask(later.with_added(later.good), policy)) == "TOTAL-PASSED"
    alone = {p: d for p, d in later.good.items() if p != layout.anchor_path(later.one, 0, added=True)}
    assert ask(later.with_added(alone), policy).items[0].unmet == ("full-chain",)


def fork(later: Later, keys: Keys | None = None) -> Vault:
    """Another log of the same sizes and the same origin."""
    other = Vault(keys=keys)
    while len(other.leaves) < later.two:
        other.receive(bytes(len(other.leaves)))
        if len(other.leaves) in (later.one, later.two):
            other.publish()
    return other


def _without(part: str) -> Callable[[Later], Files]:
    def change(later: Later) -> Files:
        gone = {
            "note": layout.note_path(later.one, added=True),
            "consistency": layout.consistency_path(later.m, later.one, added=True),
            "linked note": layout.note_path(later.first, added=True),
            "linked consistency": layout.consistency_path(later.first, later.m, added=True),
        }[part]
        return {path: data for path, data in later.good.items() if path != gone}

    return change


LIES: dict[str, tuple[Callable[[Later], Files], str, str]] = {
    "the later note is missing": (_without("note"), "anchors/{one}/0.json", "no checkpoint of size {one}"),
    "consistency is missing": (_without("consistency"), "log/{one}.note", "no consistency proof joins it"),
    "the linked note is missing": (_without("linked note"), "anchors/{one}/0.json", "anchor before"),
    "nothing joins the linked note": (
        _without("linked consistency"),
        "log/{first}.note",
        "no consistency proof joins it",
    ),
    "a note that a stranger signed": (
        lambda later: later.good | later.note(later.one, fork(later, Keys("stranger"))),
        "log/{one}.note",
        "no key of the policy signed it",
    ),
    "a note of a fork, signed by the log": (
        lambda later: later.good | later.note(later.one, fork(later)),
        "log/{one}.note",
        "expected",
    ),
    "a fork with a way of its own": (
        lambda later: (
            later.good | later.note(later.one, fork(later)) | later.join(later.m, later.one, fork(later))
        ),
        "log/{one}.note",
        "expected",
    ),
    "a note under another size's name": (
        lambda later: later.good | {layout.note_path(later.one, added=True): later.vault.notes[later.two]},
        "log/{one}.note",
        "its size is not that of its file name",
    ),
    "consistency from another size": (
        lambda later: (
            _without("consistency")(later)
            | {
                layout.consistency_path(later.m, later.one, added=True): encode_consistency(
                    prove_consistency(later.m - 1, later.one, later.vault.read)
                )
            }
        ),
        "log/{one}.note",
        "consistency/{m}-{one}.json: ",
    ),
    "another sender": (
        lambda later: later.good | later.anchor(later.one, later.first, sender=b"\x99" * 20),
        "anchors/{one}/0.json",
        "ethereum sender",
    ),
    "another contract": (
        lambda later: later.good | later.anchor(later.one, later.first, contract=b"\x99" * 20),
        "anchors/{one}/0.json",
        "ethereum contract",
    ),
    "an anchor of another checkpoint": (
        lambda later: (
            later.good
            | {layout.anchor_path(later.one, 0, added=True): next(iter(later.anchor(later.two, 0).values()))}
        ),
        "anchors/{one}/0.json",
        "ethereum anchored size",
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_lie_beside_the_seal_is_named_and_lifts_nothing(name: str) -> None:
    change, place, reason = LIES[name]
    later = Later()
    sizes = {"first": later.first, "m": later.m, "one": later.one, "two": later.two}
    files = change(later)
    files.pop(layout.note_path(later.two, added=True))
    files.pop(layout.consistency_path(later.one, later.two, added=True))
    report = ask(later.with_added(files), later.vault.policy())
    assert report.verdict is Verdict.INDETERMINATE
    assert report.items[0].unmet == ("anchors",)
    told = {at: why for code, at, why in later.told(files) if code.endswith("-open")}
    assert reason.format(**sizes) in told[place.format(**sizes)]


def test_parts_of_the_log_that_nothing_needs_are_named() -> None:
    later = Later()
    unused = later.join(later.m, later.two) | later.join(later.first, later.two)
    told = later.told(later.good | unused)
    assert {
        place for code, place, why in told if code == "log.added-open" and "no checkpoint that counts" in why
    } == {
        path.removeprefix(layout.ADDED)
        for path in later.join(later.one, later.two) | later.join(later.first, later.two)
    }
    assert outcome(ask(later.with_added(later.good | unused))) == "TOTAL-PASSED"
    stray = later.good | later.join(later.m - 1, later.one)  # joins a size of which no note is here
    malformed = layout.consistency_path(later.m - 1, later.one, added=True).removeprefix(layout.ADDED)
    assert any(code == "added.malformed" and place == malformed for code, place, _ in later.told(stray))
    again = later.good | later.note(later.m)
    assert ("log.added-open", f"log/{later.m}.note", "the bundle holds this checkpoint sealed") in later.told(
        again
    )


def test_a_lost_anchor_does_not_come_back_beside_the_seal() -> None:
    """Attack: the log says that its anchor is lost; the same proof is put in again, under another name."""
    vault = Vault()
    item = vault.receive(b"x")
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    event = vault.anchor(size)
    path = layout.anchor_path(size, event.seq)
    named = vault.events[LOG][0].fields["anchors"]
    assert isinstance(named, list)
    vault.add(
        LOG,
        "ANCHOR_LOST",
        anchor=named[0],
        size=size,
        proof_sha256=event.fields["proof_sha256"],
        reason="other-block",
    )
    later = vault.publish()
    for authority in vault.authorities:
        vault.stamp(later, authority)
    sealed = vault.export([item])
    assert ask(sealed).items[0].unmet == ("anchors",)
    again = sealed.files | {layout.anchor_path(size, 0, added=True): sealed.files[path]}
    assert ask(sealed.changed(again)).items[0].unmet == ("anchors",)


def test_many_added_checkpoints_cost_no_more_than_their_number() -> None:
    later = Later()
    junk = {
        layout.note_path(10_000 + n, added=True): later.vault.notes[later.one] for n in range(3 * MAX_ADDED)
    }
    told = later.told(later.good | junk)
    assert any(code == "added.malformed" and "at most" in why for code, _, why in told)
    assert ask(later.with_added(later.good | junk)).verdict is not Verdict.TOTAL_FAILED
