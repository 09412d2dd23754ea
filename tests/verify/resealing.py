"""A mutation as it is and re-sealed step by step: at each step the verifier names it, or the digest that tells."""

from evidence_vault.verify.report import Verdict
from tests.verify.asking import ask, flaws, outcome
from tests.verify.handmade import Files, Sealed
from tests.verify.mutations import ROOT, Mutation

STEPS = ("raw", "bag", "parts", "exported")


def assert_named_at_every_step(good: Sealed, mutation: Mutation) -> None:
    files = mutation.files(good)
    whole_bag = files.keys() == good.files.keys() and payload_size(files) == payload_size(good.files)
    for step in STEPS:
        report = ask(good.changed(files, reseal=step), good.vault.policy())
        where = f"{step}: {outcome(report)}"
        if mutation.unreadable or (step == "raw" and not whole_bag):
            assert report.verdict is Verdict.UNREADABLE, where
            continue
        found = flaws(report)
        if mutation.own:
            assert any(flaw.startswith(mutation.own) for flaw in found), where
        if mutation.outside_seal or mutation.seal:
            assert report.verdict in (Verdict.TOTAL_FAILED, Verdict.INDETERMINATE), where
            continue
        assert report.verdict is Verdict.TOTAL_FAILED, where
        expected = {
            "raw": "mismatch(SHA-256 in ",
            "bag": "3:parts.",
            "parts": "3:events.parts-changed",
            "exported": f"4:mismatch({ROOT})",
        }
        assert any(expected[step] in flaw for flaw in found), where


def payload_size(files: Files) -> int:
    return sum(len(data) for path, data in files.items() if path.startswith("data/"))
