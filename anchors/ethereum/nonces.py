"""What a submitter needs to know of nonces: nodes accept gaps and replacements in silence, so a ledger is kept."""

from collections.abc import Callable
from typing import Protocol


class NonceLedger(Protocol):
    """Which nonce of a sender belongs to which purpose, for all workers of that sender's key.

    Durable before return; one lock per (chain_id, sender). A purpose is a tree head to be anchored.
    """

    def reserve(
        self,
        *,
        chain_id: int,
        sender: bytes,
        purpose: str,
        chain_nonce: int,
        yields_to: Callable[[str], bool],
    ) -> int | None:
        """The nonce of `purpose`: the one it holds, if that is at least `chain_nonce`; else a new one.

        A new one is the smallest from `chain_nonce` on that no other purpose holds. None, and nothing is reserved,
        while another purpose that this one yields to holds one from there on. Idempotent.
        """
        ...

    def release(self, *, chain_id: int, sender: bytes, purpose: str) -> None:
        """`purpose` sent nothing and never will: its nonce is free. Idempotent."""
        ...
