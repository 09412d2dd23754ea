"""Log lines: one JSON object each, with ids to follow an item through all stages, never contents or names."""

import json
import logging
from datetime import UTC, datetime

FIELDS = (
    *("item", "subject", "job", "stage", "target", "state", "size", "leaves", "error", "wait_s", "count"),
    *("request_id", "method", "path", "status", "actor", "duration_ms", "problem", "reason"),
)
"""What a line may carry beside its message; anything else is left out, so that no content slips in."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line: time, level, process, logger, message, and the known fields."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "pid": record.process,
            "from": record.name,
            "message": record.getMessage(),
        }
        given = record.__dict__
        line |= {name: given[name] for name in FIELDS if name in given}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return _ENCODER.encode(line)


def log_to(stream: logging.Handler, *, level: int = logging.INFO) -> None:
    """Send the project's log lines to this handler."""
    stream.setFormatter(JsonLines())
    logger = logging.getLogger("evidence_vault")
    logger.handlers = [stream]
    logger.setLevel(level)
    logger.propagate = False
