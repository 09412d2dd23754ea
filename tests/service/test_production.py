"""A vault of class production, end to end: OpenSSL's authorities, a chain of class test, exit code 0.

Nothing in it is of ours but the vault: the tokens are made by `openssl ts -reply`, and the verdict comes from
the command line, offline, under a policy whose blocks another question to the node confirmed.
"""

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anchors.ethereum.devchain import DevelopmentChain
from tests.service.driving import command, free_port, host, served, wait_for
from tests.service.openssl_tsa import OpensslTsa, openssl_tsa

pytestmark = [pytest.mark.socket, pytest.mark.slow]


@contextlib.contextmanager
def chain_of_class_test(folder: Path) -> Iterator[str]:
    """A chain that answers on loopback like a public test network's node would."""
    chain = DevelopmentChain.open(folder, lambda: datetime.now(UTC))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = chain.handle(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()
    chain.close()


def make_home(home: Path, *, port: int, tsas: list[OpensslTsa], chain_url: str, chain_folder: Path) -> None:
    """What an operator does: init, deploy, fill in the settings, init again."""
    command("init", str(home), "--class", "production", "--origin", "vault.example/log", "--port", str(port))
    (home / "keys").mkdir(exist_ok=True, mode=0o700)
    key = home / "keys" / "anchor-testnet.key"
    key.write_bytes(
        bytes.fromhex((chain_folder / "development.key").read_text().strip())
    )  # the one with ether
    key.chmod(0o600)
    deployed = command("chain", "deploy", "--home", str(home), "--name", "testnet", "--rpc", chain_url)
    assert "its code is the pinned one" in deployed
    endpoints = [host(url) for url in (chain_url, *(tsa.url for tsa in tsas))]
    settings = [
        'origin = "vault.example/log"',
        'log_class = "production"',
        f"listen_port = {port}",
        f'base_url = "http://127.0.0.1:{port}"',
        f"private_endpoints = {json.dumps(endpoints)}",
        "checkpoint_interval_s = 0.5",
        "token_interval_s = 1.0",
        "anchor_interval_s = 2.0",
    ]
    for number, tsa in enumerate(tsas, 1):
        settings += [
            "[[authorities]]",
            f'name = "openssl-{number}"',
            f'group = "group-{number}"',
            f'url = "{tsa.url}"',
            f'roots_pem = """\n{tsa.root_pem}"""',
        ]
    settings += ["[[networks]]" + deployed.partition("[[networks]]")[2], "poll_s = 0.5"]
    (home / "vault.toml").write_text("\n".join(settings) + "\n")
    command("init", str(home))


def test_production_vault_with_openssl_and_a_test_network_ends_in_zero(tmp_path: Path) -> None:
    home, port = tmp_path / "home", free_port()
    url = f"http://127.0.0.1:{port}"
    evidence = tmp_path / "证据.txt"
    evidence.write_text("seen on 22 November\n", "utf-8")
    bundle, trust, headers = (str(tmp_path / name) for name in ("bundle.zip", "trust.toml", "headers.json"))
    with (
        openssl_tsa(tmp_path / "tsa1", "First Authority") as first,
        openssl_tsa(tmp_path / "tsa2", "Second Authority", key="p256") as second,
        chain_of_class_test(tmp_path / "chain") as chain_url,
    ):
        make_home(home, port=port, tsas=[first, second], chain_url=chain_url, chain_folder=tmp_path / "chain")
        with served(home, url):
            token_line = command("token", "create", "--name", "Somebody", "--home", str(home))
            token = next(word for word in token_line.split() if word.startswith("ev_"))
            access = {"EVIDENCE_VAULT_URL": url, "EVIDENCE_VAULT_TOKEN": token}
            out = command("deposit", str(evidence), access=access)
            item = next(word for word in out.split() if word.startswith("it_"))
            wait_for(
                lambda: command("status", item, access=access).split()[1] == "final",
                "the anchor's block to be final",
            )
            command("export", item, "-o", bundle, access=access)
            command("trust", "export", "-o", trust, "--home", str(home))
            command("headers", "fetch", bundle, "--rpc", chain_url, "--out", headers)
    # Everything is switched off now: what is left is two files and a policy.
    assert command("verify", bundle, "--trust", trust, expected=3).startswith("INDETERMINATE")
    report = command("verify", bundle, "--trust", trust, "--headers", headers, "--json")
    document = json.loads(report)
    assert document["verdict"] == "TOTAL-PASSED"
    assert document["exit_code"] == 0
    assert document["class"] == "production"
    text = command("verify", bundle, "--trust", trust, "--headers", headers)
    assert text.startswith("TOTAL-PASSED: No change found from ")
    assert "TEST NETWORK" in text
    logged = (home / "serve.log").read_text("utf-8")
    assert item in logged
    assert "证据" not in logged
    assert "Somebody" not in logged
