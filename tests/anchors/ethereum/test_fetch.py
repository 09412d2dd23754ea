"""Fetching headers and deploying, over HTTP from the development chain."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anchors.base import AnchorProof, Attested, Indeterminate, Submitter, Verifier
from anchors.errors import ConfigError, UnavailableError
from anchors.ethereum.deploy import deploy
from anchors.ethereum.fetch import fetch_headers
from anchors.ethereum.headers import HeadersFile, encode_headers, parse_headers
from anchors.ethereum.network import GWEI
from anchors.ethereum.node import Node
from anchors.ethereum.onchain import InsufficientFundsError
from anchors.ethereum.proof import parse_proof
from anchors.ethereum.signer import KeySigner
from anchors.ethereum.verify import EthereumTrust, EthereumVerifier, TrustedContract
from tests.anchors.ethereum.submitting import PlainHttp, Site, open_site, statement

pytestmark = pytest.mark.socket
AT = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_site(tmp_path / "chain") as made:
        yield made


def _fetch(site: Site, *numbers: int, urls: tuple[str, ...] | None = None) -> HeadersFile:
    return fetch_headers(
        chain_id=site.network.chain_id,
        block_numbers=numbers,
        rpc_urls=urls or (site.url, site.url),
        http=site.http,
        fetched_at=AT,
    )


def test_fetched_headers_confirm_an_anchor_offline(site: Site) -> None:
    submitter, wanted = site.submitter(), statement(40)
    answer = site.drive(submitter, wanted, submitter.prepare(wanted))
    assert isinstance(answer, AnchorProof)
    number = int(site.client.call("eth_getLogs", {"fromBlock": "0x0"})[0]["blockNumber"], 16)
    headers = parse_headers(encode_headers(_fetch(site, number)))
    assert [len(source.blocks) for source in headers.sources] == [1, 1]
    parsed = parse_proof(answer.parts["proof.json"])
    contract = TrustedContract(chain_id=parsed.chain_id, contract=site.contract, sender=site.signer.address)
    verifier: Verifier[EthereumTrust] = EthereumVerifier()
    alone = EthereumTrust(contracts=(contract,))
    confirmed = EthereumTrust(contracts=(contract,), headers=(headers,))
    assert isinstance(verifier.verify(answer, statement=wanted, trusted=alone), Indeterminate)
    assert isinstance(verifier.verify(answer, statement=wanted, trusted=confirmed), Attested)


def test_fetch_headers_tells_final_from_not_yet_and_leaves_unknown_blocks_out(site: Site) -> None:
    newest = int(site.client.call("eth_blockNumber"), 16)
    source = _fetch(site, 999, newest, 0, 0).sources[0]
    assert [(block.number, block.finalized) for block in source.blocks] == [(0, True), (newest, False)]


def test_fetch_headers_names_the_host_and_never_the_key_in_the_address(site: Site) -> None:
    with_key = site.url + "/v3/topsecret?key=secret"
    headers = _fetch(site, 0, urls=(with_key,))
    assert b"secret" not in encode_headers(headers)
    assert parse_headers(encode_headers(headers)) == headers


def test_fetch_headers_refuses_another_chain_and_a_silent_node(site: Site) -> None:
    with pytest.raises(ConfigError, match="not on 1"):
        fetch_headers(chain_id=1, block_numbers=[0], rpc_urls=[site.url], http=site.http, fetched_at=AT)
    with pytest.raises(UnavailableError):
        _fetch(site, 0, urls=(site.url, "http://127.0.0.1:9"))


def test_fetch_headers_refuses_a_hash_that_the_block_does_not_have(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = site.client.chain.handle
    monkeypatch.setattr(
        site.client.chain,
        "handle",
        lambda payload: re.sub(rb'"hash": "0x..', b'"hash": "0x77', honest(payload)),
    )
    with pytest.raises(UnavailableError, match="don't give its hash"):
        _fetch(site, 0)


def test_deploy_again_gives_another_address_with_the_pinned_code(site: Site) -> None:
    again = deploy(site.network, signer=site.signer, http=site.http, wait=site.client.clock.forward)
    assert again.contract != site.contract
    assert again.gas_used <= 135_000


def test_deploy_refuses_a_poor_signer(site: Site) -> None:
    poor = KeySigner(b"\x07" * 32)
    with pytest.raises(InsufficientFundsError):
        deploy(site.network, signer=poor, http=site.http, wait=site.client.clock.forward)


def test_deploy_gives_up_after_its_polls(site: Site) -> None:
    site.client.clock.forward(1)
    site.client.call("eth_chainId")  # this second's block is made; the deployment waits for the next
    with pytest.raises(UnavailableError, match="in no block yet"):
        deploy(site.network, signer=site.signer, http=site.http, wait=lambda _seconds: None, max_polls=3)


@pytest.mark.parametrize("url", ["ftp://node.example", "node.example", "http://", ""])
def test_node_refuses_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ConfigError, match="http or https"):
        Node(url, PlainHttp(), 1)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"1", b'{"result":1,"error":{}}', b"[" * 100_000])
def test_node_refuses_an_answer_that_is_none(
    site: Site, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setattr(site.client.chain, "handle", lambda _payload: body)
    with pytest.raises(UnavailableError, match="answer is n"):
        Node(site.url, site.http, 5).ask("eth_chainId")


def test_submitter_is_a_submitter_and_costs_are_in_wei(site: Site) -> None:
    submitter: Submitter = site.submitter()
    assert submitter.kind == "ethereum"
    assert json.dumps(dict(submitter.prepare(statement(40)).data))
    assert site.network.max_fee_per_gas_wei == 200 * GWEI
