"""A technical investigator's opinion: for the bench alone until the bench unseals it; and who tries to see it."""

import secrets
from collections.abc import Callable
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_id
from evidence_vault.identity.actors import token_credential
from evidence_vault.identity.tokens import encode_token
from evidence_vault.pipeline.record import Draft, EventActor, append_event
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import actors
from tests.api.clients import LICENCE, LOOK, Person, history, somebody, types

pytestmark = [pytest.mark.socket, pytest.mark.db]

Make = Callable[..., Person]
UNKNOWN = encode_id("it", bytes(16))
SEAT = ["attest", "open-content", "read-custody", "see-metadata"]


@pytest.fixture
def make(vault: Vault, client: TestClient) -> Make:
    return lambda role="RH", **more: somebody(vault, client, role, **more)


def as_also(vault: Vault, person: Person, role: str) -> Person:
    """The same person in another role that he holds too."""
    token, now = encode_token(secrets.token_bytes(32)), vault.clock()
    with vault.database.write() as session:
        held = actors.add_role(
            session, actor_id=person.id, role=role, at=now, licence_number=LICENCE, jurisdiction="cn"
        )
        row = token_credential(
            token,
            actor_id=person.id,
            role_id=held.id,
            label="also",
            scopes=("deposit", "read", "content", "export", "attest", "cases"),
            now=now,
            life=None,
        )
        actors.add_credential(session, row)
    return replace(person, role=role, headers={"Authorization": f"Bearer {token}"})


def seat(judge: Person, investigator: Person, case: str) -> str:
    answer = judge.post("/grants", {"grantee": investigator.id, "role": "TI", "case": case, "actions": SEAT})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def opened(judge: Person, *parties: Person) -> str:
    sides = [{"side": f"side-{n}", "person": one.id} for n, one in enumerate(parties, 1)]
    return judge.opens(parties=sides)


def paths(item: str) -> list[str]:
    return [
        f"/items/{item}",
        f"/items/{item}/content",
        f"/items/{item}/custody",
        f"/items/{item}/access",
        f"/items/{item}/attestations",
    ]


def test_sealed_opinion_is_the_bench_s_and_to_anybody_else_it_is_not_there(vault: Vault, make: Make) -> None:
    claimant, judge, clerk, expert, lawyer = (make(role) for role in ("RH", "JU", "CL", "TI", "AT"))
    case = opened(judge, claimant)
    judge.post("/grants", {"grantee": clerk.id, "role": "CL", "case": case, "actions": ["see-metadata"]})
    item = claimant.deposit()
    assert claimant.post(f"/cases/{case}/items", {"item": item}).status_code == 201
    claimant.grants(lawyer, [item], case=case)
    before = claimant.get(f"/cases/{case}/custody").json()
    seat(judge, expert, case)

    opinion = expert.deposit(b"The two circuits are the same.")
    assert judge.get(f"/items/{opinion}").status_code == 404
    sealed = expert.post(f"/cases/{case}/opinions", {"item": opinion, "about": [item]})
    assert (sealed.status_code, sealed.json()) == (201, {"seq": 1})

    assert judge.get(f"/items/{opinion}/content").content == b"The two circuits are the same."
    assert clerk.get(f"/items/{opinion}").status_code == 200
    assert clerk.get(f"/items/{opinion}/content").status_code == 404
    assert expert.get(f"/items/{opinion}/content").status_code == 200
    listed = judge.get(f"/cases/{case}/opinions").json()["opinions"]
    assert [(one["item"], one["author"], one["state"]) for one in listed] == [(opinion, expert.id, "sealed")]
    assert opinion in judge.get(f"/cases/{case}/custody").json()["items"]

    for stranger in (claimant, lawyer):
        for path in paths(opinion):
            answer = stranger.get(path)
            unknown = stranger.get(path.replace(opinion, UNKNOWN))
            assert answer.status_code == unknown.status_code == 404, path
            assert answer.json() | {"instance": 0} == unknown.json() | {"instance": 0}, path
        assert stranger.get(f"/cases/{case}/opinions").status_code == 404
        assert stranger.post(f"/cases/{case}/opinions/{opinion}/unsealing").status_code == 404
    after = claimant.get(f"/cases/{case}/custody").json()
    assert after["items"] == before["items"]
    assert after["withheld"] == before["withheld"]
    assert opinion not in str(after)
    assert opinion not in str(claimant.get(f"/cases/{case}").json())
    assert "OPINION" not in "".join(types(vault, "case", case))
    named = {one["actor"]["id"] for one in history(vault, "item", opinion)}
    assert named == {expert.id, judge.id, clerk.id}


def test_unsealed_opinion_is_seen_by_the_parties_and_reached_by_orders(vault: Vault, make: Make) -> None:
    claimant, stranger, judge, clerk, expert, lawyer = (
        make(role) for role in ("RH", "RH", "JU", "CL", "TI", "AT")
    )
    case = opened(judge, claimant)
    judge.post(
        "/grants", {"grantee": clerk.id, "role": "CL", "case": case, "actions": ["see-metadata", "order"]}
    )
    seat(judge, expert, case)
    opinion = expert.deposit(b"opinion")
    expert.post(f"/cases/{case}/opinions", {"item": opinion})
    order = {
        "case": case,
        "court": "Court",
        "lawyers": [{"person": lawyer.id, "licence": LICENCE}],
        "items": [opinion],
        "issued_at": history(vault, "item", opinion)[0]["at"],
    }
    # Not even where its author is named as who holds it, of this case or another.
    elsewhere = make("JU")
    for bench, about in ((judge, case), (elsewhere, opened(elsewhere))):
        for respondent in (None, expert.id):
            asked = order | {"case": about, "respondent": respondent}
            assert bench.post("/orders", asked).status_code == 404
    assert "GRANTED" not in types(vault, "item", opinion)
    for other in (clerk, expert, claimant):
        assert other.post(f"/cases/{case}/opinions/{opinion}/unsealing").status_code == 404
    done = judge.post(f"/cases/{case}/opinions/{opinion}/unsealing", {"reason": "heard in public"})
    assert (done.status_code, done.json()) == (201, {"number": 1})
    assert judge.post(f"/cases/{case}/opinions/{opinion}/unsealing").status_code == 409
    assert claimant.get(f"/items/{opinion}/content").content == b"opinion"
    assert [one["item"] for one in claimant.get(f"/cases/{case}").json()["items"]] == [opinion]
    objected = claimant.post(f"/items/{opinion}/objections", {"ground": "relevance", "text": "no"})
    assert objected.status_code == 201
    assert judge.post("/orders", order).status_code == 201
    assert lawyer.get(f"/items/{opinion}/content").status_code == 200
    assert stranger.get(f"/items/{opinion}").status_code == 404
    told = [one for one in history(vault, "item", opinion) if one["type"] == "DOWNLOADED"]
    assert [(one["actor"]["id"], one["why"]["basis"]) for one in told] == [
        (claimant.id, "role"),
        (lawyer.id, "order"),
    ]
    assert "heard in public" not in str(history(vault, "item", opinion))


def test_opinion_never_leaves_by_its_author_in_another_role(vault: Vault, make: Make) -> None:
    judge, expert, friend = make("JU"), make("TI"), make("NO")
    case = opened(judge)
    seat(judge, expert, case)
    opinion = expert.deposit(b"opinion")
    expert.post(f"/cases/{case}/opinions", {"item": opinion})
    holder = as_also(vault, expert, "RH")
    receiver = make()
    elsewhere = holder.opens()
    for path in paths(opinion):
        assert holder.get(path).status_code == 404
    body = {"grantee": friend.id, "role": "NO", "items": [opinion], "actions": list(LOOK)}
    assert holder.post("/grants", body).status_code == 404
    assert expert.post("/grants", body).status_code == 404
    assert holder.post(f"/items/{opinion}/transfers", {"receiver": receiver.id}).status_code == 404
    assert holder.post(f"/cases/{elsewhere}/items", {"item": opinion}).status_code == 404
    assert expert.post(f"/cases/{case}/items", {"item": opinion}).status_code == 404
    assert friend.get(f"/items/{opinion}/attestation-draft").status_code == 404


def test_opinion_is_sealed_once_by_its_author_where_he_sits(vault: Vault, make: Make) -> None:
    judge, expert, other = make("JU"), make("TI"), make("TI")
    refused = expert.client.post("/v1/items", content=b"x", headers=dict(expert.headers))
    assert refused.status_code == 403  # he sits on no bench
    case, elsewhere = opened(judge), opened(make("JU"))
    ended = seat(judge, other, case)
    seat(judge, expert, case)
    opinion = expert.deposit(b"opinion")
    assert expert.post(f"/cases/{elsewhere}/opinions", {"item": opinion}).status_code == 404
    assert other.post(f"/cases/{case}/opinions", {"item": opinion}).status_code == 404
    assert judge.post(f"/cases/{case}/opinions", {"item": opinion}).status_code == 404
    assert expert.post(f"/cases/{case}/opinions", {"item": UNKNOWN}).status_code == 404
    assert expert.post(f"/cases/{case}/opinions", {"item": opinion, "about": [UNKNOWN]}).status_code == 404
    assert expert.post(f"/cases/{case}/opinions", {"item": opinion, "author": other.id}).status_code == 422
    assert expert.post(f"/cases/{case}/opinions", {"item": opinion}).status_code == 201
    assert expert.post(f"/cases/{case}/opinions", {"item": opinion}).status_code == 409
    holder = as_also(vault, expert, "RH")
    assert expert.post(f"/cases/{case}/opinions", {"item": holder.deposit(b"e")}).status_code == 404
    early = expert.deposit(b"shown before")
    holder.grants(make("AT"), [early])
    assert expert.post(f"/cases/{case}/opinions", {"item": early}).status_code == 409
    offered = expert.deposit(b"offered to somebody")
    offer = holder.post(f"/items/{offered}/transfers", {"receiver": make().id})
    assert offer.status_code == 201
    assert expert.post(f"/cases/{case}/opinions", {"item": offered}).status_code == 409
    assert judge.post(f"/grants/{ended}/revocation").status_code == 204
    assert other.client.post("/v1/items", content=b"x", headers=dict(other.headers)).status_code == 403


def test_nobody_is_both_experts_in_one_case(vault: Vault, make: Make) -> None:
    holder, judge, expert = make(), make("JU"), make("TI")
    case = opened(judge, holder)
    item, later = holder.deposit(), holder.deposit(b"later")
    holder.post(f"/cases/{case}/items", {"item": item})
    appraiser = as_also(vault, expert, "AP")
    before = holder.grants(appraiser, [item])  # of no case
    place = {"grantee": expert.id, "role": "TI", "case": case, "actions": SEAT}
    assert judge.post("/grants", place).status_code == 409
    assert holder.post(f"/grants/{before['id']}/revocation").status_code == 204
    seated = seat(judge, expert, case)
    expert.post(f"/cases/{case}/opinions", {"item": expert.deposit(b"opinion")})
    assert judge.post(f"/grants/{seated}/revocation").status_code == 204
    for more in ({}, {"case": case}):  # his seat is gone, his opinion stays
        body = {"grantee": expert.id, "role": "AP", "items": [item], "actions": list(LOOK)} | more
        assert holder.post("/grants", body).status_code == 409
    assert appraiser.get(f"/items/{item}/attestation-draft").status_code == 404  # by his office neither
    holder.grants(appraiser, [later])
    assert appraiser.get(f"/items/{later}").status_code == 200
    assert holder.post(f"/cases/{case}/items", {"item": later}).status_code == 201
    assert appraiser.get(f"/items/{later}").status_code == 404


def test_appraiser_who_attested_in_a_case_is_not_its_investigator(vault: Vault, make: Make) -> None:
    holder, judge, expert = make(), make("JU"), make("AP")
    case = opened(judge, holder)
    item = holder.deposit()
    holder.post(f"/cases/{case}/items", {"item": item})
    with vault.database.write() as session:
        append_event(
            vault,
            session,
            Draft(
                subject=Subject(kind="item", id=item),
                type="ATTESTED",
                actor=EventActor(id=expert.id, role="AP", auth="token"),
                fields={"statement_sha256": "0" * 64, "signature_sha256": None},
            ),
        )
    as_also(vault, expert, "TI")
    place = {"grantee": expert.id, "role": "TI", "case": case, "actions": SEAT}
    assert judge.post("/grants", place).status_code == 409


def test_investigator_attests_nothing_that_parties_would_read(make: Make) -> None:
    holder, judge, expert = make(), make("JU"), make("TI")
    case = opened(judge, holder)
    item = holder.deposit()
    holder.post(f"/cases/{case}/items", {"item": item})
    seat(judge, expert, case)
    assert expert.get(f"/items/{item}").status_code == 200
    assert expert.get(f"/items/{item}/attestation-draft").status_code == 404
