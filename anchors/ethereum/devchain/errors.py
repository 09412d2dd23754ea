"""An answer that is an error, with the codes and texts of geth where clients look at them."""

EXECUTION_REVERTED = 3
"""A reverted call; `detail` is its output."""

REFUSED = -32000
"""A transaction that the pool refuses, a block that isn't there, a call that ran out of gas."""

INVALID_PARAMS = -32602


class RpcError(Exception):
    """Code, message, and data where the code has some (JSON-RPC 2.0 §5.1)."""

    def __init__(self, code: int, message: str, detail: str | None = None) -> None:
        super().__init__(message)
        self.body = {"code": code, "message": message} | ({} if detail is None else {"data": detail})
