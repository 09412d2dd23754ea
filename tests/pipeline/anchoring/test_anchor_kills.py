"""Processes that die at any step of an anchor, or work at once, on a real node: none is paid twice or lost."""

import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from anchors.base import HttpReply
from anchors.ethereum.node import as_hex
from anchors.ethereum.signer import KeySigner
from evidence_vault.pipeline.anchoring.anchor import advance_anchor
from evidence_vault.pipeline.vault import build_vault
from evidence_vault.store.nonces import DatabaseNonceLedger
from evidence_vault.store.queries import jobs
from evidence_vault.workers.runner import Work, advance_due, singly
from tests.anchors.answering import Posted
from tests.anchors.ethereum.anvil import Anvil
from tests.anchors.ethereum.submitting import PlainHttp
from tests.pipeline.on_anvil import final_sizes, node, on_anvil, stage, submitter_on
from tests.pipeline.story import Story

pytestmark = [pytest.mark.socket, pytest.mark.db]
WORK = {"anchor": Work(stage=singly(advance_anchor))}

POINTS = {
    "before anything is asked": ("ask", "eth_chainId", "before"),
    "before the nonce is reserved": ("nonce", "", "before"),
    "after the nonce is reserved": ("nonce", "", "after"),
    "after signing, before it is stored": ("sign", "", "after"),
    "stored, before it is sent": ("ask", "eth_sendRawTransaction", "before"),
    "sent, before that is stored": ("ask", "eth_sendRawTransaction", "after"),
    "receipt seen, before that is stored": ("receipt", "eth_getTransactionReceipt", "after"),
    "proof built, before it is stored": ("ask", "eth_getBlockReceipts", "after"),
}


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _arm(point: tuple[str, str, str]) -> None:
    """Make this process kill itself there."""
    where, method, when = point
    if where == "nonce":
        DatabaseNonceLedger.reserve = _dying(DatabaseNonceLedger.reserve, when)  # type: ignore[method-assign]
    elif where == "sign":
        KeySigner.sign_transaction = _dying(KeySigner.sign_transaction, when)  # type: ignore[method-assign]
    else:
        reply_to = PlainHttp.reply_to

        def asked(self: PlainHttp, sent: Posted) -> HttpReply:
            hit = json.loads(sent.body)["method"] == method
            if hit and when == "before":
                _die()
            reply = reply_to(self, sent)
            if hit and when == "after" and (where == "ask" or json.loads(reply.body)["result"] is not None):
                _die()
            return reply

        PlainHttp.reply_to = asked  # type: ignore[method-assign]


def _dying(function: Callable[..., Any], when: str) -> Callable[..., Any]:
    def dying(*arguments: Any, **named: Any) -> Any:
        if when == "before":
            _die()
        function(*arguments, **named)
        _die()

    return dying


def _in_another_process(story: Story, anvil: Anvil, point: tuple[str, str, str] | None) -> int:
    """Work on the anchors until none is open, in a child of its own; return how it ended."""
    return _ended(_begun(story, anvil, point))


def _ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _begun(story: Story, anvil: Anvil, point: tuple[str, str, str] | None) -> int:
    story.vault.database.dispose()
    child = os.fork()
    if child:
        return child
    try:
        if point is not None:
            _arm(point)
        else:
            story.clock.advance(200)  # the lease of the one that was killed has run out
        vault = build_vault(story.vault.settings, clock=story.clock)
        submitter = submitter_on(anvil, DatabaseNonceLedger(vault.database))
        submitters: Mapping[str, Any] = {"anchor": {"anvil": submitter}}
        vault = build_vault(story.vault.settings, clock=story.clock, submitters=submitters)
        for _ in range(60):
            while advance_due(vault, "anchor", singly(advance_anchor), owner=f"child-{os.getpid()}"):
                pass
            with vault.database.read() as session:
                if not jobs.any_open(session, "anchor"):
                    os._exit(0)
            story.clock.advance(2)
            anvil.mine()
        os._exit(3)
    finally:
        os._exit(4)


@pytest.mark.parametrize("point", POINTS)
def test_anchor_killed_at_any_step_is_paid_once_and_ends_final(tmp_path: Path, point: str) -> None:
    with node() as anvil:
        story = on_anvil(tmp_path, anvil)
        anvil.http.down = True  # nothing but the children anchors
        story.deposit()
        story.go_on(3)
        anvil.http.down = False
        assert anvil.paid() == 0
        assert _in_another_process(story, anvil, POINTS[point]) == -signal.SIGKILL
        assert _in_another_process(story, anvil, None) == 0
        _assert_paid_once(story, anvil)
        story.chain.close()


def test_anchors_by_two_processes_with_one_key_are_paid_once_each(tmp_path: Path) -> None:
    with node() as anvil:
        story = on_anvil(tmp_path, anvil)
        anvil.http.down = True
        items = []
        for _ in range(3):  # an anchor each, and nobody to make it
            items.append(story.deposit())
            story.go_on(6)
        anvil.http.down = False
        children = [_begun(story, anvil, None) for _ in range(2)]
        assert [_ended(child) for child in children] == [0, 0]
        _assert_paid_once(story, anvil)
        assert all(stage(story, item, "final").by for item in items)
        story.chain.close()


def _assert_paid_once(story: Story, anvil: Anvil) -> None:
    """Each final anchor is one transaction, and no transaction is anything else."""
    sizes = final_sizes(story)
    logs = anvil.node.ask("eth_getLogs", {"address": as_hex(anvil.contract), "fromBlock": "0x0"})
    assert sorted(int(log["data"][:66], 16) for log in logs) == sorted(sizes)
    assert anvil.paid() == len(sizes) >= 1
