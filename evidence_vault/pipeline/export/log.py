"""The log's part of a bundle: checkpoints, consistency between neighbours, an inclusion proof for each event.

Everything comes from the published tiles and notes, as an outsider would read them.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from sqlalchemy.orm import Session

from evidence_vault.core import layout
from evidence_vault.core.layout import Part as PartKind
from evidence_vault.core.merkle import prove_consistency, prove_inclusion
from evidence_vault.core.note_keys import parse_vkey
from evidence_vault.core.notes import encode_signatures
from evidence_vault.core.tiles import TileNodeReader
from evidence_vault.core.tlog_proof import TlogProof, encode_tlog_proof
from evidence_vault.errors import IntegrityError
from evidence_vault.pipeline.log.log_keys import log_keys
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import bundles, cosignatures


def bundle_sizes(vault: Vault, session: Session, *, chosen: Iterable[int], newest: int) -> list[int]:
    """Return the sizes of all checkpoints that travel, up to `newest`, which is M.

    Beside those that were chosen: each rotation's, whose lines by both keys join what the old key signed to what
    the new one did, and the newest one that each witness in the settings has cosigned.
    """
    sizes = {*chosen, newest}
    sizes |= {key.last_size for key in log_keys(session) if key.last_size and key.last_size < newest}
    for witness in vault.settings.witnesses:
        row = cosignatures.newest_cosigned(session, parse_vkey(witness.vkey), up_to=newest)
        sizes |= {row.size} if row else set()
    return sorted(sizes)


def log_files(
    vault: Vault, session: Session, *, sizes: Sequence[int], event_paths: Sequence[str]
) -> dict[str, bytes]:
    """Return the files under proof/log by path.

    sizes: of the checkpoints that travel; the largest, M, is the one that all events are proved against.
    event_paths: paths in the bundle, of which those of events are used, whole or redacted.
    """
    ordered = sorted(set(sizes))
    newest = ordered[-1]
    notes = bundles.notes_of(session, ordered)
    read = TileNodeReader(vault.public.read_tile, newest)
    files: dict[str, bytes] = {}
    for size in ordered:
        if size not in notes:
            raise IntegrityError(f"checkpoint {size}", "its note", "none")
        files[layout.note_path(size)] = notes[size]
    for size, lines in cosignatures.cosignatures_of(session, ordered).items():
        files[layout.cosigs_path(size)] = encode_signatures(lines)
    for size1, size2 in pairwise(ordered):
        proof = prove_consistency(size1, size2, read)
        files[layout.consistency_path(size1, size2)] = layout.encode_consistency(proof)
    indexes: dict[object, dict[int, int]] = {}
    for path in event_paths:
        meaning = layout.parse_path(path)
        if meaning.part not in (PartKind.EVENT, PartKind.REDACTED) or meaning.subject is None:
            continue
        if meaning.subject not in indexes:
            indexes[meaning.subject] = bundles.leaf_indexes_of(session, meaning.subject, below=newest)
        index = indexes[meaning.subject].get(meaning.seq)
        if index is None:
            raise IntegrityError(path, f"a leaf below {newest}", "none")
        inclusion = TlogProof(
            index=index,
            hashes=tuple(prove_inclusion(index, newest, read)),
            checkpoint_note=notes[newest],
        )
        files[layout.inclusion_path(meaning.subject, meaning.seq)] = encode_tlog_proof(inclusion)
    return files
