"""Somebody else's tool at the development chain: cast reads it, calls the contract, and sends an anchor itself."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.anchors.ethereum.anvil import program
from tests.anchors.ethereum.submitting import open_site, statement

pytestmark = [pytest.mark.socket, pytest.mark.slow]


def test_cast_reads_calls_and_sends(tmp_path: Path) -> None:
    with open_site(tmp_path / "chain") as site:
        contract = "0x" + site.contract.hex()
        sender = "0x" + site.signer.address.hex()

        def cast(*words: str) -> str:
            done = subprocess.run(
                [program("cast"), *words, "--rpc-url", site.url],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, (words, done.stderr)
            return done.stdout.strip()

        submitter, wanted = site.submitter(), statement(40)
        site.drive(submitter, wanted, submitter.prepare(wanted))
        assert int(cast("chain-id")) == site.network.chain_id
        assert int(cast("block-number")) >= 2
        assert int(cast("nonce", sender)) == 2
        assert int(cast("balance", sender)) > 0
        assert cast("block", "0", "--field", "hash") == "0x" + site.network.genesis_hash.hex()
        slot = cast("call", contract, "slot(address)(bytes32)", sender)
        assert slot == "0x" + (40).to_bytes(8).hex() + "28" * 24
        assert cast("code", contract).startswith("0x")
        log: Any = json.loads(cast("logs", "--json", "--address", contract, "--from-block", "0"))
        assert [int(entry["data"][:66], 16) for entry in log] == [40]

        key = "0x" + (tmp_path / "chain" / "development.key").read_text("ascii").strip().removeprefix("0x")
        root = "0x" + "77" * 32
        call = (contract, "anchor(uint64,bytes32)", "50", root, "--private-key", key)
        site.client.clock.forward(5)
        sent = cast("send", "--async", *call)
        site.client.clock.forward(5)
        receipt: Any = json.loads(cast("receipt", sent, "--json"))
        assert receipt["status"] == "0x1"
        assert cast("call", contract, "slot(address)(bytes32)", sender).endswith("77" * 24)
        assert (
            int(cast("estimate", contract, "anchor(uint64,bytes32)", "60", root, "--from", sender)) > 21_000
        )
