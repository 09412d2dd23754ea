"""What an authority's answer may be beside a token: a refusal, or a time that isn't ours.

Apart from `submit`, which raises them: who reads the reasons of a vault without authorities need not load it.
"""

from datetime import timedelta

from anchors.errors import EvidenceError, UnavailableError


class RefusedError(EvidenceError):
    """The authority `service` understood and refused: sending the same again won't help, an operator may."""

    def __init__(self, service: str, reason: str) -> None:
        self.service = service
        self.reason = reason
        super().__init__(f"{service}: {reason}")


class ClockError(UnavailableError):
    """A token that verifies, by an authority whose time and ours are too far apart. `offset`: its minus ours."""

    def __init__(self, service: str, offset: timedelta, *, retry_after_s: float) -> None:
        self.offset = offset
        direction = "ahead of" if offset > timedelta(0) else "behind"
        super().__init__(
            service, f"its time is {abs(offset).total_seconds():g} s {direction} our clock", retry_after_s
        )
