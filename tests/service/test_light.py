"""What a vault doesn't use it doesn't load."""

import subprocess
import sys

import pytest


def test_serving_without_networks_loads_no_ethereum() -> None:
    code = "import sys, evidence_vault.cli.serve; print(sorted({'web3', 'eth', 'eth_account'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "module",
    [
        "anchors.ethereum.node",
        "anchors.ethereum.signer",
        "anchors.ethereum.kms",
        "evidence_vault.service.networks",
        "evidence_vault.service.development",
        "evidence_vault.cli.chain",
    ],
)
def test_loading_ethereum_leaves_deep_json_an_error(module: str) -> None:
    # Where a library raises the limit of recursion, a node's or a client's document kills the process.
    code = (
        f"import json, sys, {module}\n"
        "assert sys.getrecursionlimit() <= 1000, sys.getrecursionlimit()\n"
        "try: json.loads('[' * 100_000)\n"
        "except RecursionError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("refused\n", 0), done.stderr
