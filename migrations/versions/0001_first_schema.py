"""The first schema: events, log, items, jobs, exports, and who may ask.

Revision 0001, after none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

APPEND_ONLY = ("events", "leaves", "tree_heads", "proof_parts", "cosignatures", "revocation_evidence")

CHECKPOINT_MAY_CHANGE = (
    "OLD.published_at IS NULL AND NEW.published_at IS NOT NULL AND NEW.size = OLD.size "
    "AND NEW.note = OLD.note AND NEW.note_sha256 = OLD.note_sha256 AND NEW.signed_at = OLD.signed_at"
)
TREE_HEAD_MAY_CHANGE = "NEW.id = OLD.id AND NEW.size > OLD.size AND NEW.epoch = OLD.epoch + 1"


def upgrade() -> None:
    _create_people()
    _create_tables()
    _create_cases()
    for table in APPEND_ONLY:
        _refuse(table, "UPDATE")
        _refuse(table, "DELETE")
    _refuse("checkpoints", "UPDATE", unless=CHECKPOINT_MAY_CHANGE)
    _refuse("checkpoints", "DELETE")
    _refuse("tree_head", "UPDATE", unless=TREE_HEAD_MAY_CHANGE)
    _refuse("tree_head", "DELETE")


def _refuse(table: str, action: str, *, unless: str | None = None) -> None:
    """Make the database refuse the action on any row, whoever asks."""
    name, message = f"{table}_refuse_{action.lower()}", f"{table} refuses this {action}"
    condition = "" if unless is None else f"WHEN (NOT ({unless}))"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {action} ON {table} FOR EACH ROW {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
        return
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = 'restrict_violation'; END $$"
    )
    triggers = {name: f"BEFORE {action} ON {table} FOR EACH ROW {condition}"}
    if action == "DELETE":
        triggers[f"{name}_all"] = f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT"
    for trigger, when in triggers.items():
        op.execute(f"CREATE TRIGGER {trigger} {when} EXECUTE FUNCTION {name}()")
        # Always: or a session that calls itself a replica would be let through.
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")


def _create_tables() -> None:
    op.create_table(
        "anchor_nonces",
        sa.Column("chain_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("sender", sa.LargeBinary(length=20), nullable=False),
        sa.Column("nonce", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("purpose", sa.String(length=100), nullable=False),
        sa.CheckConstraint("length(sender) = 20", name=op.f("ck_anchor_nonces_sender_length")),
        sa.PrimaryKeyConstraint("chain_id", "sender", "nonce", name="pk_anchor_nonces"),
        sa.UniqueConstraint("chain_id", "sender", "purpose", name="uq_anchor_nonces_chain_id_sender_purpose"),
    )
    op.create_table(
        "events",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("subject_kind", sa.String(length=10), nullable=False),
        sa.Column("subject_id", sa.String(length=29), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("slot", sa.LargeBinary(length=32), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(raw) BETWEEN 2 AND 32768", name=op.f("ck_events_raw_length")),
        sa.CheckConstraint("length(sha256) = 32", name=op.f("ck_events_sha256_length")),
        sa.CheckConstraint("length(slot) = 32", name=op.f("ck_events_slot_length")),
        sa.CheckConstraint("seq >= 0", name=op.f("ck_events_seq_from_zero")),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("sha256", name="uq_events_sha256"),
        sa.UniqueConstraint("slot", name="uq_events_slot"),
        sa.UniqueConstraint(
            "subject_kind", "subject_id", "seq", name="uq_events_subject_kind_subject_id_seq"
        ),
    )
    op.create_table(
        "jobs",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject_kind", sa.String(length=10), nullable=False),
        sa.Column("subject_id", sa.String(length=29), nullable=False),
        sa.Column("checkpoint_size", sa.BigInteger(), nullable=True),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("progress", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(subject_kind = 'checkpoint') = (checkpoint_size IS NOT NULL)", name=op.f("ck_jobs_size_known")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint(
            "subject_kind", "subject_id", "kind", "target", name="uq_jobs_subject_kind_subject_id_kind_target"
        ),
    )
    op.create_index("ix_jobs_kind_checkpoint_size", "jobs", ["kind", "checkpoint_size"], unique=False)
    op.create_index("ix_jobs_kind_target_run_at", "jobs", ["kind", "target", "run_at"], unique=False)
    op.create_index("ix_jobs_kind_run_at", "jobs", ["kind", "run_at"], unique=False)
    op.create_table(
        "revocation_wants",
        sa.Column("chain_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("wanted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(chain_sha256) = 32", name=op.f("ck_revocation_wants_chain_sha256_length")),
        sa.PrimaryKeyConstraint("chain_sha256", name="pk_revocation_wants"),
    )
    op.create_table(
        "revocation_evidence",
        sa.Column("certificate_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=4), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("this_update", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_update", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "length(certificate_sha256) = 32", name=op.f("ck_revocation_evidence_certificate_sha256_length")
        ),
        sa.CheckConstraint("length(sha256) = 32", name=op.f("ck_revocation_evidence_sha256_length")),
        sa.CheckConstraint("kind IN ('crl', 'ocsp')", name=op.f("ck_revocation_evidence_kind")),
        sa.PrimaryKeyConstraint("certificate_sha256", "sha256", name="pk_revocation_evidence"),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=29), nullable=False),
        sa.Column("actor_id", sa.String(length=29), nullable=False),
        sa.Column("role", sa.String(length=6), nullable=False),
        sa.Column("organisation_id", sa.String(length=29), nullable=True),
        sa.Column("token_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("slow_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(length=64), nullable=True),
        sa.CheckConstraint("position >= 0", name=op.f("ck_webhooks_position_from_zero")),
        sa.ForeignKeyConstraint(["actor_id"], ["actors.id"], name="fk_webhooks_actor_id"),
        sa.ForeignKeyConstraint(
            ["token_sha256"], ["credentials.token_sha256"], name="fk_webhooks_token_sha256"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
    )
    op.create_index("ix_webhooks_actor_id", "webhooks", ["actor_id"], unique=False)
    op.create_table(
        "paces",
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("clock_offset_ms", sa.BigInteger(), nullable=True),
        sa.Column("clock_compared_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_paces_failures_from_zero")),
        sa.CheckConstraint(
            "(clock_offset_ms IS NULL) = (clock_compared_at IS NULL)", name=op.f("ck_paces_offset_has_time")
        ),
        sa.PrimaryKeyConstraint("target", name="pk_paces"),
    )
    op.create_table(
        "heartbeat",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shut_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shut_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_heartbeat_singleton")),
        sa.PrimaryKeyConstraint("id", name="pk_heartbeat"),
    )
    op.create_table(
        "fixity_sweep",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("after_event_id", sa.BigInteger(), nullable=False),
        sa.Column("items", sa.BigInteger(), nullable=False),
        sa.Column("bytes_read", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked", sa.Boolean(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_fixity_sweep_singleton")),
        sa.PrimaryKeyConstraint("id", name="pk_fixity_sweep"),
    )
    op.create_table(
        "subject_heads",
        sa.Column("subject_kind", sa.String(length=10), nullable=False),
        sa.Column("subject_id", sa.String(length=29), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("event_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("next_slot", sa.LargeBinary(length=32), nullable=False),
        sa.CheckConstraint("length(event_sha256) = 32", name=op.f("ck_subject_heads_event_sha256_length")),
        sa.CheckConstraint("length(next_slot) = 32", name=op.f("ck_subject_heads_next_slot_length")),
        sa.PrimaryKeyConstraint("subject_kind", "subject_id", name="pk_subject_heads"),
    )
    op.create_table(
        "tree_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_tree_head_singleton")),
        sa.CheckConstraint("length(root_hash) = 32", name=op.f("ck_tree_head_root_hash_length")),
        sa.PrimaryKeyConstraint("id", name="pk_tree_head"),
    )
    op.create_table(
        "tree_heads",
        sa.Column("size", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("root_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("sequenced_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(root_hash) = 32", name=op.f("ck_tree_heads_root_hash_length")),
        sa.PrimaryKeyConstraint("size", name="pk_tree_heads"),
        sa.UniqueConstraint("epoch", name="uq_tree_heads_epoch"),
    )
    op.create_table(
        "checkpoints",
        sa.Column("size", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("note_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("length(note_sha256) = 32", name=op.f("ck_checkpoints_note_sha256_length")),
        sa.ForeignKeyConstraint(["size"], ["tree_heads.size"], name="fk_checkpoints_size"),
        sa.PrimaryKeyConstraint("size", name="pk_checkpoints"),
    )
    op.create_index("ix_checkpoints_published_at", "checkpoints", ["published_at"], unique=False)
    op.create_table(
        "disclosures",
        sa.Column("event_id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("disclosure", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_disclosures_event_id"),
        sa.PrimaryKeyConstraint("event_id", "name", name="pk_disclosures"),
    )
    op.create_table(
        "items",
        sa.Column("id", sa.String(length=29), nullable=False),
        sa.Column("owner_id", sa.String(length=29), nullable=False),
        sa.Column("event_id", BIG_ID, nullable=False),
        sa.Column("mode", sa.String(length=10), nullable=False),
        sa.Column("secret", sa.Boolean(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("crc32", sa.BigInteger(), nullable=True),
        sa.Column("receipt", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "mode <> 'content' OR (size IS NOT NULL AND crc32 IS NOT NULL)",
            name=op.f("ck_items_content_known"),
        ),
        sa.CheckConstraint("mode = 'commitment' OR sha256 IS NOT NULL", name=op.f("ck_items_sha256_known")),
        sa.CheckConstraint("mode IN ('content', 'hash', 'commitment')", name=op.f("ck_items_mode")),
        sa.CheckConstraint("length(sha256) = 32", name=op.f("ck_items_sha256_length")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_items_event_id"),
        sa.ForeignKeyConstraint(["owner_id"], ["actors.id"], name="fk_items_owner_id"),
        sa.PrimaryKeyConstraint("id", name="pk_items"),
        sa.UniqueConstraint("event_id", name="uq_items_event_id"),
    )
    op.create_index("ix_items_owner_id", "items", ["owner_id"], unique=False)
    op.create_index("ix_items_sha256", "items", ["sha256"], unique=False)
    op.create_table(
        "leaves",
        sa.Column("leaf_index", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("event_id", BIG_ID, nullable=False),
        sa.CheckConstraint("leaf_index >= 0", name=op.f("ck_leaves_index_from_zero")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_leaves_event_id"),
        sa.PrimaryKeyConstraint("leaf_index", name="pk_leaves"),
        sa.UniqueConstraint("event_id", name="uq_leaves_event_id"),
    )
    op.create_table(
        "pending_events",
        sa.Column("event_id", BIG_ID, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_pending_events_event_id"),
        sa.PrimaryKeyConstraint("event_id", name="pk_pending_events"),
    )
    op.create_table(
        "cosignatures",
        sa.Column("size", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("key_id", sa.LargeBinary(length=4), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(key_id) = 4", name=op.f("ck_cosignatures_key_id_length")),
        sa.ForeignKeyConstraint(["size"], ["checkpoints.size"], name="fk_cosignatures_size"),
        sa.PrimaryKeyConstraint("size", "name", "key_id", name="pk_cosignatures"),
    )
    op.create_table(
        "proof_parts",
        sa.Column("event_id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_proof_parts_event_id"),
        sa.PrimaryKeyConstraint("event_id", "name", name="pk_proof_parts"),
    )
    op.create_table(
        "uploads",
        sa.Column("item_id", sa.String(length=29), nullable=False),
        sa.Column("actor_id", sa.String(length=29), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["actors.id"], name="fk_uploads_actor_id"),
        sa.PrimaryKeyConstraint("item_id", name="pk_uploads"),
    )
    op.create_table(
        "resumable_uploads",
        sa.Column("id", sa.String(length=29), nullable=False),
        sa.Column("actor_id", sa.String(length=29), nullable=False),
        sa.Column("item_id", sa.String(length=29), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("token_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("wish", sa.JSON(), nullable=False),
        sa.Column("metadata_sent", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "received BETWEEN 0 AND size", name=op.f("ck_resumable_uploads_received_within_size")
        ),
        sa.CheckConstraint(
            "state <> 'DONE' OR received = size", name=op.f("ck_resumable_uploads_done_when_whole")
        ),
        sa.ForeignKeyConstraint(["actor_id"], ["actors.id"], name=op.f("fk_resumable_uploads_actor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resumable_uploads")),
        sa.UniqueConstraint("item_id", name=op.f("uq_resumable_uploads_item_id")),
    )
    op.create_index(
        "ix_resumable_uploads_state_actor_id", "resumable_uploads", ["state", "actor_id"], unique=False
    )
    op.create_index(
        op.f("ix_resumable_uploads_expires_at"), "resumable_uploads", ["expires_at"], unique=False
    )
    op.create_table(
        "vault_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.String(length=100), nullable=False),
        sa.Column("log_class", sa.String(length=11), nullable=False),
        sa.Column("system_actor_id", sa.String(length=29), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_vault_state_singleton")),
        sa.ForeignKeyConstraint(["system_actor_id"], ["actors.id"], name="fk_vault_state_system_actor_id"),
        sa.PrimaryKeyConstraint("id", name="pk_vault_state"),
    )
    op.create_table(
        "packed_deposits",
        sa.Column("item_id", sa.String(length=29), nullable=False),
        sa.Column("pack", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_packed_deposits_item_id"),
        sa.PrimaryKeyConstraint("item_id", name="pk_packed_deposits"),
    )
    op.create_table(
        "content_checks",
        sa.Column("item_id", sa.String(length=29), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=True),
        sa.Column("found_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sound_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("event_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('sound', 'altered', 'missing', 'unreadable')", name=op.f("ck_content_checks_state")
        ),
        sa.CheckConstraint("length(found_sha256) = 32", name=op.f("ck_content_checks_found_sha256_length")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_content_checks_item_id"),
        sa.PrimaryKeyConstraint("item_id", name="pk_content_checks"),
    )
    op.create_index("ix_content_checks_state", "content_checks", ["state"], unique=False)
    op.create_table(
        "holds",
        sa.Column("subject_kind", sa.String(length=10), nullable=False),
        sa.Column("subject_id", sa.String(length=29), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("placed_by", sa.String(length=29), nullable=False),
        sa.Column("case_id", sa.String(length=29), nullable=True),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_seq", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["placed_by"], ["actors.id"], name="fk_holds_placed_by"),
        sa.PrimaryKeyConstraint("subject_kind", "subject_id", "seq", name="pk_holds"),
    )
    op.create_table(
        "transfers",
        sa.Column("item_id", sa.String(length=29), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("giver_id", sa.String(length=29), nullable=False),
        sa.Column("receiver_id", sa.String(length=29), nullable=False),
        sa.Column("offered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.CheckConstraint("state IN ('offered', 'accepted', 'refused')", name=op.f("ck_transfers_state")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_transfers_item_id"),
        sa.ForeignKeyConstraint(["giver_id"], ["actors.id"], name="fk_transfers_giver_id"),
        sa.ForeignKeyConstraint(["receiver_id"], ["actors.id"], name="fk_transfers_receiver_id"),
        sa.PrimaryKeyConstraint("item_id", "seq", name="pk_transfers"),
    )
    op.create_index("ix_transfers_giver_id", "transfers", ["giver_id"], unique=False)
    op.create_index("ix_transfers_receiver_id", "transfers", ["receiver_id"], unique=False)
    op.create_table(
        "objections",
        sa.Column("item_id", sa.String(length=29), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("raised_by", sa.String(length=29), nullable=False),
        sa.Column("case_id", sa.String(length=29), nullable=True),
        sa.Column("party", sa.Integer(), nullable=True),
        sa.Column("ground", sa.String(length=16), nullable=False),
        sa.Column("period", sa.String(length=16), nullable=True),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_objections_item_id"),
        sa.ForeignKeyConstraint(["raised_by"], ["actors.id"], name="fk_objections_raised_by"),
        sa.PrimaryKeyConstraint("item_id", "seq", name="pk_objections"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("actor_id", sa.String(length=29), nullable=False),
        sa.Column("endpoint", sa.String(length=60), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("holder", sa.String(length=32), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("item_id", sa.String(length=29), nullable=True),
        sa.Column("answer", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(item_id IS NULL AND answer IS NULL) = (request_sha256 IS NULL)",
            name=op.f("ck_idempotency_keys_bound_when_done"),
        ),
        sa.CheckConstraint(
            "item_id IS NULL OR answer IS NULL", name=op.f("ck_idempotency_keys_deposit_or_act")
        ),
        sa.ForeignKeyConstraint(["actor_id"], ["actors.id"], name="fk_idempotency_keys_actor_id"),
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["items.id"],
            name="fk_idempotency_keys_item_id",
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("actor_id", "endpoint", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_item_id", "idempotency_keys", ["item_id"], unique=False)


def _create_people() -> None:
    op.create_table(
        "login_attempts",
        sa.Column("kind", sa.String(length=7), nullable=False),
        sa.Column("key_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('account', 'address', 'pair')", name=op.f("ck_login_attempts_kind")),
        sa.CheckConstraint("length(key_sha256) = 32", name=op.f("ck_login_attempts_key_sha256_length")),
        sa.PrimaryKeyConstraint("kind", "key_sha256", name="pk_login_attempts"),
    )
    op.create_index("ix_login_attempts_last_at", "login_attempts", ["last_at"], unique=False)
    op.create_table(
        "oidc_flows",
        sa.Column("state_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("browser_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("verifier", sa.String(length=128), nullable=False),
        sa.Column("role", sa.String(length=6), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(browser_sha256) = 32", name=op.f("ck_oidc_flows_browser_sha256_length")),
        sa.CheckConstraint("length(state_sha256) = 32", name=op.f("ck_oidc_flows_state_sha256_length")),
        sa.PrimaryKeyConstraint("state_sha256", name="pk_oidc_flows"),
    )
    op.create_index("ix_oidc_flows_expires_at", "oidc_flows", ["expires_at"], unique=False)
    op.create_table(
        "organisations",
        sa.Column("id", sa.String(length=29), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organisations"),
    )
    op.create_table(
        "actors",
        sa.Column("id", sa.String(length=29), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("organisation_id", sa.String(length=29), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trusted_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('person', 'program', 'pseudonym', 'system')", name=op.f("ck_actors_kind")
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name="fk_actors_organisation_id"),
        sa.PrimaryKeyConstraint("id", name="pk_actors"),
    )
    op.create_table(
        "actor_roles",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("actor_id", sa.String(length=29), nullable=False),
        sa.Column("role", sa.String(length=6), nullable=False),
        sa.Column("licence_number", sa.String(length=100), nullable=True),
        sa.Column("jurisdiction", sa.String(length=10), nullable=True),
        sa.Column("given_by", sa.String(length=29), nullable=True),
        sa.Column("confirmed_by", sa.String(length=29), nullable=True),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "role NOT IN ('AT', 'NO', 'AP') OR (licence_number IS NOT NULL AND jurisdiction IS NOT NULL)",
            name=op.f("ck_actor_roles_licensed"),
        ),
        sa.CheckConstraint("confirmed_by <> actor_id", name=op.f("ck_actor_roles_not_his_own")),
        sa.CheckConstraint("confirmed_by <> given_by", name=op.f("ck_actor_roles_two_persons")),
        sa.ForeignKeyConstraint(["actor_id"], ["actors.id"], name="fk_actor_roles_actor_id"),
        sa.ForeignKeyConstraint(["confirmed_by"], ["actors.id"], name="fk_actor_roles_confirmed_by"),
        sa.ForeignKeyConstraint(["given_by"], ["actors.id"], name="fk_actor_roles_given_by"),
        sa.PrimaryKeyConstraint("id", name="pk_actor_roles"),
    )
    op.create_index(
        "uq_actor_roles_live",
        "actor_roles",
        ["actor_id", "role"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "logins",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("actor_id", sa.String(length=29), nullable=False),
        sa.Column("issuer", sa.String(length=300), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("password", sa.String(length=200), nullable=True),
        sa.Column("basis", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("basis IN ('operator', 'one', 'two')", name=op.f("ck_logins_basis")),
        sa.ForeignKeyConstraint(["actor_id"], ["actors.id"], name="fk_logins_actor_id"),
        sa.PrimaryKeyConstraint("id", name="pk_logins"),
        sa.UniqueConstraint("issuer", "subject", name="uq_logins_issuer_subject"),
    )
    op.create_index("ix_logins_actor_id", "logins", ["actor_id"], unique=False)
    op.create_table(
        "proposals",
        sa.Column("id", sa.String(length=29), nullable=False),
        sa.Column("kind", sa.String(length=5), nullable=False),
        sa.Column("person_id", sa.String(length=29), nullable=False),
        sa.Column("role", sa.String(length=6), nullable=True),
        sa.Column("licence_number", sa.String(length=100), nullable=True),
        sa.Column("jurisdiction", sa.String(length=10), nullable=True),
        sa.Column("issuer", sa.String(length=300), nullable=True),
        sa.Column("subject", sa.String(length=255), nullable=True),
        sa.Column("half_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("proposed_by", sa.String(length=29), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(length=29), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=9), nullable=True),
        sa.CheckConstraint("kind IN ('role', 'reset', 'link')", name=op.f("ck_proposals_kind")),
        sa.CheckConstraint(
            "outcome <> 'confirmed' OR decided_by <> person_id", name=op.f("ck_proposals_not_his_own")
        ),
        sa.CheckConstraint(
            "outcome <> 'confirmed' OR decided_by <> proposed_by", name=op.f("ck_proposals_two_persons")
        ),
        sa.CheckConstraint(
            "outcome IN ('confirmed', 'refused', 'withdrawn')", name=op.f("ck_proposals_outcome")
        ),
        sa.CheckConstraint("(outcome IS NULL) = (decided_at IS NULL)", name=op.f("ck_proposals_decided")),
        sa.CheckConstraint("length(half_sha256) = 32", name=op.f("ck_proposals_half_sha256_length")),
        sa.ForeignKeyConstraint(["decided_by"], ["actors.id"], name="fk_proposals_decided_by"),
        sa.ForeignKeyConstraint(["person_id"], ["actors.id"], name="fk_proposals_person_id"),
        sa.ForeignKeyConstraint(["proposed_by"], ["actors.id"], name="fk_proposals_proposed_by"),
        sa.PrimaryKeyConstraint("id", name="pk_proposals"),
    )
    op.create_index("ix_proposals_person_id", "proposals", ["person_id"], unique=False)
    op.create_table(
        "pseudonyms",
        sa.Column("actor_id", sa.String(length=29), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["actors.id"], name="fk_pseudonyms_actor_id"),
        sa.PrimaryKeyConstraint("actor_id", name="pk_pseudonyms"),
    )
    op.create_table(
        "credentials",
        sa.Column("token_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=7), nullable=False),
        sa.Column("actor_id", sa.String(length=29), nullable=False),
        sa.Column("role_id", BIG_ID, nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("scopes", sa.String(length=200), nullable=False),
        sa.Column("auth", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("idle_s", sa.Integer(), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind <> 'session' OR "
            "(idle_s IS NOT NULL AND ends_at IS NOT NULL AND expires_at IS NOT NULL AND expires_at <= ends_at)",
            name=op.f("ck_credentials_session_ends"),
        ),
        sa.CheckConstraint("kind IN ('token', 'session')", name=op.f("ck_credentials_kind")),
        sa.CheckConstraint("length(token_sha256) = 32", name=op.f("ck_credentials_token_sha256_length")),
        sa.ForeignKeyConstraint(["actor_id"], ["actors.id"], name="fk_credentials_actor_id"),
        sa.ForeignKeyConstraint(["role_id"], ["actor_roles.id"], name="fk_credentials_role_id"),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_credentials"),
    )
    op.create_index("ix_credentials_actor_id", "credentials", ["actor_id"], unique=False)
    op.create_table(
        "enrolments",
        sa.Column("code_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("login_id", BIG_ID, nullable=False),
        sa.Column("basis", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(code_sha256) = 32", name=op.f("ck_enrolments_code_sha256_length")),
        sa.ForeignKeyConstraint(["login_id"], ["logins.id"], name="fk_enrolments_login_id"),
        sa.PrimaryKeyConstraint("code_sha256", name="pk_enrolments"),
    )
    op.create_index("ix_enrolments_login_id", "enrolments", ["login_id"], unique=False)


def _create_cases() -> None:
    op.create_table(
        "cases",
        sa.Column("id", sa.String(length=29), nullable=False),
        sa.Column("event_id", BIG_ID, nullable=False),
        sa.Column("opened_by", sa.String(length=29), nullable=False),
        sa.Column("opened_role", sa.String(length=6), nullable=False),
        sa.Column("forum", sa.String(length=64), nullable=False),
        sa.Column("jurisdiction", sa.String(length=64), nullable=False),
        sa.Column("confidentiality", sa.String(length=10), nullable=False),
        sa.Column("mediation_only", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_cases_event_id")),
        sa.ForeignKeyConstraint(["opened_by"], ["actors.id"], name=op.f("fk_cases_opened_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("event_id", name=op.f("uq_cases_event_id")),
    )
    op.create_index(op.f("ix_cases_opened_by"), "cases", ["opened_by"], unique=False)
    op.create_table(
        "exports",
        sa.Column("id", sa.String(length=29), nullable=False),
        sa.Column("actor_id", sa.String(length=29), nullable=False),
        sa.Column("case_id", sa.String(length=29), nullable=True),
        sa.Column("case_event_id", BIG_ID, nullable=True),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cut_size", sa.BigInteger(), nullable=True),
        sa.Column("parts_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("checkpoint_size", BIG_ID, nullable=True),
        sa.Column("bundle_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("bundle_size", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["actor_id"], ["actors.id"], name="fk_exports_actor_id"),
        sa.ForeignKeyConstraint(["case_event_id"], ["events.id"], name="fk_exports_case_event_id"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_exports_case_id"),
        sa.ForeignKeyConstraint(["checkpoint_size"], ["checkpoints.size"], name="fk_exports_checkpoint_size"),
        sa.PrimaryKeyConstraint("id", name="pk_exports"),
    )
    op.create_index("ix_exports_actor_id", "exports", ["actor_id"], unique=False)
    op.create_table(
        "export_items",
        sa.Column("export_id", sa.String(length=29), nullable=False),
        sa.Column("item_id", sa.String(length=29), nullable=False),
        sa.Column("event_id", BIG_ID, nullable=True),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_export_items_event_id"),
        sa.ForeignKeyConstraint(["export_id"], ["exports.id"], name="fk_export_items_export_id"),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_export_items_item_id"),
        sa.PrimaryKeyConstraint("export_id", "item_id", name="pk_export_items"),
    )
    op.create_index("ix_export_items_item_id", "export_items", ["item_id"], unique=False)
    op.create_table(
        "export_parts",
        sa.Column("export_id", sa.String(length=29), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["export_id"], ["exports.id"], name="fk_export_parts_export_id"),
        sa.PrimaryKeyConstraint("export_id", "path", name="pk_export_parts"),
    )
    op.create_table(
        "case_parties",
        sa.Column("case_id", sa.String(length=29), nullable=False),
        sa.Column("party", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("side", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=29), nullable=True),
        sa.Column("event_id", BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_parties_case_id")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_case_parties_event_id")),
        sa.ForeignKeyConstraint(["person_id"], ["actors.id"], name=op.f("fk_case_parties_person_id")),
        sa.PrimaryKeyConstraint("case_id", "party", name=op.f("pk_case_parties")),
    )
    op.create_index(op.f("ix_case_parties_person_id"), "case_parties", ["person_id"], unique=False)
    op.create_table(
        "case_items",
        sa.Column("case_id", sa.String(length=29), nullable=False),
        sa.Column("item_id", sa.String(length=29), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("copies", sa.Integer(), nullable=True),
        sa.Column("event_id", BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_items_case_id")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_case_items_event_id")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_case_items_item_id")),
        sa.PrimaryKeyConstraint("case_id", "item_id", name=op.f("pk_case_items")),
        sa.UniqueConstraint("case_id", "number", name=op.f("uq_case_items_case_id_number")),
    )
    op.create_index(op.f("ix_case_items_item_id"), "case_items", ["item_id"], unique=False)
    op.create_table(
        "consents",
        sa.Column("case_id", sa.String(length=29), nullable=False),
        sa.Column("party", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("for_case", sa.String(length=29), nullable=False),
        sa.Column("item_id", sa.String(length=29), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_consents_case_id")),
        sa.ForeignKeyConstraint(["for_case"], ["cases.id"], name=op.f("fk_consents_for_case")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_consents_item_id")),
        sa.PrimaryKeyConstraint("case_id", "party", "for_case", "item_id", name=op.f("pk_consents")),
    )
    op.create_index(op.f("ix_consents_item_id"), "consents", ["item_id"], unique=False)
    op.create_table(
        "orders",
        sa.Column("id", sa.String(length=29), nullable=False),
        sa.Column("event_id", BIG_ID, nullable=False),
        sa.Column("case_id", sa.String(length=29), nullable=False),
        sa.Column("court", sa.String(length=200), nullable=False),
        sa.Column("registered_by", sa.String(length=29), nullable=False),
        sa.Column("respondent_id", sa.String(length=29), nullable=True),
        sa.Column("reveals", sa.Boolean(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("returned_event_id", BIG_ID, nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_orders_case_id")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_orders_event_id")),
        sa.ForeignKeyConstraint(["registered_by"], ["actors.id"], name=op.f("fk_orders_registered_by")),
        sa.ForeignKeyConstraint(["respondent_id"], ["actors.id"], name=op.f("fk_orders_respondent_id")),
        sa.ForeignKeyConstraint(
            ["returned_event_id"], ["events.id"], name=op.f("fk_orders_returned_event_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("event_id", name=op.f("uq_orders_event_id")),
    )
    op.create_index(op.f("ix_orders_case_id"), "orders", ["case_id"], unique=False)
    op.create_index(op.f("ix_orders_respondent_id"), "orders", ["respondent_id"], unique=False)
    op.create_table(
        "opinions",
        sa.Column("item_id", sa.String(length=29), nullable=False),
        sa.Column("case_id", sa.String(length=29), nullable=False),
        sa.Column("author_id", sa.String(length=29), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unsealed_seq", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_opinions_item_id"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_opinions_case_id"),
        sa.ForeignKeyConstraint(["author_id"], ["actors.id"], name="fk_opinions_author_id"),
        sa.PrimaryKeyConstraint("item_id", name="pk_opinions"),
    )
    op.create_index("ix_opinions_case_id", "opinions", ["case_id"], unique=False)
    op.create_index("ix_opinions_author_id", "opinions", ["author_id"], unique=False)
    op.create_table(
        "grants",
        sa.Column("id", sa.String(length=29), nullable=False),
        sa.Column("event_id", BIG_ID, nullable=False),
        sa.Column("grantee_id", sa.String(length=29), nullable=False),
        sa.Column("grantee_role", sa.String(length=6), nullable=False),
        sa.Column("organisation_id", sa.String(length=29), nullable=True),
        sa.Column("giver_id", sa.String(length=29), nullable=False),
        sa.Column("holder_id", sa.String(length=29), nullable=True),
        sa.Column("case_id", sa.String(length=29), nullable=True),
        sa.Column("order_id", sa.String(length=29), nullable=True),
        sa.Column("parent_id", sa.String(length=29), nullable=True),
        sa.Column("actions", sa.String(length=200), nullable=False),
        sa.Column("whole_case", sa.Boolean(), nullable=False),
        sa.Column("onward", sa.Boolean(), nullable=False),
        sa.Column("jurisdiction", sa.String(length=64), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("view_limit", sa.Integer(), nullable=True),
        sa.Column("views_used", sa.Integer(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("not_before < expires_at", name=op.f("ck_grants_lasts")),
        sa.CheckConstraint("view_limit IS NULL OR view_limit >= 1", name=op.f("ck_grants_view_limit")),
        sa.CheckConstraint("views_used >= 0", name=op.f("ck_grants_views_used")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_grants_case_id")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_grants_event_id")),
        sa.ForeignKeyConstraint(["giver_id"], ["actors.id"], name=op.f("fk_grants_giver_id")),
        sa.ForeignKeyConstraint(["grantee_id"], ["actors.id"], name=op.f("fk_grants_grantee_id")),
        sa.ForeignKeyConstraint(["holder_id"], ["actors.id"], name=op.f("fk_grants_holder_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_grants_order_id")),
        sa.ForeignKeyConstraint(["parent_id"], ["grants.id"], name=op.f("fk_grants_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    op.create_index(op.f("ix_grants_case_id"), "grants", ["case_id"], unique=False)
    op.create_index("ix_grants_closed_at_expires_at", "grants", ["closed_at", "expires_at"], unique=False)
    op.create_index(op.f("ix_grants_giver_id"), "grants", ["giver_id"], unique=False)
    op.create_index(op.f("ix_grants_grantee_id"), "grants", ["grantee_id"], unique=False)
    op.create_index(op.f("ix_grants_holder_id"), "grants", ["holder_id"], unique=False)
    op.create_index(op.f("ix_grants_order_id"), "grants", ["order_id"], unique=False)
    op.create_index(op.f("ix_grants_parent_id"), "grants", ["parent_id"], unique=False)
    op.create_table(
        "grant_items",
        sa.Column("grant_id", sa.String(length=29), nullable=False),
        sa.Column("item_id", sa.String(length=29), nullable=False),
        sa.Column("undertaking_event_id", BIG_ID, nullable=True),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"], name=op.f("fk_grant_items_grant_id")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_grant_items_item_id")),
        sa.ForeignKeyConstraint(
            ["undertaking_event_id"], ["events.id"], name=op.f("fk_grant_items_undertaking_event_id")
        ),
        sa.PrimaryKeyConstraint("grant_id", "item_id", name=op.f("pk_grant_items")),
    )
    op.create_index(op.f("ix_grant_items_item_id"), "grant_items", ["item_id"], unique=False)
    op.create_table(
        "refusals",
        sa.Column("principal_id", sa.String(length=29), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refusals", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["principal_id"], ["actors.id"], name=op.f("fk_refusals_principal_id")),
        sa.PrimaryKeyConstraint("principal_id", "hour", name=op.f("pk_refusals")),
    )
    op.create_table(
        "notices",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("person_id", sa.String(length=29), nullable=True),
        sa.Column("role", sa.String(length=6), nullable=True),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("event_id", BIG_ID, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(person_id IS NULL) <> (role IS NULL)", name=op.f("ck_notices_one_recipient")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_notices_event_id")),
        sa.ForeignKeyConstraint(["person_id"], ["actors.id"], name=op.f("fk_notices_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    op.create_index("ix_notices_person_id", "notices", ["person_id"], unique=False)
    op.create_index("ix_notices_role", "notices", ["role"], unique=False)
