"""Anchors on Ethereum: what one costs on chain, how much it adds to a bundle, how long it takes to judge.

anchor_gas           a repeated anchor, beside the floor for the same call data (EIP-7623: a transaction to oneself)
anchor_proof_bytes   a proof from a block of 300 receipts, beside the receipt alone
anchor_verify        a proof judged in a process that has imported everything, beside SHA3-256 of its bytes in C
anchor_import        from process start to the verifier's imports done, beside a Python that does nothing
anchor_chain_1000    a thousand anchors, each linked to the one before, beside SHA3-256 of all their bytes
"""

import hashlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import rlp

from anchors.base import Attested, TreeHead
from anchors.ethereum.deploy import deploy
from anchors.ethereum.devchain import DEVELOPMENT_CHAIN_ID, DevelopmentChain
from anchors.ethereum.devchain.serve import serve_loopback
from anchors.ethereum.fees import Fees
from anchors.ethereum.network import GWEI, Network
from anchors.ethereum.node import Node
from anchors.ethereum.onchain import AnchorContract
from anchors.ethereum.proof import EthereumProof, encode_proof, parse_proof
from anchors.ethereum.signer import load_development_key
from anchors.ethereum.transaction import AnchorTransaction, sign_attempt
from anchors.ethereum.verify import (
    EthereumTrust,
    KnownBlock,
    TrustedContract,
    confirm_block,
    decode_prev,
    hash_proofs,
    verify_inclusion,
)
from bench.rows import Row
from bench.timing import in_turns, process
from evidence_vault.client.http import GuardedClient
from tests.anchors.ethereum.blocks import ReceiptTrie
from tests.anchors.ethereum.made import CHAIN_ID, CONTRACT, SENDER, Log, Made, make_receipt

RECEIPTS = 300
"""In a full block of main net."""

HEADER_BYTES = (
    *(32, 32, 20, 32, 32, 32, 256, 0, 4, 4, 4, 4, 15, 32, 8),  # to the nonce
    *(5, 32, 3, 4, 32, 32, 32, 4),  # base fee (London) to what the fork of late 2026 adds: 23 fields
)
"""Of each field of a header."""

TRUSTED = TrustedContract(chain_id=CHAIN_ID, contract=CONTRACT, sender=SENDER)


def measure(*, short: bool) -> Iterator[Row]:
    """Yield the rows. short: a chain of 50 anchors instead of 1,000, and fewer rounds."""
    yield _gas()
    proof = _full_block()
    receipt = make_receipt(Log())
    yield Row(
        name="anchor_proof_bytes",
        value=len(encode_proof(proof)),
        unit="B",
        reference="the receipt alone",
        reference_value=len(receipt),
    )
    yield _verify(proof, rounds=5 if short else 50)
    imported = in_turns(
        process(sys.executable, "-c", "import evidence_vault.verify.verifier"),
        process(sys.executable, "-c", "pass"),
        rounds=3 if short else 15,
    )
    yield Row(
        name="anchor_import",
        value=imported[0],
        unit="s",
        reference="python -c pass",
        reference_value=imported[1],
    )
    yield _chain(50 if short else 1000, rounds=1 if short else 3)


def _gas() -> Row:
    """Two anchors and a transaction to oneself, on an embedded chain."""
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder:
        chain = DevelopmentChain.open(Path(folder) / "chain", clock)
        signer = load_development_key(Path(folder) / "chain" / "development.key")
        with serve_loopback(chain) as url:
            http = GuardedClient(permitted={url.removeprefix("http://")})
            node = Node(url, http, 5)
            genesis = node.ask_block("0x0") or {}
            network = Network(
                chain_id=DEVELOPMENT_CHAIN_ID,
                genesis_hash=bytes.fromhex(genesis["hash"][2:]),
                rpc_urls=(url,),
            )
            clock.forward(1)
            address = deploy(network, signer=signer, http=http, wait=clock.forward).contract
            contract = AnchorContract(node, address, signer.address)
            calls = [contract.encode_anchor(TreeHead(size=10**6 + n, root_hash=b"\x5a" * 32)) for n in (0, 1)]
            used = []
            for to, data in ((address, calls[0]), (address, calls[1]), (signer.address, calls[1])):
                transaction = AnchorTransaction(
                    contract=to,
                    data=data,
                    nonce=contract.nonce("latest"),
                    gas=100_000,
                    fees=Fees(max_fee=20 * GWEI, priority_fee=GWEI),
                    newest=0,
                )
                attempt = sign_attempt(transaction, signer=signer, chain_id=DEVELOPMENT_CHAIN_ID)
                clock.forward(2)
                node.ask("eth_sendRawTransaction", attempt.raw)
                clock.forward(2)
                node.ask("eth_blockNumber")
                receipt = node.ask("eth_getTransactionReceipt", attempt.hash)
                used.append(int(receipt["gasUsed"], 16))
        chain.close()
    return Row(
        name="anchor_gas",
        value=used[1],
        unit="gas",
        reference="EIP-7623 floor: a transaction to oneself",
        reference_value=used[2],
    )


class _Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def _full_block() -> EthereumProof:
    """The anchor in the middle of a full block, every other receipt with three logs; a header of today's size."""
    other = make_receipt(*(Log(address=b"\x0b" * 20) for _ in range(3)))
    receipts = [other] * RECEIPTS
    index = RECEIPTS // 2
    receipts[index] = make_receipt(Log())
    trie = ReceiptTrie(tuple(receipts))
    fields: list[bytes] = [b"\x01" * size for size in HEADER_BYTES]
    fields[5] = trie.root
    header = bytes(rlp.encode(fields))
    return EthereumProof(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        sender=SENDER,
        header=header,
        receipt_index=index,
        nodes=trie.nodes(index),
    )


def _verify(proof: EthereumProof, *, rounds: int) -> Row:
    data = encode_proof(proof)
    head = TreeHead(size=Log().size, root_hash=Log().root)
    block = verify_inclusion(proof, tree_head=head, trusted=TRUSTED).block_hash
    trust = EthereumTrust(known_blocks=(KnownBlock(chain_id=CHAIN_ID, block_hash=block),))

    def judge() -> None:
        included = verify_inclusion(parse_proof(data), tree_head=head, trusted=TRUSTED)
        if not isinstance(confirm_block(included, trusted=trust), Attested):
            raise RuntimeError("the proof does not verify")

    took = in_turns(judge, lambda: _sha3([proof]), rounds=rounds)
    return Row(
        name="anchor_verify",
        value=took[0] * 1000,
        unit="ms",
        reference="SHA3-256 of the same bytes (hashlib)",
        reference_value=took[1] * 1000,
    )


def _chain(count: int, *, rounds: int) -> Row:
    heads = [TreeHead(size=n, root_hash=hashlib.sha256(n.to_bytes(8)).digest()) for n in range(1, count + 1)]
    data, prev = [], bytes(32)
    for head in heads:
        receipts = (make_receipt(), make_receipt(Log(size=head.size, root=head.root_hash, prev=prev)))
        data.append(encode_proof(Made(receipts, number=head.size).proof(1)))
        prev = head.size.to_bytes(8) + head.root_hash[:24]

    def judge() -> None:
        proofs = [parse_proof(each) for each in data]
        digest, before = hash_proofs(proofs), None
        for head, proof in zip(heads, proofs, strict=True):
            included = verify_inclusion(proof, tree_head=head, trusted=TRUSTED, digest=digest)
            if decode_prev(included.prev) != before:
                raise RuntimeError("the anchors are not linked")
            before = (head.size, head.root_hash[:24])

    proofs = [parse_proof(each) for each in data]
    took = in_turns(judge, lambda: _sha3(proofs), rounds=rounds)
    return Row(
        name="anchor_chain_1000",
        value=took[0],
        unit="s",
        reference="SHA3-256 of the same bytes (hashlib)",
        reference_value=took[1],
    )


def _sha3(proofs: Sequence[EthereumProof]) -> None:
    for proof in proofs:
        for text in (proof.header, *proof.nodes):
            hashlib.sha3_256(text).digest()
