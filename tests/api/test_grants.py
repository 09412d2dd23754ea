"""Grants over the API: what they open, how they end, and that every use of them stands in the item's history."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from evidence_vault.core.names import encode_id, encode_time
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.people_models import Actor
from evidence_vault.workers.runner import keep_access
from tests.api.clients import Person, history, somebody, types
from tests.pipeline.vaults import SetClock

pytestmark = [pytest.mark.socket, pytest.mark.db]

Make = Callable[..., Person]
UNKNOWN = encode_id("it", bytes(16))
READING = ("", "/events", "/proofs", "/receipt", "/content", "/access")


@pytest.fixture
def make(vault: Vault, client: TestClient) -> Make:
    return lambda role="RH", **more: somebody(vault, client, role, **more)


def pass_time(vault: Vault, **time: float) -> None:
    assert isinstance(vault.clock, SetClock)
    vault.clock.advance(timedelta(**time).total_seconds())


def accessed(vault: Vault, item: str) -> list[tuple[str, str | None, str | None]]:
    return [
        (event["type"], event.get("what"), event["why"].get("grant"))
        for event in history(vault, "item", item)
        if event["type"] not in ("ITEM_RECEIVED", "GRANTED")
    ]


def test_grantee_reads_all_and_each_reading_is_an_event_under_his_grant(vault: Vault, make: Make) -> None:
    owner, lawyer = make(), make("AT")
    item = owner.deposit(b"a photo", **{"Content-Disposition": 'attachment; filename="photo.jpg"'})
    assert {lawyer.get(f"/items/{item}{path}").status_code for path in READING} == {404}
    grant = owner.grants(lawyer, [item], purpose="to advise")["id"]
    assert [lawyer.get(f"/items/{item}{path}").status_code for path in READING] == [200] * 6
    assert lawyer.get(f"/items/{item}/content").content == b"a photo"
    assert accessed(vault, item) == [
        ("VIEWED", "metadata", grant),
        ("CUSTODY_READ", None, grant),
        ("VIEWED", "metadata", grant),
        ("VIEWED", "metadata", grant),
        ("DOWNLOADED", "content", grant),
        ("CUSTODY_READ", None, grant),
        ("DOWNLOADED", "content", grant),
    ]
    assert history(vault, "item", item)[-1]["actor"]["id"] == lawyer.id
    assert owner.get(f"/items/{item}/events").status_code == 200
    assert len(accessed(vault, item)) == 7, "an owner who reads his own history leaves no mark"


def test_range_is_an_event_and_a_view_each_time(vault: Vault, make: Make) -> None:
    owner, judge = make(), make("AT")
    item = owner.deposit(b"0123456789")
    owner.grants(judge, [item], view_limit=2)
    assert judge.get(f"/items/{item}/content", Range="bytes=0-0").content == b"0"
    assert judge.get(f"/items/{item}/content", Range="bytes=99-").status_code == 416
    assert judge.get(f"/items/{item}/content", Range="bytes=5-6").content == b"56"
    assert judge.get(f"/items/{item}/content").status_code == 404
    assert judge.get(f"/items/{item}").status_code == 200
    assert types(vault, "item", item).count("DOWNLOADED") == 2


def test_head_tells_nothing_of_content(make: Make) -> None:
    owner, stranger = make(), make("AT")
    item = owner.deposit()
    for path in READING:
        known = stranger.client.head(f"/v1/items/{item}{path}", headers=stranger.headers)
        unknown = stranger.client.head(f"/v1/items/{UNKNOWN}{path}", headers=stranger.headers)
        assert known.status_code == unknown.status_code in (404, 405)
        assert known.headers.get("content-length") == unknown.headers.get("content-length")


def test_grant_opens_what_it_lists_and_names_and_no_more(make: Make) -> None:
    owner, lawyer = make(), make("AT")
    item, other = owner.deposit(b"1"), owner.deposit(b"2")
    owner.grants(lawyer, [item], actions=["see-metadata"])
    assert lawyer.get(f"/items/{item}").status_code == 200
    assert lawyer.get(f"/items/{item}/content").status_code == 404
    assert lawyer.post(f"/items/{item}/exports").status_code == 404
    assert lawyer.get(f"/items/{other}").status_code == 404
    assert [one["items"] for one in lawyer.get("/grants").json()["grants"]] == [
        [{"item": item, "undertaking": "none"}]
    ]


def test_grant_ends_by_the_clock_before_any_worker_notices(vault: Vault, make: Make) -> None:
    owner, lawyer = make(), make("AT")
    item = owner.deposit()
    end = encode_time(vault.clock() + timedelta(hours=1))
    grant = owner.grants(lawyer, [item], expires_at=end)
    pass_time(vault, minutes=59)
    assert lawyer.get(f"/items/{item}/content").status_code == 200
    pass_time(vault, minutes=1)
    assert lawyer.get(f"/items/{item}/content").status_code == 404
    assert "GRANT_EXPIRED" not in types(vault, "item", item)
    keep_access(vault)
    keep_access(vault)
    told = [event for event in history(vault, "item", item) if event["type"] == "GRANT_EXPIRED"]
    assert [(one["grant"], one["expires_at"], one["actor"]["role"]) for one in told] == [
        (grant["id"], end, "SYSTEM")
    ]
    assert owner.get(f"/grants/{grant['id']}").json()["state"] == "expired"


def test_grant_begins_at_its_time(vault: Vault, make: Make) -> None:
    owner, lawyer = make(), make("AT")
    item = owner.deposit()
    owner.grants(lawyer, [item], not_before=encode_time(vault.clock() + timedelta(days=1)))
    assert lawyer.get(f"/items/{item}").status_code == 404
    pass_time(vault, days=1)
    assert lawyer.get(f"/items/{item}").status_code == 200


def test_grant_begins_no_sooner_than_it_is_given_also_one_given_on(vault: Vault, make: Make) -> None:
    owner, first, second = make(), make("AT"), make("NO")
    item = owner.deposit()
    top = owner.grants(first, [item], onward=True)["id"]
    pass_time(vault, days=3)
    earlier, now = encode_time(vault.clock() - timedelta(days=1)), encode_time(vault.clock())
    given = owner.grants(second, [item], not_before=earlier)
    given_on = first.grants(second, [item], parent=top, not_before=earlier)
    assert [one["not_before"] for one in (given, given_on)] == [now, now]


def test_revoking_ends_what_was_derived(vault: Vault, make: Make) -> None:
    owner, first, second, third = make(), make("AT"), make("AT"), make("NO")
    item = owner.deposit()
    top = owner.grants(first, [item], onward=True)["id"]
    middle = first.grants(second, [item], parent=top, onward=True)["id"]
    leaf = second.grants(third, [item], parent=middle)["id"]
    assert third.get(f"/items/{item}/content").status_code == 200
    assert owner.post(f"/grants/{top}/revocation", {"reason": "done"}).status_code == 204
    for one in (first, second, third):
        assert one.get(f"/items/{item}/content").status_code == 404
    revoked = {e["grant"]: e["cause"] for e in history(vault, "item", item) if e["type"] == "GRANT_REVOKED"}
    assert revoked == {top: "withdrawn", middle: "parent", leaf: "parent"}
    before = len(history(vault, "item", item))
    assert owner.post(f"/grants/{top}/revocation").status_code == 204
    assert len(history(vault, "item", item)) == before


@pytest.mark.parametrize(
    "wider",
    [
        {"actions": ["export"]},
        {"expires_at": "2027-12-01T00:00:00.000Z"},
        {"view_limit": None},
        {"view_limit": 4},
        {"jurisdiction": "us"},
        {"items": "other"},
    ],
    ids=str,
)
def test_derived_grant_is_never_wider(make: Make, wider: dict[str, object]) -> None:
    owner, first, second = make(), make("AT"), make("NO")
    item, other = owner.deposit(b"1"), owner.deposit(b"2")
    top = owner.grants(first, [item], onward=True, view_limit=3, jurisdiction="cn")["id"]
    body = {
        "grantee": second.id,
        "role": "NO",
        "items": [item],
        "actions": ["see-metadata"],
        "parent": top,
        "view_limit": 2,
        "jurisdiction": "cn",
    }
    assert first.post("/grants", body).status_code == 201
    wider = {name: [item, other] if value == "other" else value for name, value in wider.items()}
    assert first.post("/grants", body | wider).status_code in (400, 404)


def test_views_that_were_given_on_are_gone(make: Make) -> None:
    owner, first, second = make(), make("AT"), make("NO")
    item = owner.deposit()
    top = owner.grants(first, [item], onward=True, view_limit=3)["id"]
    first.grants(second, [item], parent=top, view_limit=2)
    assert [first.get(f"/items/{item}/content").status_code for _ in range(2)] == [200, 404]
    assert [second.get(f"/items/{item}/content").status_code for _ in range(3)] == [200, 200, 404]


def test_grant_that_may_not_be_given_on_is_not(make: Make) -> None:
    owner, first, second = make(), make("AT"), make("NO")
    item = owner.deposit()
    top = owner.grants(first, [item])["id"]
    body = {"grantee": second.id, "role": "NO", "items": [item], "actions": ["see-metadata"]}
    assert first.post("/grants", body | {"parent": top}).status_code == 404
    assert first.post("/grants", body).status_code == 404
    assert second.post("/grants", body | {"parent": top}).status_code == 404


def test_trade_secret_opens_after_the_undertaking_only(vault: Vault, make: Make) -> None:
    owner, lawyer = make(), make("AT")
    item = owner.deposit(b"the recipe", **{"Evidence-Secret": "?1"})
    grant = owner.grants(lawyer, [item])["id"]
    assert lawyer.get(f"/items/{item}").json()["secret"] is True
    assert lawyer.get(f"/items/{item}/content").status_code == 404
    assert lawyer.get(f"/grants/{grant}").json()["items"][0]["undertaking"] == "needed"
    text = lawyer.get("/undertaking").json()
    signed = {"item": item, "text_sha256": text["sha256"], "name": "Lawyer"}
    assert lawyer.post(f"/grants/{grant}/undertakings", signed | {"text_sha256": "0" * 64}).status_code == 409
    assert make("AT").post(f"/grants/{grant}/undertakings", signed).status_code == 404
    assert lawyer.post(f"/grants/{grant}/undertakings", signed).status_code == 204
    assert lawyer.get(f"/items/{item}/content").content == b"the recipe"
    assert types(vault, "item", item).count("UNDERTAKING_SIGNED") == 1
    assert "Lawyer" not in str(history(vault, "item", item))


def test_appraiser_gets_a_working_copy(vault: Vault, make: Make) -> None:
    owner, appraiser = make(), make("AP")
    item = owner.deposit()
    owner.grants(appraiser, [item])
    assert appraiser.get(f"/items/{item}/content").status_code == 200
    assert types(vault, "item", item)[-1] == "WORKING_COPY_MADE"


def test_grantee_must_hold_the_role(make: Make) -> None:
    owner, lawyer = make(), make("AT")
    item = owner.deposit()
    body = {"grantee": lawyer.id, "role": "JU", "items": [item], "actions": ["see-metadata"]}
    assert owner.post("/grants", body).status_code == 400
    unknown = {**body, "grantee": encode_id("ac", bytes(16)), "role": "AT"}
    assert owner.post("/grants", unknown).status_code == 400
    assert owner.post("/grants", {**body, "grantee": owner.id, "role": "AT"}).status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"actions": ["order"]},
        {"actions": ["manage"]},
        {"actions": ["attest"]},
        {"actions": []},
        {"items": []},
        {"expires_at": "2020-01-01T00:00:00.000Z"},
        {"expires_at": "2999-01-01T00:00:00.000Z"},
        {"view_limit": 0},
        {"onward": "yes"},
        {"giver_id": "ac_00000000000000000000000000"},
        {"holder_id": "x"},
        {"views_used": -5},
        {"id": "gr_00000000000000000000000000"},
        {"purpose": "a\x00b"},
        {"grantee": "ac_' OR 1=1 --"},
        {"items": ["it_' OR 1=1 --"]},
    ],
    ids=str,
)
def test_grant_says_nothing_that_none_may(make: Make, change: dict[str, object]) -> None:
    owner, lawyer = make(), make("AT")
    item = owner.deposit()
    body = {"grantee": lawyer.id, "role": "AT", "items": [item], "actions": ["see-metadata"]}
    assert owner.post("/grants", body | change).status_code in (400, 422)


def test_foreign_grant_refused_where_the_deployer_forbids_it(vault: Vault, make: Make) -> None:
    owner, judge = make(), make("AT")
    item = owner.deposit()
    body = {
        "grantee": judge.id,
        "role": "AT",
        "items": [item],
        "actions": ["see-metadata"],
        "jurisdiction": "us",
    }
    access = vault.settings.access.model_copy(update={"cross_border": False, "jurisdiction": "cn"})
    given = owner.post("/grants", body)
    assert given.status_code == 201
    assert judge.get(f"/items/{item}").status_code == 200
    object.__setattr__(vault, "settings", vault.settings.model_copy(update={"access": access}))
    assert owner.post("/grants", body).status_code == 409
    assert judge.get(f"/items/{item}").status_code == 404, "what was given before is worth nothing now"


@pytest.mark.parametrize("path", ["/events", "/custody"])
def test_grantee_reads_of_others_grants_that_they_are_there_not_what_for(make: Make, path: str) -> None:
    owner, lawyer, expert = make(), make("AT"), make("AP")
    item = owner.deposit(b"a photo", **{"Content-Disposition": 'attachment; filename="photo.jpg"'})
    owner.grants(lawyer, [item], purpose="to advise one of us")
    own = owner.grants(expert, [item], purpose="to appraise it")["id"]
    told = {
        event["event"].get("grant"): event["disclosures"]
        for event in expert.get(f"/items/{item}{path}").json()["events"]
        if event["event"]["type"] in ("ITEM_RECEIVED", "GRANTED")
    }
    assert len(told) == 3
    assert told.pop(None) == {"file_name": "photo.jpg"}
    assert told.pop(own) == {"purpose": "to appraise it"}
    assert list(told.values()) == [{}]
    assert "to advise one of us" in owner.get(f"/items/{item}{path}").text


def test_somebody_else_neither_sees_nor_ends_a_grant(make: Make) -> None:
    owner, lawyer, stranger = make(), make("AT"), make()
    item = owner.deposit()
    grant = owner.grants(lawyer, [item])["id"]
    for one in (stranger, make("AD"), make("JU")):
        known = one.get(f"/grants/{grant}")
        unknown = one.get(f"/grants/{encode_id('gr', bytes(16))}")
        assert known.status_code == unknown.status_code == 404
        assert known.json().keys() == unknown.json().keys()
        assert one.post(f"/grants/{grant}/revocation").status_code == 404
        assert one.post(f"/grants/{grant}/confirmation").status_code == 404
    assert lawyer.post(f"/grants/{grant}/revocation").status_code == 404
    assert lawyer.get(f"/items/{item}").status_code == 200


def test_access_list_tells_who_saw_what_and_who_may(make: Make) -> None:
    owner, lawyer = make(), make("AT")
    item, other = owner.deposit(b"1"), owner.deposit(b"2")
    grant = owner.grants(lawyer, [item, other], purpose="to advise")["id"]
    lawyer.get(f"/items/{item}/content")
    answer = owner.get(f"/items/{item}/access").json()
    (only,) = answer["accesses"]
    assert (only["type"], only["actor"], only["role"], only["basis"], only["grant"]) == (
        "DOWNLOADED",
        lawyer.id,
        "AT",
        "grant",
        grant,
    )
    assert [(one["id"], one["state"], len(one["items"])) for one in answer["grants"]] == [(grant, "live", 1)]
    assert lawyer.get(f"/items/{item}/access").json()["grants"] == []


def test_grantee_exports_and_fetches_under_his_grant(vault: Vault, make: Make) -> None:
    owner, lawyer = make(), make("AT")
    item = owner.deposit()
    assert lawyer.post(f"/items/{item}/exports").status_code == 404
    grant = owner.grants(lawyer, [item], actions=["export", "open-content"])["id"]
    started = lawyer.post(f"/items/{item}/exports")
    assert started.status_code == 202
    export = started.json()["id"]
    assert lawyer.get(f"/exports/{export}").status_code == 200
    assert owner.get(f"/exports/{export}").status_code == 404
    owner.post(f"/grants/{grant}/revocation")
    assert lawyer.get(f"/exports/{export}").status_code == 404
    assert lawyer.get(f"/exports/{export}/bundle").status_code == 404


def test_confirmed_grant_counts_again_after_the_login_became_anothers(vault: Vault, make: Make) -> None:
    owner, judge = make(), make("AT")
    item = owner.deposit()
    grant = owner.grants(judge, [item])["id"]
    pass_time(vault, hours=1)
    distrust(vault, judge.id)
    assert judge.get(f"/items/{item}").status_code == 404
    assert judge.post(f"/grants/{grant}/confirmation").status_code == 404
    assert owner.post(f"/grants/{grant}/confirmation").status_code == 204
    assert judge.get(f"/items/{item}").status_code == 200
    assert types(vault, "item", item).count("GRANTED") == 2


def distrust(vault: Vault, actor_id: str) -> None:
    """What `identity` does when a role is given, credentials are reset or a login is linked anew."""
    with vault.database.write() as session:
        session.execute(update(Actor).where(Actor.id == actor_id).values(trusted_since=vault.clock()))
