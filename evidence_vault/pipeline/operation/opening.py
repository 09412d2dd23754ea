"""Open a vault: keys, schema, and the first two leaves of its log.

Leaf 0 is LOG_OPENED (origin, class, keys, anchors); then the platform states who runs it. After that the
origin and the class of the log are fixed for ever.
"""

from evidence_vault.core.canonical import Json
from evidence_vault.core.events import LOG, PLATFORM
from evidence_vault.core.names import encode_id
from evidence_vault.core.note_keys import encode_vkey
from evidence_vault.errors import ConfigError
from evidence_vault.pipeline.platform.presence import statement_fields
from evidence_vault.pipeline.record import Draft, EventActor, append_event
from evidence_vault.pipeline.vault import Vault
from evidence_vault.settings import Settings
from evidence_vault.signer.keys import Random, create_key
from evidence_vault.store.queries import actors, log


def create_keys(settings: Settings, *, random: Random) -> None:
    """Create the keys of a new vault: log, receipts, webhooks, and a sender for each network.

    Durable after return. Raises ConfigError if any exists: a vault is opened once.
    """
    keys = settings.home / "keys"
    for name in ("log", "receipt", "webhook", *(f"anchor-{network.name}" for network in settings.networks)):
        create_key(keys / f"{name}.key", random=random)


def open_log(vault: Vault, *, anchors: list[dict[str, Json]]) -> None:
    """Write the first events of a new log, in one transaction, over a migrated and empty schema.

    anchors: as in LOG_OPENED, `{kind, chain_id, contract, sender}` each.
    Durable after return: guard and events. A crash before the commit leaves a guard of size 0 and an empty
    database: run it again. A crash after it: the log is open. Raises ConfigError if it was open before.
    """
    settings, now = vault.settings, vault.clock()
    with vault.database.write() as session:
        if actors.vault_state(session) is not None:
            raise ConfigError("home", "the log in this database is open already")
        vault.log_signer.ensure_empty_guard()
        system_id = encode_id("ac", vault.random(16))
        actors.add_actor(session, actor_id=system_id, name="", role="SYSTEM", at=now, kind="system")
        actors.add_vault_state(
            session,
            origin=settings.origin,
            log_class=settings.log_class,
            system_actor_id=system_id,
            at=now,
        )
        log.open_tree(session)
        system = EventActor(id=system_id, role="SYSTEM", auth="system")
        append_event(
            vault,
            session,
            Draft(
                subject=LOG,
                type="LOG_OPENED",
                actor=system,
                fields={
                    "log_vkey": encode_vkey(vault.log_signer.verifier_key),
                    "receipt_vkey": encode_vkey(vault.receipt_signer.verifier_key),
                    "anchors": list[Json](anchors),
                },
            ),
        )
        append_event(
            vault,
            session,
            Draft(
                subject=PLATFORM,
                type="PLATFORM_STATED",
                actor=system,
                fields=statement_fields(settings.platform),
            ),
        )
