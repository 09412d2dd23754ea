"""Verify a bundle for somebody who has only a browser or curl: the report is the one that the command prints.

    curl -F bundle=@bundle.zip -F trust=@trust.toml https://vault.example/v1/verify

Without `trust` the vault's own policy is used, and the report says so. Whoever does not trust this vault runs
`evidence-vault verify` on a machine of his own: here the vault is the judge.

No token is needed. A body is bounded by its announced length and spooled to a file that is gone afterwards;
few bundles are judged at a time, so that strangers can't keep the vault from its work.
"""

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Request, UploadFile

from evidence_vault.api.caller import VaultHere
from evidence_vault.api.problems import ProblemError
from evidence_vault.errors import ConfigError, FormatError, TooLarge, UnavailableError
from evidence_vault.pipeline.trust import policy_text
from evidence_vault.pipeline.vault import Vault
from evidence_vault.verify.render import report_json
from evidence_vault.verify.trust import MAX_POLICY_BYTES, TrustPolicy, parse_policy
from evidence_vault.verify.verifier import verify_path

MAX_BODY_BYTES = 1 << 30
"""1 GiB: a stranger may fill that much of the spool. Larger bundles are for the command."""

MAX_AT_ONCE = 2
"""Bundles judged at the same time; each may take a processor."""

_SLOTS = threading.BoundedSemaphore(MAX_AT_ONCE)

router = APIRouter(tags=["verify"])


def require_bounded(request: Request) -> None:
    """Refuse a body before any of it is read: too long, or of unknown length."""
    length = request.headers.get("content-length")
    if length is None:
        raise ProblemError("length-required", "a Content-Length is needed here")
    if int(length) > MAX_BODY_BYTES:
        raise TooLarge("bundle", MAX_BODY_BYTES)


@router.post("/verify", dependencies=[Depends(require_bounded)])
def verify_bundle(
    vault: VaultHere,
    bundle: Annotated[UploadFile, File(description="The bundle, a zip.")],
    trust: Annotated[UploadFile | None, File(description="A trust.toml; else this vault's own.")] = None,
) -> dict[str, Any]:
    """Verify a bundle at this moment. An unreadable or failed one is a report too, with status 200."""
    policy = _policy(vault, trust)
    with _slot(), tempfile.TemporaryDirectory(prefix="evidence-vault-verify-") as folder:
        path = Path(folder) / "bundle.zip"
        with path.open("wb") as file:
            shutil.copyfileobj(bundle.file, file, 1 << 20)
        return report_json(verify_path(path, policy, at=vault.clock()))


def _policy(vault: Vault, trust: UploadFile | None) -> TrustPolicy:
    if trust is None:
        with vault.database.read() as session:
            text = policy_text(vault, session)
        return parse_policy(text.encode("utf-8"), name=f"{vault.settings.origin}, its own")
    data = trust.file.read(MAX_POLICY_BYTES + 1)
    if len(data) > MAX_POLICY_BYTES:
        raise TooLarge("trust", MAX_POLICY_BYTES)
    try:
        return parse_policy(data, name="trust.toml, as sent")
    except ConfigError as error:
        raise FormatError(error.name, "a trust policy", error.reason) from None


@contextmanager
def _slot() -> Iterator[None]:
    if not _SLOTS.acquire(blocking=False):
        raise UnavailableError("verify", "other bundles are being verified", retry_after_s=2.0)
    try:
        yield
    finally:
        _SLOTS.release()
