"""Writes a bundle: sealed parts, then what proves itself, then the bag around both, in one zip.

    parts ──► parts.txt ──► EXPORTED (holds its digest) ──► log proofs ──► bag files ──► zip

The same files always give the same bytes. Contents are read once, while they are written; a file whose bytes
are no longer those it was announced with stops the writing (IntegrityError), and the output is worthless.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

from anchors.values import value
from evidence_vault.core import layout
from evidence_vault.core.zipform import ZipMember, write_zip


@value
class BundleFile:
    """A file to be written: size in bytes, CRC-32, SHA-256 (32 bytes), and its bytes when they are wanted."""

    size: int
    crc32: int
    sha256: bytes
    chunks: Callable[[], Iterator[bytes]]


def file_of_bytes(data: bytes) -> BundleFile:
    """Return the file that holds `data`."""
    return BundleFile(
        size=len(data),
        crc32=zlib.crc32(data),
        sha256=hashlib.sha256(data).digest(),
        chunks=lambda: iter((data,)),
    )


def encode_parts(files: Mapping[str, BundleFile]) -> bytes:
    """Return parts.txt for the files that are frozen before EXPORTED is committed; it lists the sealed ones."""
    return layout.encode_digest_lines(
        {path: file.sha256 for path, file in files.items() if layout.is_sealed(path)}
    )


def write_bundle(out: BinaryIO, *, bundle_id: str, files: Mapping[str, BundleFile]) -> int:
    """Write the zip and return its length in bytes.

    files: by path relative to the base folder, everything but the four bag files.
    """
    bagged = {**files, **_bag(files)}
    base = layout.base_folder(bundle_id)
    by_name = {f"{base}/{path}": file for path, file in bagged.items()}
    members = [
        ZipMember(name=name, size=by_name[name].size, crc32=by_name[name].crc32) for name in sorted(by_name)
    ]
    return write_zip(out, members, lambda member: by_name[member.name].chunks())


def _bag(files: Mapping[str, BundleFile]) -> dict[str, BundleFile]:
    """The bag files (RFC 8493), a function of the rest."""
    payload = {path: file for path, file in files.items() if path.startswith("data/")}
    manifest = layout.encode_digest_lines({path: file.sha256 for path, file in payload.items()})
    bag = {
        layout.BAGIT: file_of_bytes(layout.BAGIT_TEXT),
        layout.BAG_INFO: file_of_bytes(
            layout.encode_payload_oxum({path: file.size for path, file in payload.items()})
        ),
        layout.MANIFEST: file_of_bytes(manifest),
    }
    tags = {path: file.sha256 for path, file in {**files, **bag}.items() if path not in payload}
    return {**bag, layout.TAG_MANIFEST: file_of_bytes(layout.encode_digest_lines(tags))}
