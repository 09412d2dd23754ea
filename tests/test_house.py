"""The rules of the house that no linter knows: where classes may matter, and how long a module may get."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
pytestmark = pytest.mark.house

MODULES = sorted(
    path
    for package in ("anchors", "evidence_vault")
    for path in (PROJECT / package).rglob("*.py")
    if "migrations" not in path.parts
)
MAX_LINES = 350
"""One reading."""

MAY_ASK_THE_CLASS = {
    "evidence_vault/service",  # what a development vault has beside it is put together here
    "evidence_vault/cli/init.py",  # asks which class is wanted, and tells
    "evidence_vault/settings.py",  # the origin says the class
    "anchors/rfc3161/devtsa.py",
    "anchors/ethereum/devchain",
    "evidence_vault/verify/trust.py",
    "evidence_vault/verify/report.py",
}
"""Elsewhere development and production run the same lines."""


def comparisons_with_development(path: Path) -> Iterator[int]:
    """Lines of a module whose outcome depends on the word development."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Compare() | ast.MatchValue():
                parts = ast.walk(node)
            case ast.Call(func=ast.Attribute(attr="startswith")):
                parts = ast.walk(node)
            case _:
                continue
        for part in parts:
            if isinstance(part, ast.Constant) and str(part.value).startswith("development"):
                yield node.lineno


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_module_treats_all_classes_alike_and_fits_one_reading(path: Path) -> None:
    name = path.relative_to(PROJECT).as_posix()
    if not any(name.startswith(allowed) for allowed in MAY_ASK_THE_CLASS):
        assert list(comparisons_with_development(path)) == []
    assert len(path.read_text("utf-8").splitlines()) <= MAX_LINES


def test_the_rule_sees_a_comparison(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('if log_class == "development":\n    pass\n')
    assert list(comparisons_with_development(module)) == [1]
