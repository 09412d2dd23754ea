"""The wheel: what it holds, and that it works where nothing else of ours is.

Two environments are made with the pinned requirements: the base install verifies, the server install keeps a
whole vault. Neither sees the source tree.
"""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.service.driving import command, free_port, served, wait_for

PROJECT = Path(__file__).parents[2]
pytestmark = [pytest.mark.socket, pytest.mark.slow]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the tree without isolation: hatchling is among the pinned requirements."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(PROJECT))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def golden() -> Path:
    """The folder of a golden bundle with its trust policy."""
    return PROJECT / "tests" / "golden"


def run(*command: str, expected: int = 0, cwd: Path | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=280, check=False)
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout


def environment(folder: Path, wheel: Path, requirements: str) -> Path:
    """Make an environment with these pinned requirements and the wheel; return its `bin`."""
    run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    uv = str(Path(sys.executable).parent / "uv")
    python = str(folder / "bin" / "python")
    pinned = str(PROJECT / "requirements" / requirements)
    run(uv, "pip", "install", "-q", "--python", python, "--require-hashes", "-r", pinned)
    run(uv, "pip", "install", "-q", "--python", python, "--no-deps", str(wheel))
    return folder / "bin"


def test_wheel_holds_both_packages_migrations_schemas_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "anchors",
        "evidence_vault",
    }
    for needed in (
        "evidence_vault/py.typed",
        "evidence_vault/migrations/env.py",
        "evidence_vault/migrations/versions/0001_first_schema.py",
        "evidence_vault/schemas/report.json",
        "anchors/ethereum/contract/abi.json",
        "anchors/ethereum/contract/creation.hex",
        "anchors/ethereum/contract/runtime.sha256",
    ):
        assert needed in names


def test_base_install_verifies_and_has_no_server(wheel: Path, golden: Path, tmp_path: Path) -> None:
    bin_folder = environment(tmp_path / "base", wheel, "base.txt")
    for package in ("fastapi", "sqlalchemy", "web3", "pydantic", "httpcore"):
        run(str(bin_folder / "python"), "-c", f"import {package}", expected=1)
    bundle = sorted(golden.rglob("*.zip"))[0]
    trust = bundle.parent / "trust.toml"
    out = run(
        str(bin_folder / "evidence-vault"),
        "verify",
        str(bundle),
        "--trust",
        str(trust),
        "--at",
        "2026-12-01T00:00:00Z",
        cwd=tmp_path,
    )
    assert out.startswith("TOTAL-PASSED")
    program, policy = str(bin_folder / "evidence-vault"), str(tmp_path / "own.toml")
    roots = tmp_path / "roots.pem"
    roots.write_text(tomllib.loads(trust.read_text())["tsa"][0]["roots"][0])
    named = ("--trust", policy, "--name", "One", "--group", "one")
    shown = run(program, "trust", "add-tsa", str(roots), *named, expected=64)
    fingerprint = re.search("[0-9a-f]{64}", shown)[0]  # type: ignore[index]
    run(program, "trust", "add-tsa", str(roots), *named, "--sha256", fingerprint)
    run(program, "trust", "add-notary", str(roots), "--trust", policy, "--sha256", fingerprint)
    assert fingerprint in run(program, "trust", "list", "--trust", policy)
    assert "LACKING" in run(program, "trust", "explain", str(bundle), "--trust", policy)


def test_server_install_runs_init_deposit_export_verify(wheel: Path, tmp_path: Path) -> None:
    program = str(environment(tmp_path / "server", wheel, "server.txt") / "evidence-vault")
    home, bundle, trust = (str(tmp_path / name) for name in ("home", "bundle.zip", "trust.toml"))
    (tmp_path / "page.html").write_text("<p>seen</p>")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command("init", home, "--port", str(port), program=program)
    with served(Path(home), url, program=program):
        token = str(tmp_path / "token")
        command("token", "create", "--home", home, "--name", "Somebody", "--save", token, program=program)
        remote = ("--url", url, "--token-file", token)
        out = command("deposit", str(tmp_path / "page.html"), *remote, program=program)
        item = next(word for word in out.split() if word.startswith("it_"))
        wait_for(
            lambda: command("status", item, *remote, program=program).split()[1] == "final", "the anchor"
        )
        command("export", item, "-o", bundle, *remote, program=program)
        command("trust", "export", "--home", home, "--known-blocks", "-o", trust, program=program)
    out = command("verify", bundle, "--trust", trust, expected=5, program=program)
    assert out.startswith("DEVELOPMENT-PASSED")
