"""JSON-RPC 2.0 for the development chain: requests and batches in, results and errors out."""

import json
from typing import TYPE_CHECKING, Any

from eth.exceptions import PyEVMError
from eth_utils.exceptions import ValidationError

from anchors.ethereum.devchain.errors import INVALID_PARAMS, REFUSED, RpcError
from anchors.ethereum.devchain.methods import METHODS

if TYPE_CHECKING:
    from anchors.ethereum.devchain.chain import DevelopmentChain

MAX_BATCH = 100
"""Calls in one request; web3 sends one, a batch of ours a handful."""


def answer(chain: "DevelopmentChain", payload: bytes) -> bytes:
    """The answer to a request, or to each of a batch."""
    try:
        request = json.loads(payload)
    except (ValueError, RecursionError):
        return _encode(_failed(None, RpcError(-32700, "parse error")))
    if not isinstance(request, list):
        return _encode(_answer_one(chain, request))
    if not 1 <= len(request) <= MAX_BATCH:
        return _encode(_failed(None, RpcError(-32600, f"a batch has 1 to {MAX_BATCH} calls")))
    return _encode([_answer_one(chain, call) for call in request])


def _answer_one(chain: "DevelopmentChain", call: object) -> dict[str, Any]:
    if not isinstance(call, dict) or call.get("jsonrpc") != "2.0" or not isinstance(call.get("method"), str):
        return _failed(None, RpcError(-32600, "invalid request"))
    params, method = call.get("params", []), METHODS.get(call["method"])
    try:
        if method is None:
            raise RpcError(-32601, f"the method {call['method']:.80} does not exist")
        if not isinstance(params, list):
            raise RpcError(INVALID_PARAMS, "params is no array")
        return {"jsonrpc": "2.0", "id": call.get("id"), "result": method(chain, params)}
    except RpcError as error:
        return _failed(call.get("id"), error)
    except (IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        return _failed(call.get("id"), RpcError(INVALID_PARAMS, f"invalid params: {error}"))
    except (ValidationError, PyEVMError) as error:
        return _failed(call.get("id"), RpcError(REFUSED, str(error)))


def _failed(call_id: object, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call_id, "error": error.body}


def _encode(value: object) -> bytes:
    return json.dumps(value).encode()
