"""What a vault doesn't use it doesn't load."""

import asyncio
import subprocess
import sys
from collections.abc import MutableMapping
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from evidence_vault.api.app import _routes, create_app
from tests.pipeline.vaults import new_vault

UNUSED = {
    "alembic": "the schema is current",
    "mako": "comes with alembic",
    "rfc3161ng": "no authority is asked",
    "requests": "comes with rfc3161ng",
    "authlib": "nobody logs in at a provider",
    "joserfc": "comes with authlib",
    "web3": "no network is anchored on",
    "eth": "no chain of its own",
    "eth_account": "no network is anchored on",
}
"""What a vault without authorities, networks and providers has no use for, and why."""


def loaded_by(code: str) -> set[str]:
    show = f"import sys; print(*({set(UNUSED)!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{show}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_serving_without_what_is_outside_loads_nothing_for_it(tmp_path: Path) -> None:
    new_vault(tmp_path, submitters={}, origin="light.example/log", log_class="test").database.dispose()
    (tmp_path / "vault.toml").write_text('origin = "light.example/log"\nlog_class = "test"\n')
    serve = (
        "from pathlib import Path\n"
        "import evidence_vault.cli.serve\n"
        "from evidence_vault.service.compose import held_vault, working_app\n"
        "from evidence_vault.settings import load_settings\n"
        f"with held_vault(load_settings(Path({str(tmp_path)!r}))) as vault: working_app(vault)"
    )
    assert loaded_by(serve) == set()


@pytest.mark.socket
def test_first_request_waits_for_nothing_that_is_made_once(tmp_path: Path) -> None:
    # Each process that answers would make it for itself, and whoever deposits meanwhile would wait, too.
    vault = new_vault(tmp_path, submitters={}, origin="light.example/log", log_class="test")
    _routes.cache_clear()
    app, calls, said = create_app(vault), 0, list[MutableMapping[str, Any]]()
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/healthz", "query_string": b""}
    scope |= {"root_path": "", "headers": [], "state": {}, "client": ("127.0.0.1", 1)}

    def count(_frame: FrameType, what: str, _result: object) -> None:
        nonlocal calls
        calls += what == "call"

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        asyncio.run(app(scope, receive, send))
    finally:
        sys.setprofile(before)
        vault.database.dispose()

    assert said[0]["status"] == 200
    assert calls < 20_000  # it was 165,000


def test_init_of_a_vault_without_networks_needs_no_chain_installed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = '[[authorities]]\nname = "a"\ngroup = "b"\nurl = "https://tsa.example/"\nroots_pem = "-"\n'
    init = (
        "import pathlib, sys\n"
        "sys.modules['eth'] = sys.modules['eth_account'] = None\n"
        "from evidence_vault.cli.main import main\n"
        f"assert main(['init', {str(home)!r}, '--class', 'production', '--origin', 'light.example/log']) == 0\n"
        f"with pathlib.Path({str(home / 'vault.toml')!r}).open('a') as file: file.write({settings!r})\n"
        f"assert main(['init', {str(home)!r}]) == 0"
    )
    done = subprocess.run([sys.executable, "-c", init], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "The vault light.example/log is ready" in done.stdout


def test_what_is_loaded_at_need_is_loaded_by_those_who_need_it() -> None:
    # Or the test above would hold for names that nobody uses any more.
    needing = (
        "import tempfile, anchors.rfc3161.submit, evidence_vault.service.development\n"
        "import evidence_vault.identity.oidc_provider\n"
        "from evidence_vault.store.schema import upgrade\n"
        "from evidence_vault.store.session import Database\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    upgrade(database := Database(f'sqlite:///{folder}/x.db'))\n"
        "    database.dispose()"
    )
    assert loaded_by(needing) == set(UNUSED)


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
