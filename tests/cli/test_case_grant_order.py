"""The commands about cases, grants and orders say what the API needs, and show what it answers."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from evidence_vault.cli.main import main
from evidence_vault.cli.remote import Answer, Remote
from evidence_vault.exits import USAGE

CASE, ITEM, ACTOR, GRANT = "cs_1", "it_1", "ac_0g2491650n2rbhg68t3ce1t7gz", "gr_1"
Call = tuple[str, str, Any, Mapping[str, str]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    made: list[Call] = []

    def small(
        _: Remote, method: str, path: str, body: bytes, headers: Mapping[str, str], **patience: float
    ) -> Answer:
        made.append((method, path, json.loads(body) if body else None, headers))
        return Answer(status=200, headers={}, body=b'{"text": "I keep it secret.", "sha256": "00"}')

    monkeypatch.setattr(Remote, "_small", small)
    monkeypatch.setenv("EVIDENCE_VAULT_TOKEN", "ev_" + "x" * 43)
    return made


@pytest.mark.parametrize(
    ("line", "path", "body"),
    [
        (
            "case open --forum court --jurisdiction cn --number 1",
            "/v1/cases",
            {
                "forum": "court",
                "jurisdiction": "cn",
                "confidentiality": "parties",
                "number": "1",
                "mediation_only": False,
            },
        ),
        (f"case add {CASE} {ITEM} --copies 2", f"/v1/cases/{CASE}/items", {"item": ITEM, "copies": 2}),
        (f"case party {CASE} --side claimant", f"/v1/cases/{CASE}/parties", {"side": "claimant"}),
        (
            f"case consent {CASE} --for-case cs_2 {ITEM}",
            f"/v1/cases/{CASE}/consents",
            {"for_case": "cs_2", "items": [ITEM]},
        ),
        (f"case access {CASE}", f"/v1/cases/{CASE}/access", None),
        ("case list", "/v1/cases", None),
        (
            f"opinion seal {CASE} {ITEM} --about it_2",
            f"/v1/cases/{CASE}/opinions",
            {"item": ITEM, "about": ["it_2"]},
        ),
        (f"opinion list {CASE}", f"/v1/cases/{CASE}/opinions", None),
        (f"opinion unseal {CASE} {ITEM}", f"/v1/cases/{CASE}/opinions/{ITEM}/unsealing", {}),
        (f"order reveal {GRANT} {ITEM}", f"/v1/orders/{GRANT}/revelations", {"item": ITEM}),
        (
            f"hold place {ITEM} --retention --until T",
            f"/v1/items/{ITEM}/holds",
            {"retention": True, "until": "T"},
        ),
        (f"hold place {CASE} --reason x", f"/v1/cases/{CASE}/holds", {"reason": "x"}),
        (f"hold release {ITEM} 3", f"/v1/items/{ITEM}/holds/3/release", {}),
        (f"hold list {ITEM}", f"/v1/items/{ITEM}/holds", None),
        ("hold retentions", "/v1/retentions", None),
        (
            f"objection record {ITEM} --ground legality --party 2 text",
            f"/v1/items/{ITEM}/objections",
            {"ground": "legality", "party": 2, "text": "text"},
        ),
        (
            f"objection answer {ITEM} 4 rejected --text no",
            f"/v1/items/{ITEM}/objections/4/answers",
            {"outcome": "rejected", "text": "no"},
        ),
        (f"objection list {ITEM}", f"/v1/items/{ITEM}/objections", None),
        (
            f"grant give {ACTOR} {ITEM} --role AT --may open-content --may see-metadata --view-limit 2",
            "/v1/grants",
            {
                "grantee": ACTOR,
                "role": "AT",
                "items": [ITEM],
                "view_limit": 2,
                "actions": ["open-content", "see-metadata"],
                "onward": False,
            },
        ),
        (f"grant revoke {GRANT} --reason done", f"/v1/grants/{GRANT}/revocation", {"reason": "done"}),
        (f"grant confirm {GRANT}", f"/v1/grants/{GRANT}/confirmation", {}),
        ("grant list --given", "/v1/grants?side=given", None),
        (f"grant access {ITEM}", f"/v1/items/{ITEM}/access", None),
        (
            f"order register {CASE} {ITEM} --court C --lawyer {ACTOR}:L-1 --issued-at 2026-01-01T00:00:00Z",
            "/v1/orders",
            {
                "case": CASE,
                "items": [ITEM],
                "court": "C",
                "issued_at": "2026-01-01T00:00:00Z",
                "lawyers": [{"person": ACTOR, "licence": "L-1"}],
            },
        ),
        (
            f"order return {GRANT} --asked 1 --produced {ITEM} --note n",
            f"/v1/orders/{GRANT}/return",
            {"asked": 1, "produced": [ITEM], "refused": [], "not_found": 0, "note": "n"},
        ),
        (f"order access {GRANT}", f"/v1/orders/{GRANT}/access", None),
    ],
)
def test_command_asks_what_it_says(calls: list[Call], line: str, path: str, body: Any) -> None:
    assert main(line.split()) == 0
    ((method, asked, sent, _),) = calls
    assert (method, asked, sent) == ("GET" if body is None else "POST", path, body)


def test_undertaking_is_shown_before_it_is_signed(
    calls: list[Call], capsys: pytest.CaptureFixture[str]
) -> None:
    line = f"grant sign {GRANT} {ITEM} --name Me".split()
    assert main(line) == 0
    assert [call[0] for call in calls] == ["GET"]
    assert "I keep it secret." in capsys.readouterr().out
    assert main([*line, "--agreed"]) == 0
    signed = {"item": ITEM, "name": "Me", "text_sha256": "00"}
    assert calls[-1][1:3] == (f"/v1/grants/{GRANT}/undertakings", signed)


def test_lawyer_names_the_holder_for_whom_he_acts(calls: list[Call]) -> None:
    assert main(["case", "list", "--on-behalf-of", ACTOR]) == 0
    assert calls[0][3]["On-Behalf-Of"] == ACTOR
    assert main(["case", "list", "--on-behalf-of", "somebody"]) == USAGE


def test_order_without_a_licence_is_not_sent(calls: list[Call]) -> None:
    line = f"order register {CASE} {ITEM} --court C --lawyer {ACTOR}"
    assert main(line.split()) == USAGE
    assert not calls


@pytest.mark.parametrize("line", ["export -o x.zip", f"export {ITEM} --case {CASE} -o x.zip"])
def test_export_is_of_an_item_or_of_a_case(calls: list[Call], line: str) -> None:
    assert main(line.split()) == USAGE
    assert calls == []
