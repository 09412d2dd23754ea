"""The claim a deposit holds while it runs: its idempotency key, and the promise that the log can keep up.

The key is held under a lease, renewed while bytes come in. Who loses it can't commit any more, so a slow
upload and its repetition never both become an item; a dead one holds the key no longer than its lease.
"""

from contextlib import suppress
from datetime import timedelta

from sqlalchemy.orm import Session

from evidence_vault.errors import IntegrityError, UnavailableError
from evidence_vault.pipeline.intake.commit import too_many_pending
from evidence_vault.pipeline.intake.wishes import Wish
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import idempotency


class Claim:
    """The idempotency key of a deposit, if it has one, while the deposit runs."""

    def __init__(self, vault: Vault, wish: Wish) -> None:
        """See that there is room in the log, and claim the key."""
        self._vault = vault
        self._scope: idempotency.Scope | None = None
        self._holder = vault.random(16).hex()
        self.completed: idempotency.Completed | None = None
        if wish.idempotency_key is None:
            with vault.database.read() as session:
                _require_short_queue(vault, session)
            return
        self._scope = idempotency.Scope(
            actor_id=wish.actor.id, endpoint=wish.endpoint, key=wish.idempotency_key
        )
        self._set_lease()
        with vault.database.write() as session:
            _require_short_queue(vault, session)
            self.completed = idempotency.claim(
                session,
                self._scope,
                holder=self._holder,
                now=vault.clock(),
                lease_until=self._lease_until,
            )

    @property
    def holder(self) -> str:
        """Who holds the key, for the transaction that binds it."""
        return self._holder

    def keep(self) -> None:
        """Renew the lease when half of it is over: uploads may take hours."""
        if self._scope is None or self.completed is not None or self._vault.clock() < self._renew_at:
            return
        self._set_lease()
        with self._vault.database.write() as session:
            idempotency.renew(session, self._scope, holder=self._holder, lease_until=self._lease_until)

    def release(self) -> None:
        """Free the key: nothing came of the deposit. If this fails too, the lease ends by itself."""
        if self._scope is None or self.completed is not None:
            return
        # The error that ended the deposit is the one to report.
        with suppress(UnavailableError, IntegrityError), self._vault.database.write() as session:
            idempotency.forget(session, self._scope, holder=self._holder)

    def _set_lease(self) -> None:
        lease = timedelta(seconds=self._vault.settings.upload_lease_s)
        now = self._vault.clock()
        self._lease_until, self._renew_at = now + lease, now + lease / 2


def _require_short_queue(vault: Vault, session: Session) -> None:
    """A promise to log within an hour is only made while the queue is short enough to keep it."""
    if not vault.backlog.room(session, wanted=1, limit=vault.settings.max_pending_events):
        raise too_many_pending()
