"""Anchors a tree head on an Ethereum network: one step at a time, each persisted before the next.

    PREPARED ──► PREPARED (signed, not sent) ──► SUBMITTED ──► INCLUDED ──► the proof, once its block is final
       │                                           ▲    │         │
       │                                           └────┼─────────┘  a reorganisation took the block away
       └──► SUPERSEDED ◄────────────────────────────────┤            the chain has a larger size of this log
                                                        └──► FAILED  with a reason that an operator can act on

Nobody pays twice for one tree head. A transaction is signed in one step and sent in the next, so what was
sent is always known; every attempt is polled, not only the last; the nonce belongs to the tree head
(`NonceLedger`), so two attempts, or two workers, exclude each other on the chain; a size waits while a larger
one is on its way; and the contract refuses a size that is not larger. After a crash the last persisted step is
taken again, and finds what is already done.

An attempt that waits too long is offered again for more (EIP-1559, both fees at least a tenth higher). The
gas limit is always estimated: a fork may change prices. A transaction that a node forgot is sent again, to all
of them. A proof leaves this module only after our own offline verifier accepted it and every node that answers
names the same block.

No node is believed alone. Where one can't be used the next is asked; what would end a submission, or let it
take another nonce, every node that answers must say.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from anchors.base import AnchorProof, HttpClient, Progress, Statement, TreeHead
from anchors.errors import FormatError, UnavailableError, VerificationError
from anchors.ethereum.agreement import (
    agreed_anchor,
    agreed_gas,
    found_in,
    receipts_of,
    require_finality,
    require_used,
    telling,
)
from anchors.ethereum.attempt import (
    Attempt,
    Found,
    check_head,
    read_attempts,
    read_found,
    start,
    step,
)
from anchors.ethereum.build import build_proof
from anchors.ethereum.fees import Fees
from anchors.ethereum.network import EthereumConfig, reach
from anchors.ethereum.node import Node, NodeError
from anchors.ethereum.nonces import NonceLedger
from anchors.ethereum.onchain import (
    LEAST_GAS,
    AnchorContract,
    FeesError,
    InsufficientFundsError,
    ask_fees,
    check_funds,
)
from anchors.ethereum.proof import KIND, PART, encode_proof
from anchors.ethereum.signer import Signer
from anchors.ethereum.transaction import AnchorTransaction, sign_attempt
from anchors.ethereum.verify import TrustedContract, verify_inclusion
from anchors.ethereum.watcher import EthereumWatcher, tree_head_of
from anchors.values import replace


class NoProofError(UnavailableError):
    """A node shows a transaction as ours, and what its block holds is not our anchor."""


class EthereumSubmitter(EthereumWatcher):
    """The submitter of one log on one network (`anchors.base.Submitter`)."""

    kind = KIND

    def __init__(
        self, config: EthereumConfig, *, signer: Signer, nonces: NonceLedger, http: HttpClient
    ) -> None:
        super().__init__(config, signer=signer, http=http)
        self._nonces = nonces

    def prepare(self, statement: Statement) -> Progress:
        """Asks nobody and sends nothing."""
        return start(tree_head_of(statement))

    def advance(self, statement: Statement, progress: Progress) -> Progress | AnchorProof:
        """One step as drawn above.

        Raises ConfigError for a node on another chain or another contract, InsufficientFundsError and other
        UnavailableErrors for what waiting, or an operator with ether, may cure.
        """
        head = tree_head_of(statement)
        check_head(progress, head)
        if progress.state in {"SUPERSEDED", "FAILED"}:
            return progress
        nodes = reach(self._network, self._http)
        if progress.state == "INCLUDED":
            return self._toward_finality(nodes, head, progress)
        failures: list[UnavailableError] = []
        for node in nodes:
            try:
                return self._toward_inclusion(nodes, self._contract(node), head, progress)
            except UnavailableError as error:
                failures.append(error)
        raise telling(failures)

    def _toward_inclusion(
        self, nodes: Sequence[Node], contract: AnchorContract, head: TreeHead, progress: Progress
    ) -> Progress:
        attempts = read_attempts(progress)
        if not attempts:
            contract.check_code()
        reverted = None
        # (1) one of ours in a block? Every attempt may be the one, and any node may know.
        for attempt in attempts:
            for node, receipt in receipts_of(nodes, attempt.hash):
                if node.read_number("status", receipt.get("status")) == 1:
                    return self._included(progress, found_in(node, receipt))
                reverted = attempt.hash

        # (2) what the chain holds, nonce and slot read at the same block
        newest = contract.node.ask_number("eth_blockNumber")
        chain_nonce = contract.nonce(hex(newest))
        size, _ = contract.last_anchor(hex(newest))
        seen_by = [self._contract(each) for each in nodes]
        used = max((attempt.nonce for attempt in attempts if attempt.sent), default=-1)
        if size >= head.size and used < chain_nonce:
            require_used(seen_by, used)
            size, root = agreed_anchor(seen_by, head)
            return self._already_there(contract, head, progress, size=size, root=root)

        if reverted is not None:
            require_used(seen_by, used)
            return step(progress, "FAILED", reason=f"transaction {reverted} reverted, yet the size is free")

        # (3) stuck is raised, signed is sent, forgotten is sent again
        last = attempts[-1] if attempts else None
        if last is None or last.nonce < chain_nonce:
            if last is not None:
                require_used(seen_by, last.nonce)
            free = min(chain_nonce, *(each.nonce("latest") for each in seen_by))  # a gap would wait for ever
            return self._sign(contract, seen_by, head, progress, chain_nonce=free, newest=newest)
        if newest - last.block >= self._network.bump_after_blocks:
            with suppress(FeesError, InsufficientFundsError):  # it stays as it is: no more is paid
                return self._sign_again(contract, head, progress, last=last, newest=newest)
        if not last.sent or contract.node.ask("eth_getTransactionByHash", last.hash) is None:
            return self._send(nodes, contract, progress, attempts)
        return step(progress, progress.state, retry_after_s=self._network.poll_s)

    def _already_there(
        self, contract: AnchorContract, head: TreeHead, progress: Progress, *, size: int, root: bytes
    ) -> Progress:
        """The chain has this size or a larger one, and nothing of ours can come into a block any more."""
        if not any(attempt.sent for attempt in read_attempts(progress)):
            self._nonces.release(
                chain_id=self._network.chain_id, sender=contract.sender, purpose=self._purpose(head)
            )
        if size > head.size:
            return step(progress, "SUPERSEDED", reason=f"size {size} is on the chain", chain_size=size)
        if root != head.root_hash[:24]:
            reason = f"another root, {root.hex()}…, is on the chain at size {size}: two histories of one log"
            return step(progress, "FAILED", reason=reason)
        found = contract.find(head, first_block=self._config.first_block)
        if found is None:
            raise UnavailableError(contract.node.host, f"shows no log of the anchor of size {size}")
        return self._included(progress, found)

    def _sign(
        self,
        contract: AnchorContract,
        seen_by: Sequence[AnchorContract],
        head: TreeHead,
        progress: Progress,
        *,
        chain_nonce: int,
        newest: int,
    ) -> Progress:
        """Sign a first attempt with this nonce; the caller persists it before it is sent.

        While a larger size is on its way this one waits: after that one it could only revert, and be paid.
        """
        node, data = contract.node, contract.encode_anchor(head)
        fees = ask_fees(self._network, node)
        check_funds(node, contract.sender, LEAST_GAS * fees.max_fee)  # or the estimate fails
        gas = agreed_gas(contract, seen_by, data)
        check_funds(node, contract.sender, gas * fees.max_fee)
        nonce = self._nonces.reserve(
            chain_id=self._network.chain_id,
            sender=contract.sender,
            purpose=self._purpose(head),
            chain_nonce=chain_nonce,
            yields_to=lambda purpose: self._is_larger(purpose, head),
        )
        if nonce is None:
            return step(progress, progress.state, retry_after_s=self._network.poll_s)
        transaction = AnchorTransaction(
            contract=contract.contract, data=data, nonce=nonce, gas=gas, fees=fees, newest=newest
        )
        return self._signed(progress, transaction)

    def _sign_again(
        self,
        contract: AnchorContract,
        head: TreeHead,
        progress: Progress,
        *,
        last: Attempt,
        newest: int,
    ) -> Progress:
        """Sign what replaces `last`. Gas is not estimated again: it must free its nonce even if it reverts."""
        before = Fees(max_fee=last.max_fee, priority_fee=last.priority_fee)
        fees = ask_fees(self._network, contract.node, before)
        check_funds(contract.node, contract.sender, last.gas * fees.max_fee)
        transaction = AnchorTransaction(
            contract=contract.contract,
            data=contract.encode_anchor(head),
            nonce=last.nonce,
            gas=last.gas,
            fees=fees,
            newest=newest,
        )
        return self._signed(progress, transaction)

    def _signed(self, progress: Progress, transaction: AnchorTransaction) -> Progress:
        attempt = sign_attempt(transaction, signer=self._signer, chain_id=self._network.chain_id)
        return step(progress, progress.state, attempts=[*read_attempts(progress), attempt])

    def _send(
        self,
        nodes: Sequence[Node],
        contract: AnchorContract,
        progress: Progress,
        attempts: Sequence[Attempt],
    ) -> Progress:
        """Give every node the last attempt. A crash here means that nobody knows: it is sent again."""
        *before, last = attempts
        try:
            contract.node.ask("eth_sendRawTransaction", last.raw)
        except NodeError as error:
            message = error.message.lower()
            if "insufficient funds" in message:
                check_funds(contract.node, contract.sender, last.gas * last.max_fee)
            if not any(known in message for known in ("already known", "known transaction", "nonce too low")):
                raise
        for other in nodes:
            if other is not contract.node:
                with suppress(UnavailableError):  # one node has it; the others only help it along
                    other.ask("eth_sendRawTransaction", last.raw)
        sent = [*before, replace(last, sent=True)]
        return step(progress, "SUBMITTED", attempts=sent, retry_after_s=self._network.poll_s)

    def _included(self, progress: Progress, found: Found) -> Progress:
        return step(progress, "INCLUDED", found=found, retry_after_s=self._network.poll_s)

    def _toward_finality(
        self, nodes: Sequence[Node], head: TreeHead, progress: Progress
    ) -> Progress | AnchorProof:
        found = read_found(progress)
        # (1) still where it was? If not, a reorganisation took it away, or into another block.
        seen = receipts_of(nodes, found.transaction)
        if not seen:
            return step(progress, "SUBMITTED", retry_after_s=self._network.poll_s)
        elsewhere = [found_in(node, receipt) for node, receipt in seen]
        if all(one.block != found.block for one in elsewhere):
            return self._included(progress, elsewhere[0])

        # (2) final, and do all nodes that answer agree?
        if not require_finality(nodes, found):
            return step(progress, progress.state, retry_after_s=self._network.poll_s)

        # (3) the proof, from the first node that can show it
        failures: list[UnavailableError] = []
        for node, receipt in seen:
            try:
                return self._prove(node, head, found, receipt)
            except UnavailableError as error:
                failures.append(error)
        if len(seen) == len(nodes) and not any(isinstance(error, NoProofError) for error in failures):
            raise telling(failures)
        # Those that show it can't prove it: what is there is not ours, or others know nothing of it.
        trouble = str(telling(failures))
        return step(progress, "SUBMITTED", trouble=trouble, retry_after_s=self._network.poll_s)

    def _prove(self, node: Node, head: TreeHead, found: Found, receipt: Mapping[str, object]) -> AnchorProof:
        """The proof, if our own verifier takes it."""
        contract = self._contract(node)
        block = node.ask_block(found.block)
        if block is None or node.read_number("number", block.get("number")) != found.number:
            raise UnavailableError(node.host, f"shows no block {found.block} at {found.number}")
        proof = build_proof(
            node,
            block,
            index=node.read_number("transactionIndex", receipt.get("transactionIndex")),
            chain_id=self._network.chain_id,
            contract=contract.contract,
            sender=contract.sender,
        )
        trusted = TrustedContract(
            chain_id=self._network.chain_id, contract=contract.contract, sender=contract.sender
        )
        try:
            verify_inclusion(proof, tree_head=head, trusted=trusted)
        except (VerificationError, FormatError) as error:
            raise NoProofError(node.host, f"what it says gives no valid proof: {error}") from error
        return AnchorProof(kind=KIND, parts={PART: encode_proof(proof)})

    def _purpose(self, head: TreeHead) -> str:
        return f"{self._config.contract.hex()}/{head.size}"

    def _is_larger(self, purpose: str, head: TreeHead) -> bool:
        contract, _, size = purpose.partition("/")
        return contract == self._config.contract.hex() and int(size) > head.size
