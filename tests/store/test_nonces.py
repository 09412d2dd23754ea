"""The nonce ledger: one nonce for one checkpoint, whoever asks and however often."""

import threading

import pytest

from evidence_vault.store.nonces import DatabaseNonceLedger
from evidence_vault.store.session import Database

pytestmark = pytest.mark.db

SENDER, OTHER = b"s" * 20, b"o" * 20


@pytest.fixture
def ledger(database: Database) -> DatabaseNonceLedger:
    return DatabaseNonceLedger(database)


def reserve(ledger: DatabaseNonceLedger, purpose: str, chain_nonce: int, sender: bytes = SENDER) -> int:
    return ledger.reserve(chain_id=1, sender=sender, purpose=purpose, chain_nonce=chain_nonce)


def test_reserve_again_gives_the_same_nonce(ledger: DatabaseNonceLedger) -> None:
    assert [reserve(ledger, "a", 5), reserve(ledger, "a", 5), reserve(ledger, "a", 3)] == [5, 5, 5]


def test_reserve_gives_each_purpose_its_own_without_gaps(ledger: DatabaseNonceLedger) -> None:
    assert [reserve(ledger, p, 5) for p in ("a", "b", "c")] == [5, 6, 7]
    assert reserve(ledger, "a", 5, sender=OTHER) == 5


def test_reserve_moves_on_when_the_chain_used_the_nonce(ledger: DatabaseNonceLedger) -> None:
    assert reserve(ledger, "a", 5) == 5
    assert reserve(ledger, "b", 5) == 6
    assert reserve(ledger, "a", 6) == 7  # 5 was spent by something else, 6 is another's


def test_release_frees_the_nonce_for_the_next(ledger: DatabaseNonceLedger) -> None:
    assert reserve(ledger, "a", 5) == 5
    ledger.release(chain_id=1, sender=SENDER, purpose="a")
    ledger.release(chain_id=1, sender=SENDER, purpose="a")
    assert reserve(ledger, "b", 5) == 5


def test_reserve_by_many_threads_gives_distinct_nonces(ledger: DatabaseNonceLedger) -> None:
    given: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: given.append(reserve(ledger, f"p{n}", 0))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == list(range(8))
