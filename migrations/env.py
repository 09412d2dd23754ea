"""Alembic's entry: the connection comes from `store.schema.upgrade`; there is no ini file.

A migration that can't get its locks in time gives up instead of making all deposits wait behind it. The limits
end with its transaction; the connection goes back to the pool.
"""

from alembic import context

from evidence_vault.store import models

LOCK_TIMEOUT_MS = 5_000
STATEMENT_TIMEOUT_MS = 600_000

connection = context.config.attributes["connection"]
if connection.dialect.name == "postgresql":
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}")
context.configure(
    connection=connection,
    target_metadata=models.Event.metadata,
    compare_type=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
