"""The errors of this project, one tree; `evidence_vault.errors` adds the vault's own.

    EvidenceError
    ├── FormatError          the bytes are not the format
    ├── VerificationError    well-formed, but wrong
    ├── UnavailableError     a network or a service; a worker may retry
    └── ConfigError          the operator's settings can't be used

Errors carry data, not only text. They know no HTTP status and no exit code: the faces turn them into both.
"""


class EvidenceError(Exception):
    """Root of the tree. Never raised itself."""


class FormatError(EvidenceError):
    """The bytes at `place` are not the format: `expected` it says in words, `found` shows what was there."""

    def __init__(self, place: str, expected: str, found: object = None) -> None:
        self.place = place
        self.expected = expected
        self.found = found
        shown = "" if found is None else f", found {found!r:.200}"
        super().__init__(f"{place}: expected {expected}{shown}")


class VerificationError(EvidenceError):
    """A well-formed thing fails `check`: it should have been `expected` and is `found`.

    `check` names the rule with its source, such as "RFC 3161 §2.4.2 message imprint".
    """

    def __init__(self, check: str, expected: object, found: object) -> None:
        self.check = check
        self.expected = expected
        self.found = found
        super().__init__(f"{check}: expected {_shown(expected)}, found {_shown(found)}")


class UnavailableError(EvidenceError):
    """A network or a service did not answer as it should. Trying again after `retry_after_s` may help."""

    def __init__(self, service: str, reason: str, retry_after_s: float | None = None) -> None:
        self.service = service
        self.reason = reason
        self.retry_after_s = retry_after_s
        super().__init__(f"{service}: {reason}")


class ConfigError(EvidenceError):
    """The setting `name` can't be used; `reason` says why and what to do."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"{name}: {reason}")


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
