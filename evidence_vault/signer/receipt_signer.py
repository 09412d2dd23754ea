"""The signer of deposit receipts: a key of its own, `<origin>/receipt`, that never signs anything else."""

from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evidence_vault.core.events import Event
from evidence_vault.core.note_keys import SignatureType, VerifierKey, verifier_key
from evidence_vault.core.notes import sign_note
from evidence_vault.core.receipt import encode_receipt, encode_receipt_text, receipt_key_name


class ReceiptSigner:
    """Signs the receipts of one log."""

    def __init__(self, *, origin: str, private_key: Ed25519PrivateKey) -> None:
        """Use this key for this origin."""
        self._name = receipt_key_name(origin)
        self._private_key = private_key
        self._key = verifier_key(self._name, SignatureType.ED25519, private_key)

    @property
    def verifier_key(self) -> VerifierKey:
        """The public key that others trust for receipts of this log."""
        return self._key

    def sign(self, event: Event, *, log_by: datetime) -> bytes:
        """Return the receipt that promises this ITEM_RECEIVED in the log by `log_by`."""
        text = encode_receipt_text(event, log_by=log_by)
        line = sign_note(text, name=self._name, private_key=self._private_key, key=self._key)
        return encode_receipt(event, text=text, signature=line)
