"""Attestations in bundles: what the verifier says of them, what openssl says, and what moving one does."""

import hashlib
import re
import subprocess
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from evidence_vault.pipeline.export.trust import policy_text
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import revocation
from evidence_vault.verify.contents import read_bundle
from evidence_vault.verify.explain import explain_trust
from evidence_vault.verify.reader import open_bundle
from evidence_vault.verify.render import render_text
from evidence_vault.verify.report import Finding, Report, Status, Verdict
from evidence_vault.verify.trust import parse_policy
from evidence_vault.verify.verifier import verify_path
from tests.pipeline.attesting import (
    APPRAISER,
    KNOWN,
    MIDDLE,
    NOTARY,
    ROOT,
    STRANGER,
    add_notary,
    attest,
    pem,
    withdraw,
)
from tests.pipeline.story import Story, begin_story
from tests.verify.notary import KINDS, Holder, empty_crl, issue, make_key, revoke


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    made = begin_story(tmp_path, **KNOWN)
    add_notary(made.vault)
    yield made
    made.chain.close()


def exported(story: Story, *items: str) -> Path:
    bundle = story.export(*items)
    story.go_on(10)
    return story.bundle(bundle)


def report_of(
    story: Story, path: Path, *roots: Holder, at: datetime | None = None
) -> tuple[Report, Status, list[Finding]]:
    """The report under a policy with these notary roots and no others; row 9 of its one item."""
    with story.vault.database.read() as session:
        text = policy_text(story.vault, session, tsa_groups=2, anchors=0)
    text = text.partition("[notary]")[0]
    if roots:
        text += f'\n[notary]\nroots = ["""\n{pem(*roots)}"""]\n'
    policy = parse_policy(text.encode(), name="trust.toml")
    report = verify_path(path, policy, at=at or story.clock() + timedelta(hours=1))
    (row,) = [row for row in report.items[0].rows if row.number == 9]
    return report, row.status, list(row.findings)


@pytest.mark.db
def test_attested_item_passes_row_9_under_the_notarys_root_alone(tmp_path: Path, engine: str) -> None:
    story = begin_story(tmp_path, **KNOWN)
    add_notary(story.vault)
    item = story.deposit()
    story.go_on(5)
    attested = attest(story.vault, item, remark="Seen at 10 o'clock. \u202eevil")
    story.go_on(5)
    path = exported(story, item)
    report, status, findings = report_of(story, path, ROOT)
    assert report.verdict is Verdict.DEVELOPMENT_PASSED
    assert status is Status.PASSED
    assert findings[0].code == "attestation.signed"
    assert findings[0].values["signer"] == "CN=A Notary"
    assert "hashed again by the vault" in str(findings[0].values["examined"])
    text = render_text(report, lang="en")
    assert "Signed by" in text
    assert "\u202e" not in text
    assert "evil" in text
    for roots in ((), (STRANGER,)):
        report, status, findings = report_of(story, path, *roots)
        assert status is Status.INDETERMINATE
        assert findings[0].values["sub"] == "NO_CERTIFICATE_CHAIN_FOUND"
        assert report.verdict is Verdict.DEVELOPMENT_PASSED  # it is no flaw of the evidence itself
    with open_bundle(path) as files:
        needs = explain_trust(read_bundle(files), parse_policy(b"version = 1\n", name="none"))
    assert [(need.fingerprint, need.known) for need in needs if need.kind == "notary root"] == [
        (hashlib.sha256(ROOT.der).hexdigest(), False)
    ]
    withdraw(story.vault, item, attested)
    story.go_on(5)
    _, status, findings = report_of(story, exported(story, item), ROOT)
    assert status is Status.INDETERMINATE
    by_code = {finding.code: finding for finding in findings}
    assert by_code["attestation.withdrawn"].values["reason"] == "The wrong file was shown."
    assert by_code["attestation.withdrawal-signed"].values["signer"] == "CN=A Notary"
    story.chain.close()


def test_attestations_of_each_status_are_told_apart(story: Story) -> None:
    item = story.deposit()
    for by in (NOTARY, APPRAISER, STRANGER, None):
        attest(story.vault, item, by)
    attest(story.vault, item, result="differs", remark="two bytes")
    withdraw(story.vault, item, attest(story.vault, item, remark="unsigned withdrawal"), None)
    story.go_on(6)
    _, status, findings = report_of(story, exported(story, item), ROOT)
    assert status is Status.INDETERMINATE
    assert sorted(
        finding.code for finding in findings if finding.code != "attestation.revocation-unknown"
    ) == [
        "attestation.differs",
        "attestation.open",
        "attestation.signed",
        "attestation.signed",
        "attestation.unsigned",
        "attestation.withdrawal-unsigned",
        "attestation.withdrawn",
    ]


def test_attestation_is_judged_at_its_checkpoint_after_the_certificate_ended(story: Story) -> None:
    """The export comes a month later: the cut alone would show the signature to exist when nobody can say more."""
    item = story.deposit()
    short = issue("A Notary", issuer=ROOT, not_after=story.clock() + timedelta(hours=1))
    attest(story.vault, item, short)
    story.go_on(5)
    story.clock.advance(30 * 86_400)
    story.deposit(b"another")  # a younger checkpoint becomes the cut
    story.go_on(5)
    path = exported(story, item)
    _, status, _ = report_of(story, path, ROOT)
    assert status is Status.PASSED


def test_evidence_about_a_signer_travels_once_and_shows_who_was_revoked(story: Story) -> None:
    item = story.deposit()
    now = story.clock()
    attest(story.vault, item, NOTARY)
    attest(story.vault, item, APPRAISER)
    list_of_middle = empty_crl(MIDDLE, published=now)
    for holder, crl in (
        (NOTARY, list_of_middle),
        (APPRAISER, list_of_middle),
        (MIDDLE, empty_crl(ROOT, published=now)),
    ):
        keep(story.vault, holder, crl, now)
    story.go_on(5)
    path = exported(story, item)
    assert len([name for name in names(path) if "/revocation/" in name and "/attestations/" in name]) == 2
    _, status, findings = report_of(story, path, ROOT)
    assert status is Status.PASSED
    assert {finding.code for finding in findings} == {"attestation.signed"}  # for both, by one list
    late = story.clock()
    keep(story.vault, NOTARY, revoke(MIDDLE, NOTARY, when=now - timedelta(hours=1), published=late), late)
    _, status, findings = report_of(story, exported(story, item), ROOT)
    assert status is Status.INDETERMINATE
    assert [finding.values["sub"] for finding in findings if finding.code == "attestation.open"] == [
        "REVOKED_NO_POE"
    ]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ed25519"])
def test_readme_line_for_openssl_runs_as_written(kind: str, story: Story, tmp_path: Path) -> None:
    item = story.deposit()
    notary = issue("A Notary", issuer=ROOT, key=make_key(kind))
    attested = attest(story.vault, item, notary, pss=kind == "pss")
    attest(story.vault, item, NOTARY)
    attest(story.vault, item, STRANGER)
    attest(story.vault, item, None)
    withdraw(story.vault, item, attested, notary)
    story.go_on(5)
    path = exported(story, item)
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    (base,) = folder.iterdir()
    readme = (base / "README.txt").read_text("utf-8")
    lines = re.findall(r"    openssl cms (?:.*\\\n)+.*\n", readme)
    assert len(lines) == 4
    for line in lines:
        done = subprocess.run(line, cwd=base, shell=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        statement = base / re.findall(r"-content (\S+)", line)[0]
        good = statement.read_bytes()
        statement.write_bytes(good.replace(b"matches", b"differs").replace(b"wrong", b"right"))
        assert subprocess.run(line, cwd=base, shell=True, capture_output=True, check=False).returncode != 0
        statement.write_bytes(good)


def test_readme_of_a_bundle_without_attestations_has_no_such_line(story: Story, tmp_path: Path) -> None:
    item = story.deposit()
    attest(story.vault, item, None)
    story.go_on(5)
    with zipfile.ZipFile(exported(story, item)) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("README.txt")]
        assert b"openssl cms" not in archive.read(name)


@pytest.mark.slow
def test_a_thousand_attestations_of_one_item_export_and_verify(story: Story) -> None:
    item = story.deposit()
    for number in range(1000):
        attest(story.vault, item, NOTARY if number % 2 else APPRAISER, remark=f"No. {number}")
        if number % 100 == 0:
            story.go_on(2)
    story.go_on(3)
    path = exported(story, item)
    report, status, findings = report_of(story, path, ROOT)
    assert status is Status.PASSED
    assert report.verdict is Verdict.DEVELOPMENT_PASSED
    assert len([name for name in names(path) if name.endswith(".p7s")]) == 1000
    assert findings


def keep(vault: Vault, holder: Holder, crl: bytes, now: datetime) -> None:
    """Evidence as the vault's worker would have fetched it."""
    with vault.database.write() as session:
        revocation.add_evidence(
            session,
            hashlib.sha256(holder.der).digest(),
            sha256=hashlib.sha256(crl).digest(),
            kind="crl",
            body=crl,
            this_update=now,
            next_update=now + timedelta(days=7),
            fetched_at=now,
        )


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()
