"""A bundle that was handed out before any anchor: it reaches the policy's `anchors = 1` without the vault."""

import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import bagit
import pytest

from evidence_vault.cli.main import main
from evidence_vault.core import layout
from evidence_vault.mirror.folder import MirrorFolder
from evidence_vault.mirror.follow import follow_once
from evidence_vault.mirror.source import FolderSource
from evidence_vault.pipeline.export.trust import policy_text
from evidence_vault.pipeline.log.log_keys import named_keys
from evidence_vault.verify.headers_files import parse_any_headers
from evidence_vault.verify.report import Verdict
from evidence_vault.verify.trust import parse_policy
from evidence_vault.verify.verifier import verify_path
from tests.anchors.ethereum.anvil import Anvil
from tests.mirror.servers import serving_files
from tests.pipeline.on_anvil import final_sizes, node, on_anvil, until_final
from tests.pipeline.story import Story

pytestmark = pytest.mark.socket


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    with node() as made:
        yield made


def judged(story: Story, bundle: Path, headers: Path | None = None) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict under a policy that asks for one anchor, offline, and what is unmet."""
    with story.vault.database.read() as session:
        policy = parse_policy(policy_text(story.vault, session, tsa_groups=2, anchors=1).encode(), name="t")
    files = [] if headers is None else [parse_any_headers(headers.read_bytes())]
    report = verify_path(bundle, policy, at=story.clock() + timedelta(hours=1), headers=files)
    return report.verdict, report.items[0].unmet


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def public_files(story: Story) -> dict[str, bytes]:
    folder = story.vault.public.folder
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def mirrored(story: Story, folder: Path) -> MirrorFolder:
    mirror = MirrorFolder(folder)
    with story.vault.database.read() as session:
        mirror.pin(named_keys(session, "log"))
    follow_once(mirror, FolderSource(folder=story.vault.public.folder))
    return mirror


def validate_bag(bundle: Path, out: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(out)
    (bag,) = out.iterdir()
    bagit.Bag(str(bag)).validate()


def test_a_bundle_without_an_anchor_gets_that_of_a_later_checkpoint(
    tmp_path: Path, anvil: Anvil, capsys: pytest.CaptureFixture[str]
) -> None:
    story = on_anvil(tmp_path / "vault", anvil, anchor_interval_s=600)
    until_final(story, anvil, story.deposit(b"an older one"))
    for content in (b"between, so that the bundle doesn't hold what was anchored first", b"evidence"):
        early = story.deposit(content)
        story.go_on(35)  # its checkpoint has tokens
    name = story.export(early)
    story.go_on(10)
    old = story.bundle(name)
    assert judged(story, old) == (Verdict.INDETERMINATE, ("anchors",))
    newest = max(layout.parse_path(path).sizes[0] for path in contents(old) if path.endswith(".note"))
    rpc = ("--rpc", anvil.url, "--rpc", anvil.url)

    def refresh(bundle: Path, out: str, *more: str) -> tuple[int, str]:
        code = main(["anchors", "refresh", str(bundle), *rpc, "-o", str(tmp_path / out), *more])
        return code, capsys.readouterr().out

    # Before anything is anchored: nothing is added, and that is said.
    code, said = refresh(old, "none.zip", "--log", str(story.vault.public.folder))
    assert (code, "0 parts added" in said, "no anchor on chain 31337 holds all" in said) == (0, True, True)
    story.deposit(b"a younger one")
    story.go_on(5)
    story.clock.advance(600)
    until_final(story, anvil, early)
    size = max(final_sizes(story))
    assert size > newest

    # The nodes alone don't show the log: its later checkpoint is missing.
    code, said = refresh(old, "alone.zip")
    assert (code, "0 parts added" in said, "--log URL|DIR" in said) == (0, True, True)
    # By the vault's published log over HTTP; the vault itself is asked nothing.
    with serving_files(public_files(story)) as served:
        code, said = refresh(old, "new.zip", "--log", served.url)
    assert (code, f"checkpoint {size}: another anchor on chain 31337" in said) == (0, True)
    new, headers = tmp_path / "new.zip", tmp_path / "headers.json"
    assert judged(story, new) == (Verdict.INDETERMINATE, ("anchors",))  # nobody vouches for the block yet
    assert main(["headers", "fetch", str(new), *rpc, "-o", str(headers)]) == 0
    capsys.readouterr()
    assert judged(story, new, headers) == (Verdict.DEVELOPMENT_PASSED, ())

    # What was sealed is what it was; the anchor before, which it links to, came along; the bag is valid.
    before, after = contents(old), contents(new)
    validate_bag(new, tmp_path / "out")
    kept = {path: data for path, data in after.items() if not path.startswith((layout.ADDED, "tagman"))}
    assert kept == {path: data for path, data in before.items() if not path.startswith("tagman")}
    linked = min(final_sizes(story))
    ends = f"{linked}-{newest}", f"{newest}-{size}"
    expected = {f"log/{linked}.note", f"log/{size}.note", *(f"log/consistency/{pair}.json" for pair in ends)}
    expected |= {f"anchors/{size}/0.json"}
    assert {path.removeprefix(layout.ADDED) for path in after.keys() - before.keys()} == expected

    # Asked again there is nothing more to add.
    code, said = refresh(new, "again.zip", "--log", str(story.vault.public.folder))
    assert (code, "0 parts added" in said) == (0, True)
    assert (tmp_path / "again.zip").read_bytes() == new.read_bytes()
    # A mirror that somebody keeps serves as well, where it saw the notes.
    mirror = mirrored(story, tmp_path / "mirror")
    code, said = refresh(old, "mirrored.zip", "--log", str(mirror.folder))
    assert (code, f"checkpoint {size}: left out: nobody here shows this checkpoint" in said) == (0, True)
    for one in (size, linked):
        mirror.note_path(one).parent.mkdir(parents=True, exist_ok=True)
        mirror.note_path(one).write_bytes(story.vault.public.note(one)[0])
    refresh(old, "mirrored2.zip", "--log", str(mirror.folder))
    assert (tmp_path / "mirrored2.zip").read_bytes() == new.read_bytes()
    story.chain.close()
