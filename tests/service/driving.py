"""Drives a vault as its people do: the command line, a `serve` process, patience."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

EVIDENCE_VAULT = str(Path(sys.executable).parent / "evidence-vault")


def command(
    *arguments: str,
    expected: int = 0,
    access: Mapping[str, str] | None = None,
    program: str = EVIDENCE_VAULT,
) -> str:
    """Run one command, expect its exit code, return what it printed."""
    done = subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **(access or {})},
        timeout=120,
        check=False,
    )
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def host(url: str) -> str:
    return url.split("/")[2]


@contextlib.contextmanager
def served(home: Path, url: str, *, program: str = EVIDENCE_VAULT) -> Iterator[None]:
    """`serve` in a process of its own, until the block ends; it must then end in order."""
    with (home / "serve.log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(home)], stdout=log, stderr=log)
        try:
            wait_for(lambda: answers(url), "the vault to answer")
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(40) in (0, -signal.SIGTERM)


def answers(url: str) -> bool:
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", int(host(url).split(":")[1])), 1),
    ):
        return True
    return False


def wait_for(condition: Callable[[], bool], what: str, within_s: float = 90.0) -> None:
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, f"waited {within_s} s for {what}"
        time.sleep(0.3)
