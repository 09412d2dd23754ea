"""The JSON-RPC methods of the development chain: those that a client of an anchor needs, and `cast`.

Each takes the chain and the array of parameters. A missing or malformed parameter shows as whatever Python
raises, which the caller turns into "invalid params".
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from eth.abc import BlockAPI, BlockHeaderAPI, ComputationAPI, VirtualMachineAPI
from eth.estimators.gas import binary_gas_search_exact
from eth.exceptions import BlockNotFound, HeaderNotFound, Revert, TransactionNotFound, VMError
from eth.vm.spoof import SpoofTransaction
from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError

from anchors.ethereum.devchain.errors import EXECUTION_REVERTED, INVALID_PARAMS, REFUSED, RpcError
from anchors.ethereum.devchain.pool import send
from anchors.ethereum.devchain.views import data, quantity, view_block, view_receipts, view_transaction

if TYPE_CHECKING:
    from anchors.ethereum.devchain.chain import DevelopmentChain

PRIORITY_FEE_WEI = 10**9
_REVERT_REASON = bytes.fromhex("08c379a0")  # the selector of Error(string)

Params = Sequence[Any]
Method = Callable[["DevelopmentChain", Params], Any]


def _header(chain: "DevelopmentChain", tag: object) -> BlockHeaderAPI | None:
    """The header that a parameter names: a tag, number or hash, or an object with one (EIP-1898)."""
    if isinstance(tag, dict):
        tag = tag.get("blockHash", tag.get("blockNumber"))
    if not isinstance(tag, str):
        raise RpcError(INVALID_PARAMS, "invalid params: no block parameter")
    head = chain.head()
    named = {
        "latest": head.block_number,
        "pending": head.block_number,
        "safe": max(0, head.block_number - 1),
        "finalized": chain.final_number(),
        "earliest": 0,
    }
    try:
        if len(tag) == 66:
            header = chain.chain.get_block_header_by_hash(_bytes(tag, 32))
            return (
                header if chain.chain.get_canonical_block_hash(header.block_number) == header.hash else None
            )
        number = named[tag] if tag in named else _number(tag)
        return chain.chain.get_canonical_block_header_by_number(number)
    except (HeaderNotFound, BlockNotFound):
        return None


def _existing_header(chain: "DevelopmentChain", params: Params, position: int) -> BlockHeaderAPI:
    header = _header(chain, params[position] if len(params) > position else "latest")
    if header is None:
        raise RpcError(REFUSED, "header not found")
    return header


def _vm(chain: "DevelopmentChain", params: Params, position: int) -> VirtualMachineAPI:
    """The machine with the state after the block that parameter `position` names."""
    return chain.chain.get_vm(at_header=_existing_header(chain, params, position))


def _block(chain: "DevelopmentChain", tag: object) -> BlockAPI | None:
    header = _header(chain, tag)
    return None if header is None else chain.chain.get_block_by_header(header)


def _get_block(chain: "DevelopmentChain", params: Params) -> Any:
    block = _block(chain, params[0])
    return None if block is None else view_block(block, full=params[1:2] == [True])


def _get_block_receipts(chain: "DevelopmentChain", params: Params) -> Any:
    block = _block(chain, params[0])
    return None if block is None else view_receipts(block, block.get_receipts(chain.chain.chaindb))


def _find(chain: "DevelopmentChain", transaction_hash: bytes) -> tuple[BlockAPI, int] | None:
    try:
        number, index = chain.chain.get_canonical_transaction_index(transaction_hash)
    except TransactionNotFound:
        return None
    return chain.chain.get_canonical_block_by_number(number), index


def _get_transaction(chain: "DevelopmentChain", params: Params) -> Any:
    wanted = _bytes(params[0], 32)
    found = _find(chain, wanted)
    if found is not None:
        block, index = found
        return view_transaction(block.transactions[index], header=block.header, index=index)
    waiting = [t for t in chain.pool.values() if t.hash == wanted]
    return view_transaction(waiting[0], header=None, index=None) if waiting else None


def _get_receipt(chain: "DevelopmentChain", params: Params) -> Any:
    found = _find(chain, _bytes(params[0], 32))
    if found is None:
        return None
    block, index = found
    return view_receipts(block, block.get_receipts(chain.chain.chaindb))[index]


def _get_logs(chain: "DevelopmentChain", params: Params) -> Any:
    """Logs by block range, address and topics; the forms with lists of alternatives are refused."""
    wanted = params[0]
    first = _existing_header(chain, [wanted.get("fromBlock", "latest")], 0).block_number
    last = _existing_header(chain, [wanted.get("toBlock", "latest")], 0).block_number
    address = wanted.get("address")
    topics = wanted.get("topics", [])
    if not isinstance(address, str | None) or not all(isinstance(topic, str | None) for topic in topics):
        raise RpcError(INVALID_PARAMS, "invalid params: one address, and one topic at each place")
    found = []
    for number in range(first, last + 1):
        block = chain.chain.get_canonical_block_by_number(number)
        for receipt in view_receipts(block, block.get_receipts(chain.chain.chaindb)):
            found += [log for log in receipt["logs"] if _matches(log, address, topics)]
    return found


def _matches(log: dict[str, Any], address: str | None, topics: Sequence[str | None]) -> bool:
    if address is not None and log["address"].lower() != address.lower():
        return False
    given = log["topics"]
    return len(topics) <= len(given) and all(
        topic is None or topic.lower() == found for topic, found in zip(topics, given, strict=False)
    )


def _get_transaction_count(chain: "DevelopmentChain", params: Params) -> str:
    sender = _bytes(params[0], 20)
    count = _vm(chain, params, 1).state.get_nonce(sender)
    if params[1:2] == ["pending"]:
        while (sender, count) in chain.pool:
            count += 1
    return quantity(count)


def _call(chain: "DevelopmentChain", params: Params) -> str:
    call, vm = params[0], _vm(chain, params, 1)
    to = _bytes(call["to"], 20)
    sender = _bytes(call.get("from", "0x" + "00" * 20), 20)
    computation = vm.execute_bytecode(
        origin=sender,
        gas_price=0,
        gas=min(_number(call.get("gas", hex(vm.get_header().gas_limit))), vm.get_header().gas_limit),
        to=to,
        sender=sender,
        value=_number(call.get("value", "0x0")),
        data=_bytes(call.get("data", call.get("input", "0x"))),
        code=vm.state.get_code(to),
    )
    _raise_if_failed(computation)
    return data(computation.output)


def _raise_if_failed(computation: ComputationAPI) -> None:
    if computation.is_error:
        raise _execution_error(computation.error)


def _execution_error(error: VMError) -> RpcError:
    if not isinstance(error, Revert):
        return RpcError(REFUSED, f"{type(error).__name__}: {error}")
    output = error.args[0] if error.args and isinstance(error.args[0], bytes) else b""
    reason = ""
    if output[:4] == _REVERT_REASON:
        try:
            reason = f": {abi_decode(['string'], output[4:])[0]}"
        except DecodingError:
            reason = ""
    return RpcError(EXECUTION_REVERTED, f"execution reverted{reason}", data(output))


def _estimate_gas(chain: "DevelopmentChain", params: Params) -> str:
    call, vm = params[0], _vm(chain, params, 1)
    sender = _bytes(call.get("from", "0x" + "00" * 20), 20)
    unsigned = vm.get_transaction_builder().create_unsigned_transaction(
        nonce=vm.state.get_nonce(sender),
        gas_price=vm.get_header().base_fee_per_gas,
        gas=21_000,
        to=_bytes(call["to"], 20) if call.get("to") else b"",
        value=_number(call.get("value", "0x0")),
        data=_bytes(call.get("data", call.get("input", "0x"))),
    )
    try:
        return quantity(binary_gas_search_exact(vm.state, SpoofTransaction(unsigned, from_=sender)))
    except VMError as error:
        raise _execution_error(error) from error


def _fee_history(chain: "DevelopmentChain", params: Params) -> Any:
    newest = _existing_header(chain, params, 1).block_number
    count = params[0] if isinstance(params[0], int) else _number(params[0])
    oldest = max(0, newest - min(count, 1024) + 1)
    headers = [chain.chain.get_canonical_block_header_by_number(n) for n in range(oldest, newest + 1)]
    following = chain.chain.create_header_from_parent(headers[-1]).base_fee_per_gas
    history: dict[str, Any] = {
        "oldestBlock": quantity(oldest),
        "baseFeePerGas": [quantity(header.base_fee_per_gas) for header in headers] + [quantity(following)],
        "gasUsedRatio": [header.gas_used / header.gas_limit for header in headers],
    }
    if len(params) > 2 and params[2]:
        history["reward"] = [[quantity(PRIORITY_FEE_WEI) for _ in params[2]] for _ in headers]
    return history


def _gas_price(chain: "DevelopmentChain", _params: Params) -> str:
    return quantity(chain.chain.create_header_from_parent(chain.head()).base_fee_per_gas + PRIORITY_FEE_WEI)


def _number(text: str) -> int:
    if not text.startswith("0x"):
        raise RpcError(INVALID_PARAMS, f"invalid params: {text:.80} is no quantity")
    return int(text, 16)


def _bytes(text: str, length: int | None = None) -> bytes:
    raw = bytes.fromhex(text[2:]) if text.startswith("0x") else None
    if raw is None or (length is not None and len(raw) != length):
        raise RpcError(INVALID_PARAMS, f"invalid params: {text:.80} is not what belongs here")
    return raw


METHODS: dict[str, Method] = {
    "web3_clientVersion": lambda _chain, _params: "evidence-vault-development-chain/1",
    "net_version": lambda chain, _params: str(chain.chain.chain_id),
    "eth_chainId": lambda chain, _params: quantity(chain.chain.chain_id),
    "eth_syncing": lambda _chain, _params: False,
    "eth_accounts": lambda _chain, _params: [],
    "eth_blockNumber": lambda chain, _params: quantity(chain.head().block_number),
    "eth_getBlockByNumber": _get_block,
    "eth_getBlockByHash": _get_block,
    "eth_getBlockReceipts": _get_block_receipts,
    "eth_getTransactionByHash": _get_transaction,
    "eth_getTransactionReceipt": _get_receipt,
    "eth_getTransactionCount": _get_transaction_count,
    "eth_getLogs": _get_logs,
    "eth_getBalance": lambda chain, p: quantity(_vm(chain, p, 1).state.get_balance(_bytes(p[0], 20))),
    "eth_getCode": lambda chain, p: data(_vm(chain, p, 1).state.get_code(_bytes(p[0], 20))),
    "eth_getStorageAt": lambda chain, p: data(
        _vm(chain, p, 2).state.get_storage(_bytes(p[0], 20), _number(p[1])).to_bytes(32, "big")
    ),
    "eth_call": _call,
    "eth_estimateGas": _estimate_gas,
    "eth_gasPrice": _gas_price,
    "eth_maxPriorityFeePerGas": lambda _chain, _params: quantity(PRIORITY_FEE_WEI),
    "eth_feeHistory": _fee_history,
    "eth_sendRawTransaction": lambda chain, p: data(send(chain, _bytes(p[0]))),
}
