"""`status` without an item: whether the vault is ready, how far its witnesses are, and who answers."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from evidence_vault.cli.main import main
from evidence_vault.cli.status import _anchor
from evidence_vault.core.names import encode_time
from evidence_vault.pipeline.vault import Purse
from evidence_vault.workers.runner import advance_log
from tests.api.test_streaming import listening_port
from tests.pipeline.log.test_cosign import watched_by
from tests.pipeline.vaults import SetClock, new_vault

pytestmark = pytest.mark.socket


@pytest.mark.db
def test_status_shows_each_witness_its_size_and_when_it_answered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path / "vault", clock=clock)
    advance_log(vault)
    with ExitStack() as stack:
        watched = watched_by(vault, tmp_path / "witness", stack)
        url = f"http://127.0.0.1:{stack.enter_context(listening_port(watched.vault))}"

        def status() -> list[str]:
            assert main(["status", "--url", url]) == 0
            return capsys.readouterr().out.splitlines()

        assert status()[:2] == ["ready", "  witness court: behind, has cosigned nothing yet"]
        watched.ask()
        answered, size = encode_time(clock()), 2
        assert status()[1] == f"  witness court: up to date, cosigned size {size}, answered {answered}"
        clock.advance(60)
        assert watched.grow() > size
        assert status()[1] == f"  witness court: behind, cosigned size {size}, answered {answered}"
        watched.ask()
        assert status()[1].endswith(f"size 3, answered {encode_time(clock())}")
        assert status()[2] == "  authority tsa: has not answered yet"

        watched.vault.damage["0f" * 16] = "packs/0f.evp: expected a pack, found \x1b[2J"
        assert status()[1] == "  damaged: packs/0f.evp: expected a pack, found \\x1b[2J"
        watched.vault.gate.shut("two histories")
        assert main(["status", "--url", url]) == 69
        assert capsys.readouterr().out.splitlines()[:2] == ["takes nothing in", "  two histories"]


def test_status_of_a_vault_that_is_not_there_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--url", "http://127.0.0.1:9"]) == 69
    assert "doesn't answer" in capsys.readouterr().err


def test_status_names_each_network_with_its_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hoodi = {"name": "hoodi", "contract": "0c" * 20, "rpc_urls": ["http://127.0.0.1:9/"]}
    vault = new_vault(tmp_path / "vault", networks=[hoodi])
    vault.purses.note("hoodi", Purse(lasts_days=3.21, low=True, at=vault.clock()))
    with listening_port(vault) as port:
        assert main(["status", "--url", f"http://127.0.0.1:{port}"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "network" in line]
    assert line == (
        "  network hoodi (TEST NETWORK): chain 560048, the log does not name it: run `evidence-vault chain add`; "
        "the sender's money lasts 3.2 days; LOW BALANCE"
    )
    vault.database.dispose()


def test_anchor_lines_of_an_item_tell_class_and_standing() -> None:
    one = {"network": "hoodi", "network_class": "test", "checkpoint": 40, "by": ["alice"], "since": "T"}
    assert [_anchor({**one, "state": state}) for state in ("final", "promised", "lost")] == [
        "hoodi (TEST NETWORK): final, checkpoint 40",
        "hoodi (TEST NETWORK): promised by alice since T, in no block yet, checkpoint 40",
        "hoodi (TEST NETWORK): LOST, being anchored again, checkpoint 40",
    ]
