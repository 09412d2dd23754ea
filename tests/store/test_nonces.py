"""The nonce ledger: one nonce for one checkpoint, whoever asks and however often."""

import threading
from collections.abc import Collection

import pytest

from evidence_vault.store.nonces import DatabaseNonceLedger
from evidence_vault.store.session import Database

pytestmark = pytest.mark.db

SENDER, OTHER = b"s" * 20, b"o" * 20


@pytest.fixture
def ledger(database: Database) -> DatabaseNonceLedger:
    return DatabaseNonceLedger(database)


def reserve(
    ledger: DatabaseNonceLedger,
    purpose: str,
    chain_nonce: int,
    sender: bytes = SENDER,
    *,
    yields_to: Collection[str] = (),
) -> int | None:
    return ledger.reserve(
        chain_id=1,
        sender=sender,
        purpose=purpose,
        chain_nonce=chain_nonce,
        yields_to=lambda name: name in yields_to,
    )


def test_reserve_again_gives_the_same_nonce(ledger: DatabaseNonceLedger) -> None:
    assert [reserve(ledger, "a", 5), reserve(ledger, "a", 5), reserve(ledger, "a", 3)] == [5, 5, 5]


def test_reserve_gives_each_purpose_its_own_without_gaps(ledger: DatabaseNonceLedger) -> None:
    assert [reserve(ledger, p, 5) for p in ("a", "b", "c")] == [5, 6, 7]
    assert reserve(ledger, "a", 5, sender=OTHER) == 5


def test_reserve_moves_on_when_the_chain_used_the_nonce(ledger: DatabaseNonceLedger) -> None:
    assert reserve(ledger, "a", 5) == 5
    assert reserve(ledger, "b", 5) == 6
    assert reserve(ledger, "a", 6) == 7  # 5 was spent by something else, 6 is another's


def test_reserve_yields_until_the_chain_used_the_others_nonce(ledger: DatabaseNonceLedger) -> None:
    assert reserve(ledger, "large", 5) == 5
    assert reserve(ledger, "small", 5, yields_to=["large"]) is None
    assert reserve(ledger, "small", 5, yields_to=["larger"]) == 6
    assert reserve(ledger, "small", 5, yields_to=["large"]) == 6  # what it holds it keeps
    assert reserve(ledger, "smaller", 6, yields_to=["large"]) == 7
    assert reserve(ledger, "smallest", 6, yields_to=["small"]) is None
    assert reserve(ledger, "other", 5, sender=OTHER, yields_to=["large"]) == 5


def test_release_frees_the_nonce_for_the_next(ledger: DatabaseNonceLedger) -> None:
    assert reserve(ledger, "a", 5) == 5
    ledger.release(chain_id=1, sender=SENDER, purpose="a")
    ledger.release(chain_id=1, sender=SENDER, purpose="a")
    assert reserve(ledger, "b", 5) == 5


def test_reserve_by_many_threads_gives_distinct_nonces(ledger: DatabaseNonceLedger) -> None:
    given: list[int | None] = []
    threads = [
        threading.Thread(target=lambda n=n: given.append(reserve(ledger, f"p{n}", 0))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(nonce for nonce in given if nonce is not None) == list(range(8))
