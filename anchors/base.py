"""What every kind of anchor has in common: a statement goes in, a proof comes out, a verifier judges it.

    statement ──► Submitter.prepare ──► Progress ──► Submitter.advance ──► … ──► AnchorProof
    (proof, statement, trusted) ──► Verifier.verify ──► Attested | Indeterminate, or VerificationError

What is trusted (roots, contracts, known blocks) and what the prover supplied (the proof) are never the same
parameter. A verifier is pure: no clock, no network, no environment.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from anchors.values import field, value


@value
class TreeHead:
    """The state of an append-only log: its number of leaves and its root hash (32 bytes). RFC 9162 §4.10."""

    size: int
    root_hash: bytes


@value
class Statement:
    """What an anchor is asked to witness. Each kind takes the part it can carry.

    sha256: SHA-256 of the preimage, 32 bytes; what a time-stamping authority stamps.
    preimage: the bytes themselves where they are short (a checkpoint note); what a witness signs. Else None.
    tree_head: what a chain records. None where the statement is not a checkpoint.
    """

    sha256: bytes
    preimage: bytes | None = None
    tree_head: TreeHead | None = None


@value
class Progress:
    """Where a submission stands: persisted before anything is sent, and enough to go on after a crash.

    state: the kind's own word, such as `PREPARED`, `SUBMITTED`, `INCLUDED`.
    data: JSON-compatible values that the kind needs to go on.
    retry_after_s: how long to wait before the next `advance`; a hint.
    """

    kind: str
    state: str
    data: Mapping[str, object] = field(default_factory=dict)
    retry_after_s: float = 0.0


@value
class Attested:
    """A verified anchor: the statement existed at `time`, give or take `accuracy`, says `source`.

    assumptions: what a reader must additionally believe, one sentence each.
    """

    time: datetime
    accuracy: timedelta
    source: str
    assumptions: tuple[str, ...] = ()


@value
class AnchorProof:
    """What an anchor gave us and a bundle carries: named parts, as raw bytes.

    rfc3161: request.tsq, response.tsr, chain.pem, revocation/<n>.crl, revocation/<n>.ocsp.
    ethereum: proof.json. attested: what the submitter's own verification concluded when the proof came, if
    the kind verifies at once; a verifier never reads it.
    """

    kind: str
    parts: Mapping[str, bytes]
    attested: Attested | None = None


@value
class Indeterminate:
    """Nothing is wrong, but the material doesn't suffice. `sub_indication`: ETSI EN 319 102-1 §5.1.3."""

    sub_indication: str
    reason: str


TrustT_contra = TypeVar("TrustT_contra", contravariant=True)


class Verifier(Protocol[TrustT_contra]):
    """Judges proofs of one kind. Pure: the same arguments always give the same answer."""

    kind: str

    def verify(
        self, proof: AnchorProof, *, statement: Statement, trusted: TrustT_contra
    ) -> Attested | Indeterminate:
        """Raise FormatError for a malformed proof, VerificationError only for what is wrong."""
        ...


class Submitter(Protocol):
    """Obtains proofs of one kind. The caller persists every Progress before it calls `advance` with it."""

    kind: str

    def prepare(self, statement: Statement) -> Progress:
        """Decide what will be sent. No side effect: a crash after it costs nothing."""
        ...

    def advance(self, statement: Statement, progress: Progress) -> Progress | AnchorProof:
        """Take one step. Idempotent: safe to repeat with the same progress after a crash.

        Raises UnavailableError for what a later try may cure; the caller retries, never this method.
        """
        ...


@value
class Funds:
    """An account and a price, in the smallest unit of the network's money (wei)."""

    balance: int
    anchor_price: int


class Watcher(Protocol):
    """Looks after proofs of one kind that were final: what a network took back must be said, and made good."""

    anchor: Mapping[str, str | int]
    """Who is watched, as the log's events name an anchor."""

    def funds(self) -> Funds | None:
        """What the account has that pays for anchors, and what one costs now; None where nothing is paid.

        Raises UnavailableError.
        """
        ...

    def block_of(self, proof: AnchorProof) -> int | None:
        """The height of the block that the proof names; None for a proof that is not by this anchor."""
        ...

    def find_lost(self, proof: AnchorProof) -> str | None:
        """Why the proof is void; None while it holds, or nobody can tell. Raises UnavailableError."""
        ...

    def fill_gap(self, stored: Callable[[int], Sequence[str] | None]) -> str | None:
        """Where transactions wait for one that is gone, bring it back; return what was done, None if nothing.

        stored: the raw transactions (0x…) known of this nonce, maybe none; None to leave it alone, because nothing
        waits above it or somebody still sends it. Raises UnavailableError.
        """
        ...

    def restart(self, statement: Statement, progress: Progress | None) -> Progress:
        """From where to go on once a proof is void. Asks nobody and sends nothing."""
        ...


@value
class HttpReply:
    """A complete reply, already within the caller's size and time limits."""

    status: int
    content_type: str
    body: bytes


class HttpReader(Protocol):
    """As `HttpClient`, for those who only read."""

    def get(self, url: str, *, headers: Mapping[str, str], max_bytes: int, timeout_s: float) -> HttpReply:
        """GET `url`, under the same limits and errors as `post`."""
        ...


class HttpClient(Protocol):
    """The only way out to the network that a submitter has; the vault injects its guarded client.

    Implementations follow no redirects, cap size and total time, verify TLS, and raise UnavailableError.
    """

    def post(
        self,
        url: str,
        body: bytes,
        *,
        content_type: str,
        headers: Mapping[str, str],
        max_bytes: int,
        timeout_s: float,
    ) -> HttpReply:
        """POST `body`; `timeout_s` is a deadline for the whole exchange.

        `max_bytes` caps the reply's body; 0: it is not read, for only the status counts.
        """
        ...
