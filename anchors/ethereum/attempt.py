"""What a submission has done so far, as its Progress keeps it: signed transactions, and the block with one.

    {"size":40,"root":"<hex>",
     "attempts":[{"hash":"0x…","raw":"0x…","nonce":3,"gas":35000,"max_fee":9,"priority_fee":1,"block":120,
                  "sent":true},…],
     "found":{"transaction":"0x…","block":"0x…","number":121}}

`attempts` and `found` are absent until there are any. `reason` says why it was superseded or failed,
`chain_size` by which size; `trouble` is what an operator should hear of, though it is still tried.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from anchors.base import Progress, TreeHead
from anchors.errors import VerificationError
from anchors.ethereum.proof import KIND
from anchors.values import as_dict, value


@value
class Attempt:
    """A signed transaction: hash and bytes (0x…), nonce, gas limit, offer in wei, newest block when signed.

    sent: whether a node was given it. False: no node ever saw it, or a crash lost the answer.
    """

    hash: str
    raw: str
    nonce: int
    gas: int
    max_fee: int
    priority_fee: int
    block: int
    sent: bool = False


@value
class Found:
    """Where the anchor is: transaction and block by hash (0x…), block number."""

    transaction: str
    block: str
    number: int


def start(head: TreeHead) -> Progress:
    """The first Progress of a submission."""
    return Progress(kind=KIND, state="PREPARED", data={"size": head.size, "root": head.root_hash.hex()})


def restart(head: TreeHead, progress: Progress | None) -> Progress:
    """The Progress after an anchor was lost: all attempts are kept, and sent again before any is replaced."""
    if progress is None or progress.data.get("root") != head.root_hash.hex():
        return start(head)
    kept = {
        name: value for name, value in progress.data.items() if name not in {"found", "reason", "trouble"}
    }
    return Progress(kind=KIND, state="SUBMITTED" if "attempts" in kept else "PREPARED", data=kept)


def read_attempts(progress: Progress) -> list[Attempt]:
    """The attempts so far, oldest first."""
    stored: Any = progress.data.get("attempts", [])
    return [Attempt(**each) for each in stored]


def read_found(progress: Progress) -> Found:
    """Where the anchor was found; only an INCLUDED submission has it."""
    stored: Any = progress.data["found"]
    return Found(**stored)


def check_head(progress: Progress, head: TreeHead) -> None:
    """VerificationError unless `progress` belongs to `head`."""
    stored = (progress.data.get("size"), progress.data.get("root"))
    if stored != (head.size, head.root_hash.hex()):
        raise VerificationError("ethereum progress", f"tree head {head.size} {head.root_hash.hex()}", stored)


def step(
    progress: Progress,
    state: str,
    *,
    attempts: Sequence[Attempt] | None = None,
    found: Found | None = None,
    reason: str | None = None,
    chain_size: int | None = None,
    trouble: str | None = None,
    retry_after_s: float = 0.0,
) -> Progress:
    """The Progress after `progress`; what is not given stays, but for `trouble`, which belongs to one step."""
    changes: Mapping[str, object] = {
        name: value
        for name, value in (
            ("attempts", None if attempts is None else [as_dict(each) for each in attempts]),
            ("found", None if found is None else as_dict(found)),
            ("reason", reason),
            ("chain_size", chain_size),
            ("trouble", trouble),
        )
        if value is not None
    }
    kept = {name: value for name, value in progress.data.items() if name != "trouble"}
    return Progress(kind=KIND, state=state, data={**kept, **changes}, retry_after_s=retry_after_s)
