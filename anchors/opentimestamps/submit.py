"""Brings a checkpoint to Bitcoin by way of calendars: one step at a time, each persisted before the next.

    PREPARED ──► SUBMITTED ──► INCLUDED ──► the proof, once five blocks stand on the attested one
                   ▲  │           │
                   └──┴───────────┘  calendars asked again; or a reorganisation took the block away

What is handed in: SHA-256(SHA-256(note) ‖ 16 random bytes). The `.ots` begins with these two operations, so
it is one over the note's own digest, while a calendar learns nothing that could be matched with a log. All
calendars get the same 32 bytes. Nothing costs anything, so asking twice after a crash does no harm.

What calendars answer is kept raw, as it came, and composed anew at each step. A calendar that did not
answer is asked again as long as there is no block; one that answers with a block in which the root is not,
or that the node does not have, is told and asked again. A proof leaves this module only after every
configured node showed the same block with enough on top, and our own offline verifier accepted it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from anchors.base import AnchorProof, Progress, Statement
from anchors.errors import FormatError, UnavailableError, VerificationError
from anchors.opentimestamps.bitcoin import BitcoinNetwork, BlockHeader, parse_header, verify_work
from anchors.opentimestamps.calendar import Calendar, Http, submit, upgrade
from anchors.opentimestamps.headers import DEPTH
from anchors.opentimestamps.lost import find_lost
from anchors.opentimestamps.node import BitcoinNode
from anchors.opentimestamps.operations import APPEND, SHA256, Operation, apply_operation
from anchors.opentimestamps.proof import KIND, OTS_PART, PART, encode_proof, parse_proof
from anchors.opentimestamps.stamp import (
    Timestamp,
    below,
    encode_ots,
    graft,
    join,
    parse_ots,
    parse_timestamp,
    stamp_of_sha256,
)
from anchors.opentimestamps.verify import verify_stamp
from anchors.values import as_dict, replace, value

NONCE_BYTES = 16
"""As python-opentimestamps has it: nobody guesses the note behind a digest."""

MAX_PROMISES = 4
"""Messages that one calendar is asked about; it promises one."""


@value
class OpenTimestampsConfig:
    """Who is asked, and how patiently.

    node_urls: Bitcoin nodes, JSON-RPC. poll_s: seconds between two looks. timeout_s: seconds for all
    exchanges of one step together. tell_after: a promise that nobody kept for so long is told as trouble.
    """

    network: BitcoinNetwork
    calendars: tuple[Calendar, ...]
    node_urls: tuple[str, ...]
    least_difficulty: int = 0
    poll_s: float = 600.0
    timeout_s: float = 60.0
    tell_after: timedelta = timedelta(days=14)


@value
class Kept:
    """What a Progress holds: the nonce, when it was handed in, and what calendars answered, raw, all in hex.

    answers: a calendar's promise, by its name. upgrades: by the same name what it had later, by the message
    over which it is. found: height and header of the block, once there is one. trouble: what an operator
    should hear of, though it is still tried.
    """

    nonce: str
    since: str
    answers: Mapping[str, str]
    upgrades: Mapping[str, Mapping[str, str]]
    found: Mapping[str, object] | None = None
    trouble: str | None = None


class OpenTimestampsSubmitter:
    """The submitter of one vault on one network (`anchors.base.Submitter`)."""

    kind = KIND

    def __init__(
        self,
        config: OpenTimestampsConfig,
        *,
        http: Http,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._http = config, http
        self._clock, self._random, self._monotonic = clock, random, monotonic
        self.anchor: Mapping[str, str | int] = {"kind": KIND, "network": config.network.name}

    def prepare(self, statement: Statement) -> Progress:  # noqa: ARG002 - the door's signature
        """Choose the nonce; asks nobody and sends nothing."""
        kept = Kept(
            nonce=self._random(NONCE_BYTES).hex(), since=self._clock().isoformat(), answers={}, upgrades={}
        )
        return _progress("PREPARED", kept)

    def advance(self, statement: Statement, progress: Progress) -> Progress | AnchorProof:
        """One step as drawn above. Raises UnavailableError for what waiting may cure, ConfigError."""
        kept = Kept(**progress.data)  # type: ignore[arg-type]  # `_progress` wrote these very fields
        budget = self._monotonic() + self._config.timeout_s
        if progress.state == "INCLUDED":
            return self._toward_depth(statement, kept, budget)
        return self._toward_block(statement, kept, budget)

    def fill_gap(self, stored: Callable[[int], Sequence[str] | None]) -> None:  # noqa: ARG002 - the door's signature
        """Nothing here waits for anything else."""
        return

    def funds(self) -> None:
        """Calendars ask for nothing."""
        return

    def block_of(self, proof: AnchorProof) -> int | None:
        """The height of the proof's block; None for another kind or network."""
        if proof.kind != KIND:
            return None
        parsed = parse_proof(proof.parts[PART], proof.parts[OTS_PART])
        return parsed.height if parsed.network == self._config.network.name else None

    def find_lost(self, proof: AnchorProof) -> str | None:
        """Why a proof that was final is void; None while its block is where it was (`lost.find_lost`)."""
        parsed = parse_proof(proof.parts[PART], proof.parts[OTS_PART])
        if parsed.height is None or parsed.header is None:
            return None
        budget = self._monotonic() + self._config.timeout_s
        return find_lost(
            [
                BitcoinNode(url, self._http, self._left(budget, "bitcoin node"))
                for url in self._config.node_urls
            ],
            self._config.network,
            parse_header(parsed.header),
            height=parsed.height,
            least_difficulty=self._config.least_difficulty,
        )

    def restart(self, statement: Statement, progress: Progress | None) -> Progress:
        """From where to go on when the proof is void: handed in anew, for calendars may not look back."""
        return self.prepare(statement) if progress is None else restart(progress)

    def _toward_block(self, statement: Statement, kept: Kept, budget: float) -> Progress:
        commitment = _commitment(statement, kept)
        answers, trouble = dict(kept.answers), []
        upgrades = {name: dict(of) for name, of in kept.upgrades.items()}
        # (1) hand in, where that is still to be done; look again, where it was
        for calendar in self._config.calendars:
            name = calendar.name
            try:
                if name not in answers:
                    raw = submit(calendar, commitment, http=self._http, timeout_s=self._left(budget, name))
                    answers[name] = raw.hex()
                    continue
                for message in _promised(commitment, answers[name]):
                    got = upgrade(calendar, message, http=self._http, timeout_s=self._left(budget, name))
                    if got is not None:
                        upgrades.setdefault(name, {})[message.hex()] = got.hex()
            except UnavailableError as error:
                trouble.append(str(error))
        if not answers:
            raise UnavailableError("calendars", "; ".join(trouble), self._config.poll_s)
        kept = Kept(nonce=kept.nonce, since=kept.since, answers=answers, upgrades=upgrades)

        # (2) a block that the first node has, with the root in it; the lowest, for it is the earliest
        for height, name in sorted(_attested(statement, kept)):
            try:
                header = self._headers(height, budget)[0][0]
                self._prove(statement, kept, name, height, header)
            except (VerificationError, FormatError, UnavailableError) as error:
                trouble.append(f"{name}, block {height}: {error}")
                continue
            found = {"height": height, "header": header.raw.hex(), "calendar": name}
            return _progress("INCLUDED", replace(kept, found=found), self._config.poll_s)

        # (3) a promise that nobody keeps is told; it is still asked for
        waited = self._clock() - datetime.fromisoformat(kept.since)
        if waited > self._config.tell_after:
            trouble.append(f"promised {waited.days} days ago, and no block shown yet")
        told = replace(kept, trouble="; ".join(trouble) or None)
        return _progress("SUBMITTED", told, self._config.poll_s)

    def _toward_depth(self, statement: Statement, kept: Kept, budget: float) -> Progress | AnchorProof:
        found = kept.found or {}
        height, raw = int(str(found["height"])), bytes.fromhex(str(found["header"]))
        shown = self._headers(height, budget)
        # (1) still there, at every node? If not, a reorganisation took it away, or one is on its way.
        if any(not headers or headers[0].raw != raw for headers in shown):
            return _progress("SUBMITTED", replace(kept, found=None), self._config.poll_s)
        # (2) deep enough?
        if any(len(headers) < DEPTH for headers in shown):
            return _progress("INCLUDED", kept, self._config.poll_s)
        # (3) the proof, and our own verifier's opinion of it
        try:
            return self._prove(statement, kept, str(found["calendar"]), height, shown[0][0])
        except (VerificationError, FormatError) as error:
            raise UnavailableError("calendars", f"what they say gives no valid proof: {error}") from error

    def _headers(self, height: int, budget: float) -> list[tuple[BlockHeader, ...]]:
        """What each node shows from `height` on. Raises UnavailableError if one doesn't have it."""
        found = []
        for url in self._config.node_urls:
            node = BitcoinNode(url, self._http, self._left(budget, "bitcoin node"))
            node.check_network(self._config.network)
            headers = node.headers_from(height)
            if not headers:
                raise UnavailableError(node.host, f"has no block {height} yet", self._config.poll_s)
            found.append(headers)
        return found

    def _prove(
        self, statement: Statement, kept: Kept, name: str, height: int, header: BlockHeader
    ) -> AnchorProof:
        """The proof that ends in this block, as calendar `name` says; VerificationError if it does not.

        The file holds what all calendars said, unless that is more than an .ots file may hold.
        """
        verify_work(header, self._config.network, least_difficulty=self._config.least_difficulty)
        ots = encode_ots(stamp_of_sha256(_compose(statement, kept)))
        try:
            parse_ots(ots)
        except FormatError:  # Attack: a calendar that says so much that the others' proof is lost in it
            ots = encode_ots(stamp_of_sha256(_compose(statement, kept, only=name)))
        proof = encode_proof(network=self._config.network.name, height=height, header=header.raw, ots=ots)
        verify_stamp(parse_proof(proof, ots), sha256=statement.sha256)
        return AnchorProof(kind=KIND, parts={PART: proof, OTS_PART: ots})

    def _left(self, budget: float, name: str) -> float:
        left = budget - self._monotonic()
        if left <= 0:
            raise UnavailableError(
                name, f"not asked: {self._config.timeout_s} s were over", self._config.poll_s
            )
        return left


def restart(progress: Progress) -> Progress:
    """The Progress after an anchor was lost: the nonce stays, what calendars answered was about another block."""
    kept = Kept(**progress.data)  # type: ignore[arg-type]  # `_progress` wrote these very fields
    return _progress("PREPARED", Kept(nonce=kept.nonce, since=kept.since, answers={}, upgrades={}))


def blinded(nonce: bytes) -> tuple[Operation, ...]:
    """The operations from the note's digest to what calendars are given."""
    return Operation(APPEND, nonce), Operation(SHA256)


def _commitment(statement: Statement, kept: Kept) -> bytes:
    message = statement.sha256
    for operation in blinded(bytes.fromhex(kept.nonce)):
        message = apply_operation(operation, message, place="commitment")
    return message


def _compose(statement: Statement, kept: Kept, *, only: str | None = None) -> Timestamp:
    """The tree over the note's digest that all answers make up, or those of one calendar."""
    commitment = _commitment(statement, kept)
    trees = []
    for name, raw in kept.answers.items():
        if only in (None, name):
            tree = parse_timestamp(bytes.fromhex(raw), commitment, place=name)
            for message, later in kept.upgrades.get(name, {}).items():
                tree = graft(tree, parse_timestamp(bytes.fromhex(later), bytes.fromhex(message), place=name))
            trees.append(tree)
    return below(blinded(bytes.fromhex(kept.nonce)), join(*trees), message=statement.sha256)


def _attested(statement: Statement, kept: Kept) -> set[tuple[int, str]]:
    """The heights of blocks that calendars name, each with the calendar."""
    return {
        (branch.attestation.height, name)
        for name in kept.answers
        for branch in _compose(statement, kept, only=name).ends
        if branch.attestation.height is not None
    }


def _promised(commitment: bytes, raw: str) -> list[bytes]:
    """The messages that a calendar promised to bring into a block; a calendar needs one."""
    tree = parse_timestamp(bytes.fromhex(raw), commitment)
    ends = {end for branch, end in tree.ends.items() if branch.attestation.url is not None}
    return sorted(ends)[:MAX_PROMISES]


def _progress(state: str, kept: Kept, retry_after_s: float = 0.0) -> Progress:
    return Progress(kind=KIND, state=state, data=as_dict(kept), retry_after_s=retry_after_s)
