"""A served vault and the people around it: what they say and do, and what each of them gets to see.

The vault is whole (two authorities, a chain, an app on a port of loopback), its clock is moved by hand, and people
come in as they do elsewhere: two administrators give roles, everybody logs in with a password of his own. Somebody
who is refused must not be able to tell whether there is anything: `is_refused` compares the answer with the one
about an id that nobody has.
"""

import contextlib
import io
import json
import os
import re
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from unittest.mock import patch

import uvicorn
from httpx2 import Client, Response

from evidence_vault.api.app import create_app
from evidence_vault.cli.main import main
from evidence_vault.cli.serve import server_config
from evidence_vault.core.names import encode_id, encode_time
from evidence_vault.pipeline.export.trust import final_blocks, policy_text
from evidence_vault.store.queries import bundles, log
from evidence_vault.workers.runner import keep_access
from tests.api.people import Office, Somebody, next_to_free, open_office
from tests.journeys.page import Transcript
from tests.pipeline.story import Story, begin_story
from tests.pipeline.vaults import SetClock

BEGUN = timedelta(days=60)
"""The stories begin so long ago and end before today: nobody verifies what lies in his future."""

NOTHING = encode_id("it", bytes(16)).removeprefix("it_")
_ID = re.compile(r"\b(ac|bd|cs|gr|it)_[0-9a-z]{26}")
_PRINTING = threading.Lock()


@dataclass(slots=True)
class House:
    """The vault, its people, and what was said. now: as the vault's clock has it, in API form."""

    folder: Path
    story: Story
    url: str
    office: Office
    transcript: Transcript = field(default_factory=Transcript)

    @property
    def now(self) -> str:
        return self.in_days(0)

    def in_days(self, days: float) -> str:
        return encode_time(self.story.clock() + timedelta(days=days))

    def person(self, name: str, role: str, **licence: str) -> "Person":
        """Somebody whom two administrators gave this role, and who has logged in."""
        login = re.sub(r"\W+", "-", name.lower())
        office = self.office
        who = (
            office.rights_holder(name, login)
            if role == "RH"
            else office.with_role(name, login, role, **licence)
        )
        return Person(house=self, name=name, role=role, who=who)

    def goes_on(self, seconds: int = 12) -> None:
        """Let the vault do what is due: tokens, log, anchors, bundles."""
        self.story.go_on(seconds)

    def passes(self, days: float) -> None:
        """Let days pass; what ends by the clock is written down."""
        self.story.clock.advance(timedelta(days=days).total_seconds())
        keep_access(self.story.vault)
        self.goes_on(4)

    def working(self, task: Callable[[], Any]) -> Any:
        """Do what waits for the vault while the vault works."""
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(task)
            until = time.monotonic() + 60
            while not done.done():
                assert time.monotonic() < until, "the vault's work doesn't end"
                self.goes_on(1)
                time.sleep(0.02)
            return done.result()

    def write_policy(self, name: str = "trust.toml") -> Path:
        """A reader's policy: the vault's own, with the blocks that somebody else vouches for."""
        with self.story.vault.database.read() as session:
            newest = log.latest_published(session)
            assert newest is not None
            blocks = final_blocks(session, bundles.anchored_sizes(session, published=newest.size))
            text = policy_text(self.story.vault, session, tsa_groups=2, known_blocks=blocks)
        path = self.folder / name
        path.write_text(text, "utf-8")
        return path


@dataclass(slots=True)
class Person:
    """Somebody at the vault, in one role."""

    house: House
    name: str
    role: str
    who: Somebody

    @property
    def id(self) -> str:
        return self.who.id

    def logs_in(self) -> None:
        """Again, after a night: sessions end."""
        self.who = self.house.office.enter(self.who.login, role=self.role)

    def asks(
        self, method: str, path: str, body: Any = None, *, status: int | None = None, **headers: str
    ) -> Any:
        """Ask and get the answer, as JSON where it is; `status` if it is not the usual success."""
        self.house.transcript.asked(self.name, method, f"/v1{path}", body)
        answer = self._send(method, path, body, headers)
        assert answer.is_success if status is None else answer.status_code == status, answer.text
        told = answer.json() if "json" in answer.headers.get("content-type", "") else None
        assert answer.status_code != 204 or "content-type" not in answer.headers
        self.house.transcript.answered(_status(answer), told)
        return told if told is not None else answer.content

    def sees(self, path: str) -> Any:
        return self.asks("GET", path)

    def is_refused(self, method: str, path: str, body: Any = None) -> None:
        """The answer is the one about what doesn't exist, but for the address that was asked."""
        told = self.asks(method, path, body, status=404)
        nothing = _ID.sub(lambda found: f"{found[1]}_{NOTHING}", path, count=1)
        unknown = self._send(method, nothing, body, {})
        assert unknown.status_code == 404, unknown.text
        assert {k: v for k, v in told.items() if k != "instance"} == {
            k: v for k, v in unknown.json().items() if k != "instance"
        }

    def grants(self, to: "Person", items: list[str], may: tuple[str, ...], **more: Any) -> str:
        body = {"grantee": to.id, "role": to.role, "items": items, "actions": list(may), **more}
        return str(self.asks("POST", "/grants", body)["id"])

    def revokes(self, grant: str, reason: str) -> None:
        self.asks("POST", f"/grants/{grant}/revocation", {"reason": reason})

    def opens_case(self, **more: Any) -> str:
        return str(self.asks("POST", "/cases", {"jurisdiction": "cn", **more})["id"])

    def adds(self, item: str, case: str, **line: Any) -> None:
        self.asks("POST", f"/cases/{case}/items", {"item": item, **line})

    def deposits(self, name: str, content: bytes) -> str:
        """By the command line; return the item's id."""
        path = self.house.folder / name
        path.write_bytes(content)
        return str(re.findall("it_[0-9a-z]{26}", self.runs("deposit", str(path)))[0])

    def runs(self, *words: str, expected: int = 0) -> str:
        """Run a command on his own machine, with his session; return what it prints."""
        self.house.transcript.ran(self.name, [self._short(word) for word in words])
        access = {"EVIDENCE_VAULT_URL": self.house.url, "EVIDENCE_VAULT_TOKEN": self._token()}
        code, text = self.house.working(lambda: _run(words, access))
        text = self._short(text)
        self.house.transcript.add(text)
        assert code == expected, text
        return str(text)

    def exports(self, item: str, name: str) -> Path:
        path = self.house.folder / name
        self.runs("export", item, "-o", str(path))
        return path

    def exports_case(self, case: str, name: str) -> Path:
        """The case and what of it he may have."""
        path = self.house.folder / name
        self.runs("export", "--case", case, "-o", str(path))
        return path

    def verifies(self, bundle: Path, *words: str, trust: Path | None = None) -> "Told":
        """On a machine without a network and without the vault: as text for himself, as JSON for us."""
        trust = trust or self.house.write_policy()
        call = ("verify", str(bundle), "--trust", str(trust), *words)
        self.house.transcript.ran(self.name, [self._short(word) for word in call])
        with offline():
            code, text = _run(call, {})
            _, document = _run((*call, "--json"), {})
        self.house.transcript.add(self._short(text))
        return Told(code=code, text=text, report=json.loads(document))

    def _send(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Response:
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.house.office.client.request(
            method,
            f"/v1{path}",
            headers={**self.who.headers, **headers},
            **content,
        )

    def _short(self, text: str) -> str:
        return text.replace(f"{self.house.folder}/", "")

    def _token(self) -> str:
        return self.who.headers["Authorization"].removeprefix("Bearer ")


@dataclass(frozen=True, slots=True)
class Told:
    """What a verifier told: its exit code, the report as people and as programs read it."""

    code: int
    text: str
    report: dict[str, Any]

    def tells(self, item: str, *events: str) -> None:
        """Everything since anchoring holds, and this is the whole history after the deposit and its tokens."""
        assert self.code == 5, self.text
        assert self.report["verdict"] == "DEVELOPMENT-PASSED"
        assert {self.row(number, item)["status"] for number in range(1, 9)} == {"PASSED"}, self.text
        found = [one["type"] for one in self.item(item)["bounds"]]
        deposit = ["ITEM_RECEIVED", "TIMESTAMP_OBTAINED", "TIMESTAMP_OBTAINED"]
        assert found == [*deposit, *events, "EXPORTED"], found

    def tells_what(self, reader: Person, case: str) -> None:
        """The bundle tells of the case and its items, up to the seal, just what the reader is told in the vault."""
        [of_case] = [one for one in self.report["cases"] if one["case"] == case]
        assert of_case["exported"]
        carried = {case: of_case["bounds"]} | {one["item"]: one["bounds"] for one in self.report["items"]}
        in_bundle = [_account(subject, one) for subject, bounds in carried.items() for one in bounds]
        sealed = {subject: bounds[-1]["seq"] for subject, bounds in carried.items()}
        assert {bounds[-1]["type"] for bounds in carried.values()} == {"EXPORTED"}
        seen = [
            _account(one["subject"], one | {"told": one | {"fields": None}})
            for one in reader.sees(f"/cases/{case}/custody")["events"]
            if one["subject"] in sealed and one["seq"] <= sealed[one["subject"]]
        ]
        assert sorted(in_bundle) == sorted(seen)

    def item(self, item: str) -> dict[str, Any]:
        [found] = [one for one in self.report["items"] if one["item"] == item]
        return dict(found)

    def row(self, number: int, item: str) -> dict[str, Any]:
        [found] = [row for row in self.item(item)["rows"] if row["row"] == number]
        return dict(found)


@contextlib.contextmanager
def open_house(folder: Path, **changes: Any) -> Iterator[House]:
    """Open a vault, serve it on loopback, and let two administrators in."""
    clock = SetClock(datetime.now(UTC).replace(microsecond=0) - BEGUN)
    story = begin_story(folder / "vault", clock=clock, identity=next_to_free(), **changes)
    server = uvicorn.Server(server_config(create_app(story.vault), host="127.0.0.1", port=0))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{_port(server)}"
        with Client(base_url=url, trust_env=False) as client:
            yield House(folder=folder, story=story, url=url, office=open_office(story.vault, client))
    finally:
        server.should_exit = True
        thread.join(20)
        story.chain.close()
        story.vault.database.dispose()


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """Nothing opens a socket."""

    class Refused(socket.socket):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            raise AssertionError("the verifier reached for a network")

    with patch("socket.socket", Refused):
        yield


def _account(subject: str, event: Mapping[str, Any]) -> str:
    """What both say of an event, to be compared: who did what, when, why, and what is disclosed of it."""
    told = event["told"] if event["type"] not in (None, "redacted") else None
    if told is None:
        return json.dumps([subject, event["seq"]])
    actor = {name: told["actor"][name] for name in ("id", "role", "auth", "on_behalf_of")}
    said = [
        told[name] for name in ("result", "basis", "grant", "case", "order", "disclosures", "undisclosed")
    ]
    return json.dumps([subject, event["seq"], event["type"], event["at"], actor, *said], sort_keys=True)


def _port(server: uvicorn.Server) -> int:
    until = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < until, "the vault doesn't listen"
        time.sleep(0.01)
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


def _run(words: tuple[str, ...], environment: Mapping[str, str]) -> tuple[int, str]:
    printed = io.StringIO()
    with (
        _PRINTING,
        warnings.catch_warnings(),  # a command leaves its connection to the end of its process
        patch.dict(os.environ, environment),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        warnings.simplefilter("ignore", ResourceWarning)
        code = main(words)
    return code, printed.getvalue()


def _status(answer: Response) -> str:
    return f"{answer.status_code} {HTTPStatus(answer.status_code).phrase}"
