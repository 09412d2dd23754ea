"""Settings: every limit with its unit in its name and its reason beside it.

Three sources, the first that speaks wins: the environment (`EVIDENCE_VAULT_<NAME>`, lists and tables as JSON,
`__` between levels), `vault.toml` in the vault's home folder, the defaults here. A key that nobody knows is
refused, so that a misspelt limit is never silently the default. Secrets (database URL, RPC URLs, header
values) are `SecretStr` and don't show when settings are printed or an error quotes them.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from evidence_vault.access_settings import Access
from evidence_vault.attestation_settings import Notary
from evidence_vault.authority_settings import SEND_WITHIN_S, TimestampAuthority
from evidence_vault.bitcoin_settings import Bitcoin
from evidence_vault.core.names import LogClass, is_origin
from evidence_vault.core.note_keys import COSIGNER_TYPES, parse_vkey
from evidence_vault.custody_settings import Fixity, Presence, Retention
from evidence_vault.errors import ConfigError, FormatError
from evidence_vault.identity_settings import Identity, OidcProvider
from evidence_vault.network_settings import Code, Label, Network, Part, Url
from evidence_vault.webhook_settings import TURN_S, Webhooks

FILE_NAME = "vault.toml"
DEFAULT_HOME = Path("~/.evidence-vault")

USUAL_PROCESSES = 3
"""Of one vault, where nobody says otherwise: so many fit into PostgreSQL's usual hundred connections."""


class Witness(Part):
    """Somebody else who cosigns our checkpoints when they only grew (C2SP tlog-witness)."""

    name: Code = Field(description="How the status and the trust policy call it.")
    vkey: str = Field(max_length=3000, description="Its verifier key, of a cosignature's type.")
    url: Url = Field(description="Its submission prefix: requests go to <url>/add-checkpoint.")
    timeout_s: float = Field(default=10.0, gt=0, le=60, description="One exchange: its disk flushes once.")

    @model_validator(mode="after")
    def _key_of_a_witness(self) -> Self:
        try:
            key = parse_vkey(self.vkey)
        except FormatError as error:
            raise ValueError(f"vkey: {error}") from None
        if key.type not in COSIGNER_TYPES:
            raise ValueError(f"vkey: a witness's key has the type 0x04 or 0x06, not {key.type:#04x}")
        return self


class Platform(Part):
    """What the operator states about itself; every bundle carries it, and courts ask for it."""

    operator: Label = "none declared"
    operated_by_depositor: bool = True
    relation_to_parties: Label = "none declared"
    filings: list[Label] = Field(default_factory=list, max_length=20)
    can_read_content: bool = True


_CADENCES: Mapping[str, Mapping[str, float]] = {
    "development": {"checkpoint_interval_s": 1.0, "token_interval_s": 1.0, "anchor_interval_s": 5.0},
    "test": {"checkpoint_interval_s": 5.0, "token_interval_s": 60.0, "anchor_interval_s": 600.0},
    "production": {"checkpoint_interval_s": 5.0, "token_interval_s": 300.0, "anchor_interval_s": 3600.0},
}
"""Quick where tokens and gas cost nothing; elsewhere tokens by the minute and anchors by the hour."""


class Settings(BaseSettings):
    """All settings of one vault."""

    model_config = SettingsConfigDict(
        env_prefix="EVIDENCE_VAULT_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    home: Path = Field(
        default=DEFAULT_HOME, description="Keys, blobs, public log files and the SQLite database."
    )

    # Who this vault is. Signed into every event; a log never changes either.
    origin: str = Field(default="development/vault", description="The log's name: a URL without scheme.")
    log_class: LogClass = Field(default="development", description="What its evidence may ever be used for.")
    platform: Platform = Field(default_factory=Platform)

    # Where it listens and keeps things.
    listen_host: str = Field(
        default="127.0.0.1", description="Loopback unless the operator decides otherwise."
    )
    listen_port: int = Field(default=8460, ge=0, le=65535)
    processes: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="How many answer; default: one for each core, at most 3. A development vault has one.",
    )
    base_url: Url = Field(
        default="http://127.0.0.1:8460", description="How others reach it; stands in answers."
    )
    database_url: SecretStr | None = Field(default=None, description="Default: SQLite in the home folder.")

    # Whom it asks for proofs.
    authorities: list[TimestampAuthority] = Field(default_factory=list)
    networks: list[Network] = Field(default_factory=list)
    bitcoin: list[Bitcoin] = Field(default_factory=list)
    witnesses: list[Witness] = Field(
        default_factory=list, max_length=16, description="Who cosigns our checkpoints; never waited for."
    )
    webhooks: Webhooks = Field(default_factory=Webhooks)
    notary: Notary = Field(default_factory=Notary)
    private_endpoints: list[str] = Field(
        default_factory=list,
        description="host:port that may be loopback or private; all others must be public addresses.",
    )

    # Who may ask.
    identity: Identity = Field(default_factory=Identity)
    oidc: list[OidcProvider] = Field(default_factory=list, max_length=16)
    # What it does with evidence over the years.
    fixity: Fixity = Field(default_factory=Fixity)
    presence: Presence = Field(default_factory=Presence)
    retention: Retention = Field(default_factory=Retention)
    access: Access = Field(default_factory=Access)

    # How often. The defaults depend on the class.
    checkpoint_interval_s: float = Field(gt=0, description="Pending events wait this long for the log.")
    token_interval_s: float = Field(gt=0, description="Least time between checkpoints that get tokens.")
    anchor_interval_s: float = Field(gt=0, description="Least time between anchors; each costs gas.")
    anchor_soon_events: int = Field(
        default=0, ge=0, description="So many waiting events are anchored sooner; 0: by time alone."
    )
    anchor_soon_interval_s: float = Field(
        default=300.0,
        gt=0,
        description="But never sooner than this after the last: it bounds the cost of a day.",
    )
    poll_interval_s: float = Field(default=0.2, gt=0, description="How often an idle worker looks for work.")

    # What a deposit may be.
    max_upload_bytes: int = Field(
        default=64 * 2**30, ge=1, description="64 GiB: a day of video; disks end too."
    )
    max_file_name_chars: int = Field(default=255, ge=1, le=255, description="What file systems accept.")
    max_file_name_bytes: int = Field(
        default=1024, ge=1, le=1024, description="255 characters of 4 bytes in UTF-8."
    )
    max_pending_events: int = Field(
        default=100_000,
        ge=1,
        description="Events not yet in the log; beyond it deposits wait, or promises break.",
    )
    max_packed_bytes: int = Field(
        default=64 * 1024,
        ge=0,
        le=2**20,
        description="Contents up to this, in bytes, share pack files and flushes; larger ones get a file each.",
    )
    extra_digests: list[Literal["sha512", "sha3-256", "sm3"]] = Field(
        default_factory=list, description="Beside SHA-256; each costs a pass over the content."
    )

    # What it promises, and how long things live.
    max_merge_delay_s: int = Field(
        default=3600, ge=1, description="Receipts promise the log within this time."
    )
    upload_lease_s: float = Field(
        default=30.0, gt=0, description="A dead upload frees its idempotency key after."
    )
    job_lease_s: float = Field(
        default=120.0,
        gt=0,
        description="A dead worker's job is free again after this, or at the next start from its home.",
    )
    upload_idle_s: float = Field(
        default=30.0, gt=0, description="A resumable upload's silent connection ends after."
    )
    upload_keep_hours: int = Field(
        default=72, ge=1, description="A resumable upload without news ends after: a long weekend."
    )
    upload_row_keep_days: int = Field(
        default=90, ge=3, description="How an upload ended is told so long: a quarter's audit."
    )
    max_open_uploads: int = Field(
        default=100, ge=1, description="Resumable uploads of one actor at a time; each is a file."
    )
    max_open_upload_bytes: int = Field(
        default=128 * 2**30, ge=1, description="128 GiB announced by one actor's open uploads: disks end."
    )
    retry_first_s: float = Field(
        default=1.0, gt=0, description="First wait after a failure; doubles, with jitter."
    )
    retry_most_s: float = Field(
        default=600.0, gt=0, description="Longest wait: an outage ends unnoticed otherwise."
    )
    export_keep_hours: int = Field(default=24, ge=1, description="A bundle stays in the spool this long.")
    clock_limit_s: float = Field(
        default=10.0,
        gt=0,
        le=60,
        description="Authorities' time against ours, beyond accuracy and round trip; more is an incident.",
    )

    @model_validator(mode="before")
    @classmethod
    def _cadence_of_the_class(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {**_CADENCES.get(given.get("log_class", "development"), {}), **given}

    @model_validator(mode="after")
    def _names_fit_together(self) -> Self:
        if not is_origin(self.origin):
            raise ValueError("origin: lower-case host, then a path, not ending in /receipt")
        if self.origin.startswith("development/") != (self.log_class == "development"):
            raise ValueError("origin begins with development/ exactly when log_class is development")
        for what, names in (
            ("authorities", [authority.name for authority in self.authorities]),
            ("networks and bitcoin", self.anchor_targets),
            ("bitcoin", [bitcoin.network for bitcoin in self.bitcoin]),
            ("oidc", [provider.name for provider in self.oidc]),
            ("oidc, issuers", [provider.issuer for provider in self.oidc]),
            ("witnesses", [witness.name for witness in self.witnesses]),
            ("witnesses, keys", [parse_vkey(witness.vkey).public_key for witness in self.witnesses]),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"{what}: each name once")
        for authority in self.authorities:
            if authority.timeout_s + SEND_WITHIN_S >= self.job_lease_s:
                raise ValueError(
                    f"job_lease_s: longer than timeout_s of {authority.name} and {SEND_WITHIN_S:g} s"
                )
        if self.webhooks.timeout_s + TURN_S >= self.job_lease_s:
            raise ValueError(f"job_lease_s: longer than timeout_s of webhooks and {TURN_S:g} s")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over `vault.toml`, which `load_settings` passes as arguments."""
        return env_settings, init_settings

    @property
    def anchor_targets(self) -> list[str]:
        """The names of all that checkpoints are anchored on."""
        return [one.name for one in self.networks] + [one.name for one in self.bitcoin]

    @property
    def anchors_per_day(self) -> float:
        """The most anchors in a day: each costs gas."""
        sooner = self.anchor_soon_interval_s if self.anchor_soon_events else self.anchor_interval_s
        return 86_400 / min(self.anchor_interval_s, sooner)

    def database_dsn(self) -> str:
        """Return the SQLAlchemy URL, secrets included: for the engine only."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+pysqlite:///{self.home / 'vault.db'}"


def default_home() -> Path:
    """Return the folder that the environment names, else the one in the user's home."""
    return Path(os.environ.get("EVIDENCE_VAULT_HOME", DEFAULT_HOME))


def load_settings(home: Path | None = None) -> Settings:
    """Return the settings of the vault in `home` (else `EVIDENCE_VAULT_HOME`, else ~/.evidence-vault).

    Raises ConfigError that names the setting, never its value, and where there is no such folder.
    """
    home = (home or default_home()).expanduser().absolute()
    if not home.is_dir():
        raise ConfigError("home", f"there is no vault in {home}: `evidence-vault init {home}` makes one")
    return parse_settings(_read_toml(home / FILE_NAME)).model_copy(update={"home": home})


def parse_settings(document: Mapping[str, Any]) -> Settings:
    """Return the settings of a `vault.toml`, under the environment. Raises ConfigError as `load_settings` does."""
    try:
        return Settings(**document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(map(str, first["loc"])) or "settings"
        raise ConfigError(name, first["msg"].removeprefix("Value error, ")) from None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(FILE_NAME, str(error)) from None
