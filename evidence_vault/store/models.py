"""The tables. What must never be changed is append-only in the database itself (`APPEND_ONLY`).

    actors, actor_roles, credentials …      who may ask (`people_models`)
    items ─ events ─ disclosures            what was deposited, and its history; clear values can be erased
             │  └─ proof_parts              what came back from outside, by the event that records it
             ├─ pending_events              events that the log doesn't hold yet
             └─ leaves ─ tree_heads ─ checkpoints ─ cosignatures
    subject_heads  tree_head  vault_state   one row each, to lock: a subject, the log, the vault
    jobs  paces  revocation_wants  revocation_evidence  exports ─ export_items, export_parts   work in background
    cases, grants, orders …                 who sees what, and why (`case_models`)
    idempotency_keys  uploads  resumable_uploads    requests that may come twice, or stop midway
    webhooks                                who is told what happened

Generic types and constraints only: SQLite and PostgreSQL hold the same. Queries are in `queries` alone.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from evidence_vault.store.case_models import Case  # noqa: F401 - a part of the schema, with all of its module
from evidence_vault.store.columns import BIG_ID, Base, UtcDateTime, length_check
from evidence_vault.store.cosignatures import Cosignature
from evidence_vault.store.custody_models import Heartbeat  # noqa: F401 - a part of the schema
from evidence_vault.store.pace_models import Pace  # noqa: F401 - a part of the schema
from evidence_vault.store.people_models import Actor  # noqa: F401 - a part of the schema, with all of its module
from evidence_vault.store.revocation_models import RevocationEvidence
from evidence_vault.store.upload_models import ResumableUpload  # noqa: F401 - a part of the schema
from evidence_vault.store.webhook_models import Webhook  # noqa: F401 - a part of the schema

APPEND_ONLY = (
    *("events", "leaves", "tree_heads", "proof_parts"),
    *(Cosignature.__tablename__, RevocationEvidence.__tablename__),
)
"""Tables that refuse UPDATE and DELETE, by trigger, on both engines. `checkpoints` refuses all changes but
the one from unpublished to published."""


class VaultState(Base):
    """Who this vault is: one row, written when the log is opened, compared at every start."""

    __tablename__ = "vault_state"
    __table_args__ = (CheckConstraint("id = 1", name="singleton"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    origin: Mapped[str] = mapped_column(String(100))
    log_class: Mapped[str] = mapped_column(String(11))
    system_actor_id: Mapped[str] = mapped_column(ForeignKey("actors.id"))
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Event(Base):
    """A custody event: its bytes, and what queries need of them. Append-only.

    id rises with seq within a subject: both are given under the lock on the subject's head.
    """

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("subject_kind", "subject_id", "seq"),
        length_check("sha256", 32),
        length_check("slot", 32),
        CheckConstraint("seq >= 0", name="seq_from_zero"),
        CheckConstraint("length(raw) BETWEEN 2 AND 32768", name="raw_length"),
    )
    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    subject_kind: Mapped[str] = mapped_column(String(10))
    subject_id: Mapped[str] = mapped_column(String(29))
    seq: Mapped[int] = mapped_column(BigInteger)
    type: Mapped[str] = mapped_column(String(40))
    slot: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class SubjectHead(Base):
    """The newest event of a subject; locked while the next one is written."""

    __tablename__ = "subject_heads"
    __table_args__ = (length_check("event_sha256", 32), length_check("next_slot", 32))
    subject_kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    subject_id: Mapped[str] = mapped_column(String(29), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    event_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    next_slot: Mapped[bytes] = mapped_column(LargeBinary(32))


class Disclosure(Base):
    """A personal value in clear; deleting the row erases it, the event holds only its salted digest."""

    __tablename__ = "disclosures"
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    disclosure: Mapped[str] = mapped_column(Text)


class ProofPart(Base):
    """One file of a proof from outside, as raw bytes, under the event that records the proof. Append-only.

    name: as in `anchors.base.AnchorProof.parts`, such as `response.tsr` or `proof.json`.
    """

    __tablename__ = "proof_parts"
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class Item(Base):
    """A piece of evidence: content that we keep, or the digest of content that we never saw."""

    __tablename__ = "items"
    __table_args__ = (
        length_check("sha256", 32),
        CheckConstraint("mode IN ('content', 'hash', 'commitment')", name="mode"),
        CheckConstraint("mode = 'commitment' OR sha256 IS NOT NULL", name="sha256_known"),
        CheckConstraint(
            "mode <> 'content' OR (size IS NOT NULL AND crc32 IS NOT NULL)", name="content_known"
        ),
    )
    id: Mapped[str] = mapped_column(String(29), primary_key=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("actors.id"), index=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), unique=True)
    mode: Mapped[str] = mapped_column(String(10))
    secret: Mapped[bool]
    sha256: Mapped[bytes | None] = mapped_column(LargeBinary(32), index=True)
    size: Mapped[int | None] = mapped_column(BigInteger)
    crc32: Mapped[int | None] = mapped_column(BigInteger)
    receipt: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PackedDeposit(Base):
    """Where a small deposit lies: content and journal in a pack of the blob store (`store.packs`)."""

    __tablename__ = "packed_deposits"
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), primary_key=True)
    pack: Mapped[str] = mapped_column(String(32))
    position: Mapped[int] = mapped_column(BigInteger)


class PendingEvent(Base):
    """An event that has no leaf yet: written with the event, deleted with its leaf, in one transaction each.

    A queue, because "events with an id above the last" would lose those that PostgreSQL commits out of
    order, and "events without a leaf" would read the whole history every second.
    """

    __tablename__ = "pending_events"
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), primary_key=True, autoincrement=False)


class Leaf(Base):
    """An event's place in the log. Append-only; indexes have no gaps because the tree head is locked."""

    __tablename__ = "leaves"
    __table_args__ = (CheckConstraint("leaf_index >= 0", name="index_from_zero"),)
    leaf_index: Mapped[int] = mapped_column(BIG_ID, primary_key=True, autoincrement=False)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), unique=True)


class TreeHead(Base):
    """Every tree head that was ever committed; two roots at one size can't both be here. Append-only."""

    __tablename__ = "tree_heads"
    __table_args__ = (length_check("root_hash", 32),)
    size: Mapped[int] = mapped_column(BIG_ID, primary_key=True, autoincrement=False)
    root_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    epoch: Mapped[int] = mapped_column(BigInteger, unique=True)
    sequenced_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CurrentTreeHead(Base):
    """The newest tree head, with the right edge it grows by: the row that the one sequencer locks."""

    __tablename__ = "tree_head"
    __table_args__ = (CheckConstraint("id = 1", name="singleton"), length_check("root_hash", 32))
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(BigInteger)
    root_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    epoch: Mapped[int] = mapped_column(BigInteger)
    frontier: Mapped[bytes] = mapped_column(LargeBinary)


class Checkpoint(Base):
    """A tree head that the log's key has signed. Only `published_at` may change, once, from null."""

    __tablename__ = "checkpoints"
    __table_args__ = (length_check("note_sha256", 32),)
    size: Mapped[int] = mapped_column(
        BIG_ID, ForeignKey("tree_heads.size"), primary_key=True, autoincrement=False
    )
    note: Mapped[bytes] = mapped_column(LargeBinary)
    note_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    signed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class Job(Base):
    """Work in the background: one row for each kind, subject and target; states as in `core.states`.

    checkpoint_size: the subject's id as a number, where it is a checkpoint, to ask for the first above a leaf.
    run_at null: nothing left to do. progress: what the submitter needs to go on, stored before anything is
    sent. A lease that has run out belongs to a dead worker, and the job to whoever takes it.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("subject_kind", "subject_id", "kind", "target"),
        Index("ix_jobs_kind_run_at", "kind", "run_at"),
        Index("ix_jobs_kind_target_run_at", "kind", "target", "run_at"),
        Index("ix_jobs_kind_checkpoint_size", "kind", "checkpoint_size"),
        CheckConstraint("(subject_kind = 'checkpoint') = (checkpoint_size IS NOT NULL)", name="size_known"),
    )
    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    subject_kind: Mapped[str] = mapped_column(String(10))
    subject_id: Mapped[str] = mapped_column(String(29))
    checkpoint_size: Mapped[int | None] = mapped_column(BigInteger)
    target: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(12))
    run_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_owner: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tries: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(Text)
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Export(Base):
    """A bundle that someone asked for. Filled as its job advances; the frozen parts are in `export_parts`.

    case_id: of a case that is exported with its items; case_event_id: its EXPORTED, once that is committed.
    """

    __tablename__ = "exports"
    id: Mapped[str] = mapped_column(String(29), primary_key=True)
    actor_id: Mapped[str] = mapped_column(ForeignKey("actors.id"), index=True)
    case_id: Mapped[str | None] = mapped_column(ForeignKey("cases.id"))
    case_event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id"))
    options: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cut_size: Mapped[int | None] = mapped_column(BigInteger)
    parts_sha256: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    checkpoint_size: Mapped[int | None] = mapped_column(ForeignKey("checkpoints.size"))
    bundle_sha256: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    bundle_size: Mapped[int | None] = mapped_column(BigInteger)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ExportItem(Base):
    """An item in an export, with its EXPORTED event once that is committed."""

    __tablename__ = "export_items"
    export_id: Mapped[str] = mapped_column(ForeignKey("exports.id"), primary_key=True)
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), primary_key=True, index=True)
    event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id"))


class ExportPart(Base):
    """A file of a bundle, frozen before EXPORTED, so that a crashed job goes on with the same bytes.

    body null: an item's content, read from the blob store when the bundle is written.
    """

    __tablename__ = "export_parts"
    export_id: Mapped[str] = mapped_column(ForeignKey("exports.id"), primary_key=True)
    path: Mapped[str] = mapped_column(String(200), primary_key=True)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    body: Mapped[bytes | None] = mapped_column(LargeBinary)


class IdempotencyKey(Base):
    """A request that may come twice. request_sha256 null: being worked on, until `lease_until`.

    request_sha256: over digest, size and metadata of a deposit, else over what was asked. item_id: of a deposit;
    answer: of another act, as JSON: the id of what was made, its seq, or null.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        CheckConstraint(
            "(item_id IS NULL AND answer IS NULL) = (request_sha256 IS NULL)", name="bound_when_done"
        ),
        CheckConstraint("item_id IS NULL OR answer IS NULL", name="deposit_or_act"),
    )
    actor_id: Mapped[str] = mapped_column(ForeignKey("actors.id"), primary_key=True)
    endpoint: Mapped[str] = mapped_column(String(60), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    holder: Mapped[str] = mapped_column(String(32))
    lease_until: Mapped[datetime] = mapped_column(UtcDateTime)
    request_sha256: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    item_id: Mapped[str | None] = mapped_column(
        ForeignKey("items.id", deferrable=True, initially="DEFERRED"),  # bound before the item is inserted
        index=True,  # SQLite looks at every item that comes whether a key already waits for it
    )
    answer: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Upload(Base):
    """What is known about bytes without an item: an upload under way, or one that a crash left behind.

    state: OPEN, ORPHANED (found at start, quarantined), ABANDONED (said so: may be swept), RECOVERED.
    """

    __tablename__ = "uploads"
    item_id: Mapped[str] = mapped_column(String(29), primary_key=True)
    actor_id: Mapped[str | None] = mapped_column(ForeignKey("actors.id"))
    state: Mapped[str] = mapped_column(String(10))
    noted_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AnchorNonce(Base):
    """A nonce of an anchor sender and the checkpoint it belongs to: two workers never spend twice on one.

    Nodes accept gaps and replacements in silence: the ledger is here. sender: 20 bytes.
    """

    __tablename__ = "anchor_nonces"
    __table_args__ = (UniqueConstraint("chain_id", "sender", "purpose"), length_check("sender", 20))
    chain_id: Mapped[int] = mapped_column(BIG_ID, primary_key=True, autoincrement=False)
    sender: Mapped[bytes] = mapped_column(LargeBinary(20), primary_key=True)
    nonce: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    purpose: Mapped[str] = mapped_column(String(100))
