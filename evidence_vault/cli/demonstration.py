"""The demonstration: the main job, end to end, on real input, in about half a minute.

    a vault of its own ──► three files deposited ──► stamped, logged, anchored ──► one bundle
    the bundle, verified by another process that can reach nothing: DEVELOPMENT-PASSED
    the same bundle with one byte of its content changed: TOTAL-FAILED

Everything stays in DIR to be looked at: bundle.zip, tampered.zip, trust.toml, receipts/, files/, vault/.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from evidence_vault.access.decisions import ALL_SCOPES
from evidence_vault.cli.deposit import deposit_file, read_local
from evidence_vault.cli.export import fetch_bundle
from evidence_vault.cli.remote import Remote
from evidence_vault.cli.samples import write_samples
from evidence_vault.cli.trust_export import export_policy
from evidence_vault.core.zipreader import ZipLimits, open_zip
from evidence_vault.errors import ConfigError, UnavailableError
from evidence_vault.identity.actors import issue_token
from evidence_vault.service.create import create_home
from evidence_vault.settings import FILE_NAME, Settings
from evidence_vault.store.session import Database

START_WITHIN_S = 60.0
FINAL_WITHIN_S = 120.0
STOP_WITHIN_S = 20.0
DEVELOPMENT_PASSED, FAILED, INTERNAL = 5, 2, 70

_ALONE = """\
import sys
def refuse(event, args):
    if event.startswith("socket."):
        raise RuntimeError("the verifier tried to reach the network: " + event)
sys.addaudithook(refuse)
from evidence_vault.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
"""Runs a command in a Python that ends at the first try to open a socket."""


def demonstrate(shown_folder: Path) -> int:
    """Run the demonstration in a folder and return the exit code: 0 if it went as it must."""
    began = time.monotonic()
    folder = shown_folder.absolute()
    _begin_anew(folder)
    _say(
        "1", "A vault of its own: keys, a time-stamping authority and an Ethereum chain, all for development"
    )
    settings = create_home(folder / "vault", port=free_port()).settings
    remote = Remote(url=settings.base_url, token=demonstration_token(settings))
    with serving(settings, folder / "serve.log"):
        _say("2", "Three files are deposited; each digest is computed here before anything is sent")
        items = [_deposit(remote, path, folder / "receipts") for path in write_samples(folder / "files")]
        _say("3", "Each is time-stamped (RFC 3161), logged (Merkle tree) and anchored (Ethereum)")
        wait_until_final(remote, items)
        _say("4", "The image is exported, with all that proves it, into one file")
        bundle = folder / "bundle.zip"
        view = fetch_bundle(remote, f"/v1/items/{items[1]}", bundle)
        print(f"     {bundle.name}, {view['size']} bytes; the vault's own verifier has read it first")
        policy = export_policy(settings.home, tsa_groups=1, anchors=1, known_blocks=True)
        (folder / "trust.toml").write_text(policy, "utf-8")
    _say("5", "The vault is stopped. Another process, which can reach nothing, verifies the bundle")
    passed = _verify(folder, "bundle.zip")
    _say("6", "One byte of the image is changed in a copy, and the copy is verified")
    _change_one_byte(bundle, folder / "tampered.zip", f"data/{items[1]}/content")
    failed = _verify(folder, "tampered.zip")
    if (passed, failed) != (DEVELOPMENT_PASSED, FAILED):
        print(
            f"\nNOT as it must be: exit codes {passed} and {failed} instead of 5 and 2; see {folder / 'serve.log'}"
        )
        return INTERNAL
    _say_what_next(shown_folder, time.monotonic() - began)
    return 0


def _begin_anew(folder: Path) -> None:
    """Remove what an earlier demonstration left, and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    ours = {"vault", "open", "files", "receipts", "serve.log", "bundle.zip", "tampered.zip", "trust.toml"}
    there = {path.name for path in folder.iterdir()}
    settings = folder / "vault" / FILE_NAME
    if there - ours or (settings.exists() and "DEVELOPMENT vault" not in settings.read_text("utf-8")):
        raise ConfigError(
            str(folder), "holds something else than an earlier demonstration; name another folder"
        )
    for name in there:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def demonstration_token(settings: Settings) -> str:
    """Return a new token of a rights holder."""
    database = Database(settings.database_dsn())
    try:
        token, _ = issue_token(
            database, name="Demonstration", role="RH", scopes=ALL_SCOPES, now=datetime.now(UTC), life=None
        )
        return token
    finally:
        database.dispose()


@contextlib.contextmanager
def serving(settings: Settings, log_file: Path) -> Iterator[None]:
    """Run `evidence-vault serve` in a process of its own."""
    with log_file.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "evidence_vault.cli.main", "serve", str(settings.home)],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_ready(settings, process)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(settings: Settings, process: "subprocess.Popen[bytes]") -> None:
    probe = Remote(url=settings.base_url, token="-")  # noqa: S106 - readyz asks for none
    end = time.monotonic() + START_WITHIN_S
    while time.monotonic() < end and process.poll() is None:
        try:
            probe.get("/readyz")
        except UnavailableError:
            time.sleep(0.2)
        else:
            print(f"     listening on {settings.base_url}")
            return
    raise UnavailableError("the vault", "it did not start; see serve.log in the demonstration's folder")


def _deposit(remote: Remote, path: Path, receipts: Path) -> str:
    local = read_local(path)
    began = time.monotonic()
    kept = deposit_file(remote, local, receipts=receipts)
    took = time.monotonic() - began
    print(
        f"     {path.name:<12} {local.size:>11,} bytes  {local.sha256.hex()[:16]}…  {kept.item_id}  {took:.2f} s"
    )
    return kept.item_id


def wait_until_final(remote: Remote, items: Sequence[str]) -> None:
    """Show each step as it is reached, until the last item's anchor is final."""
    seen: dict[str, str] = {}
    end = time.monotonic() + FINAL_WITHIN_S
    began = time.monotonic()
    while set(seen.values()) != {"final"}:
        for item_id in items:
            state = str(remote.get(f"/v1/items/{item_id}").json()["state"])
            if seen.get(item_id) != state:
                seen[item_id] = state
                print(f"     {time.monotonic() - began:5.1f} s  {item_id}  {state}", flush=True)
        if time.monotonic() > end:
            raise UnavailableError("the vault", "not all is anchored in time; see serve.log")
        time.sleep(0.2)


def _verify(folder: Path, name: str) -> int:
    """Verify in another process, without network if the system lets us, and show the verdict; its exit code."""
    command = [sys.executable, "-c", _ALONE, "verify", name, "--trust", "trust.toml"]
    done = subprocess.run(  # noqa: S603 - our own command
        [*_cut_off(), *command], cwd=folder, env=_environment(), capture_output=True, text=True, check=False
    )
    report = (done.stdout or done.stderr).strip().splitlines()
    print(f"     $ evidence-vault verify {name} --trust trust.toml")
    for line in report[:1] + [line for line in report if "FAILED  " in line or "✗" in line]:
        print(f"     {line}")
    print(f"     exit code {done.returncode}")
    return done.returncode


def _cut_off() -> list[str]:
    """Return the words that run a command in a network namespace without any network, where there are such."""
    unshare = shutil.which("unshare")
    for words in ([unshare, "-n"], [unshare, "-r", "-n"]) if unshare else ():
        tried = subprocess.run([*words, "true"], capture_output=True, check=False)  # noqa: S603 - as above
        if tried.returncode == 0:
            return words
    return []


def _environment() -> dict[str, str]:
    """The verifier needs no setting, and gets none."""
    return {name: value for name, value in os.environ.items() if not name.startswith("EVIDENCE_VAULT_")}


def _change_one_byte(bundle: Path, copy: Path, path: str) -> None:
    """Change the middle byte of one file in the zip, and nothing else: no digest is made again."""
    with bundle.open("rb") as file:
        index = open_zip(file, ZipLimits())
    entry = next(one for name, one in index.entries.items() if name.endswith(f"/{path}"))
    data = bytearray(bundle.read_bytes())
    at = entry.offset + entry.size // 2
    before = data[at]
    data[at] ^= 0x01
    copy.write_bytes(data)
    print(f"     byte {at} of the copy: {before:#04x} → {data[at]:#04x}")


def _say(step: str, text: str) -> None:
    print(f"\n{step}.   {text}", flush=True)


def _say_what_next(folder: Path, took_s: float) -> None:
    print(
        f"""
Done in {took_s:.0f} s. DEVELOPMENT-PASSED is all that a development vault can reach: its authority and its chain
live in its own folder and prove nothing to others. A vault with real authorities and a real network reaches
TOTAL-PASSED in the same way.

Next:
  the whole report                  evidence-vault verify {folder}/bundle.zip --trust {folder}/trust.toml
  what one changed byte does        evidence-vault verify {folder}/tampered.zip --trust {folder}/trust.toml
  look inside; README.txt says how  unzip -d {folder}/open {folder}/bundle.zip
  start this vault again            evidence-vault serve {folder}/vault"""
    )
