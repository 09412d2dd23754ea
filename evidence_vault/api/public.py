"""What anyone may read, without a token: the log as static files, and the vault's own trust policy.

/v1/log/checkpoint              the newest signed note; changes, so it is never cached
/v1/log/tile/0/x001/x234/067    C2SP tlog-tiles; what is served here never changes
/v1/trust.toml                  a starting point for whoever verifies; nothing is trusted because we say so
"""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from evidence_vault.api.caller import VaultHere
from evidence_vault.core.tiles import parse_tile_path
from evidence_vault.errors import AccessRefused, FormatError
from evidence_vault.pipeline.trust import policy_text

IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}
"""A year: C2SP tlog-tiles says tiles are immutable; partial ones are prefixes that never change either."""

NO_CACHE = {"Cache-Control": "no-cache"}

router = APIRouter(tags=["log"])


@router.get("/log/checkpoint", response_class=Response)
def get_checkpoint(vault: VaultHere) -> Response:
    """The newest checkpoint, a signed note (C2SP tlog-checkpoint)."""
    note = vault.public.checkpoint()
    if note is None:
        raise AccessRefused("read", "checkpoint")
    return Response(note, media_type="text/plain; charset=utf-8", headers=NO_CACHE)


@router.get("/log/tile/{path:path}", response_class=Response)
def get_tile(path: Annotated[str, Path(max_length=60)], vault: VaultHere) -> Response:
    """A tile of hashes, or a bundle of entries (C2SP tlog-tiles)."""
    try:
        tile = parse_tile_path(f"tile/{path}")  # the one spelling of a tile; no other path reaches the disk
    except FormatError:
        raise AccessRefused("read", "tile") from None
    file = vault.public.folder / tile.path
    if not file.is_file():
        raise AccessRefused("read", "tile")
    return Response(file.read_bytes(), media_type="application/octet-stream", headers=IMMUTABLE)


@router.get("/trust.toml", response_class=Response)
def get_trust_policy(vault: VaultHere) -> Response:
    """The policy that trusts this vault, its authorities and its networks: to be read, and then edited."""
    with vault.database.read() as session:
        text = policy_text(vault, session)
    return Response(text, media_type="application/toml; charset=utf-8", headers=NO_CACHE)
