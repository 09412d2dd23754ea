"""Signs what is told to other systems: Standard Webhooks 1.0, with a secret for each receiver.

    webhook-id: 6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
    webhook-timestamp: 1795451820
    webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=

The signature is HMAC-SHA256 over `<id>.<timestamp>.<body>`. The id is the event's digest, so it stays the same
however often a message is sent; a receiver refuses a timestamp more than five minutes from its own clock, and
an id that it has seen. Secrets are derived from one key, so none of them is stored: a receiver that lost its
own is made anew.

Source: the Standard Webhooks specification, sections "Signature scheme" and "Verifying webhook authenticity".
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

PREFIX = "whsec_"
WINDOW_S = 300
"""Receivers accept a timestamp this far from their clock, in seconds."""


class WebhookSigner:
    """Signs for all receivers of one vault. key: 32 secret bytes that do nothing else."""

    def __init__(self, key: bytes) -> None:
        """Use this key."""
        self._key = key

    def secret_of(self, webhook_id: str) -> str:
        """Return the receiver's secret as it is shown, once: `whsec_` and base64 of 32 bytes."""
        return PREFIX + base64.b64encode(self._secret(webhook_id)).decode("ascii")

    def sign(self, webhook_id: str, *, message_id: str, at: datetime, body: bytes) -> Mapping[str, str]:
        """Return the header fields that go with `body`, sent at `at`."""
        timestamp = str(int(at.timestamp()))
        signed = b".".join((message_id.encode(), timestamp.encode(), body))
        code = hmac.digest(self._secret(webhook_id), signed, hashlib.sha256)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": "v1," + base64.b64encode(code).decode("ascii"),
        }

    def _secret(self, webhook_id: str) -> bytes:
        return hmac.digest(self._key, b"evidence-vault/webhook/v1\n" + webhook_id.encode(), hashlib.sha256)
