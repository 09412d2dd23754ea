"""Digests of long files are computed while a thread reads ahead: the same result, the same errors."""

import hashlib
from collections.abc import Iterator, Mapping

import pytest

from evidence_vault.errors import FormatError, VerificationError
from evidence_vault.verify.reader import CHUNK_BYTES, LARGE_BYTES, digest_file

CHUNKS = [bytes([n]) * CHUNK_BYTES for n in range(LARGE_BYTES // CHUNK_BYTES)]
CRC32 = VerificationError("zip CRC-32", "0x1", "0x2")


class Files:
    """One file of these chunks, after which `error` is raised."""

    base: str | None = None

    def __init__(self, chunks: list[bytes], error: Exception | None = None) -> None:
        self._chunks, self._error = chunks, error
        self.sizes: Mapping[str, int] = {"content": sum(map(len, chunks))}

    def chunks(self, path: str) -> Iterator[bytes]:
        assert path == "content"
        yield from self._chunks
        if self._error is not None:
            raise self._error


@pytest.mark.parametrize("chunks", [CHUNKS, CHUNKS[:3]], ids=["long", "short"])
@pytest.mark.parametrize("damage", [None, CRC32])
def test_digest_file_reads_all_chunks_in_order(chunks: list[bytes], damage: VerificationError | None) -> None:
    found = digest_file(Files(chunks, damage), "content", algorithms=("sha512",))

    assert found.sha256 == hashlib.sha256(b"".join(chunks)).digest()
    assert found.hex("sha512") == hashlib.sha512(b"".join(chunks)).hexdigest()
    assert found.size == sum(map(len, chunks))
    assert found.damage is damage


def test_digest_file_of_a_long_file_that_becomes_shorter_raises() -> None:
    with pytest.raises(FormatError, match="shorter"):
        digest_file(Files(CHUNKS, FormatError("content", "all its bytes", "shorter")), "content")
