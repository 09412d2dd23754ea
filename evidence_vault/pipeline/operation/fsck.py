"""Read everything again, and name the first thing that disagrees. Changes nothing; the vault may run meanwhile.

    (1) the leaves: indexes without a gap; the root at every committed head; the frontier
    (2) the files: every tile and bundle up to the published checkpoint, byte for byte, and older partial ones
    (3) the checkpoints: signature, root, digest, file; the published one; the signer's guard; what others signed
    (4) the events (`fsck_events`): bytes, digests, chain, slots, order of leaves, what waits, heads of subjects
    (5) the packs: each is one, and the record of every deposit that lies in it begins where the database says

One pass in the order of the log and one in the order of subjects, on one snapshot of the database, in memory that
does not grow with it. Not read here: contents, tokens and anchors, which a bundle's verifier judges.
"""

import hashlib
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from sqlalchemy.orm import Session

from anchors.base import TreeHead
from anchors.values import value
from evidence_vault.core.checkpoint import Checkpoint, open_checkpoint
from evidence_vault.core.note_keys import VerifierKey, parse_vkey
from evidence_vault.core.notes import NoteSignature, Verified, parse_note, parse_signatures, verify_signatures
from evidence_vault.core.replay import Replay
from evidence_vault.core.tiles import Tile, cut_tile
from evidence_vault.errors import FormatError, IntegrityError, ReadOnly, VerificationError
from evidence_vault.pipeline.log.log_keys import LogKey, log_keys
from evidence_vault.pipeline.operation.fsck_events import check_events
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import audit, cosignatures, log
from evidence_vault.store.queries.audit import CheckpointRow


@value
class Checked:
    """What was read, all of it in agreement."""

    leaves: int
    pending: int
    events: int
    subjects: int
    tree_heads: int
    checkpoints: int
    files: int
    packed: int
    published_size: int


def fsck(vault: Vault) -> Checked:
    """Compare everything with everything. Raises IntegrityError for the first thing that disagrees."""
    try:
        # What is public, and what the guard remembers, was committed before: read first, it is in the snapshot.
        public, guarded = vault.public.checkpoint(), vault.log_signer.guarded_head()
        with vault.database.read() as session:
            keys = log_keys(session)
            published = _published_size(vault, session, public, keys)
            leaves, heads, files = _check_leaves(vault, session, published)
            checkpoints = _check_checkpoints(vault, session, keys)
            _check_guard(session, guarded, published)
            events = check_events(session, vault.settings.origin, vault.settings.log_class, leaves=leaves)
            packed = _check_packs(vault, session)
    except (FormatError, VerificationError) as error:
        place = error.place if isinstance(error, FormatError) else error.check
        raise IntegrityError(place, _hex(error.expected), _hex(error.found)) from None
    except ReadOnly as error:
        raise IntegrityError("log.guard", "the signer's guard", error.reason) from None
    return Checked(
        leaves=leaves,
        pending=events.pending,
        events=events.events,
        subjects=events.subjects,
        tree_heads=heads,
        checkpoints=checkpoints,
        files=files,
        packed=packed,
        published_size=published,
    )


def _published_size(vault: Vault, session: Session, public: bytes | None, keys: Sequence[LogKey]) -> int:
    """Return the size that everyone sees. The file is a checkpoint of ours, and also a row."""
    newest = log.latest_published(session)
    size = 0 if public is None else _open(vault, public, keys, place="public/checkpoint").tree_head.size
    if newest is not None and newest.size > size:  # unless it was published since
        public = vault.public.checkpoint()
        if (
            public is None
            or _open(vault, public, keys, place="public/checkpoint").tree_head.size < newest.size
        ):
            raise IntegrityError("public/checkpoint", f"the published checkpoint of size {newest.size}", size)
    elif public is not None:
        row = log.get_checkpoint(session, size)
        if row is None or not public.startswith(row.note):
            raise IntegrityError("public/checkpoint", f"the note kept for size {size}", public)
    return size


def _check_leaves(vault: Vault, session: Session, published: int) -> tuple[int, int, int]:
    """(1) and (2). Returns how many leaves, heads and files there are."""
    replay, files, number, last_epoch = Replay(), 0, 0, 0
    heads = audit.all_tree_heads(session)
    head = next(heads, None)
    for group in audit.all_entries(session):
        if [index for index, _ in group] != list(range(replay.size, replay.size + len(group))):
            raise IntegrityError("leaves", f"indexes from {replay.size} on without a gap", group[0][0])
        entries = [entry for _, entry in group]
        while entries:
            stops = (replay.size + len(entries), published, head[0] if head else 0)
            stop = min(size for size in stops if size > replay.size)
            part, entries = entries[: stop - replay.size], entries[stop - replay.size :]
            for tile, data in replay.append(part):
                if replay.size <= published:
                    files += _compare(vault.public.folder, tile, data)
            if replay.size == published:
                files += sum(_compare(vault.public.folder, tile, data) for tile, data in replay.partial())
            if head and head[0] == replay.size:
                _same(f"root hash at size {head[0]}", replay.tree_head().root_hash, head[1])
                if head[2] <= last_epoch:
                    raise IntegrityError(
                        f"tree head of size {head[0]}", f"an epoch above {last_epoch}", head[2]
                    )
                last_epoch, number, head = head[2], number + 1, next(heads, None)
    if head or published > replay.size:
        raise IntegrityError("leaves", f"{head[0] if head else published} of them", replay.size)
    row = log.current_row(session)
    _same("tree head, size", replay.size, row.size)
    _same("tree head, root hash", replay.tree_head().root_hash, row.root_hash)
    _same("tree head, frontier", b"".join(replay.frontier().hashes), row.frontier)
    _same("tree head, epoch", last_epoch, row.epoch)
    _same("newest recorded tree head", row.size, log.max_tree_size(session))
    return replay.size, number, files


def _compare(folder: Path, tile: Tile, data: bytes) -> int:
    """(2) Compare one file, and older partial ones of it, with what the leaves give; return how many there were."""
    read = 1
    if _read(folder / tile.path) != data:
        found = "no such file" if not (folder / tile.path).exists() else "other bytes"
        raise IntegrityError(f"public/{tile.path}", "what the leaves hash to", found)
    full = Tile(level=tile.level, index=tile.index).path
    partial = (folder / full).with_name(Path(full).name + ".p")
    for path in sorted(partial.iterdir()) if partial.is_dir() else ():
        if path.name.isdigit() and int(path.name) < tile.width:
            read += 1
            if _read(path) != cut_tile(tile, data, int(path.name)):
                raise IntegrityError(f"public/{full}.p/{path.name}", "what the leaves hash to", "other bytes")
    return read


def _check_checkpoints(vault: Vault, session: Session, keys: Sequence[LogKey]) -> int:
    """(3) Every note: whose it is, what it says, and that the file says the same. Returns how many."""
    number = 0
    public = vault.public.checkpoint()
    witnesses = [parse_vkey(witness.vkey) for witness in vault.settings.witnesses]
    for group in audit.all_checkpoints(session):
        lines = cosignatures.cosignatures_of(session, [row.size for row in group])
        for row in group:
            number += 1
            place = f"checkpoint {row.size}"
            checkpoint = _open(vault, row.note, keys, place=place)
            _same(f"{place}, size", row.size, checkpoint.tree_head.size)
            _same(f"{place}, root hash", row.root_hash, checkpoint.tree_head.root_hash)
            _same(f"{place}, SHA-256", hashlib.sha256(row.note).digest(), row.note_sha256)
            if not row.published:
                continue
            note_path = vault.public.note_path(row.size)
            _same(f"public/{note_path.relative_to(vault.public.folder)}", row.note, _read(note_path))
            beside = _read(note_path.with_suffix(".cosigs"))
            shown = [parse_signatures(beside)] if beside else []
            if public is not None and public.startswith(row.note):
                shown.append(parse_note(public).signatures[1:])
            kept = lines.get(row.size, ())
            if not all(set(group) <= set(kept) for group in shown):  # committed, though after this snapshot
                with vault.database.read() as later:
                    kept = cosignatures.cosignatures_of(later, [row.size]).get(row.size, ())
            _check_lines(row, kept=kept, shown=shown, keys=keys, witnesses=witnesses)
    return number


def _check_lines(
    row: CheckpointRow,
    *,
    kept: Sequence[NoteSignature],
    shown: Sequence[Sequence[NoteSignature]],
    keys: Sequence[LogKey],
    witnesses: Sequence[VerifierKey],
) -> None:
    """(3) What others signed under a note: good where the key is in the settings, and shown only if it is kept."""
    successors = [key.key for key in keys[1:] if key.from_size == row.size]
    verified = verify_signatures(parse_note(row.note).text, kept, trusted=[*witnesses, *successors])
    signed = {one.key for one in verified.signatures} if isinstance(verified, Verified) else set()
    for key in successors:
        if key not in signed:
            raise IntegrityError(
                f"checkpoint {row.size}", f"a line by {key.name}, which signs from here", "none"
            )
    for group in shown:
        if not set(group) <= set(kept) or len(set(group)) != len(group):
            names = ", ".join(line.name for line in group)
            raise IntegrityError(
                f"public cosignatures at size {row.size}", "lines that are kept, once", names
            )


def _check_guard(session: Session, guarded: TreeHead, published: int) -> None:
    """(3) The guard knows at least what is public, and a head that was committed."""
    if guarded.size < published:
        raise IntegrityError("log.guard", f"at least the published size {published}", guarded.size)
    if guarded.size:
        head = log.tree_head_at(session, guarded.size)
        _same("log.guard", None if head is None else head.root_hash, guarded.root_hash)


def _check_packs(vault: Vault, session: Session) -> int:
    """(5) Every pack, of committed deposits and of others; returns how many deposits lie in packs."""
    number, seen = 0, set[str]()
    for group in audit.all_packed(session):
        for pack, rows in groupby(group, key=lambda row: row[0]):
            places = [(position, item_id) for _, position, item_id in rows]
            vault.blobs.require_packed(pack, places)
            number += len(places)
            seen.add(pack)
    for pack, _ in vault.blobs.pack_sizes():
        if pack not in seen:  # of deposits that came to nothing, or are newer than the database
            vault.blobs.packed_ids(pack)
    return number


def _open(vault: Vault, note: bytes, keys: Sequence[LogKey], *, place: str) -> Checkpoint:
    """Return what a note says. Raises unless the log's key for its size signed it."""
    trusted = list(dict.fromkeys(key.key for key in keys))
    opened = open_checkpoint(note, origin=vault.settings.origin, trusted=trusted)
    size = opened.checkpoint.tree_head.size
    signed = {one.key for one in opened.signed.signatures} if isinstance(opened.signed, Verified) else set()
    last = [key for key in keys if key.key in signed and key.from_size <= size <= (key.last_size or size)]
    if not last:
        raise IntegrityError(place, f"a signature by the log's key for size {size}", "none")
    return opened.checkpoint


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _same(place: str, expected: object, found: object) -> None:
    if expected != found:
        raise IntegrityError(place, _hex(expected), _hex(found))


def _hex(data: object) -> object:
    return data.hex() if isinstance(data, bytes) else data
