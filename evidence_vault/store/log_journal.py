"""The journal of the log: the events behind published leaves, and their proofs, in files beside the database.

    events/001/234/1234000-1234067.evl     zlib over canonical JSON, the leaves [1234000, 1234067):

    {"events":[{"event":"<its bytes as text>","parts":{"response.tsr":"<base64>"}}],"first":1234000,"v":1}

The public log holds only digests. This is what they are digests of, written before a checkpoint is signed, so that
an older database can be brought up to what everyone has seen (`pipeline.recover`). Never public.

Contract: after `save` returns, the file is on the disk. Nothing here is trusted: who reads it compares every event
with the leaf that it is said to be. A file that can't be read gives nothing, as if it were not there.
"""

import base64
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from anchors.values import value
from evidence_vault.core.canonical import Json, encode_canonical, parse_canonical
from evidence_vault.core.events import MAX_EVENT_BYTES
from evidence_vault.core.shapes import Integer, ListOf, MapOf, OneOf, Record, Text
from evidence_vault.durable import make_folder, save_file
from evidence_vault.errors import FormatError

MAX_LEAVES = 500
"""In one file: with two tokens each about 10 MB in memory."""

MAX_FILE_BYTES = 256 << 20
"""Unpacked: a file that says more was not written here."""

_JOURNAL = Record(
    {
        "v": OneOf((1,)),
        "first": Integer(),
        "events": ListOf(
            Record(
                {
                    "event": Text(max_chars=MAX_EVENT_BYTES),
                    "parts": MapOf(r"[a-z][a-z0-9_.-]*", Text(max_chars=MAX_FILE_BYTES), max_items=64),
                }
            ),
            max_items=MAX_LEAVES,
        ),
    }
)


@value
class LoggedEvent:
    """An event's bytes, and the files of the proof that it records, by name."""

    raw: bytes
    parts: Mapping[str, bytes]


class LogJournal:
    """The files of one log."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`; it is made when there is something to write."""
        self._folder = folder

    def save(self, first: int, events: Sequence[LoggedEvent]) -> None:
        """Keep the events of the leaves from `first` on, at most MAX_LEAVES. Durable after return."""
        document = encode_canonical(
            {
                "v": 1,
                "first": first,
                "events": [
                    {
                        "event": event.raw.decode("utf-8"),
                        "parts": {n: base64.b64encode(body).decode() for n, body in event.parts.items()},
                    }
                    for event in events
                ],
            }
        )
        path = self._folder_of(first) / f"{first}-{first + len(events)}.evl"
        make_folder(path.parent)
        save_file(path, zlib.compress(document, 1), mode=0o600)

    def read(self, *, start: int, end: int) -> Iterator[LoggedEvent]:
        """Yield all that is kept about the leaves [start, end), and a few around them, in no certain order."""
        for thousand in range(max(0, start - MAX_LEAVES) // 1000, (end - 1) // 1000 + 1):
            folder = self._folder_of(1000 * thousand)
            for path in sorted(folder.glob("*.evl")) if folder.is_dir() else ():
                first, _, after = path.stem.partition("-")
                if first.isdigit() and after.isdigit() and int(first) < end and int(after) > start:
                    yield from _read(path)

    def _folder_of(self, first: int) -> Path:
        return self._folder / f"{first // 1_000_000:03d}" / f"{first // 1000 % 1000:03d}"


def _read(path: Path) -> Iterator[LoggedEvent]:
    try:
        unpacker = zlib.decompressobj()
        document = unpacker.decompress(path.read_bytes(), MAX_FILE_BYTES)
        parsed = parse_canonical(document, place=path.name, max_bytes=MAX_FILE_BYTES)
        _JOURNAL.check(parsed, path.name)
        yield from [_event(one) for one in _list(parsed)]
    except (zlib.error, FormatError, ValueError):
        return  # half a file, or rot: its leaves are then said to be lost


def _list(parsed: Json) -> list[Json]:
    assert isinstance(parsed, dict)
    assert isinstance(parsed["events"], list)
    return parsed["events"]


def _event(one: Json) -> LoggedEvent:
    assert isinstance(one, dict)
    assert isinstance(one["parts"], dict)
    parts = {n: base64.b64decode(str(body), validate=True) for n, body in one["parts"].items()}
    return LoggedEvent(raw=str(one["event"]).encode("utf-8"), parts=parts)
