"""Blocks, transactions and receipts as JSON-RPC shows them (Ethereum execution API specification).

A block's view holds every field of its header, so that a client can rebuild the header and find its hash.
"""

from collections.abc import Sequence
from typing import Any

import rlp
from eth.abc import BlockAPI, BlockHeaderAPI, ReceiptAPI, SignedTransactionAPI
from eth_utils.address import to_checksum_address

from anchors.ethereum.keccak import keccak256


def quantity(number: int) -> str:
    """A number: 0x and hex digits without leading zeros."""
    return hex(number)


def data(raw: bytes) -> str:
    """Bytes: 0x and two hex digits each."""
    return "0x" + raw.hex()


def view_block(block: BlockAPI, *, full: bool) -> dict[str, Any]:
    """A block: all header fields, its hash and size, its transactions whole or by hash."""
    header = block.header
    return {
        "hash": data(header.hash),
        "parentHash": data(header.parent_hash),
        "sha3Uncles": data(header.uncles_hash),
        "miner": to_checksum_address(header.coinbase),
        "stateRoot": data(header.state_root),
        "transactionsRoot": data(header.transaction_root),
        "receiptsRoot": data(header.receipt_root),
        "logsBloom": data(header.bloom.to_bytes(256, "big")),
        "difficulty": quantity(header.difficulty),
        "number": quantity(header.block_number),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
        "extraData": data(header.extra_data),
        "mixHash": data(header.mix_hash),
        "nonce": data(header.nonce),
        "baseFeePerGas": quantity(header.base_fee_per_gas),
        "withdrawalsRoot": data(header.withdrawals_root),
        "blobGasUsed": quantity(header.blob_gas_used),
        "excessBlobGas": quantity(header.excess_blob_gas),
        "parentBeaconBlockRoot": data(header.parent_beacon_block_root),
        "requestsHash": data(header.requests_hash),
        "size": quantity(len(rlp.encode(block))),
        "uncles": [],
        "withdrawals": [],
        "transactions": [
            view_transaction(transaction, header=header, index=index) if full else data(transaction.hash)
            for index, transaction in enumerate(block.transactions)
        ],
    }


def view_transaction(
    transaction: SignedTransactionAPI, *, header: BlockHeaderAPI | None, index: int | None
) -> dict[str, Any]:
    """A transaction; without header and index while it waits."""
    kind = transaction.type_id or 0
    gas_price = transaction.max_fee_per_gas if header is None else effective_gas_price(transaction, header)
    view: dict[str, Any] = {
        "hash": data(transaction.hash),
        "type": quantity(kind),
        "chainId": quantity(transaction.chain_id),
        "nonce": quantity(transaction.nonce),
        "from": to_checksum_address(transaction.sender),
        "to": to_checksum_address(transaction.to) if transaction.to else None,
        "value": quantity(transaction.value),
        "gas": quantity(transaction.gas),
        "gasPrice": quantity(gas_price),
        "input": data(transaction.data),
        "blockHash": None if header is None else data(header.hash),
        "blockNumber": None if header is None else quantity(header.block_number),
        "transactionIndex": None if index is None else quantity(index),
        "r": quantity(transaction.r),
        "s": quantity(transaction.s),
        "v": quantity(transaction.y_parity if kind else transaction.v),
    }
    if kind:
        view["yParity"] = quantity(transaction.y_parity)
        view["accessList"] = [
            {
                "address": to_checksum_address(address),
                "storageKeys": [data(slot.to_bytes(32, "big")) for slot in slots],
            }
            for address, slots in transaction.access_list
        ]
    if kind == 2:
        view["maxFeePerGas"] = quantity(transaction.max_fee_per_gas)
        view["maxPriorityFeePerGas"] = quantity(transaction.max_priority_fee_per_gas)
    return view


def view_receipts(block: BlockAPI, receipts: Sequence[ReceiptAPI]) -> list[dict[str, Any]]:
    """All receipts of a block, in order; gas used and log indexes are differences to those before."""
    views, gas_before, logs_before = [], 0, 0
    for index, (transaction, receipt) in enumerate(zip(block.transactions, receipts, strict=True)):
        where = {
            "blockHash": data(block.header.hash),
            "blockNumber": quantity(block.header.block_number),
            "transactionHash": data(transaction.hash),
            "transactionIndex": quantity(index),
        }
        logs = [
            {
                **where,
                "address": to_checksum_address(log.address),
                "topics": [data(topic.to_bytes(32, "big")) for topic in log.topics],
                "data": data(log.data),
                "logIndex": quantity(logs_before + number),
                "removed": False,
            }
            for number, log in enumerate(receipt.logs)
        ]
        created = None if transaction.to else _contract_address(transaction.sender, transaction.nonce)
        views.append(
            {
                **where,
                "type": quantity(transaction.type_id or 0),
                "status": quantity(int.from_bytes(receipt.state_root, "big")),
                "cumulativeGasUsed": quantity(receipt.gas_used),
                "gasUsed": quantity(receipt.gas_used - gas_before),
                "effectiveGasPrice": quantity(effective_gas_price(transaction, block.header)),
                "from": to_checksum_address(transaction.sender),
                "to": to_checksum_address(transaction.to) if transaction.to else None,
                "contractAddress": created,
                "logsBloom": data(receipt.bloom.to_bytes(256, "big")),
                "logs": logs,
            }
        )
        gas_before, logs_before = receipt.gas_used, logs_before + len(logs)
    return views


def effective_gas_price(transaction: SignedTransactionAPI, header: BlockHeaderAPI) -> int:
    """What the sender pays for a unit of gas in this block (EIP-1559)."""
    tip = min(transaction.max_priority_fee_per_gas, transaction.max_fee_per_gas - header.base_fee_per_gas)
    return int(header.base_fee_per_gas + tip)


def _contract_address(sender: bytes, nonce: int) -> str:
    """Where a contract made by this transaction lies (Yellow Paper §7)."""
    return to_checksum_address(keccak256(rlp.encode([sender, nonce]))[12:])
