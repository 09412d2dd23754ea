"""Files for the demonstration, made on the spot: a text, a PNG image, and 200 MB that stand for a video."""

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

LARGE_BYTES = 200_000_000
_PIECE_BYTES = 4_000_000

_TEXT = """\
Listing seen on 2026-11-20 / 2026年11月20日所见商品页面

Seller's description: "original design, ships today".
The picture beside it is the same as figure 3 of our catalogue.
"""


def write_samples(folder: Path) -> Sequence[Path]:
    """Write the three files into `folder`; return their paths: text, image, large file."""
    folder.mkdir(parents=True, exist_ok=True)
    text, image, large = folder / "listing.txt", folder / "picture.png", folder / "video.bin"
    text.write_text(_TEXT, "utf-8")
    image.write_bytes(encode_png(256, 256))
    with large.open("wb") as file:
        for _ in range(LARGE_BYTES // _PIECE_BYTES):
            file.write(os.urandom(_PIECE_BYTES))
    return text, image, large


def encode_png(width: int, height: int) -> bytes:
    """Return an RGB image with a pattern (PNG, ISO/IEC 15948)."""
    rows = b"".join(
        b"\x00" + bytes(value for x in range(width) for value in (x & 255, y & 255, (x ^ y) & 255))
        for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
