"""Write the segments of a blob: one is filled while the one before is on its way to the disk.

    write ──► staging, filled ──► handed over: CRC-32, frame, pwrite in a thread ──► disk
              staging, the next     (see `segments` for the form)

Long content goes past the page cache (O_DIRECT) where the file system can: copying a gigabyte into pages that
nobody will read costs more time than the disk takes. So staging is aligned memory, and what is written at once
begins and ends at a multiple of 4 KiB; the few bytes behind the last multiple wait for the next segment.

Contract: what was written before `flush` or `finish` returned is on the disk. The caller writes from one thread
at a time. A writer may go on where an earlier one was flushed, in another process too.
"""

import errno
import fcntl
import mmap
import os
import zlib
from concurrent.futures import Future, ThreadPoolExecutor

from evidence_vault.durable import storage_errors
from evidence_vault.errors import IntegrityError
from evidence_vault.store.segments import (
    FRAME_BYTES,
    HEADER,
    SEGMENT_BYTES,
    encode_frame,
    parse_frame,
    segment_offset,
)

ALIGNMENT = 4096
"""Of memory, offset and length in a write past the page cache: what disks of 4 KiB sectors ask for."""

STAGING_BYTES = SEGMENT_BYTES + 2 * ALIGNMENT
"""A segment, what was left over before it, and the frames around it."""

_DISK = ThreadPoolExecutor(max_workers=16, thread_name_prefix="disk")


class SegmentWriter:
    """The content of one file on its way to the disk. Raises StorageFull where there is no room."""

    def __init__(self, descriptor: int, place: str, *, size: int = 0) -> None:
        """Begin a new file, or go on after `size` bytes of content; what is behind them is cut off.

        place: how errors call it. Raises IntegrityError if the file doesn't hold that much.
        """
        self._descriptor, self._place = descriptor, place
        self._staging = _memory()
        self._spare: memoryview | None = None
        self._can_direct = hasattr(os, "O_DIRECT")
        self._direct = self._can_direct  # as far as we know: an earlier writer may have left it so
        self._set_direct(False)
        self._pending: Future[None] | None = None
        self._base = 0  # where in the file staging begins
        self._frame = len(HEADER)  # where in staging the segment begins
        self._filled = 0  # content in the segment
        self._crc32 = 0  # of the content before the segment
        if size:
            self._go_on(size)
        else:
            self._staging[: self._frame] = HEADER
        os.ftruncate(descriptor, self._base + self._stop if size else 0)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes; they are copied."""
        rest = memoryview(data)
        while rest:
            piece = rest[: SEGMENT_BYTES - self._filled]
            self._staging[self._end : self._end + len(piece)] = piece
            self._filled += len(piece)
            rest = rest[len(piece) :]
            if self._filled == SEGMENT_BYTES:
                self._hand_over()

    def flush(self) -> None:
        """Make all that was written durable; more may follow."""
        self._settle()
        if self._filled:
            self._staging[self._frame : self._frame + FRAME_BYTES] = bytes(
                FRAME_BYTES
            )  # no whole segment yet
        self._write_rest(self._stop)

    def finish(self) -> int:
        """Write the end mark, make all durable, and return the CRC-32 of the content."""
        self._settle()
        if self._filled:
            self._seal_segment(self._staging, self._frame, self._filled)
        end = self._stop + FRAME_BYTES
        self._staging[self._stop : end] = encode_frame(0, self._crc32)
        self._write_rest(end)
        return self._crc32

    def abandon(self) -> None:
        """Wait until nothing is being written any more; what becomes of the file is the caller's business."""
        if self._pending is not None:
            self._pending.exception()

    @property
    def _end(self) -> int:
        """Where in staging the next content goes."""
        return self._frame + FRAME_BYTES + self._filled

    @property
    def _stop(self) -> int:
        """Where in staging what must be in the file ends: a segment without content has no frame."""
        return self._end if self._filled else self._frame

    def _go_on(self, size: int) -> None:
        """Fill staging with what the file holds of the segment that is under way."""
        number, self._filled = divmod(size, SEGMENT_BYTES)
        offset = segment_offset(number)
        self._base = offset - offset % ALIGNMENT
        self._frame = offset - self._base
        wanted = self._stop
        found = os.pread(self._descriptor, wanted, self._base)
        frame = os.pread(self._descriptor, FRAME_BYTES, segment_offset(number - 1)) if number else b""
        if len(found) != wanted or (number == 0 and found[: len(HEADER)] != HEADER):
            raise IntegrityError(
                self._place, f"{size} bytes of an upload", f"{len(found)} of {wanted} at its end"
            )
        self._staging[:wanted] = found
        if number:
            length, self._crc32 = parse_frame(frame, self._place)
            if length != SEGMENT_BYTES:
                raise IntegrityError(self._place, f"a whole segment {number - 1}", length)

    def _hand_over(self) -> None:
        """Let the disk have the full segment, and begin the next in the other staging."""
        self._settle()
        full, frame, base, end = self._staging, self._frame, self._base, self._end
        whole = end - end % ALIGNMENT
        self._staging, self._spare = self._spare or _memory(), full
        self._staging[: end - whole] = full[whole:end]
        self._base, self._frame, self._filled = base + whole, end - whole, 0
        self._pending = _DISK.submit(self._write_segment, full, frame, base, whole)

    def _write_segment(self, staging: memoryview, frame: int, base: int, whole: int) -> None:
        self._seal_segment(staging, frame, SEGMENT_BYTES)
        with storage_errors(self._place):
            self._set_direct(True)
            try:
                _write_at(self._descriptor, staging[:whole], base)
            except OSError as error:
                if error.errno != errno.EINVAL or not self._direct:
                    raise
                self._can_direct = False  # it took the flag, and means it otherwise
                self._set_direct(False)
                _write_at(self._descriptor, staging[:whole], base)

    def _seal_segment(self, staging: memoryview, frame: int, length: int) -> None:
        content = frame + FRAME_BYTES
        self._crc32 = zlib.crc32(staging[content : content + length], self._crc32)
        staging[frame:content] = encode_frame(length, self._crc32)

    def _write_rest(self, end: int) -> None:
        with storage_errors(self._place):
            self._set_direct(False)
            _write_at(self._descriptor, self._staging[:end], self._base)
            os.fsync(self._descriptor)

    def _settle(self) -> None:
        """Wait for the segment that was handed over. Raises what writing it raised, and again each time."""
        if self._pending is not None:
            self._pending.result()
            self._pending = None

    def _set_direct(self, on: bool) -> None:
        if on == self._direct or (on and not self._can_direct):
            return
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags | os.O_DIRECT if on else flags & ~os.O_DIRECT)
            self._direct = on
        except OSError:
            self._can_direct = False  # this file system has no way past the cache


def _memory() -> memoryview:
    """Return staging: memory of its own, aligned, that goes back to the system when it is let go."""
    return memoryview(mmap.mmap(-1, STAGING_BYTES))


def _write_at(descriptor: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written
