"""Verify a bundle for somebody who has only a browser or curl: the report is the one that the command prints.

    curl -F bundle=@bundle.zip -F trust=@trust.toml https://vault.example/v1/verify

Without `trust` the vault's own policy is used, and the report says so. Whoever does not trust this vault runs
`evidence-vault verify` on a machine of his own: here the vault is the judge.

No token is needed, so everything is bounded before a byte of the body is read: its announced length, the time
it may take to arrive, and how many arrive or are judged at a time. Spooled files are gone afterwards.
"""

import asyncio
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from fastapi import APIRouter, Request
from starlette.datastructures import FormData, UploadFile

from evidence_vault.api.body import in_thread
from evidence_vault.api.caller import VaultHere
from evidence_vault.api.problems import ProblemError
from evidence_vault.durable import storage_errors
from evidence_vault.errors import ConfigError, FormatError, TooLarge, UnavailableError
from evidence_vault.pipeline.export.trust import policy_text
from evidence_vault.pipeline.vault import Vault
from evidence_vault.verify.render import report_json
from evidence_vault.verify.trust import MAX_POLICY_BYTES, TrustPolicy, parse_policy
from evidence_vault.verify.verifier import verify_path

MAX_BODY_BYTES = 1 << 30
"""1 GiB: a stranger may fill that much of the spool. Larger bundles are for the command."""

MAX_ARRIVAL_S = 600.0
"""1 GiB in that time is 15 Mbit/s; who drips keeps a place for no longer."""

MAX_AT_ONCE = 4
"""Bundles on their way in or judged, of each process: bounds what strangers take of disk and processors."""

_SLOTS = threading.BoundedSemaphore(MAX_AT_ONCE)

_FILE = {"type": "string", "format": "binary"}
_FORM = {
    "type": "object",
    "required": ["bundle"],
    "properties": {
        "bundle": {**_FILE, "description": "The bundle, a zip."},
        "trust": {**_FILE, "description": "A trust.toml; else this vault's own."},
    },
}

router = APIRouter(tags=["verify"])


@router.post(
    "/verify",
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}},
)
async def verify_bundle(request: Request, vault: VaultHere) -> dict[str, Any]:
    """Verify a bundle at this moment. An unreadable or failed one is a report too, with status 200."""
    # Not parameters of this function: FastAPI would read the body before anything here is asked.
    _require_bounded(request)
    with slot(_SLOTS), storage_errors("verify"):
        async with _arriving(request) as form:
            bundle, trust = _file(form, "bundle"), _file(form, "trust")
            if bundle is None:
                raise FormatError("body.bundle", "a file", "none")
            return await in_thread(partial(_judge, vault, bundle, trust))


def _require_bounded(request: Request) -> None:
    length = request.headers.get("content-length")
    if length is None:
        raise ProblemError("length-required", "a Content-Length is needed here")
    if int(length) > MAX_BODY_BYTES:
        raise TooLarge("bundle", MAX_BODY_BYTES)


@asynccontextmanager
async def _arriving(request: Request) -> AsyncIterator[FormData]:
    try:
        async with asyncio.timeout(MAX_ARRIVAL_S):
            form = await request.form(max_files=2, max_fields=2)
    except TimeoutError:
        raise UnavailableError(
            "verify", f"the bundle took more than {MAX_ARRIVAL_S:.0f} s to arrive"
        ) from None
    try:
        yield form
    finally:
        await form.close()


def _file(form: FormData, name: str) -> BinaryIO | None:
    sent = form.get(name)
    return sent.file if isinstance(sent, UploadFile) else None


def _judge(vault: Vault, bundle: BinaryIO, trust: BinaryIO | None) -> dict[str, Any]:
    policy = policy_of(vault, trust)
    with tempfile.TemporaryDirectory(prefix="evidence-vault-verify-") as folder:
        path = Path(folder) / "bundle.zip"
        with path.open("wb") as file:
            shutil.copyfileobj(bundle, file, 1 << 20)
        return report_json(verify_path(path, policy, at=vault.clock()))


def policy_of(vault: Vault, trust: BinaryIO | None) -> TrustPolicy:
    """Return the policy that was sent, else the vault's own, named as such. Raises FormatError, TooLarge."""
    if trust is None:
        with vault.database.read() as session:
            text = policy_text(vault, session)
        return parse_policy(text.encode("utf-8"), name=f"{vault.settings.origin}, its own")
    data = trust.read(MAX_POLICY_BYTES + 1)
    if len(data) > MAX_POLICY_BYTES:
        raise TooLarge("trust", MAX_POLICY_BYTES)
    try:
        return parse_policy(data, name="trust.toml, as sent")
    except ConfigError as error:
        raise FormatError(error.name, "a trust policy", error.reason) from None


@contextmanager
def slot(places: threading.BoundedSemaphore) -> Iterator[None]:
    """Take one of these places for as long as a bundle is judged. Raises UnavailableError if all are taken."""
    if not places.acquire(blocking=False):
        raise UnavailableError("verify", "other bundles are being verified", retry_after_s=2.0)
    try:
        yield
    finally:
        places.release()
