"""What a vault doesn't use it doesn't load."""

import subprocess
import sys


def test_serving_without_networks_loads_no_ethereum() -> None:
    code = "import sys, evidence_vault.cli.serve; print(sorted({'web3', 'eth', 'eth_account'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
