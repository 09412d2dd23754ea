"""Obtain a token from one authority over HTTP, and count it only when it verifies. RFC 3161 §2.4, §3.4.

    prepare: a request with a fresh nonce ──► Progress PREPARED, to be persisted
    advance: POST it, judge the answer ──► AnchorProof with request.tsq, response.tsr, chain.pem

The same prepared request is sent however often `advance` is repeated; a second token over the same digest,
after a crash between answer and commit, does no harm. rfc3161ng encodes the request, and our own parser
reads it back before it is believed. Its transport and its verification are not used: the one has no total
deadline, the other accepts certificates of anyone.

Trusted: the configured roots, and our clock within `clock_limit`; the authority, the network and the body
of the answer are not. What is sent tells the authority a digest: not for items whose digest must stay
secret.
"""

import secrets
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta

import rfc3161ng

from anchors.base import AnchorProof, Attested, HttpClient, HttpReply, Indeterminate, Progress, Statement
from anchors.errors import ConfigError, FormatError, UnavailableError, VerificationError
from anchors.rfc3161.certificate import encode_chain, load_certificate
from anchors.rfc3161.der import encode_oid
from anchors.rfc3161.errors import ClockError, RefusedError
from anchors.rfc3161.token import (
    MAX_RESPONSE_BYTES,
    Response,
    parse_request,
    parse_response,
    parse_token,
)
from anchors.rfc3161.verdict import Rfc3161Trust, TsaTrust, VerifiedToken
from anchors.rfc3161.verify import verify_response
from anchors.values import field, value

QUERY_TYPE, REPLY_TYPE = "application/timestamp-query", "application/timestamp-reply"
NONCE_BITS = 64
# Words of PKIFailureInfo that another try can't cure: the same request would be refused again.
PERMANENT_FAILURES = ("badAlg", "badRequest", "badDataFormat", "unacceptedPolicy", "unacceptedExtension")
# An HTTP status that says the same of this request. Others, such as 401, 403 or 404, speak of access and address,
# which an operator can mend: what waits then must not have failed for good.
PERMANENT_STATUSES = frozenset({400, 413, 415, 422})


@value
class TsaConfig:
    """One authority to ask.

    roots: certificates, DER, that its answers must lead to. policy: OID to ask for, None for its default.
    timeout_s: deadline of one exchange. max_bytes: cap of an answer's body; real ones have at most 12 kB.
    headers: sent along, such as Authorization. clock_limit: how far gen_time may be from our clock, beyond
    the stated accuracy. retry_after_s: the pause after a failure, unless the caller knows better.
    """

    name: str
    group: str
    url: str
    roots: tuple[bytes, ...]
    policy: str | None = None
    tsa_class: str = "production"
    timeout_s: float = 10.0
    max_bytes: int = 64 * 1024
    headers: Mapping[str, str] = field(default_factory=dict)
    clock_limit: timedelta = timedelta(seconds=60)
    retry_after_s: float = 15.0
    refused_algorithms: Mapping[str, date] = field(default_factory=lambda: {"sha1": date(2017, 1, 1)})

    def __post_init__(self) -> None:
        if not self.roots:
            raise ConfigError(f"tsa {self.name} roots", "without a root no answer of it could count")
        try:
            for root in self.roots:
                load_certificate(root)
            if self.policy is not None:
                encode_oid(self.policy)
        except FormatError as error:
            raise ConfigError(f"tsa {self.name}", str(error)) from error
        if not 0 < self.max_bytes <= MAX_RESPONSE_BYTES:
            raise ConfigError(f"tsa {self.name} max_bytes", f"must be 1 to {MAX_RESPONSE_BYTES}")

    @property
    def trust(self) -> TsaTrust:
        """What a verifier would trust to accept what this authority gives."""
        return TsaTrust(name=self.name, group=self.group, roots=self.roots, tsa_class=self.tsa_class)


class Rfc3161Submitter:
    """`anchors.base.Submitter` for one authority. `clock` gives aware datetimes."""

    kind = "rfc3161"

    def __init__(self, config: TsaConfig, http: HttpClient, clock: Callable[[], datetime]) -> None:
        self._config = config
        self._http = http
        self._clock = clock

    def prepare(self, statement: Statement) -> Progress:
        """A request over the statement's SHA-256, with a fresh nonce. No side effect."""
        request = encode_request(statement.sha256, nonce=fresh_nonce(), policy=self._config.policy)
        return Progress(
            kind=self.kind,
            state="PREPARED",
            data={"authority": self._config.name, "request": request.hex()},
        )

    def advance(self, statement: Statement, progress: Progress) -> AnchorProof:
        """Send the prepared request and verify the answer.

        Raises UnavailableError when another try may help (the answer that doesn't verify is its `__cause__`),
        RefusedError when it won't, FormatError for a progress that this submitter didn't prepare.
        """
        config = self._config
        request = _prepared_request(statement, progress)
        sent_at = self._clock()
        reply = self._http.post(
            config.url,
            request,
            content_type=QUERY_TYPE,
            headers=config.headers,
            max_bytes=config.max_bytes,
            timeout_s=config.timeout_s,
        )
        answered_at = self._clock()
        self._check_reply(reply)
        try:
            parsed = parse_response(reply.body)
            self._check_status(parsed)
            token = self._judge(statement, request, reply.body, parsed, at=answered_at)
        except (FormatError, VerificationError) as error:
            raise self._unavailable(f"its answer doesn't verify: {error}") from error
        if isinstance(token, Indeterminate):
            raise self._unavailable(f"its answer doesn't count: {token.sub_indication}, {token.reason}")
        # The past is where a stopped clock or a replay lies, the future a clock that runs ahead: theirs or ours.
        limit = config.clock_limit + token.accuracy
        if not sent_at - limit <= token.gen_time <= answered_at + limit:
            offset = token.gen_time - (sent_at if token.gen_time < sent_at else answered_at)
            raise ClockError(config.name, offset, retry_after_s=config.retry_after_s)
        return AnchorProof(
            kind=self.kind,
            parts={
                "request.tsq": request,
                "response.tsr": reply.body,
                "chain.pem": encode_chain(token.path),
            },
            attested=Attested(time=token.gen_time, accuracy=token.accuracy, source=token.authority),
        )

    def _judge(
        self, statement: Statement, request: bytes, reply: bytes, parsed: Response, *, at: datetime
    ) -> VerifiedToken | Indeterminate:
        """Verify what came by our clock; where only that is in its way, by the token's own time.

        So what is said then of the two clocks rests on a good signature.
        """

        def judge(at: datetime) -> VerifiedToken | Indeterminate:
            return verify_response(
                response=reply,
                request=request,
                chain=(),
                digests={"sha256": statement.sha256},
                trusted=Rfc3161Trust(
                    authorities=(self._config.trust,),
                    refused_algorithms=self._config.refused_algorithms,
                    at=at,
                    skew=self._config.clock_limit,
                ),
            )

        try:
            return judge(at)
        except VerificationError:
            claimed = parse_token(parsed.token).gen_time if parsed.token else at
            if claimed <= at:
                raise
            return judge(claimed)

    def _check_reply(self, reply: HttpReply) -> None:
        config = self._config
        if reply.status in PERMANENT_STATUSES:
            raise RefusedError(config.name, f"HTTP status {reply.status}")
        if reply.status != 200:
            raise self._unavailable(f"HTTP status {reply.status}")
        media_type = reply.content_type.partition(";")[0].strip().lower()
        if media_type != REPLY_TYPE:
            raise self._unavailable(f"content type {media_type[:60]!r} instead of {REPLY_TYPE}")
        if len(reply.body) > config.max_bytes:
            raise self._unavailable(f"an answer of more than {config.max_bytes} bytes")

    def _check_status(self, response: Response) -> None:
        if response.granted:
            return
        why = "; ".join((f"status {response.status}", *response.failure_info, *response.texts))
        if any(failure.startswith(PERMANENT_FAILURES) for failure in response.failure_info):
            raise RefusedError(self._config.name, why)
        raise self._unavailable(why)

    def _unavailable(self, reason: str) -> UnavailableError:
        return UnavailableError(self._config.name, reason, retry_after_s=self._config.retry_after_s)


def encode_request(sha256: bytes, *, nonce: int, policy: str | None) -> bytes:
    """A TimeStampReq, DER, that asks for the signer's certificate. RFC 3161 §2.4.1."""
    request = rfc3161ng.make_timestamp_request(
        # Always the digest: given data, rfc3161ng puts a SHA-1 digest under the OID of SHA-256.
        digest=sha256,
        hashname="sha256",
        nonce=nonce,
        include_tsa_certificate=True,
        tsa_policy_id=policy,
    )
    der = bytes(rfc3161ng.encode_timestamp_request(request))
    parsed = parse_request(der)
    assert (parsed.imprint_algorithm, parsed.imprint) == ("sha256", sha256)
    assert (parsed.nonce, parsed.policy, parsed.wants_certificate) == (nonce, policy, True)
    return der


def fresh_nonce() -> int:
    """A nonce of NONCE_BITS bits, the highest set, so that every request has the same length."""
    return secrets.randbits(NONCE_BITS - 1) | 1 << NONCE_BITS - 1


def _prepared_request(statement: Statement, progress: Progress) -> bytes:
    """The request of a progress, which must be over this statement: rows mixed up must not cost a token."""
    text = progress.data.get("request")
    if progress.kind != Rfc3161Submitter.kind or progress.state != "PREPARED" or not isinstance(text, str):
        raise FormatError("rfc3161 progress", "a prepared request", f"{progress.kind} {progress.state}")
    try:
        request = bytes.fromhex(text)
    except ValueError as error:
        raise FormatError("rfc3161 progress request", "hex", text) from error
    if parse_request(request).imprint != statement.sha256:
        raise FormatError("rfc3161 progress request", "a request over this statement", "over another")
    return request
