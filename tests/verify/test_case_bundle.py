"""A case in a bundle: swapped, cut, hidden, another's; and what the report tells of it."""

import json
from typing import Any

import pytest

from evidence_vault.core import layout
from evidence_vault.core.canonical import encode_canonical
from evidence_vault.core.events import Subject, encode_event
from evidence_vault.verify.render import render_text, report_json
from evidence_vault.verify.report import Verdict
from tests.verify.asking import ask, flaws, outcome
from tests.verify.handmade import OWNER, Files, Sealed, Vault, encode_redacted, make_id
from tests.verify.mutations import ROOT, Mutation, alter, at, rechained, remove, swap
from tests.verify.resealing import assert_named_at_every_step

CASE, OTHER = (Subject(kind="case", id=make_id("cs", name)) for name in ("case", "other"))
LAWYER, HOLDER = make_id("ac", "lawyer"), make_id("ac", "holder")
ORDER, GRANT = make_id("gr", "order"), make_id("gr", "grant")
OPENED: dict[str, Any] = {
    "forum": "court",
    "jurisdiction": "cn",
    "confidentiality": "parties",
    "mediation_only": False,
}
HIDDEN, SEAL = 3, 5
LISTED: dict[str, Any] = {"item_count": 1, "items_sha256": "00" * 32}
TIME = "2026-11-22T16:00:00.000Z"


def actor(actor_id: str, role: str, behalf: str | None = None) -> dict[str, Any]:
    return {"id": actor_id, "role": role, "auth": "password", "on_behalf_of": behalf, "signature": None}


def case_bundle() -> Sealed:
    """Two items and the case they are in, of which one event is hidden; another case as of the cut."""
    vault = Vault()
    items = [vault.receive(b"the first picture"), vault.receive(b"the second picture")]
    vault.add(CASE, "CASE_OPENED", **OPENED, private={"number": "(2026) 73"})
    vault.add(OTHER, "CASE_OPENED", **OPENED, private={"title": "another"})
    vault.add(CASE, "PARTY_NAMED", party=1, side="claimant", person=HOLDER, private={"name": "Li \u202e Hua"})
    for number, item in enumerate([items[0], make_id("it", "left out")], 1):
        vault.add(CASE, "ITEM_ADDED", item=item, number=number, copies=None, why=OWNER)
    vault.add(
        CASE,
        "ORDER_REGISTERED",
        order=ORDER,
        court="A court",
        issued_at=TIME,
        expires_at=TIME,
        lawyers=[LAWYER],
        respondent=None,
        document_sha256=None,
        reveals=False,
        **LISTED,
        private={"number": "(2026) 1"},
    )
    under = {"basis": "order", "grant": GRANT, "case": CASE.id}
    vault.add(
        Subject(kind="item", id=items[0]),
        "GRANTED",
        grant=GRANT,
        grantee=LAWYER,
        grantee_role="AT",
        case=CASE.id,
        order=ORDER,
        parent=None,
        actions=["open-content"],
        not_before=TIME,
        expires_at=TIME,
        view_limit=None,
        onward=False,
        jurisdiction=None,
        **LISTED,
        why={"basis": "role", "grant": None, "case": CASE.id},
    )
    vault.view(items[0], why=under, actor=actor(LAWYER, "AT", HOLDER))
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    vault.anchor(size)
    vault.add(OTHER, "CUSTODY_READ", why=OWNER)
    return vault.export(items, case=CASE, cases=[OTHER], redacted=[(CASE, HIDDEN), (OTHER, 0)]).with_bag()


@pytest.fixture(scope="module")
def good() -> Sealed:
    return case_bundle()


def of_case(seq: int) -> str:
    return layout.event_path(CASE, seq)


def redact(subject: Subject, seq: int) -> Any:
    def change(sealed: Sealed, files: Files) -> None:
        del files[layout.event_path(subject, seq)]
        files[layout.redacted_path(subject, seq)] = encode_redacted(sealed.vault.events[subject][seq])
        told = json.loads(files[layout.DISCLOSURES])
        told.pop(f"{subject.id}/{seq}", None)
        files[layout.DISCLOSURES] = encode_canonical(told)

    return change


def unveil(sealed: Sealed, files: Files) -> None:
    """A made-up event in the place of a hidden one."""
    made = json.loads(sealed.vault.events[CASE][HIDDEN].raw) | {"number": 7}
    del files[layout.redacted_path(CASE, HIDDEN)]
    files[of_case(HIDDEN)] = encode_event(made).raw


def seal_of(subject: Subject, **changes: Any) -> Any:
    def change(sealed: Sealed, files: Files) -> None:
        path = layout.event_path(subject, len(sealed.vault.events[subject]) - 1)
        files[path] = encode_event(json.loads(files[path]) | changes).raw

    return change


def behind_the_seal(sealed: Sealed, files: Files) -> None:
    documents = [json.loads(made.raw) for made in sealed.vault.events[CASE]]
    rechained(sealed, files, CASE, [*documents, documents[SEAL] | {"nonce": "00" * 32}])


def other_case_instead(sealed: Sealed, files: Files) -> None:
    """The events of another case under this one's id."""
    files[of_case(0)] = sealed.vault.events[OTHER][0].raw


def cut_of(size: int) -> dict[str, Any]:
    return {"cut": {"size": size, "root": "00" * 32}}


def item_seal(sealed: Sealed, files: Files) -> None:
    seal_of(Subject(kind="item", id=sealed.items[1]), **cut_of(1))(sealed, files)


def exchanged_hidden(sealed: Sealed, files: Files) -> None:
    one, two = layout.redacted_path(CASE, HIDDEN), layout.redacted_path(OTHER, 0)
    files[at(one, sealed)], files[at(two, sealed)] = files[two], files[one]


MUTATIONS = [
    Mutation("a case's event changed", alter(of_case(2), number=9), f"4:mismatch({ROOT})"),
    Mutation("two events of a case exchanged", swap(of_case(1), of_case(2)), "3:events.misplaced"),
    Mutation(
        "a case's event removed",
        remove(of_case(2), layout.inclusion_path(CASE, 2)),
        "3:events.gap",
    ),
    Mutation("a case's event hidden after the seal", redact(CASE, 1)),
    Mutation("a hidden event made up", unveil, f"4:mismatch({ROOT})"),
    Mutation(
        "a hidden event's digest changed",
        alter(layout.redacted_path(CASE, HIDDEN), event_sha256="00" * 32),
        f"4:mismatch({ROOT})",
    ),
    Mutation("hidden events of two cases exchanged", exchanged_hidden, "3:events.misplaced"),
    Mutation("another case's event under this one's id", other_case_instead, "3:events.misplaced"),
    Mutation(
        "a case taken out",
        remove(
            layout.redacted_path(OTHER, 0),
            layout.inclusion_path(OTHER, 0),
        ),
    ),
    Mutation("the case's seal cut elsewhere", seal_of(CASE, **cut_of(1)), "3:events.cuts-differ", seal=True),
    Mutation("one item's seal cut elsewhere", item_seal, "3:events.cuts-differ", seal=True),
    Mutation(
        "the case's seal of another bundle",
        seal_of(CASE, bundle=make_id("bd", "x")),
        f"4:mismatch({ROOT})",
        seal=True,
    ),
    Mutation("an event behind the case's seal", behind_the_seal, "3:events.after-seal", seal=True),
]


def test_case_bundle_passes(good: Sealed) -> None:
    assert outcome(ask(good, good.vault.policy())) == "TOTAL-PASSED"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_mutation_of_a_case_is_named_at_every_step_of_resealing(good: Sealed, mutation: Mutation) -> None:
    assert_named_at_every_step(good, mutation)


def test_case_without_its_seal_is_told_as_of_the_cut_and_no_more(good: Sealed) -> None:
    """The items' seals are over the same parts: who takes the case's away makes its claim smaller, not larger."""
    files = {
        path: data
        for path, data in good.files.items()
        if path not in (of_case(SEAL), layout.inclusion_path(CASE, SEAL))
    }
    report = ask(good.changed(files, reseal="bag"), good.vault.policy())
    assert [one.exported for one in report.cases if one.case == CASE.id] == [False]


def test_report_tells_who_did_what_on_what_ground_and_in_which_case(good: Sealed) -> None:
    report = ask(good, good.vault.policy())
    case, other = sorted(report.cases, key=lambda one: not one.exported)
    assert (case.case, case.redacted, len(case.left_out)) == (CASE.id, 1, 0)
    assert (other.case, other.exported, other.redacted, len(other.bounds)) == (OTHER.id, False, 1, 1)
    assert [bound.told is None for bound in case.bounds] == [False, False, False, True, False, False]
    first = next(item for item in report.items if len(item.bounds) == 4)
    view = first.bounds[2].told
    assert view is not None
    assert (view.actor.role, view.actor.id, view.actor.holder) == ("AT", LAWYER, "Li \u202e Hua")
    assert (view.basis, view.order, view.order_number) == ("order", ORDER, "(2026) 1")
    for lang in ("en", "zh"):
        text = render_text(report, lang=lang)
        assert "\u202e" not in text
        assert 'name: "Li \\u{202e} Hua"' in text
        assert f"AT {LAWYER}" in text
    document: Any = report_json(report)
    assert document["cases"][0]["bounds"][1]["told"]["disclosures"] == {"name": "Li \u202e Hua"}


def test_report_names_items_of_the_case_that_are_not_in_the_bundle() -> None:
    vault = Vault()
    item, beside = vault.receive(b"in"), make_id("it", "beside")
    vault.add(CASE, "CASE_OPENED", **OPENED)
    for number, one in enumerate((item, beside), 1):
        vault.add(CASE, "ITEM_ADDED", item=one, number=number, copies=None, why=OWNER)
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    vault.anchor(size)
    [case] = ask(vault.export([item], case=CASE)).cases
    assert case.left_out == (beside,)


def test_forged_disclosure_is_not_told(good: Sealed) -> None:
    files = dict(good.files)
    told = json.loads(files[layout.DISCLOSURES])
    told[f"{CASE.id}/0"], told[f"{CASE.id}/1"] = told[f"{CASE.id}/1"], told[f"{CASE.id}/0"]
    files[layout.DISCLOSURES] = encode_canonical(told)
    report = ask(good.changed(files, reseal="exported"), good.vault.policy())
    assert report.verdict is Verdict.TOTAL_FAILED
    assert "3:mismatch(disclosure 'number')" in flaws(report)
    names = [bound.told.disclosures for bound in report.cases[0].bounds if bound.told is not None]
    assert not any(names[:2])
