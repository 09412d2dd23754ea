"""Create a vault in a folder: settings, keys, schema, and the first leaves of its log.

    init HOME                          a development vault: authority, chain and contract are made too
    init HOME --class production …     writes settings to be filled in; then `init HOME` again opens the log

Each step is durable before the next and is left as it is if it was done before, so a crash or a missing
setting costs nothing: run `init` again. Once LOG_OPENED is written, origin, class and keys are fixed for ever.

A vault without networks loads nothing that speaks Ethereum; only a development vault needs a chain installed.
"""

import secrets
from pathlib import Path

from anchors.values import value
from evidence_vault.core.canonical import Json
from evidence_vault.core.names import LogClass, is_origin
from evidence_vault.durable import save_file
from evidence_vault.errors import ConfigError
from evidence_vault.pipeline.operation.opening import open_log
from evidence_vault.pipeline.vault import Clock, build_vault, system_clock
from evidence_vault.settings import FILE_NAME, Settings, load_settings
from evidence_vault.signer.keys import create_key
from evidence_vault.store.queries import actors
from evidence_vault.store.schema import upgrade

DEFAULT_PORT = 8460

_TEMPLATE = """\
# Settings of this vault. EVIDENCE_VAULT_<NAME> in the environment wins over what stands here.
# Origin and class can't be changed once the log is open.
origin = "{origin}"
log_class = "{log_class}"
listen_port = {port}
base_url = "https://{host}"

[platform]
operator = "none declared"
operated_by_depositor = true
relation_to_parties = "none declared"
can_read_content = true

# Time-stamping authorities, at least one; two of different groups are better.
# [[authorities]]
# name = "example"
# group = "Who operates its root"
# url = "http://timestamp.example/tsr"
# roots_file = "roots/example.pem"

# Ethereum networks with the deployed contract; none is allowed, and then nothing is anchored.
# [[networks]]
# name = "mainnet"
# chain_id = 1
# genesis = "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
# contract = "0x…"
# rpc_urls = ["https://…"]
"""


@value
class Created:
    """What `create_home` left. opened: the log is open; else the settings wait to be filled in."""

    settings_file: Path
    settings: Settings
    opened: bool


def create_home(
    home: Path,
    *,
    log_class: LogClass | None = None,
    origin: str | None = None,
    port: int = DEFAULT_PORT,
    clock: Clock = system_clock,
) -> Created:
    """Create the vault in `home`, or go on where it was left. log_class, origin: for a home without settings.

    Raises ConfigError for a log that is open already, and for what the settings lack.
    """
    home = home.expanduser().absolute()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = home / FILE_NAME
    if file.exists():
        if log_class or origin:
            raise ConfigError(
                FILE_NAME, f"{file} is there already: edit it instead of giving class and origin"
            )
    elif log_class in (None, "development"):
        from evidence_vault.service.development import create_development  # noqa: PLC0415 - see above

        create_development(home, origin=_development(origin), port=port, clock=clock)
    else:
        _write_template(file, log_class=log_class, origin=origin, port=port)
        return Created(settings_file=file, settings=load_settings(home), opened=False)
    settings = load_settings(home)
    if not settings.authorities:
        raise ConfigError("authorities", f"name at least one in {file}, then run init again")
    _create_keys(settings)
    _open(settings, clock)
    return Created(settings_file=file, settings=settings, opened=True)


def _create_keys(settings: Settings) -> None:
    keys = settings.home / "keys"
    if settings.log_class == "development":
        from evidence_vault.service.development import adopt_sender  # noqa: PLC0415 - see above

        adopt_sender(settings.home)
    for name in ("log", "receipt", "webhook", *_own_senders(settings)):
        if not (keys / f"{name}.key").exists():
            create_key(keys / f"{name}.key", random=secrets.token_bytes)


def _own_senders(settings: Settings) -> list[str]:
    """The sender keys that lie in the home: all but those in a keystore or a key service."""
    return [
        f"anchor-{one.name}" for one in settings.networks if one.keystore_file is None and one.kms is None
    ]


def _open(settings: Settings, clock: Clock) -> None:
    vault = build_vault(settings, clock=clock)
    try:
        upgrade(vault.database)
        with vault.database.read() as session:
            if actors.vault_state(session) is not None:
                raise ConfigError("home", f"{settings.home} is a vault already, its log is open")
        open_log(vault, anchors=_anchors(settings))
    finally:
        vault.database.dispose()


def _anchors(settings: Settings) -> list[dict[str, Json]]:
    if not settings.networks:
        return []
    from evidence_vault.service.networks import anchor_of  # noqa: PLC0415 - see above

    return [dict[str, Json](anchor_of(settings, one)) for one in settings.networks]


def _development(origin: str | None) -> str:
    # Two development vaults are two logs: each has a name of its own.
    origin = origin or f"development/{secrets.token_hex(4)}"
    if not is_origin(origin) or not origin.startswith("development/"):
        raise ConfigError("origin", "of a development vault begins with development/, like development/vault")
    return origin


def _write_template(file: Path, *, log_class: LogClass | None, origin: str | None, port: int) -> None:
    if origin is None or not is_origin(origin) or origin.startswith("development/"):
        raise ConfigError("origin", "give the log's name for ever, like vault.example/log, not development/…")
    text = _TEMPLATE.format(origin=origin, log_class=log_class, port=port, host=origin.partition("/")[0])
    save_file(file, text.encode("utf-8"))
