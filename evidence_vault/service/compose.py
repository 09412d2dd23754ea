"""From settings to a running vault: store and signers, submitters, workers, app; one clock for all of them.

    settings ──► vault (database, blobs, keys, submitters) ──► check ──► app ── lifespan: workers … stop ─► close
                                                                    └─► apps of processes that help (`crew`)

At start the store is compared with everything that was ever shown to others; where it disagrees, the vault
still answers, read-only, and says why. The same code runs every class of vault: what a development vault has
beside it (an authority and a chain of its own) is reached over HTTP like anybody else's.

What speaks Ethereum takes 40 MB to load: only a vault that has a network, or a chain of its own, loads it.
What asks timestamp authorities takes 10 MB: only a vault that has one loads it.
"""

import logging
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial

from fastapi import APIRouter, FastAPI

from anchors.base import HttpClient, Submitter, Watcher
from anchors.values import replace
from evidence_vault.api.app import create_app
from evidence_vault.authority_settings import TimestampAuthority
from evidence_vault.client.http import GuardedClient
from evidence_vault.errors import ConfigError, EvidenceError, FormatError
from evidence_vault.network_settings import Network as NetworkSettings
from evidence_vault.pipeline.anchoring.anchor import advance_anchor
from evidence_vault.pipeline.anchoring.joining import named_anchors
from evidence_vault.pipeline.cases.visible import visible_to
from evidence_vault.pipeline.export.export import advance_export
from evidence_vault.pipeline.log.cosign import compare_with_witness
from evidence_vault.pipeline.notices import webhooks
from evidence_vault.pipeline.operation.start import check_start
from evidence_vault.pipeline.times.revocation import advance_revocation
from evidence_vault.pipeline.vault import Clock, Vault, build_vault, system_clock
from evidence_vault.service.bitcoin import bitcoin_submitter
from evidence_vault.settings import Settings
from evidence_vault.store.home_lock import place_of, serving
from evidence_vault.store.queries import jobs
from evidence_vault.store.schema import require_current
from evidence_vault.verify.pem import parse_pem_chain
from evidence_vault.workers.runner import Runner, Work, singly, timestamp_work

LOG = logging.getLogger("evidence_vault.service")

COMPARE_WITHIN_S = 30.0
"""How long the log waits at start for networks to answer: far less than receipts promise, and enough for a
node that is there."""


def open_vault(settings: Settings, *, clock: Clock = system_clock) -> Vault:
    """Return the vault in `settings.home` with all it needs to run. Raises ConfigError.

    Nothing is checked against what others have seen: `held_vault` does.
    """
    vault = build_vault(settings, clock=clock)
    require_current(vault.database)
    http = GuardedClient(permitted=settings.private_endpoints)
    timestamp = {
        a.name: authority_submitter(settings, a, http=http, clock=clock) for a in settings.authorities
    }
    submitters, watchers = _networks(vault, http)
    bitcoin = {one.name: bitcoin_submitter(vault, one, http) for one in settings.bitcoin}
    anchoring = {**submitters, **bitcoin}
    return replace(
        vault, submitters={"timestamp": timestamp, "anchor": anchoring}, watchers={**watchers, **bitcoin}
    )


@contextmanager
def held_vault(settings: Settings, *, clock: Clock = system_clock) -> Iterator[Vault]:
    """Hold the vault in `settings.home`, compared with all that was shown to others, for whoever serves it.

    It has no connection: processes may be forked with it, and hold the home too. Raises ConfigError for settings or
    a home that can't be used, or that a command has for itself.
    """
    vault = open_vault(settings, clock=clock)
    check = check_start(vault)
    for problem in check.problems:
        LOG.error("read-only", extra={"error": problem})
    with serving(settings.home, when_first=partial(free_dead_leases, vault)):
        vault.database.dispose()
        yield vault


def working_app(vault: Vault) -> FastAPI:
    """Return the app of the process that answers and does the work in the background, from start to end."""
    extra: Sequence[APIRouter] = ()
    close: Callable[[], None] = vault.database.dispose
    if vault.settings.log_class == "development":
        from evidence_vault.service.development import open_development  # noqa: PLC0415 - see above
        from evidence_vault.service.development_routes import development_routes  # noqa: PLC0415 - likewise

        parts = open_development(vault.settings.home, vault.clock)
        extra = (development_routes(parts, vault.clock),)

        def close() -> None:
            parts.chain.close()
            vault.database.dispose()

    runner = Runner(vault, all_work(vault))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # Nodes answer when they answer, and a development chain only once this app does.
        compared = Comparison(vault, then=runner.start)
        compared.start()
        try:
            yield
        finally:
            compared.stop()
            runner.stop()
            close()

    return create_app(vault, lifespan=lifespan, extra=extra)


def helping_app(vault: Vault) -> FastAPI:
    """Return the app of a process that only answers, beside the one that also works."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            vault.database.dispose()

    return create_app(vault, lifespan=lifespan)


def free_dead_leases(vault: Vault) -> None:
    """Give back what workers that were killed still hold, so that it need not wait for the end of their leases.

    Nobody else serves from this home now. SQLite's file belongs to it, so all leases are of the dead. On PostgreSQL
    a worker of another machine may be alive: there only those go that were taken from this very home. Were that
    mistaken for another's, work would be done twice and recorded once: a lease saves work, it guards nothing.
    """
    if not vault.gate.reasons:
        with vault.database.write() as session:
            jobs.release_leases(session, "" if vault.database.is_sqlite else place_of(vault.settings.home))


def all_work(vault: Vault) -> Mapping[str, Work]:
    """Return the work of a whole vault, by kind of job."""
    http = GuardedClient(permitted=vault.settings.private_endpoints)
    to_receivers = GuardedClient(permitted=vault.settings.webhooks.private_endpoints)
    return {
        **timestamp_work(vault),
        "revocation": Work(stage=singly(partial(advance_revocation, http=http))),
        "anchor": Work(
            stage=singly(advance_anchor), targets=dict.fromkeys(vault.submitters.get("anchor", ()), 1)
        ),
        "export": Work(stage=singly(advance_export)),
        "webhook": Work(
            stage=singly(partial(webhooks.advance_webhook, http=to_receivers, see_as=visible_to)),
            targets=webhooks.RECEIVERS_AT_ONCE,
            apart=True,
        ),
    }


class Comparison:
    """Asks every network for our last anchor, and lets the work begin only then: `then` is called once.

    Every witness is asked too, for the checkpoint it cosigned last, once and all at a time: one that is down or has
    forgotten says nothing, and whoever asks it later for a line hears the same.

    A backup of the whole home agrees with itself; only the chain remembers more. Were the log to grow before
    it was asked, a restored backup would publish a second history. A network that doesn't answer is no proof
    of anything: after COMPARE_WITHIN_S the work begins without it, and it is asked on until it answers.
    """

    def __init__(self, vault: Vault, *, then: Callable[[], None]) -> None:
        self._vault, self._then = vault, then
        self._stopping = threading.Event()
        self._step = threading.Lock()
        self._began = False

    def start(self) -> None:
        """Begin to ask, in a thread of its own."""
        threading.Thread(target=self._run, name="compare-chains", daemon=True).start()

    def stop(self) -> None:
        """From now on the work does not begin any more."""
        self._stopping.set()
        with self._step:  # where it is just beginning, it has begun
            return

    def _run(self) -> None:
        waiting = list(self._vault.settings.networks)
        self._ask_witnesses()
        asked_since, pause_s = time.monotonic(), 0.1
        while True:
            waiting = [network for network in waiting if not check_chain(self._vault, network)]
            if not waiting or time.monotonic() - asked_since >= COMPARE_WITHIN_S:
                self._begin()
            if not waiting or self._stopping.wait(pause_s):
                return
            pause_s = min(2 * pause_s, self._vault.settings.retry_most_s)

    def _ask_witnesses(self) -> None:
        http = GuardedClient(permitted=self._vault.settings.private_endpoints)
        asking = [
            threading.Thread(target=compare_with_witness, args=(self._vault, witness, http), daemon=True)
            for witness in self._vault.settings.witnesses
        ]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()  # each has its own deadline

    def _begin(self) -> None:
        with self._step:
            if not self._began and not self._stopping.is_set():
                self._began = True
                self._then()


def check_chain(vault: Vault, network: NetworkSettings) -> bool:
    """Shut the gate if the network holds an anchor of ours that the database doesn't know: it is too old.

    Returns whether the network answered.
    """
    try:
        problem = _compare_with_chain(vault, network)
    except EvidenceError as error:
        LOG.warning("anchors not compared", extra={"target": network.name, "error": str(error)})
        return False
    if problem:
        LOG.critical("read-only", extra={"target": network.name, "error": problem})
        vault.gate.shut(problem)
    return True


def authority_submitter(
    settings: Settings, authority: TimestampAuthority, *, clock: Clock, http: HttpClient | None = None
) -> Submitter:
    """Return who asks this authority. http: of those without TLS of their own. Raises ConfigError."""
    from anchors.rfc3161.submit import Rfc3161Submitter, TsaConfig  # noqa: PLC0415 - see above: what it loads

    config = TsaConfig(
        name=authority.name,
        group=authority.group,
        url=authority.url,
        roots=_roots(settings, authority),
        policy=authority.policy,
        tsa_class=authority.log_class,
        timeout_s=authority.timeout_s,
        headers={name: value.get_secret_value() for name, value in authority.headers.items()},
    )
    tls = _tls(settings, authority)
    if http is None or tls is not None:
        http = GuardedClient(permitted=settings.private_endpoints, tls=tls)
    return Rfc3161Submitter(config, http, clock)


def _tls(settings: Settings, authority: TimestampAuthority) -> ssl.SSLContext | None:
    """TLS of an authority that has roots of its own, or wants to know who asks; None for the usual one."""
    roots, own = authority.tls_roots_file, authority.client_certificate_file
    if roots is None and own is None:
        return None
    try:
        context = ssl.create_default_context(cafile=None if roots is None else settings.home / roots)
        if own is not None:
            context.load_cert_chain(settings.home / own)
    except OSError as error:
        raise ConfigError(f"authorities.{authority.name}.tls", str(error)) from None
    return context


def _roots(settings: Settings, authority: TimestampAuthority) -> tuple[bytes, ...]:
    try:
        return parse_pem_chain(
            authority.load_roots_pem(settings.home).encode("ascii"), place=f"roots of {authority.name}"
        )
    except (FormatError, UnicodeEncodeError) as error:
        raise ConfigError(f"authorities.{authority.name}.roots", str(error)) from None


def _networks(vault: Vault, http: HttpClient) -> tuple[Mapping[str, Submitter], Mapping[str, Watcher]]:
    if not vault.settings.networks:
        return {}, {}
    from evidence_vault.service.networks import submitter_to  # noqa: PLC0415 - see above: what it loads

    made = {network.name: submitter_to(vault, network, http) for network in vault.settings.networks}
    with vault.database.read() as session:
        named = named_anchors(session)
    for name in [name for name, submitter in made.items() if dict(submitter.anchor) not in named]:
        LOG.error(
            "the log does not name this network: run `evidence-vault chain add`", extra={"target": name}
        )
        del made[name]
    return made, made


def _compare_with_chain(vault: Vault, network: NetworkSettings) -> str | None:
    from evidence_vault.service.networks import compare_with_chain  # noqa: PLC0415 - see above: what it loads

    return compare_with_chain(vault, network)
