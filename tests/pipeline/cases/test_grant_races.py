"""Two who want the last view, a revocation beside a download, an order beside its end: on both engines."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest

from evidence_vault.access.decisions import ALL_SCOPES
from evidence_vault.access.facts import Requester
from evidence_vault.core.events import Subject, parse_event
from evidence_vault.core.names import encode_id
from evidence_vault.errors import AccessRefused, UnavailableError
from evidence_vault.pipeline.cases.ending import expire_grants, revoke
from evidence_vault.pipeline.cases.entering import hand_out, look
from evidence_vault.pipeline.cases.grants import GrantWish, give
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import actors, events, grants
from tests.pipeline.vaults import OWNER, SetClock, deposit, new_vault

pytestmark = pytest.mark.db

HOLDER = Requester(actor_id=OWNER.id, role="RH", scopes=frozenset(ALL_SCOPES), auth="token")
LAWYER = Requester(actor_id=encode_id("ac", b"l" * 16), role="AT", scopes=frozenset(ALL_SCOPES), auth="token")
LOOKING = ("open-content", "read-custody", "see-metadata")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    made = new_vault(tmp_path)
    with made.database.write() as session:
        actors.add_actor(session, actor_id=LAWYER.actor_id, name="Lawyer", role="CL", at=made.clock())
        actors.add_role(
            session,
            actor_id=LAWYER.actor_id,
            role="AT",
            at=made.clock(),
            licence_number="1",
            jurisdiction="cn",
        )
    return made


def allow(vault: Vault, item: str, **more: object) -> str:
    wish = GrantWish(grantee_id=LAWYER.actor_id, role="AT", actions=LOOKING, item_ids=(item,), **more)  # type: ignore[arg-type]
    return give(vault, HOLDER, wish)


def told(vault: Vault, item: str) -> list[str]:
    with vault.database.read() as session:
        return [row.type for row in events.events_of(session, Subject(kind="item", id=item))]


def opened(vault: Vault, item: str, at: Barrier) -> bool:
    """Whether the lawyer got the content; one who is told to try again does."""
    at.wait()
    for _ in range(20):
        try:
            hand_out(vault, LAWYER, item)
        except AccessRefused:
            return False
        except UnavailableError:
            continue
        return True
    return False


def test_of_two_who_want_the_last_view_one_gets_it(vault: Vault) -> None:
    item = deposit(vault).item_id
    for limit in (1, 2):
        grant = allow(vault, item, view_limit=limit)
        barrier = Barrier(4)
        with ThreadPoolExecutor(4) as pool:
            got = list(pool.map(lambda _: opened(vault, item, barrier), range(4)))  # noqa: B023 - waited for here
        assert sum(got) == limit
        with vault.database.read() as session:
            row = grants.get_grant(session, grant)
            assert row is not None
            assert row.views_used == limit


def test_nothing_is_handed_out_after_the_revocation_was_told(vault: Vault) -> None:
    for _ in range(5):
        item = deposit(vault).item_id
        grant = allow(vault, item)
        barrier = Barrier(3)

        def end() -> None:
            barrier.wait()  # noqa: B023 - waited for here
            revoke(vault, HOLDER, grant)  # noqa: B023

        with ThreadPoolExecutor(3) as pool:
            tries = [pool.submit(opened, vault, item, barrier) for _ in range(2)]
            pool.submit(end).result()
            got = sum(one.result() for one in tries)
        types = told(vault, item)
        assert types.count("DOWNLOADED") == got
        assert "DOWNLOADED" not in types[types.index("GRANT_REVOKED") :]


def test_time_is_asked_again_when_the_access_is_recorded(vault: Vault) -> None:
    item = deposit(vault).item_id
    allow(vault, item, expires_at=vault.clock() + timedelta(seconds=10))
    look(vault, LAWYER, "open-content", item)
    assert isinstance(vault.clock, SetClock)
    vault.clock.advance(10)
    with pytest.raises(AccessRefused):
        hand_out(vault, LAWYER, item)
    assert "DOWNLOADED" not in told(vault, item)


def test_end_is_told_once_by_two_workers(vault: Vault) -> None:
    item = deposit(vault).item_id
    allow(vault, item, expires_at=vault.clock() + timedelta(seconds=10))
    assert isinstance(vault.clock, SetClock)
    vault.clock.advance(10)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: expire_grants(vault), range(2)))
    assert told(vault, item).count("GRANT_EXPIRED") == 1


def test_grant_given_on_while_it_is_revoked_ends_with_it(vault: Vault) -> None:
    third = encode_id("ac", b"t" * 16)
    with vault.database.write() as session:
        actors.add_actor(session, actor_id=third, name="Clerk", role="CL", at=vault.clock())
    item = deposit(vault).item_id
    for _ in range(5):
        top = allow(vault, item, onward=True)
        barrier = Barrier(2)

        def give_on() -> str | None:
            barrier.wait()  # noqa: B023 - waited for here
            wish = GrantWish(
                grantee_id=third,
                role="CL",
                actions=("see-metadata",),
                item_ids=(item,),
                parent_id=top,  # noqa: B023
            )
            try:
                return give(vault, LAWYER, wish)
            except (AccessRefused, UnavailableError):
                return None

        def end() -> None:
            barrier.wait()  # noqa: B023 - waited for here
            for _ in range(20):
                try:
                    revoke(vault, HOLDER, top)  # noqa: B023
                except UnavailableError:
                    continue
                return

        with ThreadPoolExecutor(2) as pool:
            given, _ = pool.submit(give_on), pool.submit(end).result()
        if (derived := given.result()) is not None:
            with vault.database.read() as session:
                row = grants.get_grant(session, derived)
                assert row is not None
                assert row.revoked_at is not None


def test_event_of_an_access_is_committed_before_a_byte_leaves(vault: Vault) -> None:
    item = deposit(vault).item_id
    grant = allow(vault, item)
    hand_out(vault, LAWYER, item)
    with vault.database.read() as session:
        newest = events.events_of(session, Subject(kind="item", id=item))[-1]
    assert parse_event(newest.raw).fields["why"] == {"basis": "grant", "grant": grant, "case": None}
