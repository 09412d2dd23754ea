"""What an operator did beside the log, a line each in `<home>/audit.log`: canonical JSON, only appended.

{"at":"2026-11-22T16:37:00.123Z","did":"log adopt","root":"c6b1…","seen":["the published checkpoint: 42"],"size":42}
"""

from collections.abc import Mapping

from evidence_vault.core.canonical import Json, encode_canonical
from evidence_vault.core.names import encode_time
from evidence_vault.durable import append_line
from evidence_vault.pipeline.vault import Vault


def write_audit_line(vault: Vault, did: str, facts: Mapping[str, Json]) -> None:
    """Append a line. Durable after return."""
    line: dict[str, Json] = {"at": encode_time(vault.clock()), "did": did, **facts}
    append_line(vault.settings.home / "audit.log", encode_canonical(line).decode("utf-8"))
