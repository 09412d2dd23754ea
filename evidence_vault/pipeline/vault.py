"""The vault as the stages see it: what they need, passed in; nothing global, no clock of their own."""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from typing import Any

from anchors.base import Submitter, Watcher
from anchors.values import field, value
from evidence_vault.core.canonical import Json
from evidence_vault.core.names import encode_time, parse_time
from evidence_vault.errors import ConfigError, ReadOnly
from evidence_vault.pipeline.backlog import Backlog
from evidence_vault.pipeline.board import Board, Notes
from evidence_vault.pipeline.groups import Groups
from evidence_vault.settings import Settings
from evidence_vault.signer.keys import load_ed25519, load_key
from evidence_vault.signer.log_signer import LogSigner
from evidence_vault.signer.receipt_signer import ReceiptSigner
from evidence_vault.signer.webhook_signer import WebhookSigner
from evidence_vault.store.blobs import BlobStore
from evidence_vault.store.log_journal import LogJournal
from evidence_vault.store.packs import Location
from evidence_vault.store.partial import PartialStore
from evidence_vault.store.public_log import PublicLog
from evidence_vault.store.queries import deposits
from evidence_vault.store.session import Database

Clock = Callable[[], datetime]
Random = Callable[[int], bytes]

MAX_REASONS, MAX_REASON_CHARS = 16, 1000
"""Of those why a vault is shut, as far as other processes are told: each by itself shuts it."""

REASONS_BYTES = 256 << 10
"""For so many, at up to twelve bytes a character: JSON in ASCII."""


class Gate:
    """Whether the vault may take things in and sign; once shut, only an operator's restart opens it.

    What shuts it in the process that does the work shuts it in all that answer beside it.
    """

    def __init__(self) -> None:
        """Begin open."""
        self._reasons: list[str] = []
        self._shared = Board(REASONS_BYTES)
        self._lock = threading.Lock()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is shut; empty while it is open."""
        if self._shared.is_ours:
            return tuple(self._reasons)
        found = self._shared.read()
        told = [str(one) for one in found] if isinstance(found, list) else []
        return (*told, *(one for one in self._reasons if one[:MAX_REASON_CHARS] not in told))

    def shut(self, reason: str) -> None:
        """Let nothing in any more, for this reason."""
        with self._lock:
            if reason not in self._reasons:
                self._reasons.append(reason)
            if self._shared.is_ours:
                told = [one[:MAX_REASON_CHARS] for one in self._reasons[:MAX_REASONS]]
                self._shared.write(list[Json](told))

    def require_open(self) -> None:
        """Raise ReadOnly with the first reason if it is shut."""
        if self._reasons or not self._shared.is_blank:
            raise ReadOnly(self.reasons[0])


@value
class Purse:
    """How long the sender's money on a network lasts at the least, in days, as it was seen at `at`."""

    lasts_days: float
    low: bool
    at: datetime


class Purses:
    """The purse of each network by its name, as it was seen last."""

    def __init__(self) -> None:
        self._notes = Notes()

    def note(self, network: str, purse: Purse) -> None:
        """Say how it is now."""
        self._notes[network] = {
            "lasts_days": str(purse.lasts_days),
            "low": purse.low,
            "at": encode_time(purse.at),
        }

    def find(self, network: str) -> Purse | None:
        """Return how it was; None if it was not seen yet."""
        noted = self._notes.get(network)
        if not isinstance(noted, dict):
            return None
        at = parse_time(str(noted["at"]), place="purse")
        return Purse(lasts_days=float(str(noted["lasts_days"])), low=noted["low"] is True, at=at)


@value
class Vault:
    """Everything a stage may use.

    clock: aware UTC. random: that many unpredictable bytes. submitters: by job kind ("timestamp", "anchor"),
    then by the name of the authority or network. watchers: by that of the network. purses: what was seen of
    the senders' money, likewise. damage: what was seen of packs that can't be read, by their names. Gate, purses
    and damage are the same for all processes that are forked later.
    """

    settings: Settings
    database: Database
    blobs: BlobStore
    partial: PartialStore
    public: PublicLog
    log_journal: LogJournal
    log_signer: LogSigner
    receipt_signer: ReceiptSigner
    webhook_signer: WebhookSigner
    clock: Clock
    random: Random
    submitters: Mapping[str, Mapping[str, Submitter]] = field(default_factory=dict)
    watchers: Mapping[str, Watcher] = field(default_factory=dict)
    purses: Purses = field(default_factory=Purses)
    damage: Notes = field(default_factory=Notes)
    gate: Gate = field(default_factory=Gate)
    groups: Groups[Any] = field(default_factory=Groups)
    backlog: Backlog = field(default_factory=Backlog)

    def backoff(self, tries: int) -> timedelta:
        """Return how long to wait after this many failures: doubling, capped, ± 50 %."""
        wait_s = min(self.settings.retry_most_s, self.settings.retry_first_s * 2 ** min(tries, 30))
        jitter = 0.5 + int.from_bytes(self.random(2)) / 0xFFFF
        return timedelta(seconds=wait_s * jitter)


def system_clock() -> datetime:
    """Return the time of the machine."""
    return datetime.now(UTC)


def build_vault(
    settings: Settings,
    *,
    clock: Clock = system_clock,
    random: Random = token_bytes,
    submitters: Mapping[str, Mapping[str, Submitter]] | None = None,
    watchers: Mapping[str, Watcher] | None = None,
) -> Vault:
    """Return the vault in `settings.home`, whose keys exist. Raises ConfigError."""
    keys = settings.home / "keys"
    if not (keys / "receipt.key").exists():
        raise ConfigError("home", f"there is no vault in {settings.home}: run `evidence-vault init`")
    receipt_key = load_ed25519(keys / "receipt.key")  # first: a folder that is no vault stays as it is
    database = Database(settings.database_dsn())

    def locate(item_id: str) -> Location | None:
        with database.read() as session:
            return deposits.find_packed(session, item_id)

    blobs = BlobStore(settings.home, locate=locate)
    return Vault(
        settings=settings,
        database=database,
        blobs=blobs,
        partial=PartialStore(settings.home, blobs),
        public=PublicLog(settings.home / "public"),
        log_journal=LogJournal(settings.home / "events"),
        log_signer=LogSigner(
            origin=settings.origin,
            key_path=keys / "log.key",
            guard_path=keys / "log.guard",
        ),
        receipt_signer=ReceiptSigner(origin=settings.origin, private_key=receipt_key),
        webhook_signer=WebhookSigner(load_key(keys / "webhook.key")),
        clock=clock,
        random=random,
        submitters=submitters or {},
        watchers=watchers or {},
    )
