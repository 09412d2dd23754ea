"""A vault that is served in a process of its own, killed and started again."""

import contextlib
import http.client
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench.served import free_port
from evidence_vault.access.decisions import ALL_SCOPES
from evidence_vault.identity.actors import issue_token
from evidence_vault.pipeline.operation.opening import create_keys, open_log
from evidence_vault.pipeline.vault import build_vault
from evidence_vault.settings import load_settings
from evidence_vault.store.queries import events, log
from evidence_vault.store.schema import upgrade

START_S = 60.0
LOGGED_S = 120.0


class Server:
    """The vault in `home`, made here: without authority and chain, whose answers come from elsewhere."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        home.mkdir(parents=True)
        (home / "vault.toml").write_text(
            f'origin = "soak/vault"\nlog_class = "test"\nlisten_port = {self.port}\n'
            "checkpoint_interval_s = 0.5\nupload_lease_s = 2\n"
        )
        settings = load_settings(home)
        create_keys(settings, random=secrets.token_bytes)
        vault = build_vault(settings)
        upgrade(vault.database)
        open_log(vault, anchors=[])
        self.token, _ = issue_token(
            vault.database, name="Soak", role="RH", scopes=ALL_SCOPES, now=vault.clock(), life=None
        )
        vault.database.dispose()
        self._log = (home / "serve.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it doesn't listen yet."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "evidence_vault.cli.main", "serve", str(self.home)],
            stdout=self._log,
            stderr=self._log,
        )

    def kill(self) -> None:
        """`kill -9`: nothing is cleaned up."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def rotate(self, purpose: str) -> None:
        """Let a new key take over, while the vault starts, serves or lies killed."""
        command = [sys.executable, "-m", "evidence_vault.cli.main", "key", "rotate", purpose]
        subprocess.run([*command, "--home", str(self.home)], check=True, stdout=self._log, stderr=self._log)

    def stop(self) -> None:
        """End it in order."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(40)
        self._log.close()

    def wait_until_it_listens(self) -> None:
        """Wait for /readyz to say that deposits are taken in."""
        until = time.monotonic() + START_S
        while not self._is_ready():
            assert self._process is not None
            tail = (self.home / "serve.log").read_text()[-2000:]
            assert self._process.poll() is None, f"the server ended: {tail}"
            assert time.monotonic() < until, f"not ready after {START_S} s: {tail}"
            time.sleep(0.02)

    def wait_until_nothing_waits(self) -> None:
        """Wait until the log holds and shows every event."""
        vault = build_vault(load_settings(self.home))
        try:
            until = time.monotonic() + LOGGED_S
            while True:
                with vault.database.read() as session:
                    newest = log.latest_published(session)
                    size = log.current_tree_head(session).size
                    waiting = events.count_pending(session)
                if not waiting and newest is not None and newest.size == size:
                    return
                assert time.monotonic() < until, f"{waiting} events wait, {size} leaves"
                time.sleep(0.2)
        finally:
            vault.database.dispose()

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            try:
                connection.request("GET", "/readyz")
                return connection.getresponse().status == 200
            finally:
                connection.close()
        return False
