"""What the process that works writes, those that were forked from it read; never half of it."""

import os
import threading
from collections.abc import Callable

import pytest

from evidence_vault.errors import ReadOnly
from evidence_vault.pipeline.board import Board, Notes
from evidence_vault.pipeline.vault import MAX_REASON_CHARS, MAX_REASONS, Gate

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

NAMES = [f"pack-{number}" for number in range(3)]


def in_fork(look: Callable[[], bool]) -> bool:
    """Return what a forked process says of it."""
    child = os.fork()
    if child == 0:
        try:
            answer = look()
        except BaseException:  # noqa: BLE001 - nothing of pytest's may go on in here
            answer = False
        os._exit(0 if answer else 1)
    return os.waitpid(child, 0)[1] == 0


def test_board_shows_the_last_document_to_a_process_forked_before() -> None:
    board = Board(1000)
    asked, answered = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        was_blank = board.is_blank and board.read() is None
        os.write(answered[1], b"1" if was_blank else b"0")
        os.read(asked[0], 1)
        os._exit(0 if was_blank and board.read() == ["second"] else 1)
    assert os.read(answered[0], 1) == b"1"

    board.write(["first"])
    board.write(["second"])
    os.write(asked[1], b"g")

    assert os.waitpid(child, 0)[1] == 0
    for end in (*asked, *answered):
        os.close(end)


def test_board_read_while_it_is_written_gives_whole_documents() -> None:
    board = Board(20_000)
    board.write([0, "x"])
    child = os.fork()
    if child == 0:
        seen = set()
        while (found := board.read()) != ["end"]:
            ok = isinstance(found, list) and found[1] == "x" * (1 + int(str(found[0])) % 17_000)
            if not ok:
                os._exit(1)
            seen.add(str(found))
        os._exit(0 if seen else 2)

    for number in range(4000):
        board.write([number * 7, "x" * (1 + number * 7 % 17_000)])
    board.write(["end"])

    assert os.waitpid(child, 0)[1] == 0


def test_board_whose_room_counts_before_its_bytes_are_seen_is_read_when_they_are() -> None:
    # A processor may show the bytes that another has written in another order.
    board = Board(100)
    board.write(["whole"])
    bytes_written = board._memory[1:109]
    board._memory[1:109] = bytes(108)
    threading.Timer(0.2, lambda: board._memory.__setitem__(slice(1, 109), bytes_written)).start()

    assert board.read() == ["whole"]


def test_board_whose_writer_was_cut_off_shows_what_was_there_before() -> None:
    board = Board(100)
    board.write("before")

    other = 2 if board._memory[0] == 1 else 1
    at = board._start(other)
    board._memory[at : at + 6] = b"\0\0\0\5ab"  # a head half written, the byte that counts not yet

    assert board.read() == "before"


def test_notes_that_do_not_fit_are_left_out() -> None:
    notes = Notes(room_bytes=60)

    for name in NAMES:
        notes[name] = "x" * 10

    assert list(notes) == NAMES[:2]
    del notes[NAMES[0]]
    notes[NAMES[2]] = "y"
    assert dict(notes) == {NAMES[1]: "x" * 10, NAMES[2]: "y"}
    assert in_fork(lambda: dict(notes) == {NAMES[1]: "x" * 10, NAMES[2]: "y"})


def test_gate_that_is_shut_is_shut_in_a_process_forked_before() -> None:
    gate = Gate()
    asked, answered = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        gate.require_open()
        os.write(answered[1], b"1")
        os.read(asked[0], 1)
        try:
            gate.require_open()
        except ReadOnly as error:
            os._exit(0 if error.reason == "a fork" and gate.reasons == ("a fork", "another") else 1)
        os._exit(2)

    assert os.read(answered[0], 1) == b"1"
    gate.shut("a fork")
    gate.shut("another")
    gate.shut("a fork")
    os.write(asked[1], b"g")

    assert os.waitpid(child, 0)[1] == 0
    for end in (*asked, *answered):
        os.close(end)


def test_gate_shut_in_a_forked_process_is_shut_there() -> None:
    gate = Gate()

    def shut() -> bool:
        gate.shut("seen here")
        try:
            gate.require_open()
        except ReadOnly as error:
            return error.reason == "seen here" and gate.reasons == ("seen here",)
        return False

    assert in_fork(shut)
    gate.require_open()


@pytest.mark.parametrize("letter", ["a", "\N{CJK UNIFIED IDEOGRAPH-4E2D}", "\U0001f512", '"', "\x01"])
def test_gate_takes_any_number_of_long_reasons(letter: str) -> None:
    gate = Gate()

    for number in range(2 * MAX_REASONS):
        gate.shut(f"{number}{letter * 2 * MAX_REASON_CHARS}")

    assert len(gate.reasons) == 2 * MAX_REASONS
    assert in_fork(lambda: len(gate.reasons) == 2 * MAX_REASONS)  # its own, as they were when it was forked
