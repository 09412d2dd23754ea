from pathlib import Path

import pytest

from evidence_vault.errors import ConfigError
from evidence_vault.store.home_lock import alone, serving


def test_serving_calls_when_first_only_for_the_first(tmp_path: Path) -> None:
    calls: list[str] = []

    with serving(tmp_path, when_first=lambda: calls.append("first")):
        with serving(tmp_path, when_first=lambda: calls.append("second")):
            assert calls == ["first"]
        with serving(tmp_path, when_first=lambda: calls.append("third")):
            assert calls == ["first"]
    with serving(tmp_path, when_first=lambda: calls.append("again")):
        assert calls == ["first", "again"]


def test_home_is_for_one_command_or_for_those_who_serve(tmp_path: Path) -> None:
    calls: list[str] = []

    with alone(tmp_path):
        with pytest.raises(ConfigError, match="recovery"):
            serving(tmp_path, when_first=lambda: calls.append("x")).__enter__()
        with pytest.raises(ConfigError, match="stop it first"):
            alone(tmp_path).__enter__()
    with serving(tmp_path, when_first=lambda: None), pytest.raises(ConfigError, match="stop it first"):
        alone(tmp_path).__enter__()
    assert calls == []


def test_when_first_has_the_home_for_itself(tmp_path: Path) -> None:
    def check() -> None:
        with pytest.raises(ConfigError):
            alone(tmp_path).__enter__()

    with serving(tmp_path, when_first=check):
        pass
