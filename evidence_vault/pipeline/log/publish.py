"""Publish: show the newest tree head to everyone, signed, and order the proofs that it calls for.

    full tiles → partial tiles → read back the right edge → journal → sign → keep → checkpoint → mark published
                                                                                → order (witnesses: `cosign`)

Durable after return: every leaf of the published checkpoint is readable from its tiles, by anyone; the events
behind them lie in the journal of the log, so that a restored older database can be brought up to them.
A crash before the checkpoint is written means: some tiles are there early; the next run writes the same
bytes, or a larger tree's. A signature that was made is remembered by the guard and made again.
A crash after it means: the checkpoint is public; the next run marks it so.

The head is read back after its commit, and its root is recomputed from the files that were written, so that
nothing is ever signed that the tiles don't show.

At a rotation the checkpoint above KEY_ROTATED is signed by the old key and cosigned by the new one, and both lines
are kept in one transaction; the old key is retired when that checkpoint is public (`rotation`).
"""

import hashlib

from sqlalchemy.orm import Session

from anchors.base import TreeHead
from evidence_vault.core.checkpoint import open_checkpoint
from evidence_vault.core.events import Subject
from evidence_vault.core.merkle import leaf_hash, root_hash
from evidence_vault.core.notes import Unverified, Verified, parse_note, verify_signatures
from evidence_vault.core.tiles import TileNodeReader, build_entry_bundles, build_tiles
from evidence_vault.errors import IntegrityError
from evidence_vault.pipeline.log.log_keys import log_keys, signing_keys
from evidence_vault.pipeline.log.rotation import retire_old_key
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.log_journal import MAX_LEAVES, LoggedEvent
from evidence_vault.store.queries import checkpoint_jobs, cosignatures, events, jobs, log

STEP_LEAVES = 256 * 256
"""Leaves whose tiles are built at a time: bounds memory (about 20 MB) when a long backlog is published.
Only such a backlog leaves partial tiles of sizes that have no checkpoint; they do no harm."""


def publish(vault: Vault) -> TreeHead | None:
    """Publish the newest committed tree head; return it, or None if it was public already.

    Raises ReadOnly while the vault is or the guard is missing, and IntegrityError for a tree that does not
    contain what was published before.
    """
    vault.gate.require_open()
    with vault.public.one_publisher():
        published = published_head(vault)
        with vault.database.read() as session:
            head = log.current_tree_head(session)
            marked = log.latest_published(session)
        if head.size < published.size:
            raise IntegrityError("tree size", f"at least the published {published.size}", head.size)
        if published.size and (marked is None or marked.size < published.size):
            _mark(vault, published.size)
        if head.size == published.size:
            _show_signed(vault, published.size)
            retire_old_key(vault)
            return None
        _write_tiles(vault, old_size=published.size, head=head)
        _check_right_edge(vault, head)
        _keep_events(vault, old_size=published.size, head=head)
        note = _sign(vault, head)
        vault.public.write_note(head.size, note)
        with vault.database.read() as session:
            lines = cosignatures.cosignatures_of(session, [head.size]).get(head.size, ())
        vault.public.write_cosignatures(head.size, lines)
        vault.public.write_checkpoint(note, lines)  # from here on the checkpoint is public
        _mark(vault, head.size)
        _show_signed(vault, head.size)
        retire_old_key(vault)
    return head


def show_cosignatures(vault: Vault, size: int) -> None:
    """Show what others have signed under this checkpoint. Durable after return; does nothing the second time."""
    with vault.public.one_publisher():
        with vault.database.read() as session:
            lines = cosignatures.cosignatures_of(session, [size]).get(size, ())
            checkpoint = log.get_checkpoint(session, size)
        if checkpoint is None:
            raise IntegrityError("checkpoints", f"one of size {size}", "none")
        vault.public.write_cosignatures(size, lines)
        if published_head(vault).size == size:
            vault.public.write_checkpoint(checkpoint.note, lines)


def order_proofs(vault: Vault) -> None:
    """Order tokens and an anchor for the newest published checkpoint where their time has come.

    Only events that are not about the log itself call for them, or each proof would call for the next.
    Durable after return; a crash before the commit means that the next run orders them.
    """
    vault.gate.require_open()
    with vault.database.read() as session:
        if not _due_orders(vault, session):
            return  # the usual case costs no write
    with vault.database.write() as session:
        log.lock_tree_head(session)  # two publishers must not order twice
        for kind, subject, targets in _due_orders(vault, session):
            jobs.add_jobs(session, kind, subject, targets, at=vault.clock())


def published_head(vault: Vault) -> TreeHead:
    """Return the tree head that everyone can read now, its signature checked; size 0 before the first.

    Raises IntegrityError if the file is not a checkpoint signed by this log's key.
    """
    note = vault.public.checkpoint()
    if note is None:
        return TreeHead(size=0, root_hash=root_hash(0, _no_nodes))
    signer = vault.log_signer
    with vault.database.read() as session:
        # Its own keys too: beside a database from before a rotation lies a checkpoint that the new key signed.
        trusted = {*signer.verifier_keys, *(key.key for key in log_keys(session))}
    opened = open_checkpoint(note, origin=signer.origin, trusted=list(trusted))
    if not isinstance(opened.signed, Verified):
        raise IntegrityError("published checkpoint", f"a signature by {signer.origin}", "none")
    return opened.checkpoint.tree_head


def _write_tiles(vault: Vault, *, old_size: int, head: TreeHead) -> None:
    """Write what the new leaves add, in steps; partial tiles only at the size that is published."""
    start = old_size
    while start < head.size:
        end = min(head.size, start // STEP_LEAVES * STEP_LEAVES + STEP_LEAVES)
        with vault.database.read() as session:
            entries = log.leaf_entries(session, start=start, end=end)
        if len(entries) != end - start:
            raise IntegrityError("leaves", f"all from {start} to {end}", f"{len(entries)} of them")
        read = vault.public.read_tile
        bundles = build_entry_bundles(start, entries, read)
        tiles = build_tiles(start, [leaf_hash(entry) for entry in entries], read)
        for tile, data in [*bundles.items(), *tiles.items()]:
            vault.public.write_tile(tile, data)
        start = end


def _check_right_edge(vault: Vault, head: TreeHead) -> None:
    """Recompute the root from the files: what is signed is what anyone can read."""
    root = root_hash(head.size, TileNodeReader(vault.public.read_tile, head.size))
    if root != head.root_hash:
        raise IntegrityError(f"root of the tiles at size {head.size}", head.root_hash.hex(), root.hex())


def _keep_events(vault: Vault, *, old_size: int, head: TreeHead) -> None:
    """Journal the events behind the new leaves: digests alone could not be gone on from (`recover`)."""
    for start in range(old_size, head.size, MAX_LEAVES):
        with vault.database.read() as session:
            rows = log.leaf_events(session, start=start, end=min(head.size, start + MAX_LEAVES))
            parts = events.proof_parts_of_all(session, [event_id for event_id, _ in rows])
        vault.log_journal.save(start, [LoggedEvent(raw=raw, parts=parts.get(i, {})) for i, raw in rows])


def _sign(vault: Vault, head: TreeHead) -> bytes:
    """Return the signed note and keep it as a row: what is public is always also in the database."""
    with vault.database.read() as session:
        keys = signing_keys(session, head.size)
    note = vault.log_signer.sign(head, key=keys.key)
    line = None if keys.successor is None else vault.log_signer.countersign(head, successor=keys.successor)
    with vault.database.write() as session:
        kept = log.get_checkpoint(session, head.size)
        if kept is None:
            sha256 = hashlib.sha256(note).digest()
            log.add_checkpoint(session, size=head.size, note=note, note_sha256=sha256, at=vault.clock())
        elif kept.note != note:
            raise IntegrityError(f"checkpoint {head.size}", "the note that was signed before", "another")
        if keys.successor is not None and line is not None:
            good = verify_signatures(parse_note(note).text, [line], trusted=[keys.successor])
            if isinstance(good, Unverified):
                raise IntegrityError(f"checkpoint {head.size}", "a line by the new key", "none")
            cosignatures.add_cosignature(session, head.size, line, good.signatures[0], at=vault.clock())
    return note


def _show_signed(vault: Vault, published: int) -> None:
    """Show the notes that a crash kept from being public before a larger one was: a rotation's r may be among them.

    Their tiles are there, for they were written before the signature, and their leaves are public by now.
    """
    with vault.database.read() as session:
        signed = log.signed_only(session, below=published)
        lines = cosignatures.cosignatures_of(session, [checkpoint.size for checkpoint in signed])
    for checkpoint in signed:
        vault.public.write_note(checkpoint.size, checkpoint.note)
        vault.public.write_cosignatures(checkpoint.size, lines.get(checkpoint.size, ()))
        _mark(vault, checkpoint.size)


def _mark(vault: Vault, size: int) -> None:
    with vault.database.write() as session:
        if log.get_checkpoint(session, size) is None:
            raise IntegrityError("checkpoints", f"the published one of size {size}", "none")
        log.mark_published(session, size, at=vault.clock())


def _due_orders(vault: Vault, session: Session) -> list[tuple[str, Subject, list[str]]]:
    """Return (kind, checkpoint, targets) of each order whose time has come."""
    newest = log.latest_published(session)
    if newest is None:
        return []
    settings, due = vault.settings, []
    for kind, targets, interval_s in (
        ("timestamp", [a.name for a in settings.authorities], settings.token_interval_s),
        ("anchor", list(vault.submitters.get("anchor", {})), settings.anchor_interval_s),
    ):
        last = checkpoint_jobs.newest_checkpoint_job(session, kind)
        covered = 0 if last is None else int(last.subject_id)
        age_s = None if last is None else (vault.clock() - last.created_at).total_seconds()
        # Younger than now: the clock was set back since, and nobody knows how long ago that was.
        waited = age_s is None or age_s < 0 or age_s >= interval_s
        if kind == "anchor" and not waited and age_s is not None and settings.anchor_soon_events:
            many = settings.anchor_soon_events
            waited = age_s >= settings.anchor_soon_interval_s and (
                log.count_content_leaves(session, start=covered, end=newest.size, most=many) >= many
            )
        if targets and waited and log.content_leaf_in(session, start=covered, end=newest.size):
            due.append((kind, Subject(kind="checkpoint", id=str(newest.size)), targets))
    return due


def _no_nodes(level: int, index: int) -> bytes:
    raise IntegrityError("empty tree", "no nodes", (level, index))
