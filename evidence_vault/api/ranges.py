"""Byte ranges (RFC 9110 §14): one span of one file. Several at once are answered with the whole file."""

import re

from anchors.values import value
from evidence_vault.api.problems import ProblemError

_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,19})-([0-9]{0,19})[ \t]*")


@value
class Span:
    """Bytes from `start` up to, not including, `end` of `size`."""

    start: int
    end: int
    size: int

    @property
    def content_range(self) -> str:
        """The header field that names the span."""
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


def parse_range(value: str | None, *, size: int) -> Span | None:
    """Return the span that is asked for; none means the whole file, also for what isn't understood.

    Raises ProblemError if no byte of the file is in the span.
    """
    found = _RANGE.fullmatch(value or "")
    if not found or found[1] == found[2] == "":
        return None
    if found[1] == "":
        start, end = max(0, size - int(found[2])), size
    else:
        start, end = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
    if start >= end:
        raise ProblemError(
            "range-not-satisfiable", f"the file has {size} bytes", {"Content-Range": f"bytes */{size}"}
        )
    return Span(start=start, end=end, size=size)
