"""The runner: threads that keep the log going and advance what is due. No state in memory.

    log thread       sequence → publish → order proofs, every checkpoint interval
    job threads      claim under a lease → advance → record, for one kind each, some of them by target; for a kind
                     whose jobs wait for many others' answers, a thread that claims and one for each job (`lane`)
    witness threads  ask one witness each for its line under the newest checkpoint; nobody waits for them
    watch threads    look the newest final anchors of one network up again each, and the sender's money
    keeper thread    looks for uploads without a record, all of the store within the hour
    fixity thread    reads all contents again, over weeks
    presence thread  states the platform, gives a sign of life, notices that there was none
    access thread    tells the end of grants, and how often anybody was refused in the last hour
    uploads thread   finishes resumable uploads that a crash left whole, ends those that are over, every minute

All that must be remembered is in the database, so a thread, a process or a machine may stop at any moment
and any other goes on. A stage records its own outcome in its own transaction; the runner only claims, and
puts a job off when its stage fails in a way that the stage doesn't know.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial

from anchors.values import field, replace, value
from evidence_vault.client.http import GuardedClient
from evidence_vault.errors import Conflict, EvidenceError, IntegrityError, ReadOnly, UnavailableError
from evidence_vault.pipeline.anchoring.gaps import watch_gaps
from evidence_vault.pipeline.anchoring.watch import watch_anchors, watch_funds
from evidence_vault.pipeline.cases.ending import expire_grants
from evidence_vault.pipeline.custody.retentions import warn_of_ends
from evidence_vault.pipeline.custody.sweep import ROUND_S as ROUND_OF_SWEEP_S
from evidence_vault.pipeline.custody.sweep import sweep_round
from evidence_vault.pipeline.intake.orphans import ROUND_S, OrphanWalk
from evidence_vault.pipeline.log.cosign import ask_witness
from evidence_vault.pipeline.log.publish import order_proofs, publish
from evidence_vault.pipeline.log.sequence import BATCH_LEAVES, sequence
from evidence_vault.pipeline.notices.webhooks import hasten_webhooks
from evidence_vault.pipeline.people.refusals import record_refusals
from evidence_vault.pipeline.platform.presence import beat, state_platform
from evidence_vault.pipeline.times.timestamp import TOKENS_AT_ONCE
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.home_lock import place_of
from evidence_vault.store.queries import jobs, paces
from evidence_vault.store.queries.jobs import Claimed
from evidence_vault.workers.exchanges import obtain_timestamps
from evidence_vault.workers.keeping import keep_uploads
from evidence_vault.workers.lane import Lane

LOGGER = logging.getLogger("evidence_vault.workers")
STOP_WITHIN_S = 30.0
"""A stopping runner waits so long for its threads; what they leave is picked up when their leases end."""

KEEP_UPLOADS_S = 60.0
"""Whoever asks for a whole upload finishes it himself; this is for those who never ask."""

KEEP_ACCESS_S = 5.0
"""Grants end by the clock; this is how soon their history says so."""

Failed = tuple[Claimed, Exception]
Stage = Callable[[Vault, Sequence[Claimed]], Iterable[Failed]]
"""Advances the jobs that were claimed together and records where each then stands; returns those that it couldn't
record, with their errors. One that fails touches no other; what is raised concerns all."""


@value
class Choice:
    """Which jobs of a kind: one target's, or those of all but some; and how many at once.

    apart: each is advanced by itself, and whichever is done makes room for the next; else they are claimed, and
    advanced, together.
    """

    target: str | None = None
    besides: tuple[str, ...] = ()
    at_once: int = 1
    apart: bool = False


@value
class Work:
    """A kind of job, and the stage that advances it.

    targets: those that have a thread of their own, so that one that is slow delays no other, with how many of its
    jobs go on at once, together or apart; jobs about others, and all if there are none, share a thread and come one
    at a time. While a target of its own rests (`Pace`), its jobs stay as they are.
    """

    stage: Stage
    targets: Mapping[str, int] = field(default_factory=dict)
    apart: bool = False

    @property
    def choices(self) -> tuple[Choice, ...]:
        """What each of the threads claims."""
        own = (Choice(target=one, at_once=most, apart=self.apart) for one, most in self.targets.items())
        return (*own, Choice(besides=tuple(self.targets)))


EVERY = Choice()


def singly(advance: Callable[[Vault, Claimed], None]) -> Stage:
    """A stage whose jobs have nothing to share: each is advanced, and recorded, by itself."""

    def stage(vault: Vault, claimed: Sequence[Claimed]) -> Iterator[Failed]:
        for job in claimed:
            try:
                advance(vault, job)
            except Exception as error:  # noqa: BLE001 - it is told below, and is this job's alone
                yield job, error

    return stage


def timestamp_work(vault: Vault) -> Mapping[str, Work]:
    """Return the work that every vault has; others are added by kind."""
    targets = {
        authority.name: 1 if authority.min_interval_s else TOKENS_AT_ONCE
        for authority in vault.settings.authorities
    }
    return {"timestamp": Work(stage=obtain_timestamps, targets=targets)}


class Runner:
    """Runs the background work of one vault in this process, until it is stopped."""

    def __init__(self, vault: Vault, work: Mapping[str, Work]) -> None:
        """Prepare; nothing runs yet."""
        self._vault = vault
        self._work = work
        self._stopping = threading.Event()
        self._orphans = OrphanWalk(vault)
        self._stated = False
        self._name = f"{place_of(vault.settings.home)}-{vault.random(6).hex()}"
        self._threads: list[threading.Thread] = []
        self._lanes: list[Lane] = []

    def start(self) -> None:
        """Start all threads."""
        settings = self._vault.settings
        self._spawn("log", settings.checkpoint_interval_s, lambda: advance_log(self._vault))
        http = GuardedClient(permitted=settings.private_endpoints)
        for witness in settings.witnesses:
            step = partial(ask_witness, self._vault, witness, http)
            self._spawn(f"witness-{witness.name}", settings.checkpoint_interval_s, step)
        for network in settings.networks:
            look = partial(watch_anchors, self._vault, network.name)
            self._spawn(f"watch-{network.name}", network.watch_interval_s, look)
            gaps = partial(watch_gaps, self._vault, network.name)
            self._spawn(f"gaps-{network.name}", network.watch_interval_s, gaps)
            count = partial(watch_funds, self._vault, network)
            self._spawn(f"funds-{network.name}", network.watch_interval_s, count)
        for bitcoin in settings.bitcoin:
            look = partial(watch_anchors, self._vault, bitcoin.name)
            self._spawn(f"watch-{bitcoin.name}", bitcoin.poll_s, look)
        self._spawn("keeper", ROUND_S, self._keep_house)
        self._spawn("access", KEEP_ACCESS_S, lambda: keep_access(self._vault))
        self._spawn("uploads", KEEP_UPLOADS_S, lambda: keep_uploads(self._vault))
        sweep = partial(sweep_round, self._vault, wait=self._stopping.wait)
        self._spawn("fixity", ROUND_OF_SWEEP_S, sweep)
        self._spawn("presence", settings.presence.beat_s, self._show_presence)
        for kind, work in self._work.items():
            for number, choice in enumerate(work.choices):
                loop = self._job_loop(kind, work.stage, f"{self._name}-{kind}-{number}", choice)
                self._spawn(f"{kind}-{number}", settings.poll_interval_s, loop)

    def stop(self) -> None:
        """Let every thread finish its step, then give back what leases are left."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(STOP_WITHIN_S)
        for lane in self._lanes:
            lane.wait(STOP_WITHIN_S)
        self._threads.clear()
        try:
            with self._vault.database.write() as session:
                jobs.release_leases(session, self._name)
        except UnavailableError as error:
            LOGGER.warning("leases not given back", extra={"error": str(error)})

    def _job_loop(self, kind: str, stage: Stage, owner: str, choice: Choice) -> Callable[[], object]:
        self._lanes.append(lane := Lane(choice.at_once))
        begin = lane.begin if choice.apart else None

        def step() -> None:
            while room := lane.room(lambda: not self._stopping.is_set()):
                some = replace(choice, at_once=room)
                if not advance_due(self._vault, kind, stage, owner=owner, choice=some, begin=begin):
                    break

        return step

    def _keep_house(self) -> None:
        for item_id in self._orphans.step():
            LOGGER.warning("upload without a record", extra={"item": item_id})

    def _show_presence(self) -> None:
        if not self._stated and not self._vault.gate.reasons:
            state_platform(self._vault)
            self._stated = True
        for incident in beat(self._vault):
            LOGGER.warning("incident", extra={"stage": incident.kind, "reason": incident.summary})

    def _spawn(self, name: str, interval_s: float, step: Callable[[], object]) -> None:
        thread = threading.Thread(target=self._loop, args=(name, interval_s, step), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _loop(self, name: str, interval_s: float, step: Callable[[], object]) -> None:
        failures = 0
        while not self._stopping.is_set():
            wait_s = interval_s
            try:
                step()
                failures = 0
            except ReadOnly as error:
                LOGGER.error("vault is read-only", extra={"stage": name, "error": error.reason})
                wait_s = self._vault.settings.retry_most_s
            except IntegrityError as error:
                LOGGER.critical("store disagrees with itself", extra={"stage": name, "error": str(error)})
                self._vault.gate.shut(str(error))
            except EvidenceError as error:
                wait_s = max(interval_s, self._vault.backoff(failures).total_seconds())
                failures += 1
                LOGGER.warning("will try again", extra={"stage": name, "error": str(error), "wait_s": wait_s})
            except Exception:
                # A loop that dies takes its work with it, unseen: log what nobody foresaw, and go on.
                wait_s = max(interval_s, self._vault.backoff(failures).total_seconds())
                failures += 1
                LOGGER.exception("unforeseen error", extra={"stage": name, "wait_s": wait_s})
            self._stopping.wait(wait_s)


def keep_access(vault: Vault) -> None:
    """Write down what the clock did: grants that ended, refusals of hours that are over, what ends soon."""
    for keep in (expire_grants, record_refusals, warn_of_ends):
        keep(vault)


def advance_log(vault: Vault) -> bool:
    """Sequence all that is pending, publish it, order what it calls for; whether anything moved."""
    leaves = 0
    while taken := sequence(vault):
        leaves += taken
        if taken < BATCH_LEAVES:
            break
    head = publish(vault)
    if head is not None:
        LOGGER.info("checkpoint published", extra={"size": head.size, "leaves": leaves})
    order_proofs(vault)
    if head is not None:
        hasten_webhooks(vault)
    return head is not None


def advance_due(
    vault: Vault,
    kind: str,
    stage: Stage,
    *,
    owner: str,
    choice: Choice = EVERY,
    begin: Callable[[Callable[[], None]], None] | None = None,
) -> bool:
    """Claim due jobs of this kind and advance them; whether there were any. Raises ReadOnly.

    begin: has each job advanced later, by itself, and raises nothing of it.
    """
    vault.gate.require_open()  # before an authority or a chain is asked for what couldn't be recorded
    target, besides, limit = choice.target, choice.besides, choice.at_once
    now = vault.clock()
    lease = timedelta(seconds=vault.settings.job_lease_s)
    with vault.database.read() as session:
        if not jobs.any_due(session, kind, now=now, target=target, besides=besides):
            return False  # the usual case costs no write
        pace = paces.find_pace(session, target) if target else None
        if pace is not None and pace.free_at > now:
            return False  # it rests, and its jobs with it
        if pace is not None and pace.failures:
            limit = 1  # whether it is well again is asked with one
    with vault.database.write() as session:
        claimed = jobs.claim_due(
            session,
            [kind],
            owner=owner,
            now=now,
            lease_until=now + lease,
            limit=limit,
            target=target,
            besides=besides,
        )
    if begin is not None:
        for job in claimed:
            begin(partial(_advance, vault, [job], stage))
    elif claimed:
        _advance(vault, claimed, stage)
    return bool(claimed)


def _advance(vault: Vault, claimed: Sequence[Claimed], stage: Stage) -> None:
    """Run the stage; put off what it did not record. Raises the gravest of what nobody foresaw."""
    try:
        failed = list(stage(vault, claimed))
    except Exception as error:  # noqa: BLE001 - it is told below, with each of them
        failed = [(job, error) for job in claimed]
    unrecorded = {job.id for job, _ in failed}
    for job in claimed:
        if job.id not in unrecorded:
            LOGGER.info("job advanced", extra=_extra(job))
    unforeseen: list[Exception] = []
    for job, reason in failed:
        match reason:
            case Conflict():
                LOGGER.info("job was taken over", extra=_extra(job))
            case ReadOnly() | UnavailableError():
                LOGGER.warning("job put off", extra={**_extra(job), "error": str(reason)})
                _put_off(vault, job, str(reason))
            case _:
                _put_off(vault, job, f"{type(reason).__name__}: {reason}")
                unforeseen.append(reason)
    if unforeseen:
        raise min(unforeseen, key=lambda one: not isinstance(one, IntegrityError))


def _extra(job: Claimed) -> Mapping[str, object]:
    return {
        "job": job.id,
        "stage": job.kind,
        "subject": job.subject.id,
        "target": job.target,
        "state": job.state.value,
    }


def _put_off(vault: Vault, job: Claimed, error: str) -> None:
    """The job stays as it is in the database, and is due again later."""
    now = vault.clock()
    with vault.database.write() as session:
        jobs.put_off(session, job, run_at=now + vault.backoff(job.tries), error=error)
