"""Settings: the environment wins, what nobody knows is refused, secrets are not shown."""

from pathlib import Path

import pytest

from evidence_vault.errors import ConfigError
from evidence_vault.settings import FILE_NAME, Settings, load_settings, parse_settings


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [n for n in os.environ if n.startswith("EVIDENCE_VAULT_")]:
        monkeypatch.delenv(name)


def test_defaults_are_a_development_vault_on_loopback(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    assert (settings.home, settings.log_class, settings.listen_host) == (tmp_path, "development", "127.0.0.1")
    assert (settings.checkpoint_interval_s, settings.anchor_interval_s) == (1.0, 5.0)
    assert settings.database_dsn() == f"sqlite+pysqlite:///{tmp_path}/vault.db"


def test_environment_wins_over_the_file_also_inside_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE_NAME).write_text(
        'origin = "vault.example/log"\nlog_class = "production"\nanchor_interval_s = 7\nmax_merge_delay_s = 60\n'
        '[platform]\noperator = "From the file"\nfilings = ["A 1"]\n'
    )
    monkeypatch.setenv("EVIDENCE_VAULT_MAX_MERGE_DELAY_S", "120")
    monkeypatch.setenv("EVIDENCE_VAULT_PLATFORM__OPERATOR", "From the environment")
    monkeypatch.setenv("EVIDENCE_VAULT_HOME", str(tmp_path))
    settings = load_settings()
    assert settings.home == tmp_path
    assert (settings.max_merge_delay_s, settings.anchor_interval_s, settings.token_interval_s) == (
        120,
        7,
        300,
    )
    assert (settings.platform.operator, settings.platform.filings) == ("From the environment", ["A 1"])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("max_uplaod_bytes = 5", "max_uplaod_bytes"),
        ("[platform]\noperater = 'x'", "platform.operater"),
        ("max_upload_bytes = 0", "max_upload_bytes"),
        ("log_class = 'staging'", "log_class"),
        ("log_class = 'test'", "settings"),
        ("origin = 'vault.example/log'", "settings"),
        ("origin = 'development/receipt'", "settings"),
        ("not toml", FILE_NAME),
        ("[[authorities]]\nname = 'a'\ngroup = 'g'\nurl = 'ftp://x'\nroots_pem = ''", "authorities.0.url"),
        ("[[authorities]]\nname = 'a'\ngroup = 'g'\nurl = 'http://x'", "authorities.0"),
        (
            "[[networks]]\nname = 'n'\nchain_id = 1\ngenesis = '00'\ncontract = '0x"
            + "ab" * 20
            + "'\nrpc_urls = ['x']",
            "networks.0.genesis",
        ),
    ],
)
def test_settings_that_are_wrong_are_named(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path)
    assert caught.value.name == name


def test_secrets_are_shown_neither_printed_nor_in_errors(tmp_path: Path) -> None:
    network = {
        "name": "n",
        "chain_id": 12345,
        "genesis": "00" * 32,
        "contract": "0x" + "AB" * 20,
        "rpc_urls": ["https://node/HUNTER2"],
    }
    settings = Settings.model_validate({"database_url": "postgresql://u:HUNTER2@h/d", "networks": [network]})
    assert settings.networks[0].contract == "ab" * 20
    assert "HUNTER2" not in repr(settings) + str(settings) + settings.model_dump_json()
    assert "HUNTER2" in settings.database_dsn()
    (tmp_path / FILE_NAME).write_text('database_url = ["HUNTER2"]')
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path)
    assert "HUNTER2" not in str(caught.value)


def test_roots_come_inline_or_from_a_file(tmp_path: Path) -> None:
    base = {"name": "a", "group": "g", "url": "http://x"}
    (tmp_path / "r.pem").write_text("PEM")
    both = Settings.model_validate(
        {"authorities": [{**base, "roots_file": "r.pem"}, {**base, "name": "b", "roots_pem": "INLINE"}]}
    )
    assert [a.load_roots_pem(tmp_path) for a in both.authorities] == ["PEM", "INLINE"]
    with pytest.raises(ConfigError, match=r"authorities\.a\.roots_file"):
        both.authorities[0].load_roots_pem(tmp_path / "elsewhere")


def test_lease_outlives_every_exchange() -> None:
    slow = {"name": "a", "group": "g", "url": "http://x", "roots_pem": "-", "timeout_s": 116}
    with pytest.raises(ConfigError, match="longer than timeout_s of a"):
        parse_settings({"authorities": [slow]})
    parse_settings({"authorities": [slow], "job_lease_s": 121.5})


def test_lease_that_ends_while_a_receiver_is_told_is_refused() -> None:
    with pytest.raises(ConfigError, match="webhooks"):
        parse_settings({"webhooks": {"timeout_s": 118}})


def test_every_limit_says_its_reason() -> None:
    for name, field in Settings.model_fields.items():
        if name.startswith(("max_", "retry_")) or name.endswith(("_s", "_days", "_hours", "_bytes")):
            assert field.description, name
