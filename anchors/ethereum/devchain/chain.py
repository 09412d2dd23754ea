"""The development chain itself: one account with ether, a pool, blocks when they are due, a JSON-RPC door.

    folder/chain.sqlite3       all blocks and states
    folder/development.key     the private key of the account with ether, hex, mode 0600; made with the folder

Blocks follow the clock: at most one in a second, never dated ahead of it. There is no thread: each request
first makes the block that is due, if transactions wait or the last ones are not final yet. A chain that
nobody asks stands still. FINALITY_DEPTH blocks later a block is called final; nothing here ever reorganises.

The pool lives in memory, as a real node's does: what was sent and not yet in a block is lost with the
process, and the sender sends it again. Every request runs under one lock; py-evm knows nothing of threads.
"""

import os
import secrets
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from eth.abc import BlockHeaderAPI, SignedTransactionAPI
from eth.chains.base import MiningChain
from eth.constants import BLANK_ROOT_HASH
from eth.db.atomic import AtomicDB
from eth.exceptions import CanonicalHeadNotFound, PyEVMError
from eth.vm.forks.prague import PragueVM
from eth_keys.datatypes import PrivateKey
from eth_utils.exceptions import ValidationError

from anchors.errors import ConfigError
from anchors.ethereum.devchain.rpc import answer
from anchors.ethereum.devchain.store import BlockStore

# When they are imported, py-evm and py_ecc raise Python's recursion limit to 100,000 for the whole process.
# There, a JSON text of so many open brackets overflows the C stack and kills it. The contract needs no depth.
sys.setrecursionlimit(1000)

DEVELOPMENT_CHAIN_ID = 0x45564C54
"""1163283540, "EVLT" in ASCII: no network has it, and no transaction signed for it is valid anywhere else."""

FINALITY_DEPTH = 2
"""Blocks on top of a block that make it final. Small, so that development is quick; not 0, so that included
and final are as different as on a real network."""

GAS_LIMIT = 30_000_000
EXTRA_DATA = b"evidence-vault DEVELOPMENT"
_ETHER = 10**18


class _Chain(MiningChain):  # type: ignore[misc]  # see mypy's settings: py-evm is Any
    chain_id = DEVELOPMENT_CHAIN_ID
    vm_configuration = ((0, PragueVM),)

    def create_header_from_parent(self, parent_header: BlockHeaderAPI, **params: Any) -> BlockHeaderAPI:
        """As py-evm does, but the gas limit stays."""
        return super().create_header_from_parent(parent_header, **{**params, "gas_limit": GAS_LIMIT})


class DevelopmentChain:
    """One chain in one folder. Thread-safe; `open` makes it or resumes it, `close` lets go of the folder."""

    def __init__(
        self, store: BlockStore, chain: MiningChain, key: PrivateKey, clock: Callable[[], datetime]
    ) -> None:
        self.account = key.public_key.to_checksum_address()
        self.chain: MiningChain = chain
        self.pool: dict[tuple[bytes, int], SignedTransactionAPI] = {}
        self.lock = threading.RLock()
        self._store = store
        self._clock = clock

    @classmethod
    def open(cls, folder: Path, clock: Callable[[], datetime]) -> "DevelopmentChain":
        """The chain in `folder`, made if there is none. `clock` gives aware times.

        Durable after return: the key, then the genesis block. A crash between the two leaves a key without
        a chain, and the next `open` makes the chain for it. ConfigError: a chain without its key, or in use.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        store = BlockStore(folder / "chain.sqlite3")
        with ExitStack() as undo:
            undo.callback(store.close)
            chain, key = _resume(store, folder / "development.key", clock)
            undo.pop_all()
        return cls(store, chain, key, clock)

    def handle(self, payload: bytes) -> bytes:
        """Answer one JSON-RPC 2.0 request, or a batch of them."""
        with self.lock:
            self.make_due_block()
            return answer(self, payload)

    def close(self) -> None:
        """Let go of the folder. Waiting transactions are forgotten."""
        with self.lock:
            self._store.close()

    def head(self) -> BlockHeaderAPI:
        """Header of the newest block."""
        return self.chain.get_canonical_head()

    def final_number(self) -> int:
        """Number of the newest final block."""
        return max(0, int(self.head().block_number) - FINALITY_DEPTH)

    def submit(self, transaction: SignedTransactionAPI) -> None:
        """Put a checked transaction into the pool and make the block that is due, if one is."""
        self.pool[(transaction.sender, transaction.nonce)] = transaction
        self.make_due_block()

    def make_due_block(self) -> None:
        """At most one block, if the clock allows it and transactions wait or the last ones aren't final."""
        now, head = int(self._clock().timestamp()), self.head()
        if now <= head.timestamp:
            return
        self._forget_overtaken()
        waiting = self._next_in_line()
        if waiting or not self._all_final(head):
            self.chain.set_header_timestamp(now)
            base_fee = self.chain.header.base_fee_per_gas
            self._make_block([t for t in waiting if t.max_fee_per_gas >= base_fee])

    def _make_block(self, transactions: list[SignedTransactionAPI]) -> None:
        """Durable after return: the block. A transaction that can't run (its funds are spent) is dropped."""
        while True:
            try:
                self.chain.mine_all(transactions, extra_data=EXTRA_DATA)
            except (ValidationError, PyEVMError):
                self._store.rollback()
                dropped = transactions.pop()
                self.pool.pop((dropped.sender, dropped.nonce))
                continue
            self._store.commit()
            for done in transactions:
                self.pool.pop((done.sender, done.nonce), None)
            return

    def _forget_overtaken(self) -> None:
        state = self.chain.get_vm(at_header=self.head()).state
        for sender, nonce in list(self.pool):
            if nonce < state.get_nonce(sender):
                del self.pool[(sender, nonce)]

    def _next_in_line(self) -> list[SignedTransactionAPI]:
        """One transaction of each sender, the next by nonce, as many as fit into a block."""
        state = self.chain.get_vm(at_header=self.head()).state
        room, chosen = GAS_LIMIT, []
        for (sender, nonce), transaction in sorted(self.pool.items(), key=lambda entry: entry[0][1]):
            if nonce == state.get_nonce(sender) and transaction.gas <= room:
                room -= transaction.gas
                chosen.append(transaction)
        return chosen

    def _all_final(self, head: BlockHeaderAPI) -> bool:
        """Whether every block with transactions is final: the newest FINALITY_DEPTH blocks are empty."""
        for _ in range(FINALITY_DEPTH):
            if head.transaction_root != BLANK_ROOT_HASH:
                return False
            if head.block_number == 0:
                return True
            head = self.chain.get_block_header_by_hash(head.parent_hash)
        return True


def _resume(
    store: BlockStore, key_file: Path, clock: Callable[[], datetime]
) -> tuple[MiningChain, PrivateKey]:
    """The chain in the store and its key; both are made where the store is empty."""
    database = AtomicDB(store)
    try:
        chain: MiningChain = _Chain(database)
        has_blocks = True
    except CanonicalHeadNotFound:
        has_blocks = False
    if not key_file.exists():
        if has_blocks:
            raise ConfigError(
                "development chain folder", f"{key_file.name} is missing; remove the folder to start anew"
            )
        _write_key(key_file)
    key = PrivateKey(bytes.fromhex(key_file.read_text("ascii").strip()))
    if not has_blocks:
        account = {"balance": 1_000_000 * _ETHER, "nonce": 0, "code": b"", "storage": {}}
        genesis = {
            "difficulty": 0,
            "gas_limit": GAS_LIMIT,
            "timestamp": int(clock().timestamp()),
            "extra_data": EXTRA_DATA,
            "nonce": bytes(8),
            "mix_hash": bytes(32),
            "base_fee_per_gas": 10**9,
        }
        chain = _Chain.from_genesis(database, genesis, {key.public_key.to_canonical_address(): account})
        store.commit()
    return chain, key


def _write_key(path: Path) -> None:
    """A new private key in a file that only its owner reads, flushed before it is used."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
