"""A vault and the empty route, each served in a process of its own, as `serve` does it.

    with served_vault(folder, slow_fsync_us=2000) as vault, served_empty() as empty: ...

The vault is made by its own stages and keeps its log like any other (sequenced, published every second). It has no
authority and no chain: their answers come from other machines, and what they cost is measured for itself.
"""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from anchors.values import value
from bench.load import post
from evidence_vault.access.decisions import ALL_SCOPES
from evidence_vault.identity.actors import issue_token
from evidence_vault.pipeline.operation.opening import create_keys, open_log
from evidence_vault.pipeline.vault import build_vault
from evidence_vault.settings import load_settings
from evidence_vault.store.schema import upgrade

HERE = Path(__file__).parent


@value
class ServedEmpty:
    """The empty route, and the process that serves it."""

    port: int
    pid: int


@value
class ServedVault:
    """A vault that listens, the process it does so in, and a token that may deposit."""

    port: int
    pid: int
    token: str
    home: Path

    def deposit(self, content: bytes, *, key: str) -> bytes:
        """Return the request that deposits this content under this idempotency key."""
        return post(
            "/v1/items",
            content,
            {
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/octet-stream",
                "Idempotency-Key": key,
            },
        )


@contextlib.contextmanager
def served_vault(
    home: Path, *, slow_fsync_us: int = 0, environment: Mapping[str, str] | None = None
) -> Iterator[ServedVault]:
    """Make a vault in `home` and serve it until the block ends."""
    port = free_port()
    home.mkdir(parents=True)
    (home / "vault.toml").write_text(f'origin = "bench/vault"\nlog_class = "test"\nlisten_port = {port}\n')
    settings = load_settings(home)
    create_keys(settings, random=secrets.token_bytes)
    vault = build_vault(settings)
    upgrade(vault.database)
    open_log(vault, anchors=[])
    token, _ = issue_token(
        vault.database, name="Load", role="RH", scopes=ALL_SCOPES, now=vault.clock(), life=None
    )
    vault.database.dispose()
    with _running(
        "evidence_vault.cli.main",
        "serve",
        str(home),
        port=port,
        environment=environment,
        slow_fsync_us=slow_fsync_us,
    ) as process:
        yield ServedVault(port=port, pid=process.pid, token=token, home=home)


@contextlib.contextmanager
def served_empty() -> Iterator[ServedEmpty]:
    """Serve the empty route until the block ends."""
    port = free_port()
    with _running("bench.empty_route", str(port), port=port) as process:
        yield ServedEmpty(port=port, pid=process.pid)


def build_slow_fsync(folder: Path) -> Path:
    """Compile `slow_fsync.c` into a library to preload. Raises CalledProcessError."""
    library = folder / "slow_fsync.so"
    source = str(HERE / "slow_fsync.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(library), source, "-ldl"], check=True)
    return library


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextlib.contextmanager
def _running(
    module: str,
    *arguments: str,
    port: int,
    environment: Mapping[str, str] | None = None,
    slow_fsync_us: int = 0,
) -> Iterator["subprocess.Popen[bytes]"]:
    given = {**os.environ, **(environment or {})}
    with contextlib.ExitStack() as stack:
        if slow_fsync_us:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            given |= {"LD_PRELOAD": str(build_slow_fsync(folder)), "SLOW_FSYNC_US": str(slow_fsync_us)}
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=HERE.parent,
            env=given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(process.wait, 40)
        stack.callback(process.terminate)
        _wait_until_listening(port, process)
        yield process


def _wait_until_listening(port: int, process: subprocess.Popen[bytes], within_s: float = 60.0) -> None:
    end = time.monotonic() + within_s
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > end:
            raise TimeoutError(f"nothing listens on {port} after {within_s} s")
        time.sleep(0.05)
