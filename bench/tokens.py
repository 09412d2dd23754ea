"""RFC 3161 tokens: judged one at a time, and obtained through the worker.

token_verify      one token whose path was seen before, beside a process of `openssl ts -verify`
token_verify_lib  the same, beside rfc3161-client in this process, which checks less (tests say what)
token_rate        tokens a second through claim, request, answer, verification and event, from an authority on this
                  machine, in a process of its own; beside as many exchanges at once and their verification, without
                  a vault
token_cpu         what a token costs this process, which says more while others work on the machine; beside the same
"""

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from secrets import token_bytes

from cryptography import x509
from rfc3161_client import VerifierBuilder, decode_timestamp_response

from anchors.base import AnchorProof, Statement
from anchors.rfc3161.certificate import parse_chain
from anchors.rfc3161.devtsa import DevelopmentTsa
from anchors.rfc3161.submit import Rfc3161Submitter, TsaConfig, encode_request, fresh_nonce
from anchors.rfc3161.verdict import Rfc3161Trust, TsaTrust, VerifiedToken
from anchors.rfc3161.verify import verify_response
from bench.authority import served_authority
from bench.rows import Row
from bench.timing import in_turns, process
from evidence_vault.client.http import GuardedClient
from evidence_vault.core.names import encode_id
from evidence_vault.pipeline.intake.deposit import begin_deposit
from evidence_vault.pipeline.intake.wishes import Wish
from evidence_vault.pipeline.operation.opening import create_keys, open_log
from evidence_vault.pipeline.record import EventActor
from evidence_vault.pipeline.vault import Vault, build_vault, system_clock
from evidence_vault.settings import Settings
from evidence_vault.store.queries import actors, jobs
from evidence_vault.store.schema import upgrade
from evidence_vault.workers.runner import Runner, timestamp_work

DATA = b"a statement"
VERIFY_ROUNDS = 15
OWNER = EventActor(id=encode_id("ac", b"bench-bench-benc"), role="RH", auth="token")


def measure(*, short: bool) -> Iterator[Row]:
    """Yield the rows. short: few tokens."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tsa = DevelopmentTsa.create(folder, system_clock() - timedelta(days=1))
        yield from _measure_verify(folder, tsa)
        with served_authority(folder) as url:
            yield from _measure_rate(folder / "vault", tsa, url, tokens=30 if short else 1000)


def _measure_verify(folder: Path, tsa: DevelopmentTsa) -> Iterator[Row]:
    now = system_clock()
    digest = hashlib.sha256(DATA).digest()
    request = encode_request(digest, nonce=fresh_nonce(), policy=None)
    response = tsa.respond(request, now)
    roots = parse_chain(tsa.root_pem.encode())
    authority = TsaTrust(name="bench", group="bench", roots=roots, tsa_class="development")
    trusted = Rfc3161Trust(authorities=(authority,), at=now, skew=timedelta(seconds=60))
    (folder / "data").write_bytes(DATA)
    (folder / "response.tsr").write_bytes(response)
    (folder / "root.pem").write_text(tsa.root_pem)

    def ours() -> None:
        judged = verify_response(
            response=response, request=request, chain=(), digests={"sha256": digest}, trusted=trusted
        )
        if not isinstance(judged, VerifiedToken):
            raise RuntimeError(f"our own token is {judged}")

    peer = VerifierBuilder().add_root_certificate(x509.load_der_x509_certificate(roots[0])).build()

    def theirs() -> None:
        peer.verify_message(decode_timestamp_response(response), DATA)

    openssl = process(
        *("openssl", "ts", "-verify", "-in", str(folder / "response.tsr"), "-data", str(folder / "data")),
        *("-CAfile", str(folder / "root.pem"), "-attime", str(int(now.timestamp()))),
    )
    ours()  # the path is seen once
    mine, other, third = in_turns(ours, openssl, theirs, rounds=VERIFY_ROUNDS)
    yield _row("token_verify", "ms", mine * 1000, "process of openssl ts -verify", other * 1000)
    yield _row("token_verify_lib", "ms", mine * 1000, "rfc3161-client, same process", third * 1000)


def _measure_rate(home: Path, tsa: DevelopmentTsa, url: str, *, tokens: int) -> Iterator[Row]:
    http_client = GuardedClient(permitted=[url.split("/")[2]])
    config = TsaConfig(name="local", group="local", url=url, roots=parse_chain(tsa.root_pem.encode()))
    submitter = Rfc3161Submitter(config, http_client, system_clock)
    vault = _vault(home, tsa, url, submitter)
    for number in range(tokens):
        with begin_deposit(vault, Wish(actor=OWNER)) as deposit:
            deposit.write(b"%d" % number)
            deposit.commit()
    runner = Runner(vault, timestamp_work(vault))

    def through_the_vault() -> None:
        runner.start()
        while _any_left(vault):
            time.sleep(0.05)

    def alone() -> None:
        with ThreadPoolExecutor(vault.settings.authorities[0].exchanges) as threads:
            if not all(threads.map(partial(_exchange, submitter), range(tokens))):
                raise RuntimeError("no token")

    theirs_s, their_cpu_s = _timed(alone)
    ours_s, our_cpu_s = _timed(through_the_vault)
    runner.stop()
    vault.database.dispose()
    reference = "exchange and verification, no vault"
    yield _row("token_rate", "tokens/s", tokens / ours_s, reference, tokens / theirs_s)
    yield _row("token_cpu", "ms", our_cpu_s / tokens * 1000, reference, their_cpu_s / tokens * 1000)


def _exchange(submitter: Rfc3161Submitter, number: int) -> bool:
    statement = Statement(sha256=hashlib.sha256(b"%d" % number).digest())
    return isinstance(submitter.advance(statement, submitter.prepare(statement)), AnchorProof)


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    """Run it; return the seconds that it took, and those of them that this process worked, in all its threads."""
    began, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - cpu


def _vault(home: Path, tsa: DevelopmentTsa, url: str, submitter: Rfc3161Submitter) -> Vault:
    home.mkdir()
    authority = {
        "name": "local",
        "group": "local",
        "url": url,
        "roots_pem": tsa.root_pem,
        "log_class": "development",
    }
    settings = Settings.model_validate(
        {"authorities": [authority], "checkpoint_interval_s": 3600}
    ).model_copy(update={"home": home})
    create_keys(settings, random=token_bytes)
    vault = build_vault(settings, submitters={"timestamp": {"local": submitter}})
    upgrade(vault.database)
    open_log(vault, anchors=[])
    with vault.database.write() as session:
        actors.add_actor(session, actor_id=OWNER.id, name="Bench", role="RH", at=vault.clock())
    return vault


def _any_left(vault: Vault) -> bool:
    with vault.database.read() as session:
        return jobs.any_open(session, "timestamp")


def _row(name: str, unit: str, value: float, reference: str, reference_value: float) -> Row:
    return Row(name=name, value=value, unit=unit, reference=reference, reference_value=reference_value)
