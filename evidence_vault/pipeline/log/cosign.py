"""Cosign: ask each witness in the settings to sign the newest published checkpoint (C2SP tlog-witness).

    published ──► POST <url>/add-checkpoint ──► verify its line ──► keep ──► <size>.cosigs, and `checkpoint` with it

Nothing waits for a witness: deposits, checkpoints and anchors go on, and its next line covers all that was missed.
Durable after return: the verified line, and the files that show it.
A crash before the commit means: the witness has moved on, says so (409), and signs again.
A crash after it means: the line is kept; the next one that is, or the next bundle, shows it.

A witness that refuses may be wrong, may lie, or may be the only one who saw another history of this log. What it
says stops nothing; a checkpoint that *our key signed* and this database doesn't know does: the vault is read-only.
"""

import logging
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy.orm import Session

from anchors.base import HttpClient, HttpReader, HttpReply, TreeHead
from anchors.values import value
from evidence_vault.core.checkpoint import parse_checkpoint
from evidence_vault.core.merkle import prove_consistency
from evidence_vault.core.note_keys import VerifierKey, parse_vkey
from evidence_vault.core.notes import (
    Verified,
    VerifiedSignature,
    parse_note,
    parse_signatures,
    verify_note,
    verify_signatures,
)
from evidence_vault.core.tiles import TileNodeReader
from evidence_vault.core.tlog_witness import PATH, SIZE_TYPE, encode_request, origin_name, parse_size
from evidence_vault.errors import EvidenceError, UnavailableError, VerificationError
from evidence_vault.pipeline.log.log_keys import log_keys
from evidence_vault.pipeline.log.publish import show_cosignatures
from evidence_vault.pipeline.log.shown import disagreement
from evidence_vault.pipeline.vault import Vault
from evidence_vault.settings import Witness
from evidence_vault.store.queries import cosignatures, log

LOG = logging.getLogger("evidence_vault.pipeline")

MAX_REPLY_BYTES = 64 * 1024
"""Signature lines: an ML-DSA-44 line has 3.3 kB, and a witness may have several keys."""

ROUNDS = 3
"""Requests for one checkpoint: the second follows the size that the witness told, the third a race with another."""


class WitnessHttp(HttpClient, HttpReader, Protocol):
    """The guarded way out: a checkpoint is posted to a witness, and what it cosigned last is read."""


@value
class WitnessState:
    """How far a witness has come: the largest checkpoint it signed, and its own time of that; None before.

    answered_at: when its line came, by our clock.
    """

    name: str
    size: int | None
    at: datetime | None
    answered_at: datetime | None
    behind: bool


def witness_states(vault: Vault, session: Session) -> list[WitnessState]:
    """Return who of the settings' witnesses has answered, and which of them are behind what is published."""
    published = log.latest_published(session)
    states = []
    for witness in vault.settings.witnesses:
        row = cosignatures.newest_cosigned(session, parse_vkey(witness.vkey))
        states.append(
            WitnessState(
                name=witness.name,
                size=row.size if row else None,
                at=datetime.fromtimestamp(row.timestamp, UTC) if row and row.timestamp else None,
                answered_at=row.received_at if row else None,
                behind=published is not None and (row is None or row.size < published.size),
            )
        )
    return states


def ask_witness(vault: Vault, witness: Witness, http: WitnessHttp) -> bool:
    """Obtain this witness's line under the newest published checkpoint; false if it is there already.

    Raises UnavailableError if it doesn't answer or refuses, VerificationError for a line that is not its own.
    """
    vault.gate.require_open()
    key = parse_vkey(witness.vkey)
    with vault.database.read() as session:
        published = log.latest_published(session)
        before = cosignatures.newest_cosigned(session, key)
    if published is None or (before is not None and before.size >= published.size):
        return False
    size, note = published.size, published.note
    old_size = before.size if before else 0
    for _ in range(ROUNDS):
        reply = http.post(
            witness.url.rstrip("/") + PATH,
            encode_request(old_size=old_size, proof=_proof(vault, old_size, size), checkpoint=note),
            content_type="text/plain; charset=utf-8",
            headers={},
            max_bytes=MAX_REPLY_BYTES,
            timeout_s=witness.timeout_s,
        )
        if reply.status == 200:
            _keep(vault, size, note, reply.body, key)
            return True
        told = _told_size(reply)
        if told is None or told > size or told == old_size:
            _refused(vault, witness, http, size, reply)
        else:
            old_size = told
    raise UnavailableError(witness.name, "its size changed with each answer")


def _proof(vault: Vault, old_size: int, size: int) -> list[bytes]:
    """The proof from the tiles that anyone can read; none from 0, where there is nothing to prove."""
    if old_size == 0:
        return []
    return prove_consistency(old_size, size, TileNodeReader(vault.public.read_tile, size))


def _told_size(reply: HttpReply) -> int | None:
    if reply.status != 409 or reply.content_type.partition(";")[0].strip() != SIZE_TYPE:
        return None
    return parse_size(reply.body)


def _keep(vault: Vault, size: int, note: bytes, body: bytes, key: VerifierKey) -> None:
    """Verify the line, keep it, show it. Lines by keys that nobody configured are passed over."""
    lines = parse_signatures(body)
    verdict = verify_signatures(parse_note(note).text, lines, trusted=[key])
    if not isinstance(verdict, Verified):
        raise VerificationError("answer of the witness", f"a line by {key.name}+{key.key_id.hex()}", "none")
    good: VerifiedSignature = verdict.signatures[0]
    if not good.timestamp:
        raise VerificationError("answer of the witness", "a time above 0", good.timestamp)
    line = next(one for one in lines if (one.name, one.key_id) == (key.name, key.key_id))
    with vault.database.write() as session:
        cosignatures.add_cosignature(session, size, line, good, at=vault.clock())
    show_cosignatures(vault, size)
    LOG.info("cosigned", extra={"target": key.name, "size": size})


def _refused(vault: Vault, witness: Witness, http: WitnessHttp, size: int, reply: HttpReply) -> None:
    """Tell the operator loudly, and stop if the witness can show what our own key signed. Always raises."""
    why = f"answered {reply.status}: {reply.body[:200].decode('utf-8', 'replace').strip()!r}"
    if reply.status in (409, 422):
        LOG.critical("a witness refuses our log", extra={"target": witness.name, "size": size, "error": why})
        compare_with_witness(vault, witness, http)
        vault.gate.require_open()
    raise UnavailableError(witness.name, why)


def second_history(vault: Vault, witness: Witness, http: WitnessHttp) -> str | None:
    """Ask for the checkpoint that the witness cosigned last; return what is wrong if our key signed another log.

    Raises UnavailableError if it doesn't answer, FormatError or VerificationError for no checkpoint of ours.
    """
    url = f"{witness.url.rstrip('/')}/{origin_name(vault.settings.origin)}/checkpoint"
    reply = http.get(url, headers={}, max_bytes=MAX_REPLY_BYTES, timeout_s=witness.timeout_s)
    if reply.status != 200:
        return None  # it has cosigned nothing of ours, or has no such call
    note = parse_note(reply.body)
    checkpoint = parse_checkpoint(note.text)
    theirs: TreeHead = checkpoint.tree_head
    with vault.database.read() as session:
        trusted = {key.key for key in log_keys(session)} | set(vault.log_signer.verifier_keys)
        wrong = disagreement(session, theirs)
    signed = verify_note(note, trusted=list(trusted))
    if checkpoint.origin != vault.settings.origin or not isinstance(signed, Verified):
        return None
    return f"our checkpoint that the witness {witness.name} holds {wrong.words}" if wrong else None


def compare_with_witness(vault: Vault, witness: Witness, http: WitnessHttp) -> None:
    """Shut the gate if the witness holds a checkpoint that our key signed and this database doesn't know."""
    try:
        problem = second_history(vault, witness, http)
    except EvidenceError as error:
        LOG.warning("witness not compared", extra={"target": witness.name, "error": str(error)})
        return
    if problem:
        LOG.critical("read-only", extra={"target": witness.name, "error": problem})
        vault.gate.shut(problem)
