"""`trust add-notary`: no root without its fingerprint, and nothing else in the file changes."""

import hashlib
from pathlib import Path

import pytest

from evidence_vault.cli.main import main
from evidence_vault.settings import load_settings
from evidence_vault.verify.trust import parse_policy
from tests.pipeline.attesting import NOTARY, ROOT, pem
from tests.verify.notary import Holder, issue

OTHER = issue("Appraisers' Root", authority=True)


def add(path: Path, *roots: Holder, confirmed: bool = True, to: str = "--trust") -> int:
    file = path.with_suffix(".pem") if path.suffix else path / "roots.pem"
    file.write_text(pem(*roots))
    words = [word for one in roots for word in ("--sha256", hashlib.sha256(one.der).hexdigest()) if confirmed]
    return main(["trust", "add-notary", str(file), to, str(path), *words])


def test_add_notary_without_fingerprint_adds_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trust = tmp_path / "trust.toml"
    assert add(trust, ROOT, confirmed=False) == 64
    assert hashlib.sha256(ROOT.der).hexdigest() in capsys.readouterr().out
    assert not trust.exists()


@pytest.mark.parametrize(
    "before",
    [
        "version = 1\n",
        "version = 1\n# kept\n[notary]\n",
        "version = 1\r\n[notary]\r\nroots = []\r\n[require]\r\nanchors = 0\r\n",
    ],
)
def test_add_notary_extends_the_one_table(before: str, tmp_path: Path) -> None:
    trust = tmp_path / "trust.toml"
    trust.write_bytes(before.encode())
    assert add(trust, ROOT) == 0
    assert add(trust, OTHER) == 0
    policy = parse_policy(trust.read_bytes(), name="trust.toml")
    assert set(policy.notary_roots) == {ROOT.der, OTHER.der}
    assert ("# kept" in before) == ("# kept" in trust.read_text())
    assert policy.require.anchors == (0 if "anchors" in before else 1)


def test_add_notary_refuses_a_known_key_a_notary_himself_and_a_table_of_another_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trust = tmp_path / "trust.toml"
    assert add(trust, ROOT) == 0
    before = trust.read_bytes()
    assert add(trust, ROOT) == 64
    assert "trusted already" in capsys.readouterr().err
    assert add(trust, NOTARY) == 64
    assert "no CA's certificate" in capsys.readouterr().err
    assert trust.read_bytes() == before
    trust.write_text(f'version = 1\nnotary.roots = ["""\n{pem(OTHER)}"""]\n')
    assert add(trust, ROOT) == 64


def test_add_notary_to_the_settings_of_a_vault(tmp_path: Path) -> None:
    (tmp_path / "vault.toml").write_text("[notary]\nstatement_days = 3.0\n\n[platform]\noperator = 'A'\n")
    assert add(tmp_path, ROOT, to="--home") == 0
    settings = load_settings(tmp_path)
    assert settings.notary.certificates() == (ROOT.der,)
    assert settings.notary.statement_days == 3
    assert settings.platform.operator == "A"
