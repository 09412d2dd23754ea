"""People for tests: administrators made as an operator makes them, others as administrators do, over HTTP."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from httpx2 import Client, Response

from evidence_vault.identity_settings import Identity
from evidence_vault.pipeline.people.people import first_administrator
from evidence_vault.pipeline.vault import Vault
from tests.pipeline.vaults import SetClock, new_vault

CHEAPEST = {"password_memory_kib": 19_456, "password_passes": 2, "password_lanes": 1}
"""The cheapest hash that settings allow, for tests of what a hash costs."""

PASSWORD = "correct horse battery staple"


def next_to_free(**rules: Any) -> Identity:
    """Rules for people whose hashes cost what settings wouldn't allow: tests log in thousands of times."""
    return Identity.model_validate(rules).model_copy(
        update={"password_memory_kib": 64, "password_passes": 1, "password_lanes": 1}
    )


def people_vault(home: Path, clock: SetClock | None = None, **changes: Any) -> Vault:
    """A vault in which a login takes a few thousandths of a second."""
    return new_vault(home, **{"clock": clock or SetClock(), "identity": next_to_free(), **changes})


@dataclass(slots=True)
class Somebody:
    """A person at a client: his id, and the header that he sends."""

    id: str
    headers: dict[str, str] = field(default_factory=dict)
    login: str = ""


@dataclass(slots=True)
class Office:
    """A vault with two administrators, and what they can do for a test."""

    vault: Vault
    client: Client
    first: Somebody
    second: Somebody

    def ask(self, who: Somebody | None, method: str, path: str, body: Any = None) -> Response:
        headers = {} if who is None else who.headers
        return self.client.request(method, f"/v1{path}", json=body, headers=headers)

    def done(self, who: Somebody | None, method: str, path: str, body: Any = None) -> Any:
        answer = self.ask(who, method, path, body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def enter(self, login: str, *, password: str = PASSWORD, role: str | None = None) -> Somebody:
        opened = self.done(None, "POST", "/sessions", {"login": login, "password": password, "role": role})
        return Somebody(opened["actor_id"], {"Authorization": f"Bearer {opened['secret']}"}, login)

    def add(self, name: str, login: str | None = None) -> Somebody:
        """A person without role or password."""
        made = self.done(self.first, "POST", "/people", {"name": name, "login": login})
        return Somebody(made["id"], {}, login or "")

    def rights_holder(self, name: str, login: str) -> Somebody:
        person = self.add(name, login)
        self.done(self.first, "POST", f"/people/{person.id}/roles", {"role": "RH"})
        code = self.done(self.first, "POST", f"/people/{person.id}/code")["code"]
        self.done(None, "POST", "/enrolments", {"code": code, "password": PASSWORD})
        return self.enter(login)

    def propose(self, person: Somebody, kind: str = "role", **more: Any) -> Any:
        body = {"kind": kind, "person_id": person.id, "reason": "as agreed", **more}
        return self.done(self.first, "POST", "/proposals", body)

    def confirmed(self, person: Somebody, kind: str = "role", **more: Any) -> str | None:
        """What both administrators agree on; of a reset, the whole code."""
        proposed = self.propose(person, kind, **more)
        done = self.done(self.second, "POST", f"/proposals/{proposed['id']}/confirm")
        return f"{proposed['half']}.{done['half']}" if proposed["half"] else None

    def reset(self, person: Somebody, password: str = PASSWORD) -> None:
        code = self.confirmed(person, "reset")
        self.done(None, "POST", "/enrolments", {"code": code, "password": password})

    def with_role(self, name: str, login: str, role: str, **licence: str) -> Somebody:
        """A person who holds a role with power, and is logged in."""
        person = self.add(name, login)
        self.reset(person)
        self.confirmed(person, role=role, **licence)
        return self.enter(login, role=role)


def open_office(vault: Vault, client: Client) -> Office:
    """Let the operator make two administrators, and let them log in."""
    nobody = Somebody("")
    office = Office(vault, client, nobody, nobody)
    found = []
    for name, login in (("First Administrator", "first"), ("Second Administrator", "second")):
        _, code = first_administrator(vault, name=name, login=login)
        office.done(None, "POST", "/enrolments", {"code": code, "password": PASSWORD})
        found.append(office.enter(login))
    office.first, office.second = found
    return office
