"""A whole vault in one process: real authorities and a real chain behind an HTTP client without a network.

The stages are driven by hand with a clock that the test moves, so every run tells the same story.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from anchors.base import HttpReply
from anchors.ethereum.deploy import deploy
from anchors.ethereum.devchain import DevelopmentChain
from anchors.ethereum.network import EthereumConfig
from anchors.ethereum.network import Network as ChainNetwork
from anchors.ethereum.node import Node
from anchors.ethereum.signer import KeySigner, load_development_key
from anchors.ethereum.submit import EthereumSubmitter
from anchors.rfc3161.devtsa import DevelopmentTsa
from anchors.rfc3161.submit import Rfc3161Submitter, TsaConfig
from anchors.values import replace
from evidence_vault.access.decisions import ALL_SCOPES
from evidence_vault.access.facts import Requester
from evidence_vault.authority_settings import TimestampAuthority
from evidence_vault.core.names import encode_id
from evidence_vault.errors import UnavailableError
from evidence_vault.network_settings import Network
from evidence_vault.pipeline.anchoring.anchor import advance_anchor
from evidence_vault.pipeline.export.export import advance_export, spool_path
from evidence_vault.pipeline.export.wish import ExportWish, request_export
from evidence_vault.pipeline.intake.deposit import begin_deposit
from evidence_vault.pipeline.intake.wishes import Wish
from evidence_vault.pipeline.operation.opening import create_keys, open_log
from evidence_vault.pipeline.record import EventActor
from evidence_vault.pipeline.vault import Vault, build_vault
from evidence_vault.settings import Settings
from evidence_vault.store.nonces import DatabaseNonceLedger
from evidence_vault.store.queries import actors
from evidence_vault.store.schema import upgrade
from evidence_vault.verify.pem import parse_pem_chain
from evidence_vault.workers.exchanges import obtain_timestamps
from evidence_vault.workers.runner import Work, singly
from tests.anchors.answering import Answering, Posted
from tests.pipeline.running import run_once
from tests.pipeline.vaults import SetClock

OWNER = EventActor(id=encode_id("ac", b"o" * 16), role="RH", auth="token")
REQUESTER = Requester(actor_id=OWNER.id, role="RH", scopes=frozenset(ALL_SCOPES), auth="token")
CHAIN_URL = "http://chain.example/"


@dataclass(slots=True)
class Wires(Answering):
    """What would be a network leads straight to what answers there."""

    answer: dict[str, Callable[[bytes], bytes]] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    posted: list[str] = field(default_factory=list)

    def reply_to(self, sent: Posted) -> HttpReply:
        self.posted.append(sent.url)
        if sent.url in self.down:
            raise UnavailableError(sent.url, "connection refused")
        reply_type = sent.content_type.replace("timestamp-query", "timestamp-reply")
        return HttpReply(status=200, content_type=reply_type, body=self.answer[sent.url](sent.body))


@dataclass(slots=True)
class Story:
    """One vault with everything it talks to."""

    vault: Vault
    clock: SetClock
    wires: Wires
    chain: DevelopmentChain

    def work(self) -> Mapping[str, Work]:
        return {
            "timestamp": Work(stage=obtain_timestamps),
            "anchor": Work(stage=singly(advance_anchor)),
            "export": Work(stage=singly(advance_export)),
        }

    def go_on(self, seconds: int = 20) -> None:
        """Let time pass, a second at a time, with everything that falls due in it."""
        for _ in range(seconds):
            run_once(self.vault, self.work())
            self.clock.advance(1)

    def deposit(self, content: bytes = b"evidence", file_name: str | None = "证据.txt") -> str:
        with begin_deposit(self.vault, Wish(actor=OWNER, file_name=file_name)) as one:
            one.write(content)
            return one.commit().item_id

    def export(self, *items: str) -> str:
        return request_export(self.vault, ExportWish(requester=REQUESTER, item_ids=items))

    def bundle(self, bundle_id: str) -> Path:
        return spool_path(self.vault, bundle_id)


MakeTsa = Callable[[Path, datetime], DevelopmentTsa]
NetworkParts = tuple[Network, KeySigner, Callable[[DatabaseNonceLedger], EthereumSubmitter]]


def begin_story(
    home: Path,
    *,
    log_class: str = "development",
    make_tsa: MakeTsa = DevelopmentTsa.create,
    network: NetworkParts | None = None,
    clock: SetClock | None = None,
    **changes: object,
) -> Story:
    """Open a vault with two authorities of two groups, and a contract on a chain of its own.

    network: another one than that. clock: where it begins. changes: other settings.
    """
    clock, wires = clock or SetClock(), Wires()
    authorities = [
        _authority(home, name, clock, wires, log_class=log_class, make_tsa=make_tsa)
        for name in ("one", "two")
    ]
    chain = DevelopmentChain.open(home / "chain", clock)
    wires.answer[CHAIN_URL] = chain.handle
    on_chain, sender, submitter = network or _network(home, clock, wires, log_class)
    settings = Settings.model_validate(
        {
            "origin": "development/story" if log_class == "development" else "vault.example/story",
            "log_class": log_class,
            "authorities": [authority for authority, _ in authorities],
            "networks": [on_chain],
            "checkpoint_interval_s": 1,
            "token_interval_s": 1,
            "anchor_interval_s": 5,
            **changes,
        }
    ).model_copy(update={"home": home})
    create_keys(settings, random=secrets.token_bytes)
    vault = build_vault(settings, clock=clock)
    ledger = DatabaseNonceLedger(vault.database)
    submitting = submitter(ledger)
    vault = replace(
        vault,
        submitters={
            "timestamp": {authority.name: stamper for authority, stamper in authorities},
            "anchor": {on_chain.name: submitting},
        },
        watchers={on_chain.name: submitting},
    )
    upgrade(vault.database)
    anchor: dict[str, Any] = {
        "kind": "ethereum",
        "chain_id": on_chain.chain_id,
        "contract": on_chain.contract,
        "sender": sender.address.hex(),
    }
    open_log(vault, anchors=[anchor])
    with vault.database.write() as session:
        actors.add_actor(session, actor_id=OWNER.id, name="Owner", role="RH", at=clock())
    return Story(vault=vault, clock=clock, wires=wires, chain=chain)


def _authority(
    home: Path, name: str, clock: SetClock, wires: Wires, *, log_class: str, make_tsa: MakeTsa
) -> tuple[TimestampAuthority, Rfc3161Submitter]:
    folder = home / f"tsa-{name}"
    folder.mkdir(parents=True)
    tsa = make_tsa(folder, clock())
    url = f"http://{name}.example/tsr"
    wires.answer[url] = lambda request: tsa.respond(request, clock())
    roots = parse_pem_chain(tsa.root_pem.encode(), place=name)
    config = TsaConfig(name=name, group=f"group-{name}", url=url, roots=roots)
    authority = TimestampAuthority.model_validate(
        {
            "name": name,
            "group": f"group-{name}",
            "url": url,
            "roots_pem": tsa.root_pem,
            "log_class": log_class,
        }
    )
    return authority, Rfc3161Submitter(config, wires, clock)


def _network(home: Path, clock: SetClock, wires: Wires, log_class: str) -> NetworkParts:
    genesis = Node(CHAIN_URL, wires, 5.0).ask_block("0x0")
    chain_id = Node(CHAIN_URL, wires, 5.0).ask_number("eth_chainId")
    assert genesis is not None
    on_chain = ChainNetwork(
        chain_id=chain_id, genesis_hash=bytes.fromhex(genesis["hash"][2:]), rpc_urls=(CHAIN_URL,), poll_s=1.0
    )
    signer = load_development_key(home / "chain" / "development.key")
    deployed = deploy(on_chain, signer=signer, http=wires, wait=clock.advance)
    network = Network.model_validate(
        {
            "name": "story-chain",
            "chain_id": chain_id,
            "genesis": on_chain.genesis_hash.hex(),
            "contract": deployed.contract.hex(),
            "rpc_urls": [CHAIN_URL],
            "log_class": "test" if log_class == "production" else log_class,
        }
    )
    config = EthereumConfig(network=on_chain, contract=deployed.contract)

    def submitter(ledger: DatabaseNonceLedger) -> EthereumSubmitter:
        return EthereumSubmitter(config, signer=signer, nonces=ledger, http=wires)

    return network, signer, submitter
