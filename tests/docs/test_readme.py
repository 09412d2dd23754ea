"""The README's output is true: its commands run, in a folder of their own, and say what it shows.

What differs from run to run (ids, digests, times, numbers, the folder) is compared by its kind. A line `…`
stands for lines that are left out.
"""

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, assert_shows, blocks, kinds

README = ROOT / "README.md"
COMMAND = Path(sys.executable).parent / "evidence-vault"
PAGE = b"A page that copies ours, as saved today.\n"


def shown(name: str) -> Iterator[tuple[str, str]]:
    """Each command of the README's blocks of this name, with the output shown."""
    text = "".join(block.text for block in blocks(README) if block.name == name)
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def environment(folder: Path, port: int) -> dict[str, str]:
    # Compiled modules are kept: eight processes would otherwise compile the server's libraries anew.
    dropped = ("EVIDENCE_VAULT_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    url = f"http://127.0.0.1:{port}"
    return {**kept, "HOME": str(folder), "EVIDENCE_VAULT_URL": url, "COLUMNS": "80", "PYTHONUTF8": "1"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_help_is_the_one_shown() -> None:
    for command, output in shown("help"):
        real = subprocess.run(
            [COMMAND, *shlex.split(command)[1:]],
            capture_output=True,
            text=True,
            check=True,
            env=environment(ROOT, 1),
        )
        assert real.stdout == output


@pytest.mark.socket
@pytest.mark.slow
def test_tour_says_what_is_shown(tmp_path: Path) -> None:
    port = free_port()
    env = environment(tmp_path, port)
    (tmp_path / "page.html").write_bytes(PAGE)
    item, server = "", None
    try:
        for command, output in shown("tour"):
            words = [item if re.fullmatch("it_[0-9a-z]{26}", word) else word for word in shlex.split(command)]
            words = [str(COMMAND), *words[1:]]
            if "init" in words:
                words += ["--port", str(port)]
            if words[-1] == "&":
                server = start(words[:-1], tmp_path, env)
                assert server.stdout is not None
                real = server.stdout.readline()
                wait_until_it_listens(port, server)
            else:
                real = run(words, tmp_path, env, until=kinds(output)[-1] if "status" in words else None)
            assert_shows(output, real, command)
            if "deposit" in words:
                item = re.findall("it_[0-9a-z]{26}", real)[0]
    finally:
        if server:
            server.terminate()
            server.communicate(timeout=30)


def start(words: list[str], folder: Path, env: dict[str, str]) -> subprocess.Popen[str]:
    with (folder / "serve.log").open("w") as log:
        return subprocess.Popen(words, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=log, text=True)


def run(words: list[str], folder: Path, env: dict[str, str], *, until: str | None) -> str:
    """The command's output; `until`: its last line, for which it is run again, for a minute at most."""
    deadline = time.monotonic() + 60
    while True:
        done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 5), done.stderr
        if until is None or kinds(done.stdout)[-1] == until:
            return done.stdout
        assert time.monotonic() < deadline, done.stdout
        time.sleep(2)


def wait_until_it_listens(port: int, server: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, "serve ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError("serve doesn't listen")
