"""Revocation: for every chain that tokens were made under, evidence that its certificates were not revoked.

    (1) a token's transaction wants evidence for its chain, up to a moment a little after it
    (2) what is held is looked at; what lacks is fetched      nothing is locked while others answer
    (3) the pieces are kept, and the job knows when a later one is due, in one transaction

A piece that is current at the token's time is fetched at once; when its successor is due, that one is fetched
too, because a theft is listed only after it is noticed. A chain's certificates are few and their lists serve
all its tokens: the work grows with time, not with the number of tokens. Certificates that name no address
want nothing. No event records evidence: it is signed by its issuer, and sealed with each bundle (ADR 0019).

Durable after return: the pieces, and where the job stands.
A crash before the commit means: the lease ends, and what was fetched is fetched again.
A crash after it means: nothing; a piece is kept once, whoever brings it.

A token never waits for any of this. What can't be had is tried again ever more slowly, then given up: the job
says so, and the verifier shows the token as one without evidence.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy.orm import Session

from anchors.rfc3161.certificate import Certificate, load_certificate, parse_chain
from anchors.rfc3161.evidence import Evidence, EvidenceClient, fetch_evidence, sources_of
from evidence_vault.core.events import VAULT
from evidence_vault.core.states import JobState
from evidence_vault.errors import IntegrityError, UnavailableError
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import jobs, revocation
from evidence_vault.store.queries.jobs import Claimed

KIND = "revocation"

ROUNDED_UP_BY = timedelta(minutes=1)
"""Tokens within a minute want the same evidence: a busy vault notes it once."""

GIVE_UP_AFTER = timedelta(days=14)
"""A list that is missing for longer than most lists live won't help tokens of that time any more."""

MAX_WAIT = timedelta(hours=6)
"""Between two tries, however long it has been; and after a list whose successor is overdue."""

TIMEOUT_S = 20.0
"""One address: lists come from plain web servers."""


def want_evidence(session: Session, chain: bytes, gen_time: datetime, *, now: datetime) -> None:
    """(1) Want evidence for a token's chain (PEM, verified); the caller's transaction records the token."""
    path = _path(chain)
    if not any(sources_of(one) for one in path[:-1]):
        return
    chain_sha256 = hashlib.sha256(chain).digest()
    want = revocation.get_want(session, chain_sha256)
    if want is not None and want.wanted_at >= gen_time:
        return
    wanted_at = gen_time + ROUNDED_UP_BY
    if want is None:
        revocation.add_want(session, chain_sha256, chain, wanted_at)
    else:
        want = revocation.get_want(session, chain_sha256, lock=True)
        assert want is not None
        want.wanted_at = max(want.wanted_at, wanted_at)
        session.flush()
    jobs.wake(session, KIND, VAULT, chain_sha256.hex(), at=now)


def advance_revocation(vault: Vault, job: Claimed, *, http: EvidenceClient) -> None:
    """Fetch what lacks for one chain. Raises IntegrityError for a chain that nobody wants, Conflict."""
    chain_sha256 = bytes.fromhex(job.target)
    now = vault.clock()
    with vault.database.read() as session:
        want = revocation.get_want(session, chain_sha256)
        if want is None:
            raise IntegrityError(f"revocation job {job.id}", "a chain that tokens were made under", "none")
        path, wanted_at = _path(want.chain), want.wanted_at
        lacking = [pair for pair in pairwise(path) if sources_of(pair[0])]
        due = {one: _due(session, one, wanted_at=wanted_at) for one, _ in lacking}
    # (2) only here does an address from a certificate decide where we connect to
    fetched: dict[Certificate, Evidence] = {}
    failed: dict[str, datetime] = {}
    for certificate, issuer in lacking:
        due_at = due[certificate]
        if due_at is None or due_at > now:
            continue
        try:
            fetched[certificate] = found = fetch_evidence(
                certificate, issuer, http=http, moment=min(wanted_at, now), now=now, timeout_s=TIMEOUT_S
            )
            due[certificate] = _due_after(found.this_update, found.next_update, wanted_at=wanted_at)
        except UnavailableError as error:
            failed[str(error)] = due_at
    # (3) a crash before this commit fetches again
    with vault.database.write() as session:
        for certificate, found in fetched.items():
            _keep(session, certificate, found, now=now)
        want = revocation.get_want(session, chain_sha256, lock=True)
        if want is not None and want.wanted_at > wanted_at:
            jobs.record(session, job, JobState.READY, now=now, run_at=now)  # a token came meanwhile
            return
        _record(vault, session, job, failed, [at for at in due.values() if at is not None], now=now)


def evidence_parts(session: Session, chain: bytes) -> dict[str, bytes]:
    """Return what a bundle carries beside a token of this chain: the newest piece for each certificate."""
    parts: dict[str, bytes] = {}
    for one in _path(chain)[:-1]:
        held = revocation.newest_evidence(session, hashlib.sha256(one.der).digest())
        if held is not None:
            parts[f"revocation/{len(parts)}.{held.kind}"] = held.body
    return parts


def _path(chain: bytes) -> tuple[Certificate, ...]:
    return tuple(load_certificate(der) for der in parse_chain(chain))


def _due(session: Session, one: Certificate, *, wanted_at: datetime) -> datetime | None:
    held = revocation.newest_evidence(session, hashlib.sha256(one.der).digest())
    if held is None:
        return wanted_at - ROUNDED_UP_BY
    return _due_after(held.this_update, held.next_update, wanted_at=wanted_at)


def _due_after(
    this_update: datetime, next_update: datetime | None, *, wanted_at: datetime
) -> datetime | None:
    """When a later piece is worth asking for: never, if this one was issued after all tokens."""
    if this_update >= wanted_at:
        return None
    return max(next_update or wanted_at, wanted_at)


def _keep(session: Session, certificate: Certificate, found: Evidence, *, now: datetime) -> None:
    revocation.add_evidence(
        session,
        hashlib.sha256(certificate.der).digest(),
        sha256=hashlib.sha256(found.der).digest(),
        kind=found.kind,
        body=found.der,
        this_update=found.this_update,
        next_update=found.next_update,
        fetched_at=now,
    )


def _record(
    vault: Vault,
    session: Session,
    job: Claimed,
    failed: Mapping[str, datetime],
    due: Sequence[datetime],
    *,
    now: datetime,
) -> None:
    """failed: why nothing came, and since when it was due. due: when later pieces are, past for overdue ones."""
    overdue = now - min((*failed.values(), *due), default=now)
    if not due and not failed:
        state, run_at = JobState.DONE, None
    elif overdue > GIVE_UP_AFTER:
        state, run_at = (JobState.FAILED if failed else JobState.DONE), None
    elif overdue < timedelta(0):
        state, run_at = JobState.READY, min(due)
    else:
        # Slower and slower: what didn't come for a day is asked for every few hours.
        pause = max(vault.backoff(job.tries), min(overdue / 2, MAX_WAIT))
        state, run_at = JobState.READY, now + pause
    jobs.record(session, job, state, now=now, run_at=run_at, error="; ".join(failed) or None)
