"""People with tokens, what they have deposited, and short ways to let each other in."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from httpx2 import Response
from starlette.testclient import TestClient

from evidence_vault.access.decisions import ALL_SCOPES
from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_id
from evidence_vault.identity.actors import token_credential
from evidence_vault.identity.tokens import encode_token
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.people_models import Actor
from evidence_vault.store.queries import actors, events

LICENCE = "11010120200001"

LOOK = ("open-content", "read-custody", "see-metadata")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a token, as a client of the API."""

    id: str
    role: str
    client: TestClient
    headers: Mapping[str, str]

    def get(self, path: str, **headers: str) -> Response:
        return self.client.get(f"/v1{path}", headers={**self.headers, **headers})

    def post(self, path: str, body: object = None, **headers: str) -> Response:
        return self.client.post(
            f"/v1{path}", json={} if body is None else body, headers={**self.headers, **headers}
        )

    def deposit(self, content: bytes = b"evidence", **headers: str) -> str:
        answer = self.client.post("/v1/items", content=content, headers={**self.headers, **headers})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def grants(self, grantee: "Person", items: list[str], **more: object) -> dict[str, Any]:
        """Give a grant that must be given; return it."""
        body = {"grantee": grantee.id, "role": grantee.role, "items": items, "actions": list(LOOK)} | more
        answer = self.post("/grants", body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def opens(self, **more: object) -> str:
        """Open a case; return its id."""
        answer = self.post("/cases", {"forum": "court", "jurisdiction": "cn"} | more)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


def somebody(
    vault: Vault, client: TestClient, role: str = "RH", scopes: tuple[str, ...] = ALL_SCOPES
) -> Person:
    """Make a person in this role, licensed where the role is, with a token."""
    token, actor_id, now = (
        encode_token(secrets.token_bytes(32)),
        encode_id("ac", secrets.token_bytes(16)),
        vault.clock(),
    )
    with vault.database.write() as session:
        session.add(
            Actor(
                id=actor_id,
                kind="person",
                name="Somebody",
                organisation_id=None,
                created_at=now,
                trusted_since=now,
                disabled_at=None,
            )
        )
        session.flush()
        held = actors.add_role(
            session, actor_id=actor_id, role=role, at=now, licence_number=LICENCE, jurisdiction="cn"
        )
        row = token_credential(
            token, actor_id=actor_id, role_id=held.id, label="Somebody", scopes=scopes, now=now, life=None
        )
        actors.add_credential(session, row)
    headers = {"Authorization": f"Bearer {token}"}
    return Person(id=actor_id, role=role, client=client, headers=headers)


def history(vault: Vault, kind: str, subject_id: str) -> list[dict[str, Any]]:
    """Return the events of a subject, as the database has them."""
    with vault.database.read() as session:
        rows = events.events_of(session, Subject(kind=kind, id=subject_id))
        return [json.loads(row.raw) for row in rows]


def types(vault: Vault, kind: str, subject_id: str) -> list[str]:
    """Return the types of a subject's events."""
    return [event["type"] for event in history(vault, kind, subject_id)]
