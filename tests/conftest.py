"""Shared fixtures: where the vectors are, and the rule that only tests marked `socket` open sockets."""

import os
import socket
from pathlib import Path
from typing import Any, NoReturn

import pytest

REQUIRE_ALL = os.environ.get("EVIDENCE_REQUIRE_ALL") == "1"
VECTORS = Path(os.environ.get("EVIDENCE_VECTORS", Path(__file__).parents[2] / "shared" / "vectors"))


def absent(reason: str) -> NoReturn:
    """Skip for want of an outside part; a failure where everything is required (CI)."""
    if REQUIRE_ALL:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of conformance vectors that this project did not make."""
    if not VECTORS.is_dir():
        absent(f"no conformance vectors at {VECTORS}; set EVIDENCE_VECTORS to their folder")
    return VECTORS


@pytest.fixture(autouse=True)
def no_sockets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unit tests open no socket: what needs one says so with the marker `socket`."""
    if request.node.get_closest_marker("socket"):
        return

    class Refused(socket.socket):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            raise AssertionError("this test opened a socket; mark it `socket` if it must")

    monkeypatch.setattr(socket, "socket", Refused)
