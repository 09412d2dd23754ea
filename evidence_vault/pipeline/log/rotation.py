"""Rotate a key of the log: a new one takes over, and the log itself says so.

    next key file ─► KEY_ROTATED committed ─► r: old key signs, new key cosigns ─► r published ─► the new file
                                                                                                replaces the old

1. *decide* (`rotate_key`): write `<purpose>.next.key`, then commit KEY_ROTATED. The commit is the decision.
2. *hand over* (`publish`): the first checkpoint above the event, r, is signed by the old key and cosigned by the
   new one; every later one is signed by the new key alone.
3. *retire* (`retire_old_key`): when r is public, the next key's file takes the old one's place, which ends it.

Durable after return: each step. A crash between two of them means: the step is taken again, with the same key,
and leads to the same one event; a key that no event names yet is used by the next try. Receipts name no size, so
a receipt key has no (2): who runs restarts, and receipts that the old key signed stay good.
"""

from typing import Literal

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.core.events import LOG
from evidence_vault.core.note_keys import SignatureType, VerifierKey, encode_vkey, verifier_key
from evidence_vault.core.receipt import receipt_key_name
from evidence_vault.errors import ConfigError
from evidence_vault.pipeline.log.log_keys import log_keys, named_keys
from evidence_vault.pipeline.record import Draft, append_event, system_actor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.signer.keys import create_key, load_ed25519, next_key_path, promote_key
from evidence_vault.store.queries import events, log

Purpose = Literal["log", "receipt"]


@value
class Rotation:
    """What was decided. begun_before: the event was there already, this call only went on."""

    old: VerifierKey
    new: VerifierKey
    begun_before: bool


def rotate_key(vault: Vault, purpose: Purpose) -> Rotation:
    """Decide that a new key takes over, or go on where a rotation was left.

    Raises ReadOnly while the vault is, and ConfigError where the key that the log names is not at hand.
    """
    vault.gate.require_open()
    path = vault.settings.home / "keys" / f"{purpose}.key"
    with vault.log_signer.one_at_a_time():  # two rotations at once would write one file for two events
        if not next_key_path(path).exists():
            create_key(next_key_path(path), random=vault.random)
        name = vault.settings.origin if purpose == "log" else receipt_key_name(vault.settings.origin)
        held = verifier_key(name, SignatureType.ED25519, load_ed25519(path))
        new = verifier_key(name, SignatureType.ED25519, load_ed25519(next_key_path(path)))
        with vault.database.write() as session:
            events.lock_subject_head(session, LOG)
            named = named_keys(session, purpose)
            begun_before = named[-1] == new
            if not begun_before:
                if named[-1] != held:
                    raise ConfigError(
                        path.name, f"the log names {encode_vkey(named[-1])}; its file is not here"
                    )
                _append(vault, session, purpose, old=held, new=new)
        if purpose == "receipt":
            promote_key(path)  # a crash before it: the next try finds the event and the file, and promotes
    return Rotation(old=held, new=new, begun_before=begun_before)


def retire_old_key(vault: Vault) -> bool:
    """Let the log's next key take the old one's place, once r is public; whether it did.

    A crash before it means: the next publication does it. Until then the old key signs nothing above r, because
    `signing_keys` never names it.
    """
    path = vault.settings.home / "keys" / "log.key"
    if not next_key_path(path).exists():
        return False
    with vault.log_signer.one_at_a_time(), vault.database.read() as session:
        newest, in_use = log.latest_published(session), log_keys(session)[-1]
        held = vault.log_signer.verifier_keys
        if newest is None or newest.size < in_use.from_size or in_use.key not in held[1:]:
            return False
        promote_key(path)
    return True


def _append(vault: Vault, session: Session, purpose: Purpose, *, old: VerifierKey, new: VerifierKey) -> None:
    append_event(
        vault,
        session,
        Draft(
            subject=LOG,
            type="KEY_ROTATED",
            actor=system_actor(session),
            fields={"purpose": purpose, "old_vkey": encode_vkey(old), "new_vkey": encode_vkey(new)},
        ),
    )
