"""A process that dies at a write: every write of a run passes through one place, which counts them and may kill.

A *write point* is a flush, a positioned write, a rename, a removal, or a commit; its name says which file or table:

    flush blobs/ITEM.event     rename incoming/ITEM -> blobs/ITEM     commit items

At the n-th the process dies: the write did not happen (failed), or it happened and nobody was told (persisted).
From then on nothing is written any more, so whatever cleans up on the way out has no effect, as after `kill -9`.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine.default import DefaultDialect

WRITTEN = re.compile(r"(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)")


class Killed(BaseException):
    """The process is dead; nothing below may catch it."""


class Faults:
    """The write points of a run, in order; dies at one of them."""

    def __init__(self, home: Path, *, die_at: int | None = None, persisted: bool = False) -> None:
        self.points: list[str] = []
        self._home, self._die_at, self._persisted = home, die_at, persisted
        self._dead = False
        self._tables: dict[int, str] = {}

    @contextmanager
    def watching(self, patch: pytest.MonkeyPatch) -> Iterator[None]:
        """Let every write in the block pass through here."""
        with patch.context() as patched:
            for name, verb in (("fsync", "flush"), ("fdatasync", "flush"), ("pwrite", "write")):
                patched.setattr(os, name, self._on_descriptor(getattr(os, name), verb))
            for name in ("rename", "replace"):
                patched.setattr(os, name, self._on_two_paths(getattr(os, name)))
            patched.setattr(os, "ftruncate", self._unless_dead(os.ftruncate))
            patched.setattr(os, "unlink", self._on_path(os.unlink))
            patched.setattr(DefaultDialect, "do_commit", self._on_commit(DefaultDialect.do_commit))
            for name in ("do_execute", "do_executemany"):
                patched.setattr(DefaultDialect, name, self._seeing(getattr(DefaultDialect, name)))
            yield

    def _pass(self, point: str, write: Callable[[], Any]) -> Any:
        if self._dead:
            raise Killed(point)
        self.points.append(point)
        if self._die_at != len(self.points) - 1:
            return write()
        if self._persisted:
            write()
        self._dead = True
        raise Killed(point)

    def _unless_dead(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """Cutting a file short is no point of its own: what follows decides."""

        def write(*args: Any) -> Any:
            if self._dead:
                raise Killed("ftruncate")
            return real(*args)

        return write

    def _on_descriptor(self, real: Callable[..., Any], verb: str) -> Callable[..., Any]:
        def write(descriptor: int, *args: Any) -> Any:
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            return self._pass(f"{verb} {self._name(path)}", lambda: real(descriptor, *args))

        return write

    def _on_two_paths(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def write(source: Any, target: Any, **given: Any) -> Any:
            point = f"rename {self._name(Path(source))} -> {self._name(Path(target))}"
            return self._pass(point, lambda: real(source, target, **given))

        return write

    def _on_path(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def write(path: Any, **given: Any) -> Any:
            if not Path(path).exists():
                return real(path, **given)
            return self._pass(f"remove {self._name(Path(path))}", lambda: real(path, **given))

        return write

    def _on_commit(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def write(dialect: Any, connection: Any) -> Any:
            table = self._tables.pop(id(connection.driver_connection), None)
            if table is None:
                return real(dialect, connection)  # it wrote nothing
            return self._pass(f"commit {table}", lambda: real(dialect, connection))

        return write

    def _seeing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def execute(dialect: Any, cursor: Any, statement: str, *args: Any) -> Any:
            if found := WRITTEN.match(statement):
                self._tables.setdefault(id(cursor.connection), found[1])
            return real(dialect, cursor, statement, *args)

        return execute

    def _name(self, path: Path) -> str:
        text = str(path.relative_to(self._home)) if path.is_relative_to(self._home) else path.name
        text = re.sub(r"\.([^/]+)\.\d+\.new", r"\1 aside", text)
        for pattern, word in (
            (r"(it|up)_[0-9a-z]{26}", "ITEM"),
            (r"bd_[0-9a-z]{26}", "BUNDLE"),
            (r"[0-9a-f]{32}", "PACK"),
            (r"blobs/\w\w(/|$)", r"blobs\1"),
        ):
            text = re.sub(pattern, word, text)
        return text


@contextmanager
def dying_in(patch: pytest.MonkeyPatch, owner: object, name: str, *, persisted: bool) -> Iterator[None]:
    """The block must reach `owner.name` and dies there: before it did anything, or (persisted) after."""
    real = getattr(owner, name)

    def crash(*args: object, **kwargs: object) -> None:
        if persisted:
            real(*args, **kwargs)
        raise KeyboardInterrupt

    with patch.context() as patched:
        patched.setattr(owner, name, crash)
        with pytest.raises(KeyboardInterrupt):
            yield
