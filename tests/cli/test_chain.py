"""`chain cost` and `chain add`, as an operator sees them."""

from pathlib import Path

import pytest

from anchors.ethereum.cost import anchors_per_day, cost_per_day, in_ether, lasts_days
from evidence_vault.cli.main import main
from evidence_vault.network_settings import KNOWN_NETWORKS
from tests.pipeline.vaults import new_vault

CONTRACT = "0c" * 20


def _network(name: str) -> dict[str, object]:
    known = KNOWN_NETWORKS[name]
    return {"name": name, **known._asdict(), "contract": CONTRACT, "rpc_urls": ["http://127.0.0.1:9"]}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A vault that names hoodi since it was opened, and sepolia in its settings alone."""
    vault = new_vault(tmp_path, networks=[_network("hoodi"), _network("sepolia")])
    vault.database.dispose()
    tables = "".join(
        f"[[networks]]\nname = '{name}'\ncontract = '{CONTRACT}'\nrpc_urls = ['http://127.0.0.1:9']\n"
        for name in ("hoodi", "sepolia")
    )
    (tmp_path / "vault.toml").write_text("anchor_interval_s = 3600\n" + tables)
    return tmp_path


def test_chain_cost_names_price_cadence_and_class(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chain", "cost", "--home", str(home), "--gas-price", "1.5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == [
        "hoodi: chain 560048, TEST NETWORK",
        "  gas price 1.5 gwei (as given)",
        "  first anchor 46123 gas = 0.00006918 ETH, each later one 29023 gas = 0.00004353 ETH",
        "  at most 24 anchors a day (one each 3600 s) = 0.001045 ETH a day",
        "  never more than 0.1393 ETH a day: max_fee_gwei is 200",
    ]
    assert lines[5] == "sepolia: chain 11155111, TEST NETWORK"


@pytest.mark.parametrize("price", ["0", "-1", "cheap", "nan", "inf"])
def test_chain_cost_refuses_a_price_that_is_none(
    home: Path, price: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["chain", "cost", "--home", str(home), f"--gas-price={price}"])
    assert "price" in capsys.readouterr().err


def test_chain_add_names_what_is_new_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chain", "add", "--home", str(home)]) == 0
    said = capsys.readouterr().out
    assert said.count("ANCHOR_ADDED is recorded for") == said.count("(TEST NETWORK): contract") == 2
    assert main(["chain", "add", "--home", str(home)]) == 0
    assert "names every network of the settings already" in capsys.readouterr().out


def test_cost_is_arithmetic() -> None:
    assert anchors_per_day(3600) == 24
    assert anchors_per_day(10**9) == 1
    day = cost_per_day(interval_s=3600, gas_price_wei=10**9)
    assert day == 24 * 29_023 * 10**9
    assert lasts_days(balance_wei=3 * day, interval_s=3600, gas_price_wei=10**9) == 3
    assert in_ether(10**18) == "1.000 ETH"
