"""A network takes back what it called final: the vault says so, anchors again, and the bundle tells both."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from anchors.base import AnchorProof
from anchors.values import replace
from evidence_vault.api.health import network_views
from evidence_vault.cli.main import main
from evidence_vault.core.events import LOG, Subject, parse_event
from evidence_vault.errors import Conflict, UnavailableError
from evidence_vault.pipeline.anchoring.watch import lost_anchors, watch_anchors, watch_funds
from evidence_vault.pipeline.export.trust import policy_text
from evidence_vault.pipeline.times.bounds import logged_between
from evidence_vault.store.queries import events, jobs
from evidence_vault.verify.headers_files import parse_any_headers
from evidence_vault.verify.report import Verdict
from evidence_vault.verify.trust import parse_policy
from evidence_vault.verify.verifier import verify_path
from tests.anchors.ethereum.anvil import Anvil
from tests.pipeline.on_anvil import final_sizes, node, on_anvil, stage, take_back, until_final, verified

pytestmark = [pytest.mark.socket, pytest.mark.db]


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    with node() as made:
        yield made


def test_watch_after_a_reorganisation_beyond_finality_records_the_loss_and_anchors_again(
    tmp_path: Path, anvil: Anvil
) -> None:
    story = on_anvil(tmp_path, anvil)
    item = story.deposit()
    until_final(story, anvil, item)
    sizes = final_sizes(story)
    size = sizes[-1]
    assert watch_anchors(story.vault, "anvil") == 0
    take_back(story, anvil, size)
    lost_at = story.clock()
    assert anvil.paid() == 0
    assert watch_anchors(story.vault, "anvil") == len(sizes)
    assert watch_anchors(story.vault, "anvil") == 0  # on their way again
    assert final_sizes(story) == []
    with story.vault.database.read() as session:
        lost = lost_anchors(session)
        event, *_ = [row for row in events.events_of(session, LOG) if row.type == "ANCHOR_LOST"]
    assert [(one.size, one.anchor["chain_id"]) for one in lost] == [(size, 31337) for size in sizes]
    assert parse_event(event.raw).fields["anchor"] == {
        "kind": "ethereum",
        "chain_id": 31337,
        "contract": anvil.contract.hex(),
        "sender": anvil.signer.address.hex(),
    }
    waiting = stage(story, item, "final")
    assert (waiting.state, [one.checkpoint for one in waiting.lost]) == ("waiting", sizes)

    until_final(story, anvil, item)
    assert set(sizes) <= set(final_sizes(story))
    assert anvil.paid() == len(final_sizes(story))  # each once: the first payments are gone with their blocks
    with story.vault.database.read() as session:
        alone = story.vault.settings.model_copy(update={"authorities": []})
        until = logged_between(session, alone, [0])[0].not_after
    # What was taken back bounds nothing any more: the block of now does.
    assert until is not None
    assert until >= lost_at
    done = stage(story, item, "final")
    assert (done.state, [(one.network, one.checkpoint) for one in done.lost]) == (
        "done",
        [("anvil", size) for size in sizes],
    )

    bundle = story.export(item)
    story.go_on(10)
    report = verified(story, bundle)
    assert report.verdict is Verdict.DEVELOPMENT_PASSED, report.items[0].unmet
    findings = [finding for row in report.items[0].rows for finding in row.findings]
    said = {
        code: {finding.place.rpartition("/")[0] for finding in findings if finding.code == code}
        for code in ("anchor.lost", "anchor.included", "anchor.final")
    }
    assert f"proof/anchors/{size}" in said["anchor.lost"] & said["anchor.included"] & said["anchor.final"]
    story.chain.close()


def test_refreshed_bundle_from_before_the_loss_has_the_anchor_that_was_made_again(
    tmp_path: Path, anvil: Anvil, capsys: pytest.CaptureFixture[str]
) -> None:
    story = on_anvil(tmp_path, anvil)
    item = story.deposit()
    until_final(story, anvil, item)
    bundle = story.export(item)
    story.go_on(10)
    old = story.bundle(bundle)
    take_back(story, anvil, final_sizes(story)[-1])
    watch_anchors(story.vault, "anvil")
    until_final(story, anvil, item)
    with story.vault.database.read() as session:
        policy = parse_policy(policy_text(story.vault, session, tsa_groups=2, anchors=1).encode(), name="t")

    def unmet(path: Path, headers: Path) -> tuple[str, ...]:
        files = [parse_any_headers(headers.read_bytes())]
        at = story.clock() + timedelta(hours=1)
        return verify_path(path, policy, at=at, headers=files).items[0].unmet

    def headers_of(path: Path, name: str) -> Path:
        out = tmp_path / name
        assert (
            main(["headers", "fetch", str(path), "--rpc", anvil.url, "--rpc", anvil.url, "-o", str(out)]) == 0
        )
        assert "chain 31337 (DEVELOPMENT)" in capsys.readouterr().out
        return out

    assert unmet(old, headers_of(old, "old.json")) == ("anchors",)  # its block is there no more
    new = tmp_path / "new.zip"
    assert main(["anchors", "refresh", str(old), "--rpc", anvil.url, "-o", str(new)]) == 0
    assert "another anchor on chain 31337" in capsys.readouterr().out
    assert unmet(new, headers_of(new, "new.json")) == ()
    again = tmp_path / "again.zip"
    assert main(["anchors", "refresh", str(new), "--rpc", anvil.url, "-o", str(again)]) == 0
    assert "0 parts added" in capsys.readouterr().out
    story.chain.close()


def test_watch_by_two_at_once_records_one_loss(tmp_path: Path, anvil: Anvil) -> None:
    story = on_anvil(tmp_path, anvil)
    until_final(story, anvil, story.deposit())
    take_back(story, anvil, final_sizes(story)[0])
    honest = story.vault.watchers["anvil"]

    class Slow:
        anchor = honest.anchor
        restart = honest.restart
        block_of = honest.block_of
        funds = honest.funds

        def find_lost(self, proof: AnchorProof) -> str | None:
            assert watch_anchors(story.vault, "anvil") == 1  # another process, between question and record
            return honest.find_lost(proof)

    with pytest.raises(Conflict):
        watch_anchors(replace(story.vault, watchers={"anvil": Slow()}), "anvil")
    with story.vault.database.read() as session:
        assert len(lost_anchors(session)) == 1
    story.chain.close()


def test_watch_while_the_network_is_away_records_nothing(tmp_path: Path, anvil: Anvil) -> None:
    story = on_anvil(tmp_path, anvil)
    until_final(story, anvil, story.deposit())
    anvil.http.down = True
    with pytest.raises(UnavailableError):
        watch_anchors(story.vault, "anvil")
    with story.vault.database.read() as session:
        assert lost_anchors(session) == []
        size = final_sizes(story)[0]
        about = jobs.jobs_of(session, Subject(kind="checkpoint", id=str(size)))
    assert [job.state for job in about if job.kind == "anchor"] == ["FINAL"]
    story.chain.close()


def test_watch_of_the_senders_money_says_how_long_it_lasts_and_warns_in_time(
    tmp_path: Path, anvil: Anvil, caplog: pytest.LogCaptureFixture
) -> None:
    story = on_anvil(tmp_path, anvil)
    (network,) = story.vault.settings.networks
    watch_funds(story.vault, network)
    assert not network_views(story.vault)[0].low_balance
    funds = story.vault.watchers["anvil"].funds()
    assert funds is not None
    price = funds.anchor_price
    day = int(price * story.vault.settings.anchors_per_day)
    anvil.node.ask("anvil_setBalance", "0x" + anvil.signer.address.hex(), hex(10 * day))
    watch_funds(story.vault, network)
    (view,) = network_views(story.vault)
    assert (view.low_balance, view.chain_class, view.in_log) == (True, "development", True)
    assert view.lasts_days == pytest.approx(10, rel=0.2)
    assert "low balance" in caplog.text
    story.chain.close()
