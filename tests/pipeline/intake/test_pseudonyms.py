"""Pseudonyms: used without a link that anybody could read, and opened by the bench, on record."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from evidence_vault.access.decisions import Requester
from evidence_vault.core.disclosures import digest_disclosure, parse_disclosure
from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_id
from evidence_vault.errors import AccessRefused, ConfigError, FormatError, IntegrityError
from evidence_vault.identity.actors import authenticate
from evidence_vault.pipeline.intake.deposit import deposit_content
from evidence_vault.pipeline.intake.pseudonyms import KEY_FILE, Pseudonym, Revealed, reveal, take_pseudonym
from evidence_vault.pipeline.intake.wishes import Wish
from evidence_vault.pipeline.people.people import add_person, give_role
from evidence_vault.pipeline.record import EventActor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.people_models import Pseudonym as Row
from evidence_vault.store.queries import events
from tests.pipeline.vaults import OWNER, new_vault

pytestmark = pytest.mark.db
JUDGE = EventActor(id=OWNER.id, role="JU", auth="oidc-mfa")
ORDER, CASE = encode_id("gr", b"g" * 16), encode_id("cs", b"c" * 16)


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = new_vault(tmp_path)
    yield made
    made.database.dispose()


@pytest.fixture
def person(vault: Vault) -> str:
    person_id = add_person(vault, name="Whistle Blower", login=None, organisation_id=None)
    give_role(vault, by=OWNER, person_id=person_id, role="RH")
    return person_id


def taken(vault: Vault, person_id: str, role: str = "RH") -> Pseudonym:
    asker = Requester(actor_id=person_id, role=role, scopes=frozenset(), auth="password")
    return take_pseudonym(vault, asker, name="Source 7", days=30)


def deposited(vault: Vault, made: Pseudonym) -> str:
    found = authenticate(vault.database, made.token, now=vault.clock())
    assert found is not None
    assert (found.actor_id, found.role) == (made.id, "RH")
    actor = EventActor(id=found.actor_id, role=found.role, auth=found.auth)
    return deposit_content(vault, Wish(actor=actor), b"evidence").item_id


def opened(
    vault: Vault, item_id: str, pseudonym_id: str, by: EventActor = JUDGE, order: str = ORDER
) -> Revealed:
    with vault.database.write() as session:
        return reveal(
            vault, session, item_id=item_id, pseudonym_id=pseudonym_id, by=by, order_id=order, case_id=CASE
        )


def test_pseudonym_deposits_and_no_table_links_it_to_the_person(vault: Vault, person: str) -> None:
    made = taken(vault, person)
    item_id = deposited(vault, made)
    tables = ("actors", "actor_roles", "credentials", "items", "events", "disclosures", "pseudonyms")
    with vault.database.read() as session:
        for table in tables:
            for row in session.execute(text(f"SELECT * FROM {table}")):
                assert not ({made.id, item_id} & set(map(str, row)) and person in str(row)), table
        sealed = session.get_one(Row, made.id).sealed
        assert person.encode() not in bytes(sealed)
        born = session.execute(text("SELECT created_at FROM actors WHERE id = :id"), {"id": made.id}).scalar()
    assert "00:00:00" in str(born)  # the day, not the minute in which somebody was logged in


def test_reveal_is_on_record_and_only_the_answer_names_the_person(vault: Vault, person: str) -> None:
    made = taken(vault, person)
    item_id = deposited(vault, made)
    found = opened(vault, item_id, made.id)
    assert (found.person_id, found.name) == (person, "Whistle Blower")
    with vault.database.read() as session:
        row = events.events_of(session, Subject(kind="item", id=item_id), from_seq=1)[0]
        assert row.type == "PSEUDONYM_REVEALED"
        assert events.disclosures_of(session, [row.id]) == {}
    event = json.loads(row.raw)
    assert (event["pseudonym"], event["order"], event["case"]) == (made.id, ORDER, CASE)
    assert person not in row.raw.decode()
    assert sorted(digest_disclosure(one) for one in found.disclosures.values()) == event["_sd"]
    assert parse_disclosure(found.disclosures["person"]).value == person


@pytest.mark.parametrize("role", ["RH", "AT", "NO", "CL", "TI", "AU", "AD", "SYSTEM"])
def test_reveal_to_anybody_but_the_bench_is_refused_and_leaves_nothing(
    vault: Vault, person: str, role: str
) -> None:
    made = taken(vault, person)
    item_id = deposited(vault, made)
    with pytest.raises(AccessRefused):
        opened(vault, item_id, made.id, EventActor(id=OWNER.id, role=role, auth="token"))
    with pytest.raises(FormatError):
        opened(vault, item_id, made.id, order="")
    with vault.database.read() as session:
        assert len(events.events_of(session, Subject(kind="item", id=item_id), from_seq=0)) == 1


def test_reveal_of_somebody_who_is_no_pseudonym_is_refused(vault: Vault, person: str) -> None:
    with pytest.raises(AccessRefused):
        opened(vault, deposited(vault, taken(vault, person)), person)


def test_link_that_was_swapped_does_not_open(vault: Vault, person: str) -> None:
    one, two = taken(vault, person), taken(vault, person)
    item_id = deposited(vault, one)
    with vault.database.write() as session:
        session.get_one(Row, one.id).sealed = session.get_one(Row, two.id).sealed
    with pytest.raises(IntegrityError, match="sealed here"):
        opened(vault, item_id, one.id)


def test_lost_key_is_never_replaced_in_silence(vault: Vault, person: str) -> None:
    taken(vault, person)
    (vault.settings.home / "keys" / KEY_FILE).unlink()
    with pytest.raises(ConfigError, match="restore it"):
        taken(vault, person)


def test_pseudonym_for_nobody_but_a_person_who_is_a_rights_holder(vault: Vault, person: str) -> None:
    for actor_id, role in ((person, "JU"), (OWNER.id, "RH"), (taken(vault, person).id, "RH")):
        with pytest.raises(AccessRefused):
            taken(vault, actor_id, role)
