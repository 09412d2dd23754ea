"""The vault's errors: the tree of `anchors.errors`, and two of its own.

EvidenceError
├── FormatError, VerificationError, UnavailableError, ConfigError    (anchors.errors)
├── IntegrityError       our own store disagrees with itself: stop and tell an operator
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
    "EvidenceError",
    "FormatError",
    "IntegrityError",
    "UnavailableError",
    "VerificationError",
]


class IntegrityError(EvidenceError):
    """Our own store disagrees with itself at `place`. Never repaired in silence."""

    def __init__(self, place: str, expected: object, found: object) -> None:
        self.place = place
        self.expected = expected
        self.found = found
        super().__init__(f"{place}: expected {expected}, found {found}")


class AccessRefused(EvidenceError):  # noqa: N818 - a refusal is an answer, not a fault
    """May not do `action` on `subject`, or there is no such subject: the answer is the same."""

    def __init__(self, action: str, subject: str) -> None:
        self.action = action
        self.subject = subject
        super().__init__(f"{action}: not found")
