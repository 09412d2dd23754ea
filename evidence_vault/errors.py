"""The vault's errors: the tree of `anchors.errors`, and its own.

EvidenceError
├── FormatError, VerificationError, ConfigError    (anchors.errors)
│   └── TooLarge         a FormatError: more bytes than the limit allows
├── UnavailableError     (anchors.errors) a later try may help
│   ├── StorageFull      no room on the disk; nothing was kept
│   ├── Overloaded       too much waits already; asking less often is the answer
│   │   └── TooSoon      it was done a moment ago, and may be done again after a while
│   ├── InProgress       the same request is being worked on right now
│   │   └── Locked       another request writes to it; one at a time
│   └── ReadOnly         the vault takes nothing in until an operator has looked
├── CredentialEnded      whoever asked was let in, and may not do it any more
├── Conflict             the request contradicts an earlier one
│   ├── WrongOffset      not where the upload stands
│   └── TooMany          as many as one may have at a time are open
├── SecondPersonNeeded   one person alone can't do this, or not this one
├── Gone                 it was there, and is kept no longer
├── IntegrityError       our own store disagrees with itself: stop and tell an operator
│   └── Missing          what it should hold is not there at all
└── AccessRefused        not allowed, or not there: the two look alike from outside
"""

from anchors.errors import (
    ConfigError,
    EvidenceError,
    FormatError,
    UnavailableError,
    VerificationError,
)

__all__ = [
    "AccessRefused",
    "ConfigError",
    "Conflict",
    "CredentialEnded",
    "EvidenceError",
    "FormatError",
    "Gone",
    "InProgress",
    "IntegrityError",
    "Locked",
    "Missing",
    "Overloaded",
    "ReadOnly",
    "SecondPersonNeeded",
    "StorageFull",
    "TooLarge",
    "TooMany",
    "TooSoon",
    "UnavailableError",
    "VerificationError",
    "WrongOffset",
]


class IntegrityError(EvidenceError):
    """Our own store disagrees with itself at `place`. Never repaired in silence."""

    def __init__(self, place: str, expected: object, found: object) -> None:
        self.place = place
        self.expected = expected
        self.found = found
        super().__init__(f"{place}: expected {expected}, found {found}")


class Missing(IntegrityError):  # noqa: N818 - the kind of a disagreement
    """What our own store should hold at `place` is not there at all."""


class AccessRefused(EvidenceError):  # noqa: N818 - a refusal is an answer, not a fault
    """May not do `action` on `subject`, or there is no such subject: the answer is the same.

    reason, grant: a code and a grant id, for the history of what was refused; never shown to whoever was.
    """

    def __init__(
        self, action: str, subject: str, *, reason: str = "no-grant", grant: str | None = None
    ) -> None:
        self.action = action
        self.subject = subject
        self.reason = reason
        self.grant = grant
        super().__init__(f"{action}: not found")


class TooLarge(FormatError):  # noqa: N818 - an answer, not a fault
    """`place` has more than `max_bytes` bytes. Raised as soon as that is known, not at the end."""

    def __init__(self, place: str, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        super().__init__(place, f"at most {max_bytes} bytes", "more")


class StorageFull(UnavailableError):  # noqa: N818 - an answer, not a fault
    """No room left where `place` was to be written. What was written of it is gone again."""

    def __init__(self, place: str) -> None:
        super().__init__(place, "no space left on the storage")


class Overloaded(UnavailableError):  # noqa: N818 - an answer, not a fault
    """More waits at `place` than may; nothing was begun. A later try helps, a faster one doesn't."""

    def __init__(self, place: str, reason: str, retry_after_s: float) -> None:
        super().__init__(place, reason, retry_after_s)


class TooSoon(Overloaded):
    """What is asked of `place` was done a moment ago, and is done so often at most; nothing is waiting."""


class InProgress(UnavailableError):  # noqa: N818 - an answer, not a fault
    """Another request with the same key is being worked on; its result is there after `retry_after_s`."""

    def __init__(self, place: str, retry_after_s: float) -> None:
        super().__init__(place, "in progress", retry_after_s)


class Locked(InProgress):
    """Another request writes to `place`; it is free again soon, whatever becomes of the other."""


class ReadOnly(UnavailableError):  # noqa: N818 - an answer, not a fault
    """The vault accepts and signs nothing, for `reason`, until an operator has looked."""

    def __init__(self, reason: str) -> None:
        super().__init__("vault is read-only", reason)


class CredentialEnded(EvidenceError):  # noqa: N818 - an answer, not a fault
    """What let somebody in was revoked or ran out before the work was committed; nothing was kept."""

    def __init__(self) -> None:
        super().__init__("the credential ended while the request was under way")


class Conflict(EvidenceError):  # noqa: N818 - an answer, not a fault
    """`place` was used before, for something else: `earlier` says what."""

    def __init__(self, place: str, earlier: str) -> None:
        self.place = place
        self.earlier = earlier
        super().__init__(f"{place}: {earlier}")


class WrongOffset(Conflict):
    """Bytes for another offset than the one at which `place` stands: `offset` bytes are here."""

    def __init__(self, place: str, offset: int) -> None:
        self.offset = offset
        super().__init__(place, f"it stands at {offset}")


class TooMany(Conflict):
    """One more of `place` is over the limit: `earlier` says which."""


class SecondPersonNeeded(EvidenceError):  # noqa: N818 - an answer, not a fault
    """`place` takes two persons, and this isn't the second one: `reason`."""

    def __init__(self, place: str, reason: str) -> None:
        self.place = place
        self.reason = reason
        super().__init__(f"{place}: {reason}")


class Gone(EvidenceError):  # noqa: N818 - an answer, not a fault
    """`place` was there, and is kept no longer: `reason`."""

    def __init__(self, place: str, reason: str) -> None:
        self.place = place
        self.reason = reason
        super().__init__(f"{place}: {reason}")
