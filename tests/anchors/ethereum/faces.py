"""Several nodes where there is one: each face has a host of its own and passes questions on, or lies."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from anchors.base import HttpReply
from anchors.errors import UnavailableError
from anchors.values import replace
from tests.anchors.answering import Posted
from tests.anchors.ethereum.submitting import PlainHttp

Lie = Callable[[Any, Any], Any]
"""What is said in place of a result: (parameters, honest result) to the result."""


class Faces(PlainHttp):
    """Faces of the node at `url`. A face whose name is in `absent` is not there."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._lies: dict[str, Mapping[str, Lie]] = {}
        self.absent: set[str] = set()
        self.honest = self.face("honest", {})

    def face(self, name: str, lies: Mapping[str, Lie]) -> str:
        self._lies[f"{name}.example"] = lies
        return f"http://{name}.example/"

    def reply_to(self, sent: Posted) -> HttpReply:
        host = urlsplit(sent.url).hostname or ""
        if host.removesuffix(".example") in self.absent:
            raise UnavailableError(host, "connection refused")
        reply = super().reply_to(replace(sent, url=self._url))
        call = json.loads(sent.body)
        lie = self._lies.get(host, {}).get(call["method"])
        if lie is None:
            return reply
        answer = json.loads(reply.body)
        answer["result"] = lie(call["params"], answer.get("result"))
        answer.pop("error", None)
        return HttpReply(status=200, content_type=reply.content_type, body=json.dumps(answer).encode())


def flip(result: object) -> Lie:
    """Always this result."""
    return lambda _params, _honest: result


nothing = flip(None)


def change(**fields: object) -> Lie:
    """The honest object with other fields."""
    return lambda _params, honest: None if honest is None else {**honest, **fields}


def at(index: int, **fields: object) -> Lie:
    """The honest list, one object of it with other fields."""

    def lie(_params: Any, honest: Any) -> Any:
        return [{**each, **fields} if n == index else each for n, each in enumerate(honest)]

    return lie


def flip_block(block: object) -> Lie:
    """Another real block at every height but the first; tags are answered as they are."""

    def lie(params: Any, honest: Any) -> Any:
        return block if str(params[0]).startswith("0x") and params[0] != "0x0" else honest

    return lie


def later_hash(block_hash: str) -> Lie:
    """Another hash, that the fields don't give, at every height but the first."""

    def lie(params: Any, honest: Any) -> Any:
        named = str(params[0]).startswith("0x") and params[0] != "0x0"
        return {**honest, "hash": block_hash} if named and honest else honest

    return lie
