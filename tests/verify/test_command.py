"""The command: exit codes, what it prints, what it loads, and that it opens no socket."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from evidence_vault.cli.main import main
from tests.golden.make import FOLDER
from tests.verify.asking import write_policy
from tests.verify.handmade import Sealed, good_bundle, small_bundle
from tests.verify.outside import Authority, Chain

AT = ["--at", "2026-12-01"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles of every verdict, with policies of the same names."""
    made = tmp_path_factory.mktemp("bundles")
    development = [Authority(name, tsa_class="development") for name in ("Alpha", "Beta")]
    bundles: dict[str, Sealed] = {
        "passed": small_bundle(),
        "development": small_bundle(
            env="development", authorities=development, chain=Chain(chain_class="development")
        ),
    }
    for name, sealed in bundles.items():
        (made / f"{name}.zip").write_bytes(sealed.zip())
        (made / f"{name}.toml").write_text(write_policy(sealed.vault.policy()))
    (made / "failed.zip").write_bytes(changed(bundles["passed"]))
    (made / "unreadable.zip").write_bytes(b"PK")
    (made / "nobody.toml").write_text("version = 1\n")
    (made / "broken.toml").write_text("version = 3\n")
    (made / "same.bin").write_bytes(b"small")
    (made / "other.bin").write_bytes(b"large")
    return made


def changed(sealed: Sealed) -> bytes:
    path = next(path for path in sealed.files if path.startswith("data/"))
    return sealed.changed(sealed.files | {path: b"SMALL"}).zip()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("passed.zip --trust passed.toml", 0),
        ("failed.zip --trust passed.toml", 2),
        ("passed.zip --trust nobody.toml", 3),
        ("unreadable.zip --trust passed.toml", 4),
        ("development.zip --trust development.toml", 5),
        ("passed.zip --trust passed.toml --file same.bin", 0),
        ("passed.zip --trust passed.toml --file other.bin", 2),
        ("passed.zip --trust broken.toml", 64),
        ("passed.zip --trust none.toml", 64),
        ("none.zip --trust passed.toml", 64),
        ("passed.zip", 64),
        ("--trust passed.toml", 64),
        ("passed.zip --trust passed.toml --at yesterday", 64),
        ("passed.zip --trust passed.toml --lang fr", 64),
        ("passed.zip --trust passed.toml --headers passed.toml", 64),
        ("passed.zip --trust passed.toml --file none.bin", 64),
        # Several bundles: the worst of 4 > 2 > 3 > 5 > 0.
        ("passed.zip passed.zip --trust passed.toml", 0),
        ("passed.zip failed.zip --trust passed.toml", 2),
        ("failed.zip unreadable.zip passed.zip --trust passed.toml", 4),
        ("development.zip passed.zip --trust passed.toml", 2),
        ("passed.zip failed.zip --trust nobody.toml", 2),
        ("development.zip passed.zip --trust nobody.toml", 3),
    ],
)
def test_verify_ends_with_the_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, code: int
) -> None:
    monkeypatch.chdir(folder)
    assert run(["verify", *arguments.split(), *([] if "--at" in arguments else AT)]) == code


def run(arguments: list[str]) -> object:
    """The exit code, however the command ends."""
    try:
        return main(arguments)
    except SystemExit as ended:
        return ended.code


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_verify_prints_the_verdict_first_and_last(
    folder: Path, capsys: pytest.CaptureFixture[str], lang: str
) -> None:
    for name in ("passed", "failed", "unreadable"):
        main(
            [
                "verify",
                str(folder / f"{name}.zip"),
                "--trust",
                str(folder / "passed.toml"),
                "--lang",
                lang,
                *AT,
            ]
        )
        lines = capsys.readouterr().out.rstrip("\n").split("\n")
        assert lines[0] == lines[-1]
        assert lines[0].partition(":")[0] in ("TOTAL-PASSED", "TOTAL-FAILED", "UNREADABLE")


def test_verify_json_is_one_object_or_a_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = ["verify", str(folder / "passed.zip"), "--trust", str(folder / "passed.toml"), "--json", *AT]
    main(one)
    assert json.loads(capsys.readouterr().out)["exit_code"] == 0
    main([one[0], str(folder / "passed.zip"), *one[1:]])
    assert [report["exit_code"] for report in json.loads(capsys.readouterr().out)] == [0, 0]


# The module `socket` itself is loaded by cryptography.x509, for email.utils; no socket is opened.
WATCHED = """
import sys
opened = []
def watch(event, arguments):
    if event.startswith("socket."):
        opened.append((event, arguments))
    if event == "open" and "w" in str(arguments[1] or ""):
        opened.append((event, arguments))
sys.addaudithook(watch)
from evidence_vault.cli.main import main
code = main(sys.argv[1:])
heavy = [name for name in sys.modules if name.split(".")[0] in {
    "fastapi", "starlette", "uvicorn", "sqlalchemy", "alembic", "pydantic", "httpx", "httpcore", "web3", "rlp",
    "trie", "eth", "eth_tester", "rfc3161ng", "asn1crypto", "requests", "urllib3", "asyncio"}
    or name.endswith((".submit", ".fetch")) or name.startswith(("evidence_vault.store", "evidence_vault.settings",
    "evidence_vault.pipeline", "evidence_vault.signer", "evidence_vault.client"))]
print(code, opened, heavy, file=sys.stderr)
"""


@pytest.mark.house
def test_verify_in_a_process_opens_no_socket_writes_nothing_and_loads_little() -> None:
    command = [sys.executable, "-W", "error", "-c", WATCHED, "verify", str(FOLDER / "bundle.zip")]
    command += ["--trust", str(FOLDER / "trust.toml"), *AT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == "0 [] []\n"
    assert done.stdout.startswith("TOTAL-PASSED: ")


def test_verify_good_bundle_needs_no_more_than_its_zip(tmp_path: Path) -> None:
    """Nothing is unpacked: the folder holds afterwards what it held before."""
    (tmp_path / "b.zip").write_bytes(good_bundle().zip())
    main(["verify", str(tmp_path / "b.zip"), "--trust", str(FOLDER / "trust.toml"), *AT])
    assert [path.name for path in tmp_path.iterdir()] == ["b.zip"]
