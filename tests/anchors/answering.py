"""HTTP without a network: whatever a submitter sends comes to one function of the test."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from anchors.base import HttpReply
from anchors.values import value


@value
class Posted:
    """What was sent, and within which limits; as `anchors.base.HttpClient.post` has it."""

    url: str
    body: bytes
    content_type: str
    headers: Mapping[str, str]
    max_bytes: int
    timeout_s: float


class Answering(ABC):
    """`anchors.base.HttpClient`, whose replies are made here."""

    __slots__ = ()

    def post(
        self,
        url: str,
        body: bytes,
        *,
        content_type: str,
        headers: Mapping[str, str],
        max_bytes: int,
        timeout_s: float,
    ) -> HttpReply:
        """Hand over what was sent."""
        return self.reply_to(
            Posted(
                url=url,
                body=body,
                content_type=content_type,
                headers=headers,
                max_bytes=max_bytes,
                timeout_s=timeout_s,
            )
        )

    @abstractmethod
    def reply_to(self, sent: Posted) -> HttpReply:
        """Return the reply, or raise what a client would."""
