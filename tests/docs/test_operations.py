"""The operator's page: its settings file loads, its tables name every setting and every command."""

import os
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from evidence_vault.access_settings import Access
from evidence_vault.attestation_settings import Notary
from evidence_vault.authority_settings import TimestampAuthority
from evidence_vault.bitcoin_settings import Bitcoin, CalendarServer
from evidence_vault.cli.main import COMMANDS
from evidence_vault.custody_settings import Fixity, Presence, Retention
from evidence_vault.identity_settings import Identity, OidcProvider
from evidence_vault.network_settings import Network
from evidence_vault.settings import Platform, Settings, Witness, load_settings
from evidence_vault.webhook_settings import Webhooks
from tests.docs.pages import ROOT, blocks, section, table_keys

PAGE = ROOT / "docs" / "operations.md"


def test_example_settings_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("EVIDENCE_VAULT_")]:
        monkeypatch.delenv(name)
    (text,) = (block.text for block in blocks(PAGE) if block.name == "vault")
    (tmp_path / "vault.toml").write_text(text, "utf-8")
    settings = load_settings(tmp_path)
    assert settings.log_class == "test"
    assert settings.anchor_interval_s == 600
    assert [authority.group for authority in settings.authorities] == ["digicert", "sectigo"]
    assert [network.chain_id for network in settings.networks] == [560048]


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("The vault", Settings),
        ("[[authorities]]", TimestampAuthority),
        ("[[networks]]", Network),
        ("[[bitcoin]]", Bitcoin),
        ("[[bitcoin.calendars]]", CalendarServer),
        ("[[witnesses]]", Witness),
        ("[webhooks]", Webhooks),
        ("[notary]", Notary),
        ("[identity]", Identity),
        ("[[oidc]]", OidcProvider),
        ("[access]", Access),
        ("[platform]", Platform),
        ("[fixity]", Fixity),
        ("[presence]", Presence),
        ("[retention]", Retention),
    ],
)
def test_settings_are_those_of_the_code(heading: str, model: type[BaseModel]) -> None:
    assert table_keys(section(PAGE, heading)) == list(model.model_fields)


def test_commands_are_those_of_the_code() -> None:
    shown = re.findall(r"^\| `evidence-vault ([a-z ]+)` \|", section(PAGE, "Commands"), re.M)
    assert shown == list(COMMANDS)
