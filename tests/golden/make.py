"""Writes the golden bundle of format 1 again: `python -m tests.golden.make`. Its bytes must not change.

It was made once and is verified for ever. This script documents how; a difference between what it writes and
what is committed is a change of the format, or of the vault made by hand, and needs an ADR or a new folder.

It holds two items, tokens of two authorities, two linked anchors, a rotation of the log's key, and the lines of a
witness under the checkpoint of the rotation and the one behind it.
"""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evidence_vault.core.note_keys import SignatureType, encode_vkey, verifier_key
from evidence_vault.core.notes import NoteSignature, cosign, encode_signatures, parse_note, sign_note
from tests.verify.asking import write_policy
from tests.verify.handmade import LOG, Keys, Vault, good_vault
from tests.verify.outside import derive

FOLDER = Path(__file__).parent / "1"
COURT = Ed25519PrivateKey.from_private_bytes(derive("golden", "court"))
COURT_NAME = "court.example/w1"


def golden() -> tuple[bytes, str]:
    """The bundle, and the policy of somebody who trusts its vault and the witness."""
    vault, items = good_vault()
    old, new = vault.keys, Keys("rotated")
    vault.add(LOG, "KEY_ROTATED", purpose="log", old_vkey=old.vkey, new_vkey=new.vkey)
    r = _publish(vault)
    text = parse_note(vault.notes[r]).text
    handed_over = sign_note(text, name=new.origin, private_key=new.log)
    vault.cosigs[r] = encode_signatures([_court(vault, r), handed_over])
    vault.keys = new
    vault.view(items[0])
    cut = _publish(vault)
    vault.cosigs[cut] = encode_signatures([_court(vault, cut)])
    return vault.export(items).zip(), write_policy(_policy(vault, old=old, r=r))


def _publish(vault: Vault) -> int:
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    return size


def _court(vault: Vault, size: int) -> NoteSignature:
    text, at = parse_note(vault.notes[size]).text, int(vault.now.timestamp())
    return cosign(text, name=COURT_NAME, private_key=COURT, timestamp=at)


def _policy(vault: Vault, *, old: Keys, r: int) -> dict[str, Any]:
    """Both keys with their sizes, and the receipt key, which did not change."""
    entry = vault.policy()["log"][0] | {"receipt_vkey": old.receipt_vkey}
    court = encode_vkey(verifier_key(COURT_NAME, SignatureType.COSIGNATURE_V1, COURT))
    return vault.policy(
        require={"tsa_groups": 2, "anchors": 1, "witnesses": 1},
        log=[entry | {"vkey": old.vkey, "last_size": r}, entry | {"from_size": r}],
        witness=[{"name": "court", "vkey": court}],
    )


if __name__ == "__main__":
    zipped, policy = golden()
    (FOLDER / "bundle.zip").write_bytes(zipped)
    (FOLDER / "trust.toml").write_text(policy)
