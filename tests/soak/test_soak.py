"""A short soak in the suite: the long one is `make soak`."""

from pathlib import Path

import pytest

from tests.soak.__main__ import soak


@pytest.mark.slow
@pytest.mark.socket
def test_soak_of_ten_kills_loses_nothing_and_forks_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert soak(tmp_path, kills=10, clients=8, seed=1) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.splitlines()[-1].endswith("lost 0, forks 0")
