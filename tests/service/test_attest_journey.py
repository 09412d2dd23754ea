"""A notary's way through a served vault, by the command line: examine, sign, hand in, export, withdraw."""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.pipeline.attesting import pem
from tests.service.driving import EVIDENCE_VAULT, command, free_port, served
from tests.verify.notary import Holder, issue

pytestmark = [pytest.mark.socket, pytest.mark.slow]

NOW = datetime.now(UTC).replace(microsecond=0)
YEAR = timedelta(days=365)
ROOT = issue("Notaries' Root", authority=True, not_before=NOW - YEAR, not_after=NOW + YEAR)
NOTARY = issue("A Notary", issuer=ROOT, not_before=NOW - YEAR, not_after=NOW + YEAR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    folder: Path
    owner: dict[str, str]
    notary: dict[str, str]
    item: str

    def write(self, name: str, data: bytes, mode: int = 0o600) -> str:
        path = self.folder / name
        path.write_bytes(data)
        path.chmod(mode)
        return str(path)

    def verified(self, bundle: str, trust: str, expected: int) -> str:
        """Row 9 of the report and what stands under it."""
        out = command("verify", bundle, "--trust", trust, expected=expected)
        lines = out[out.index("\n     9  ") :].splitlines()[1:]
        return "\n".join(line for line in lines[:6] if line.strip())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("journey")
    home, port = folder / "vault", free_port()
    url = f"http://127.0.0.1:{port}"
    command("init", str(home), "--port", str(port))
    tokens = {
        role: command("token", "create", "--home", str(home), "--name", "Somebody", "--role", role).strip()
        for role in ("RH", "NO")
    }
    access = {
        role: {"EVIDENCE_VAULT_URL": url, "EVIDENCE_VAULT_TOKEN": token} for role, token in tokens.items()
    }
    (folder / "roots.pem").write_text(pem(ROOT))
    (folder / "photo.png").write_bytes(b"evidence")
    with served(home, url):
        out = command("deposit", str(folder / "photo.png"), access=access["RH"])
        item = next(word for word in out.split() if word.startswith("it_"))
        yield Place(folder=folder, owner=access["RH"], notary=access["NO"], item=item)


def key_words(place: Place, holder: Holder) -> list[str]:
    lock = serialization.BestAvailableEncryption(b"open sesame")
    key = holder.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    return [
        *("--key", place.write("own.key", key)),
        *("--certificates", place.write("own.pem", pem(holder, ROOT).encode())),
        *("--passphrase-file", place.write("passphrase", b"open sesame\n")),
    ]


def test_notary_attests_and_a_judge_reads_it_offline(place: Place) -> None:
    words = key_words(place, NOTARY)
    out = command(
        *(
            "attest",
            place.item,
            "--examined",
            "the photo=compared with the page",
            "--not-examined",
            "who took it",
        ),
        *("--remark", "Two pages.\u202e", "--file", str(place.folder / "photo.png"), "--yes", *words),
        access=place.notary,
    )
    assert "what was deposited: SHA-256" in out
    assert "examined  the photo: compared with the page" in out
    assert "not       who took it" in out
    assert "Two pages.\\u202e" in out
    assert "\u202e" not in out
    assert "  │ evidence-vault/attestation/v1\n  │ {" in out
    assert "signed by CN=A Notary; THIS VAULT DOESN'T KNOW THE ROOT" in out
    assert "open sesame" not in out
    seq = out.split("Recorded as event ")[1].split()[0]
    shown = command("attest", "list", place.item, access=place.owner)
    assert f"event {seq}," in shown
    assert "1 attestation(s)" in shown
    # the judge
    trust, bundle = str(place.folder / "trust.toml"), str(place.folder / "bundle.zip")
    command("export", place.item, "-o", bundle, access=place.owner)
    home = str(place.folder / "vault")
    command("trust", "export", "--home", home, "--anchors", "0", "-o", trust)
    assert "INDETERMINATE" in place.verified(bundle, trust, 5).split("\n")[0]
    roots = str(place.folder / "roots.pem")
    fingerprint = hashlib.sha256(ROOT.der).hexdigest()
    command("trust", "add-notary", roots, "--trust", trust, "--sha256", fingerprint)
    row = place.verified(bundle, trust, 5)
    assert "PASSED" in row.split("\n")[0]
    assert "Signed by" in row
    # withdrawn
    out = command(
        *("attest", "withdraw", place.item, seq, "--reason", "The wrong photo.", "--yes", *words),
        access=place.notary,
    )
    assert "signed by CN=A Notary" in out
    again = str(place.folder / "again.zip")
    command("export", place.item, "-o", again, access=place.owner)
    row = place.verified(again, trust, 5)
    assert "INDETERMINATE" in row.split("\n")[0]
    assert "The wrong photo." in row


def test_statement_that_was_prepared_and_signed_by_openssl_is_handed_in(place: Place) -> None:
    statement = place.folder / "statement.txt"
    out = command(
        *(
            "attest",
            "prepare",
            place.item,
            "-o",
            str(statement),
            "--no-rehash",
            "--examined",
            "the photo=seen",
        ),
        access=place.notary,
    )
    certificate, key = NOTARY.save(place.folder, "plain")
    (line,) = [
        part for part in out.replace("\\\n", "").splitlines() if part.strip().startswith("openssl cms")
    ]
    line = line.replace("CERT.pem", str(certificate)).replace("KEY.pem", str(key))
    subprocess.run(line, shell=True, check=True, capture_output=True)
    words = ("--statement", str(statement), "--p7s", f"{statement}.p7s")
    assert "signed by CN=A Notary" in command("attest", place.item, *words, access=place.notary)
    command("attest", place.item, *words, access=place.notary, expected=64)  # a replay
    statement.write_bytes(statement.read_bytes().replace(b"seen", b"read"))
    command("attest", place.item, *words, access=place.notary, expected=64)


def test_who_says_no_signs_nothing(place: Place) -> None:
    before = command("attest", "list", place.item, access=place.owner)
    done = subprocess.run(
        [EVIDENCE_VAULT, "attest", place.item, "--no-rehash", "--examined", "a=b", *key_words(place, NOTARY)],
        input="no\n",
        text=True,
        capture_output=True,
        env={**os.environ, **place.notary},
        check=False,
        timeout=60,
    )
    assert done.returncode == 64
    assert "nothing was signed or sent" in done.stderr
    assert command("attest", "list", place.item, access=place.owner) == before


def test_passphrase_that_others_may_read_is_refused(place: Place) -> None:
    words = key_words(place, NOTARY)
    (place.folder / "passphrase").chmod(0o644)
    command(
        *("attest", place.item, "--no-rehash", "--examined", "a=b", "--yes", *words),
        access=place.notary,
        expected=64,
    )


def test_own_file_that_differs_is_no_match(place: Place) -> None:
    other = place.write("other.png", b"something else")
    words = ("attest", place.item, "--file", other, "--unsigned", "--yes")
    out = command(*words, access=place.notary, expected=64)
    assert "reads its stored bytes" not in out  # what costs nothing is compared first
    out = command(*words, "--no-rehash", "--result", "differs", access=place.notary)
    assert "UNSIGNED" in out
