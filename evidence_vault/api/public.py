"""What anyone may read, without a token: the log as static files, and the vault's own trust policy.

/v1/log/checkpoint              the newest signed note; changes, so it is asked for anew, by its tag
/v1/log/tile/0/x001/x234/067    C2SP tlog-tiles; what is served here never changes
/v1/log/checkpoints/001/234/1234067.note    a signed note as it was published; .cosigs: the lines of others under it
/v1/log/vkey                    the log's keys, one a line, oldest first
/v1/trust.toml                  a starting point for whoever verifies; nothing is trusted because we say so

Each answers HEAD, conditional and range requests as a static server would.
"""

import re
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from evidence_vault.api.caller import VaultHere
from evidence_vault.api.description import may_answer
from evidence_vault.api.static import static_reply
from evidence_vault.core.note_keys import encode_vkey
from evidence_vault.core.tiles import parse_tile_path
from evidence_vault.errors import AccessRefused, FormatError
from evidence_vault.pipeline.export.trust import policy_text
from evidence_vault.pipeline.log.log_keys import named_keys

IMMUTABLE = "public, max-age=31536000, immutable"
"""A year: C2SP tlog-tiles says tiles are immutable; partial ones are prefixes that never change either."""

NO_CACHE = "no-cache"
TEXT = "text/plain; charset=utf-8"

router = APIRouter(tags=["log"])


@router.head("/log/checkpoint", include_in_schema=False)
@router.get("/log/checkpoint", response_class=Response, openapi_extra=may_answer("not-found"))
def get_checkpoint(request: Request, vault: VaultHere) -> Response:
    """The newest checkpoint, a signed note (C2SP tlog-checkpoint)."""
    note = vault.public.checkpoint()
    if note is None:
        raise AccessRefused("read", "checkpoint")
    return static_reply(request, note, media_type=TEXT, cache=NO_CACHE)


@router.head("/log/tile/{path:path}", include_in_schema=False)
@router.get("/log/tile/{path:path}", response_class=Response)
def get_tile(request: Request, path: Annotated[str, Path(max_length=60)], vault: VaultHere) -> Response:
    """A tile of hashes, or a bundle of entries (C2SP tlog-tiles)."""
    try:
        tile = parse_tile_path(f"tile/{path}")  # the one spelling of a tile; no other path reaches the disk
    except FormatError:
        raise AccessRefused("read", "tile") from None
    try:
        data = (vault.public.folder / tile.path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise AccessRefused("read", "tile") from None
    return static_reply(request, data, media_type="application/octet-stream", cache=IMMUTABLE)


@router.head("/log/checkpoints/{path:path}", include_in_schema=False)
@router.get("/log/checkpoints/{path:path}", response_class=Response)
def get_note(request: Request, path: Annotated[str, Path(max_length=40)], vault: VaultHere) -> Response:
    """A checkpoint by its size, `<millions>/<thousands>/<size>.note`, or the signatures of others, `.cosigs`."""
    match = re.fullmatch(r"[0-9]{3,}/[0-9]{3}/(0|[1-9][0-9]{0,15})\.(note|cosigs)", path, re.ASCII)
    file = vault.public.note_path(int(match[1])).with_suffix(f".{match[2]}") if match else None
    if match is None or file is None or file != vault.public.folder / "checkpoints" / path:
        raise AccessRefused("read", "checkpoint")
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise AccessRefused("read", "checkpoint") from None
    cache = IMMUTABLE if match[2] == "note" else NO_CACHE
    return static_reply(request, data, media_type=TEXT, cache=cache)


@router.head("/log/vkey", include_in_schema=False)
@router.get("/log/vkey", response_class=Response)
def get_log_keys(request: Request, vault: VaultHere) -> Response:
    """The keys that the log ever named for its checkpoints (C2SP signed-note vkeys). Compare before you trust."""
    with vault.database.read() as session:
        text = "".join(f"{encode_vkey(key)}\n" for key in named_keys(session, "log"))
    return static_reply(request, text.encode(), media_type=TEXT, cache=NO_CACHE)


@router.head("/trust.toml", include_in_schema=False)
@router.get("/trust.toml", response_class=Response)
def get_trust_policy(request: Request, vault: VaultHere) -> Response:
    """The policy that trusts this vault, its authorities and its networks: to be read, and then edited."""
    with vault.database.read() as session:
        text = policy_text(vault, session)
    return static_reply(request, text.encode(), media_type="application/toml; charset=utf-8", cache=NO_CACHE)
