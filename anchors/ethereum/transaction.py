"""The transaction that anchors a tree head: a call of the contract, signed and not yet sent (EIP-1559)."""

from eth_utils.address import to_checksum_address

import anchors.ethereum.recursion  # noqa: F401 - what these libraries do to the process is undone
from anchors.ethereum.attempt import Attempt
from anchors.ethereum.fees import Fees
from anchors.ethereum.keccak import keccak256
from anchors.ethereum.node import as_hex
from anchors.ethereum.signer import Signer
from anchors.values import value


@value
class AnchorTransaction:
    """A call of `contract` (20 bytes) with `data`, to be signed; `newest` is the newest block's number."""

    contract: bytes
    data: bytes
    nonce: int
    gas: int
    fees: Fees
    newest: int


def sign_attempt(transaction: AnchorTransaction, *, signer: Signer, chain_id: int) -> Attempt:
    """Sign it (EIP-1559). Nothing is sent: whoever asked keeps the attempt before it is."""
    raw = signer.sign_transaction(
        {
            "type": 2,
            "chainId": chain_id,
            "nonce": transaction.nonce,
            "to": to_checksum_address(transaction.contract),
            "value": 0,
            "data": as_hex(transaction.data),
            "gas": transaction.gas,
            "maxFeePerGas": transaction.fees.max_fee,
            "maxPriorityFeePerGas": transaction.fees.priority_fee,
        }
    )
    return Attempt(
        hash=as_hex(keccak256(raw)),
        raw=as_hex(raw),
        nonce=transaction.nonce,
        gas=transaction.gas,
        max_fee=transaction.fees.max_fee,
        priority_fee=transaction.fees.priority_fee,
        block=transaction.newest,
    )
