"""How a transaction gets into the pool of the development chain, and what is refused, in geth's words."""

from typing import TYPE_CHECKING

from eth.abc import SignedTransactionAPI, StateAPI
from eth.exceptions import PyEVMError, TransactionNotFound
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException

from anchors.ethereum.devchain.errors import REFUSED, RpcError

if TYPE_CHECKING:
    from anchors.ethereum.devchain.chain import DevelopmentChain

MIN_REPLACEMENT_PERCENT = 110
"""Both fees of a replacement are at least a tenth above those of what it replaces."""


def send(chain: "DevelopmentChain", encoded: bytes) -> bytes:
    """Check a signed transaction, put it into the pool, return its hash; RpcError if it is refused."""
    vm = chain.chain.get_vm(at_header=chain.head())
    try:
        transaction = vm.get_transaction_builder().decode(encoded)
        transaction.validate()
        transaction.check_signature_validity()
    except (RLPException, ValidationError, PyEVMError) as error:
        raise RpcError(REFUSED, f"invalid transaction: {error}") from error
    _check(chain, vm.state, transaction)
    chain.submit(transaction)
    return bytes(transaction.hash)


def _check(chain: "DevelopmentChain", state: StateAPI, transaction: SignedTransactionAPI) -> None:
    """What a node's pool refuses, in its words."""
    if transaction.chain_id != chain.chain.chain_id:
        raise RpcError(
            -32000, f"invalid chain id for signer: have {transaction.chain_id} want {chain.chain.chain_id}"
        )
    if (transaction.type_id or 0) > 2:
        raise RpcError(REFUSED, "transaction type not supported")
    before = chain.pool.get((transaction.sender, transaction.nonce))
    if (before is not None and before.hash == transaction.hash) or _is_in_a_block(chain, transaction.hash):
        raise RpcError(REFUSED, "already known")
    count = state.get_nonce(transaction.sender)
    if transaction.nonce < count:
        raise RpcError(REFUSED, f"nonce too low: next nonce {count}, tx nonce {transaction.nonce}")
    if transaction.gas > chain.head().gas_limit:
        raise RpcError(REFUSED, "exceeds block gas limit")
    if transaction.gas < transaction.intrinsic_gas:
        raise RpcError(
            -32000, f"intrinsic gas too low: have {transaction.gas}, want {transaction.intrinsic_gas}"
        )
    cost = transaction.gas * transaction.max_fee_per_gas + transaction.value
    if state.get_balance(transaction.sender) < cost:
        raise RpcError(REFUSED, "insufficient funds for gas * price + value")
    if before is not None and not _replaces(transaction, before):
        raise RpcError(REFUSED, "replacement transaction underpriced")


def _replaces(new: SignedTransactionAPI, old: SignedTransactionAPI) -> bool:
    fees = (
        (new.max_fee_per_gas, old.max_fee_per_gas),
        (new.max_priority_fee_per_gas, old.max_priority_fee_per_gas),
    )
    return all(100 * higher >= MIN_REPLACEMENT_PERCENT * lower for higher, lower in fees)


def _is_in_a_block(chain: "DevelopmentChain", transaction_hash: bytes) -> bool:
    try:
        chain.chain.get_canonical_transaction_index(transaction_hash)
    except TransactionNotFound:
        return False
    return True
