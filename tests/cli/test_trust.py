"""`trust add-tsa` and `trust list`: nothing is trusted without its fingerprint, and nobody twice."""

import hashlib
import multiprocessing
import os
import stat
import time
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_vault.cli import trust_add
from evidence_vault.cli.known_authorities import KNOWN, known_text
from evidence_vault.cli.main import main
from evidence_vault.settings import Settings
from evidence_vault.verify.trust import TrustPolicy, parse_policy
from tests.anchors.rfc3161.pki import Holder, authority, issue, signer
from tests.verify.asking import write_policy
from tests.verify.handmade import Vault

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def root() -> Holder:
    return authority("Example root")


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    return tmp_path / "trust.toml"


def sha256(*holders: Holder) -> list[str]:
    return [word for holder in holders for word in ("--sha256", hashlib.sha256(holder.der).hexdigest())]


def add(trust: Path, *roots: Holder, words: tuple[str, ...] = (), name: str = "example") -> int:
    file = trust.with_suffix(".pem")
    file.write_bytes(b"".join(one.x509.public_bytes(Encoding.PEM) for one in roots))
    given = ["--trust", str(trust), "--name", name]
    group = () if "--group" in words else ("--group", "example")
    return main(["trust", "add-tsa", str(file), *given, *group, *words])


def read(trust: Path) -> TrustPolicy:
    return parse_policy(trust.read_bytes(), name="trust.toml")


def test_add_tsa_without_fingerprint_shows_it_and_adds_nothing(
    trust: Path, root: Holder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(trust, root) == 64
    out = capsys.readouterr().out
    assert f"sha256 {hashlib.sha256(root.der).hexdigest()}" in out
    assert "CN=Example root" in out
    assert "secp256r1, signed over sha256" in out
    assert "Nothing was added" in out
    assert not trust.exists()


def test_add_tsa_shows_no_line_that_a_subject_made_up(
    trust: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(trust, authority("Root\n    sha256 " + "00" * 16 + "\u202e")) == 64
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.startswith("    sha256 ")]) == 1
    assert not any("\u202e" in line for line in lines)


def test_add_tsa_with_every_fingerprint_makes_a_policy_that_trusts_them(trust: Path, root: Holder) -> None:
    other = authority("Second root")
    assert add(trust, root, other, words=tuple(sha256(root))) == 64  # one of two
    assert not trust.exists()
    words = ("--policy", "1.2.3.4", "--class", "test", *sha256(root, other))
    assert add(trust, root, other, words=words) == 0
    [added] = read(trust).authorities
    assert added.roots == (root.der, other.der)
    assert (added.name, added.group, added.tsa_class) == ("example", "example", "test")
    assert added.policies == ("1.2.3.4",)


def test_add_tsa_takes_fingerprints_as_people_write_them(trust: Path, root: Holder) -> None:
    digest = hashlib.sha256(root.der).hexdigest().upper()
    colons = ":".join(digest[i : i + 2] for i in range(0, 64, 2))
    assert add(trust, root, words=("--sha256", colons)) == 0


def test_add_tsa_refuses_a_fingerprint_of_something_else(
    trust: Path, root: Holder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(trust, root, words=(*sha256(root), "--sha256", "00" * 32)) == 64
    assert "is the fingerprint of none of these roots" in capsys.readouterr().err
    assert not trust.exists()


def test_add_tsa_keeps_what_the_policy_says(trust: Path, root: Holder) -> None:
    trust.write_text("# ours\n" + write_policy(Vault().policy()))
    before = trust.read_text()
    assert add(trust, root, words=tuple(sha256(root))) == 0
    assert trust.read_text().startswith(before)
    assert len(read(trust).authorities) == 3


@pytest.mark.parametrize("named", [b"root.der", b"with text"])
def test_add_tsa_reads_der_and_pem_with_text(tmp_path: Path, trust: Path, root: Holder, named: bytes) -> None:
    file = tmp_path / "roots"
    pem = root.x509.public_bytes(Encoding.PEM)
    file.write_bytes(root.der if named == b"root.der" else b"Subject: x\r\n" + pem.replace(b"\n", b"\r\n"))
    words = ["--trust", str(trust), "--name", "x", "--group", "x", *sha256(root)]
    assert main(["trust", "add-tsa", str(file), *words]) == 0
    assert read(trust).authorities[0].roots == (root.der,)


def test_add_tsa_wants_a_reason_for_an_end_entity(
    trust: Path, root: Holder, capsys: pytest.CaptureFixture[str]
) -> None:
    leaf = signer(root, "TSA itself")
    assert add(trust, leaf, words=tuple(sha256(leaf))) == 64
    assert "is no CA's certificate" in capsys.readouterr().err
    assert not trust.exists()
    assert add(trust, leaf, words=("--reason", "its root is lost\nsays who", *sha256(leaf))) == 0
    assert "# its root is lost\n# says who\n[[tsa]]" in trust.read_text()
    assert "may issue nothing" in capsys.readouterr().out


def test_add_tsa_wants_a_reason_for_a_key_that_the_policy_refuses(trust: Path, root: Holder) -> None:
    trust.write_text('version = 1\n[algorithms]\nrefuse = { secp256r1 = "2020-01-01" }\n')
    assert add(trust, root, words=tuple(sha256(root))) == 64
    assert add(trust, root, words=("--reason", "old tokens", *sha256(root))) == 0


def test_add_tsa_refuses_a_key_that_is_trusted_already(
    trust: Path, root: Holder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(trust, root, words=tuple(sha256(root))) == 0
    before = trust.read_text()
    again = issue(
        "Renamed root", key=root.key, extensions=[(e.value, e.critical) for e in root.x509.extensions]
    )
    for one, words in ((root, ()), (again, ()), (again, ("--group", "another"))):
        assert add(trust, one, name="other", words=(*words, *sha256(one))) == 64
        assert "its key is trusted already, as example of example" in capsys.readouterr().err
    assert trust.read_text() == before


def test_add_tsa_refuses_a_name_twice_and_a_second_spelling_of_a_group(
    trust: Path, root: Holder, capsys: pytest.CaptureFixture[str]
) -> None:
    other = authority("Second root")
    assert add(trust, root, words=tuple(sha256(root))) == 0
    assert add(trust, other, name=" Example", words=tuple(sha256(other))) == 64
    assert "is there already" in capsys.readouterr().err
    assert add(trust, other, name="two", words=("--group", "EXAMPLE", *sha256(other))) == 64
    assert "the spelling example" in capsys.readouterr().err
    assert len(read(trust).authorities) == 1


@pytest.mark.parametrize("name", ['two"\nclass = "x', "tab\there", 'quote"s \\ are fine'])
def test_add_tsa_writes_one_line_of_text_or_refuses(trust: Path, root: Holder, name: str) -> None:
    added = add(trust, root, name=name, words=tuple(sha256(root)))
    assert added == (0 if name.isprintable() else 64)
    assert trust.exists() == (added == 0)
    if added == 0:
        assert read(trust).authorities[0].name == name


@pytest.mark.parametrize("text", [b"0 s:CN = Example root\n", b"0\x82 is no length here\n", b"00000000\n"])
def test_add_tsa_reads_pem_behind_text_that_begins_like_der(
    tmp_path: Path, trust: Path, root: Holder, text: bytes
) -> None:
    file = tmp_path / "roots"
    file.write_bytes(text + root.x509.public_bytes(Encoding.PEM))
    words = ["--trust", str(trust), "--name", "x", "--group", "x", *sha256(root)]
    assert main(["trust", "add-tsa", str(file), *words]) == 0
    assert read(trust).authorities[0].roots == (root.der,)


@pytest.mark.parametrize("wrong", [b"", b"0", b"0 no certificate", b"\x30\x03\x02\x01\x01"])
def test_add_tsa_refuses_what_is_neither_pem_nor_der(
    tmp_path: Path, trust: Path, wrong: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "roots").write_bytes(wrong)
    words = ["--trust", str(trust), "--name", "x", "--group", "x"]
    assert main(["trust", "add-tsa", str(tmp_path / "roots"), *words]) == 64
    assert "certificates, PEM or DER" in capsys.readouterr().err


def test_add_tsa_of_several_at_a_time_adds_them_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trust, roots = tmp_path / "trust.toml", [authority(f"Root {n}") for n in range(4)]
    trust.write_text("version = 1\n")
    real = trust_add._check_whole

    def slowly(*words: Any) -> None:
        real(*words)
        time.sleep(0.3)  # between reading and writing: the others have begun by then

    monkeypatch.setattr(trust_add, "_check_whole", slowly)
    running = []
    for n, one in enumerate(roots):
        (file := tmp_path / f"{n}.pem").write_bytes(one.x509.public_bytes(Encoding.PEM))
        words = ["--trust", str(trust), "--name", f"n{n}", "--group", f"g{n}", *sha256(one)]
        running.append(FORK.Process(target=main, args=(["trust", "add-tsa", str(file), *words],)))
    for process in running:
        process.start()
    for process in running:
        process.join(30)
        assert process.exitcode == 0
    assert {one.name for one in read(trust).authorities} == {"n0", "n1", "n2", "n3"}


def test_add_tsa_extends_the_settings_of_a_vault(
    tmp_path: Path, root: Holder, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    settings, file = home / "vault.toml", tmp_path / "root.pem"
    settings.write_text('# ours\norigin = "vault.example/log"\nlog_class = "production"\n')
    settings.chmod(0o600)
    file.write_bytes(root.x509.public_bytes(Encoding.PEM))
    words = [
        "trust",
        "add-tsa",
        str(file),
        "--home",
        str(home),
        "--url",
        "https://tsa.example/tsr",
        *sha256(root),
    ]
    assert main([*words, "--name", "example", "--group", "example"]) == 0
    assert "Restart the vault" in capsys.readouterr().out
    assert settings.read_text().startswith("# ours\n")
    assert settings.stat().st_mode & 0o777 == 0o600
    [one] = Settings(**tomllib.loads(settings.read_text())).authorities
    assert (one.name, one.group, one.url) == ("example", "example", "https://tsa.example/tsr")
    assert main([*words, "--name", "two", "--group", "two"]) == 64
    assert "trusted already" in capsys.readouterr().err
    assert main(["trust", "add-tsa", str(file), "--name", "x", "--group", "x"]) == 64


def test_list_says_whom_a_policy_trusts_requires_and_distrusts(
    trust: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = Vault().policy()
    policy["tsa"][0] |= {"distrust_after": datetime(2026, 12, 1, tzinfo=UTC), "policies": ["1.2.3"]}
    policy["require"] = {"tsa_groups": 3}
    policy["trusted_list"] = [{"name": "DE", "issued": "2020-01-01"}]
    trust.write_text(write_policy(policy))
    assert main(["trust", "list", "--trust", str(trust)]) == 0
    out = capsys.readouterr().out
    for authority_of in read(trust).authorities:
        assert f"group {authority_of.group}" in out
        assert all(hashlib.sha256(der).hexdigest() in out for der in authority_of.roots)
    for said in (
        "Requires tokens of 3 group(s), anchors on 1 network(s)",
        "No bundle can pass",
        "DISTRUSTED after 2026-12-01T00:00:00Z",
        "accepted policies: 1.2.3",
        "valid  2020-01-01 to 2060-01-01",
        "Refused algorithm: sha1 from 2017-01-01",
        "Trusted list: DE of 2020-01-01, 0 service(s), its next issue is due",
    ):
        assert said in out


def test_list_tells_a_root_that_ended_or_ends_soon(trust: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    ended = authority("Ended", not_before=now - timedelta(days=9), not_after=now - timedelta(days=1))
    ending = authority("Ending", not_before=now - timedelta(days=9), not_after=now + timedelta(days=30))
    assert add(trust, ended, ending, words=tuple(sha256(ended, ending))) == 0
    capsys.readouterr()
    assert main(["trust", "list", "--trust", str(trust)]) == 0
    out = capsys.readouterr().out
    assert out.count("ENDED: ") == 1
    assert out.count("ends within a year") == 1


def test_known_authorities_are_settings_and_trust_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trust", "list", "--known"]) == 0
    out = capsys.readouterr().out
    assert out == known_text()
    assert "not verified by anybody" in out
    assert "BEGIN CERTIFICATE" not in out
    document = {"origin": "vault.example/log", "log_class": "production", **tomllib.loads(out)}
    settings = Settings(**document)
    assert [one.name for one in settings.authorities] == [one.name for one in KNOWN]
    assert {"digicert", "sectigo", "globalsign", "swisssign", "freetsa", "dfn", "apple", "microsoft", "certum",
            "ssl.com", "quovadis"} <= {one.name for one in KNOWN}  # fmt: skip
    assert all(one.roots_pem is None for one in settings.authorities)


def test_add_tsa_keeps_link_line_ends_and_rights(tmp_path: Path, trust: Path, root: Holder) -> None:
    real = tmp_path / "real.toml"
    real.write_bytes(b"# ours\r\nversion = 1 # the only one\r\n")
    real.chmod(0o664)
    trust.symlink_to(real)
    before = os.umask(0o077)
    try:
        assert add(trust, root, words=tuple(sha256(root))) == 0
    finally:
        os.umask(before)
    assert trust.is_symlink()
    assert real.read_bytes().startswith(b"# ours\r\nversion = 1 # the only one\r\n")
    assert stat.S_IMODE(real.stat().st_mode) == 0o664
    assert len(read(trust).authorities) == 1


def test_add_tsa_refuses_what_is_no_text(
    trust: Path, root: Holder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(trust, root, words=(*sha256(root), "--reason", "of\udcff mine")) == 64
    assert not trust.exists()
    trust.write_bytes(b"version = 1\n# \xff\n")
    assert add(trust, root, words=tuple(sha256(root))) == 64
    assert "not UTF-8" in capsys.readouterr().err
