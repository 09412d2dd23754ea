"""The last step of re-sealing: an attacker builds a log of his own around altered files.

Same origin, same order, same contents and histories as in the altered files, but his own log key, his own
authorities and his own chain; chains, digests, slots, checkpoints, tokens, anchors and seal are all made
anew, so that the bundle agrees with itself in everything.
"""

import json
from typing import Any

from evidence_vault.core import layout
from evidence_vault.core.disclosures import digest_disclosure
from evidence_vault.core.events import Subject
from tests.verify.handmade import Files, Keys, Sealed, Vault, sha256_hex
from tests.verify.outside import Authority, Chain

COMPUTED = ("seq", "prev", "subject", "nonce", "type")


def attacker() -> Vault:
    """A vault under the honest one's origin that nobody trusts."""
    return Vault(
        keys=Keys("attacker"),
        authorities=[Authority("Gamma"), Authority("Delta")],
        chain=Chain(),  # the same names: nobody keeps him from writing blocks that never were
        opened=False,
    )


def forge(sealed: Sealed, files: Files, vault: Vault | None = None, *, redated: bool = False) -> Sealed:
    """What `sealed` becomes if `files` is what its history shall have been. `redated`: every `at` is real."""
    vault = vault or attacker()
    sizes = sorted(sealed.vault.notes)
    new_size: dict[int, int] = {}
    disclosed: dict[str, list[str]] = json.loads(files.get(layout.DISCLOSURES, b"{}"))
    vault.disclosed = disclosed
    for index, (subject, seq) in enumerate(sealed.vault.order):
        if index in sizes:
            new_size[index] = vault.publish()
        data = files.get(layout.event_path(subject, seq))
        if data is not None and b'"type":"EXPORTED"' not in data:
            fields = json.loads(data)
            if redated:
                del fields["at"]
            _repeat(vault, fields, subject, files, new_size)
    contents = {item: files.get(layout.content_path(item)) for item in sealed.items}
    vault.contents = contents
    return vault.export(sealed.items, cut=new_size[sealed.cut], bundle=sealed.bundle)


def _repeat(
    vault: Vault, fields: dict[str, Any], subject: Subject, files: Files, sizes: dict[int, int]
) -> None:
    """One event of the altered history, as this vault would have recorded it."""
    kept = {name: value for name, value in fields.items() if name not in COMPUTED}
    event_type = fields["type"]
    texts = vault.disclosed.get(f"{subject.id}/{len(vault.events.get(subject, ()))}", [])
    kept["_sd"] = sorted(digest_disclosure(text) for text in texts)
    if event_type == "ITEM_RECEIVED":
        content = files.get(layout.content_path(subject.id))
        if content is not None:
            kept |= {"digests": {"sha256": sha256_hex(content)}, "size": len(content)}
    elif event_type == "LOG_OPENED":
        anchor = {"chain_id": vault.chain.chain_id, "contract": vault.chain.contract.hex()}
        anchors = [anchor | {"kind": "ethereum", "sender": vault.chain.sender.hex()}]
        kept |= {"log_vkey": vault.keys.vkey, "receipt_vkey": vault.keys.receipt_vkey, "anchors": anchors}
    elif event_type == "TIMESTAMP_OBTAINED":
        authority = vault.authorities[fields["authority"] != "alpha"]
        vault.stamp_item(subject.id, authority, _sd=kept["_sd"])
        return
    elif event_type == "CHECKPOINT_TIMESTAMPED":
        vault.stamp(sizes[int(subject.id)], vault.authorities[fields["authority"] != "alpha"])
        return
    elif event_type == "CHECKPOINT_ANCHORED":
        vault.anchor(sizes[int(subject.id)])
        return
    vault.add(subject, event_type, **kept)
