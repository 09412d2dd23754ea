"""One vault, several processes that answer: they are one vault to whoever asks, and live and die together."""

import asyncio
import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.served import ServedVault, free_port, served_vault
from evidence_vault.errors import ConfigError
from evidence_vault.exits import INTERNAL, USAGE
from evidence_vault.service.crew import open_sockets, processes_of
from evidence_vault.settings import USUAL_PROCESSES, load_settings, parse_settings
from evidence_vault.store.queries import items
from evidence_vault.store.session import Database

pytestmark = [pytest.mark.socket, pytest.mark.slow]

PROCESSES = 3


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[ServedVault]:
    with served_vault(folder / "vault", environment={"EVIDENCE_VAULT_PROCESSES": str(PROCESSES)}) as served:
        until(lambda: len(helpers(served.pid)) == PROCESSES - 1 and len(listening(served)) == PROCESSES)
        yield served


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedVault]:
    """One for all who leave it as it was."""
    with serving(tmp_path_factory.mktemp("processes")) as served:
        yield served


@pytest.fixture
def own_vault(tmp_path: Path) -> Iterator[ServedVault]:
    with serving(tmp_path) as served:
        yield served


def until(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def helpers(pid: int) -> list[int]:
    """The processes that this one has forked."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        return [int(one) for one in listed.read_text().split()]
    except FileNotFoundError:
        return []


def listening(served: ServedVault) -> list[str]:
    """The sockets that listen at its port, by their inodes."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    at = f":{served.port:04X}"
    return [row[9] for row in rows if row[1].endswith(at) and row[3] == "0A"]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ask(
    served: ServedVault, method: str, path: str, body: bytes | None = None, key: str = ""
) -> tuple[int, Any]:
    """Ask over a connection of its own, so that any of the processes may answer."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    try:
        headers = {"Authorization": f"Bearer {served.token}", **({"Idempotency-Key": key} if key else {})}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def deposit_many(served: ServedVault, number: int) -> set[str]:
    answers = [ask(served, "POST", "/v1/items", secrets.token_bytes(100)) for _ in range(number)]
    assert {status for status, _ in answers} == {201}
    return {str(answer["id"]) for _, answer in answers}


def known(served: ServedVault, wanted: set[str]) -> set[str]:
    database = Database(load_settings(served.home).database_dsn())
    try:
        with database.read() as session:
            return items.known_item_ids(session, wanted)
    finally:
        database.dispose()


def test_processes_share_deposits_and_every_one_knows_them_all(vault: ServedVault) -> None:
    made = deposit_many(vault, 60)

    packs = list((vault.home / "packs").glob("*.evp"))
    assert len(packs) == PROCESSES  # each writes packs of its own: each has answered
    for item in made:
        status, told = ask(vault, "GET", f"/v1/items/{item}")
        assert (status, told["id"]) == (200, item)


def test_one_key_asked_of_all_processes_at_once_is_one_deposit(vault: ServedVault) -> None:
    content, answers = secrets.token_bytes(500), list[tuple[int, Any]]()
    together = threading.Barrier(24)

    def deposit() -> None:
        together.wait()
        answers.append(ask(vault, "POST", "/v1/items", content, key="one-and-the-same"))

    threads = [threading.Thread(target=deposit) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted({status for status, _ in answers}) == [200, 201]
    assert [status for status, _ in answers].count(201) == 1
    assert len({json.dumps(answer["receipt"]) for _, answer in answers}) == 1


def test_second_server_at_the_same_address_is_refused_and_helps_nobody(vault: ServedVault) -> None:
    command = [sys.executable, "-m", "evidence_vault.cli.main", "serve", str(vault.home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout) == (USAGE, "")
    assert f"listen_port: 127.0.0.1:{vault.port}: Address already in use" in done.stderr
    assert len(listening(vault)) == PROCESSES
    deposit_many(vault, 10)


def test_gate_is_shut_everywhere_and_told_to_end_all_end(own_vault: ServedVault) -> None:
    everybody = [own_vault.pid, *helpers(own_vault.pid)]
    deposit_many(own_vault, 3)
    guard = own_vault.home / "keys" / "log.guard"
    until(lambda: json.loads(guard.read_text())["size"] > 3)
    guard.write_text(guard.read_text().replace('"size":', '"size":99'))

    until(lambda: ask(own_vault, "POST", "/v1/items", b"x")[0] == 503)

    for _ in range(20):
        status, told = ask(own_vault, "GET", "/readyz")
        assert (status, told["ready"], len(told["reasons"])) == (503, False, 1)
        assert "log signer: expected a tree of at least" in told["reasons"][0]
        assert ask(own_vault, "POST", "/v1/items", b"x")[0] == 503
    os.kill(own_vault.pid, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(own_vault.pid, 0)[1]) in (0, -signal.SIGTERM)
    assert not any(map(is_running, everybody))


def test_helper_that_ends_by_itself_ends_all(own_vault: ServedVault) -> None:
    made = deposit_many(own_vault, 20)
    everybody = [own_vault.pid, *helpers(own_vault.pid)]

    os.kill(everybody[-1], signal.SIGKILL)

    assert os.waitstatus_to_exitcode(os.waitpid(own_vault.pid, 0)[1]) == INTERNAL
    assert not any(map(is_running, everybody))
    assert listening(own_vault) == []
    assert known(own_vault, made) == made


def test_helper_that_is_told_to_end_ends_all_in_order(own_vault: ServedVault) -> None:
    # A signal to the whole group comes to one of them first.
    everybody = [own_vault.pid, *helpers(own_vault.pid)]

    os.kill(everybody[-1], signal.SIGTERM)

    assert os.waitstatus_to_exitcode(os.waitpid(own_vault.pid, 0)[1]) in (0, -signal.SIGTERM)
    assert not any(map(is_running, everybody))


@pytest.mark.parametrize("pause_s", [0.0, 1.0])
def test_helper_that_can_not_begin_ends_all(pause_s: float) -> None:
    # However early: before the first process answers it must hear it, too.
    code = (
        "import time\n"
        "from fastapi import FastAPI\n"
        "from evidence_vault.cli.serve import server_config\n"
        "from evidence_vault.cli.serving import run_until_stopped\n"
        "from evidence_vault.service.crew import Crew\n"
        "crew = Crew()\n"
        "crew.fork(lambda: 69)\n"
        f"def heard(): crew.watch(), time.sleep({pause_s})\n"
        "run_until_stopped(server_config(FastAPI()), when_heard=heard, when_told=crew.tell_to_end)\n"
        "crew.end(5)\n"
        "assert crew.has_failed\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30
    )

    assert done.returncode == 0, done.stderr


def test_first_process_killed_takes_its_helpers_with_it(own_vault: ServedVault) -> None:
    made = deposit_many(own_vault, 20)
    others = helpers(own_vault.pid)

    os.kill(own_vault.pid, signal.SIGKILL)

    until(lambda: not any(map(is_running, others)), within_s=5)
    assert known(own_vault, made) == made


def test_open_sockets_share_one_free_port() -> None:
    opened = open_sockets("localhost", 0, processes=3)

    assert len({one.getsockname()[1] for own in opened for one in own}) == 1
    for own in opened:
        assert len(own) == len(opened[0])
        for one in own:
            one.listen()
            one.close()


def test_answers_on_open_sockets_are_sent_without_waiting_for_the_first_piece_to_arrive() -> None:
    async def is_sent_at_once(own: socket.socket) -> bool:
        said: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def look(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted = writer.get_extra_info("socket")
            said.set_result(bool(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            writer.close()

        async with await asyncio.start_server(look, sock=own):
            _, writer = await asyncio.open_connection(*own.getsockname()[:2])
            writer.close()
            return await asyncio.wait_for(said, 10)

    ((alone,),) = open_sockets("127.0.0.1", 0, processes=1)  # of several each listens, and any is reached
    assert asyncio.run(is_sent_at_once(alone))
    for own in open_sockets("127.0.0.1", 0, processes=2):
        for one in own:
            assert one.proto == alone.proto
            one.close()


@pytest.mark.parametrize("processes", [1, 3])
def test_open_sockets_of_two_who_begin_at_the_same_time_are_only_one_s(processes: int) -> None:
    first = open_sockets("127.0.0.1", 0, processes=processes)  # and has not begun to answer

    with pytest.raises(ConfigError, match="Address already in use"):
        open_sockets("127.0.0.1", first[0][0].getsockname()[1], processes=processes)

    for [one] in first:
        one.close()


def test_open_sockets_of_a_host_with_an_address_of_a_kind_unknown_here_are_those_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
    unknown = (200, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_named: [unknown, here])

    for [one] in open_sockets("localhost", 0, processes=2):
        assert one.family == socket.AF_INET
        one.close()

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_named: [unknown])
    with pytest.raises(ConfigError, match="Address family not supported"):
        open_sockets("localhost", 0, processes=2)


@pytest.mark.parametrize("processes", [1, 3])
def test_open_sockets_where_somebody_listens_are_refused(processes: int) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ConfigError, match="Address already in use"):
            open_sockets("127.0.0.1", other.getsockname()[1], processes=processes)
    for host in ("no.such.host.invalid", "two..dots"):
        with pytest.raises(ConfigError, match="listen_port"):
            open_sockets(host, free_port(), processes=processes)


def test_processes_are_as_many_as_the_cores_but_few(monkeypatch: pytest.MonkeyPatch) -> None:
    test, development = (
        parse_settings({"origin": "vault.example/log", "log_class": "test"}),
        parse_settings({}),
    )
    for cores, expected in ((1, 1), (2, 2), (32, USUAL_PROCESSES)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid, cores=cores: set(range(cores)))
        assert processes_of(test) == expected
        assert processes_of(development) == 1

    assert processes_of(test.model_copy(update={"processes": 7})) == 7
