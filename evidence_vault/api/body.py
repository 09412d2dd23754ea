"""Take a body in as it comes: the event loop never waits for a disk, and memory holds two pieces of it.

    network ──► 1 MiB being filled ──► 1 MiB being hashed and written (in a thread) ──► disk

While a thread writes one piece the next arrives; if the disk is slower than the network, reading stops and
TCP tells the sender. A slow sender holds a socket, never a thread, and not for ever: what lies in `incoming` and
doesn't grow is swept as a dead deposit's, so a body that comes slower than that is refused in time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from evidence_vault.api.problems import ProblemError
from evidence_vault.errors import TooLarge
from evidence_vault.pipeline.intake.orphans import ORPHAN_AFTER

PIECE_BYTES = 1 << 20
"""What is handed to a thread at once: a segment of the blob store."""

PIECE_WITHIN_S = ORPHAN_AFTER.total_seconds() / 4
"""A piece of a body that can't be gone on with must come within this time: 1.2 kB/s. While two are in memory the
file stands still, and twice this time is still less than what it takes to be swept."""

WRITERS = 16
"""Threads that hash and write, for all deposits together; hashing lets go of the interpreter's lock."""

T = TypeVar("T")
_POOL = ThreadPoolExecutor(max_workers=WRITERS, thread_name_prefix="body")


async def in_thread(work: Callable[..., T], *args: object) -> T:
    """Run blocking work in a thread. It always runs to its end, even if nobody waits for it any more."""
    running = asyncio.get_running_loop().run_in_executor(_POOL, partial(work, *args))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


async def pour(
    chunks: AsyncIterator[bytes],
    write: Callable[[bytes], None],
    *,
    first: bytes = b"",
    to_the_last: bool = False,
    on_piece: Callable[[], None] = lambda: None,
) -> None:
    """Give the whole body to `write`, in order, in pieces of about 1 MiB, from one thread at a time.

    first: what was read of it already. on_piece: is told when a piece has come whole.

    Raises what `write` raises, as soon as the next piece is due, and what the chunks raise; then no call of
    `write` is running any more. to_the_last: what had come before the chunks broke off is written too.
    """
    writing: asyncio.Task[None] | None = None
    piece, held = [first], len(first)
    try:
        async for chunk in chunks:
            piece.append(chunk)
            held += len(chunk)
            if held >= PIECE_BYTES:
                if writing is not None:
                    await asyncio.shield(writing)
                writing = asyncio.create_task(in_thread(_write_all, write, piece))
                piece, held = [], 0
                on_piece()
        if writing is not None:
            await asyncio.shield(writing)
        if held:
            await in_thread(_write_all, write, piece)
    except BaseException:
        if writing is not None:
            await asyncio.wait([writing])
            writing.cancelled() or writing.exception()  # seen here, so that nobody complains of it later
        if to_the_last and held and (writing is None or not (writing.cancelled() or writing.exception())):
            await in_thread(_write_all, write, piece)
        raise


async def pour_in_time(
    chunks: AsyncIterator[bytes], write: Callable[[bytes], None], *, first: bytes = b""
) -> None:
    """Do as `pour`; raise ProblemError if a piece, or the end, doesn't come within PIECE_WITHIN_S."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(PIECE_WITHIN_S) as limit:
            await pour(
                chunks, write, first=first, on_piece=lambda: limit.reschedule(loop.time() + PIECE_WITHIN_S)
            )
    except TimeoutError:
        detail = f"{PIECE_BYTES} bytes, or the end, didn't come within {PIECE_WITHIN_S:g} s"
        raise ProblemError("too-slow", detail) from None


def _write_all(write: Callable[[bytes], None], piece: list[bytes]) -> None:
    for chunk in piece:
        write(chunk)


async def read_first(chunks: AsyncIterator[bytes], *, at_most: int) -> tuple[bytes, bool]:
    """Return the body if it has at most so many bytes, and true; else what has come of it, and false."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > at_most:
            return bytes(body), False
    return bytes(body), True


async def read_all(chunks: AsyncIterator[bytes], *, max_bytes: int, place: str) -> bytes:
    """Return a small body whole. Raises TooLarge as soon as it is too much."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            raise TooLarge(place, max_bytes)
    return bytes(body)
