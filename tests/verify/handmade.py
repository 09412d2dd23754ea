"""A vault made by hand, in memory, by test code alone: what a bundle is, written a second time.

    vault = Vault()                          the log's keys, two authorities, a chain, one clock
    item = vault.receive(b"…")               events are leaves of the log, in the order of the calls
    size = vault.publish()                   a checkpoint
    vault.stamp(size, authority)             a token on it, recorded in an event
    vault.anchor(size)                       an anchor of it, recorded in an event
    sealed = vault.export([item])            parts frozen, EXPORTED, checkpoint M, log proofs
    sealed.zip()                             the bundle's bytes
    sealed.reseal("parts", files)            after a change: which digests the attacker redoes

Times, nonces, ids and keys follow from seeds and the clock: the same calls give the same bytes.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchors.base import TreeHead
from anchors.ethereum.proof import encode_proof
from anchors.values import replace
from evidence_vault.core import layout
from evidence_vault.core.bundle import encode_parts, file_of_bytes, write_bundle
from evidence_vault.core.canonical import Json, encode_canonical
from evidence_vault.core.checkpoint import Checkpoint, encode_checkpoint
from evidence_vault.core.disclosures import digest_disclosure, encode_disclosure
from evidence_vault.core.events import (
    Event,
    Subject,
    encode_event,
    encode_leaf_entry,
    first_slot,
    next_slot,
)
from evidence_vault.core.merkle import leaf_hash, node_hash, prove_consistency, prove_inclusion, root_hash
from evidence_vault.core.names import Prefix, encode_id, encode_time
from evidence_vault.core.note_keys import SignatureType, encode_vkey, verifier_key
from evidence_vault.core.notes import Note, encode_note, sign_note
from evidence_vault.core.textfields import encode_base64
from evidence_vault.core.tlog_proof import TlogProof, encode_tlog_proof
from evidence_vault.core.zipform import ZipMember, write_zip
from tests.verify.outside import Authority, Chain, Token, derive, encode_prev

START = datetime(2026, 11, 22, 16, 0, 0, tzinfo=UTC)
ORIGIN = "vault.example/log"
LOG, PLATFORM = Subject(kind="log", id="log"), Subject(kind="platform", id="platform")
README = "核验方法见随附说明。\nHow to verify: openssl ts -verify, sha256sum -c, bagit.py.\n".encode()
OWNER = {"basis": "owner", "grant": None, "case": None}
Files = dict[str, bytes]


@dataclass
class Keys:
    """The log's signing keys, by seed: the attacker has others under the same name."""

    seed: str = "honest"
    origin: str = ORIGIN

    @property
    def log(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(derive(self.seed, "log"))

    @property
    def vkey(self) -> str:
        return encode_vkey(verifier_key(self.origin, SignatureType.ED25519, self.log))

    @property
    def receipt_vkey(self) -> str:
        receipt = Ed25519PrivateKey.from_private_bytes(derive(self.seed, "receipt"))
        return encode_vkey(verifier_key(f"{self.origin}/receipt", SignatureType.ED25519, receipt))

    def sign(self, head: TreeHead) -> bytes:
        text = encode_checkpoint(Checkpoint(origin=self.origin, tree_head=head))
        signature = sign_note(text, name=self.origin, private_key=self.log)
        return encode_note(Note(text=text, signatures=(signature,)))


class Vault:
    """Events and the log they are leaves of. Every method that acts moves the clock by one second."""

    def __init__(
        self,
        *,
        keys: Keys | None = None,
        env: str = "production",
        authorities: Sequence[Authority] | None = None,
        chain: Chain | None = None,
        opened: bool = True,
    ) -> None:
        self.keys, self.env = keys or Keys(), env
        self.authorities = list(authorities or (Authority("Alpha"), Authority("Beta")))
        self.chain = chain or Chain()
        self.now = START
        self.events: dict[Subject, list[Event]] = {}
        self.order: list[tuple[Subject, int]] = []
        self.leaves: list[bytes] = []
        self.notes: dict[int, bytes] = {}
        self.cosigs: dict[int, bytes] = {}
        self.parts: Files = {}
        self.contents: dict[str, bytes | None] = {}
        self.disclosed: dict[str, list[str]] = {}
        self.anchored: list[int] = []
        if opened:
            self.add(
                LOG,
                "LOG_OPENED",
                log_vkey=self.keys.vkey,
                receipt_vkey=self.keys.receipt_vkey,
                anchors=[
                    {
                        "kind": "ethereum",
                        "chain_id": self.chain.chain_id,
                        "contract": self.chain.contract.hex(),
                        "sender": self.chain.sender.hex(),
                    }
                ],
            )
            self.add(
                PLATFORM,
                "PLATFORM_STATED",
                operator="Example Archive",
                operated_by_depositor=False,
                relation_to_parties="none",
                filings=[],
                can_read_content=True,
            )

    # What happens, one event each.

    def add(
        self, subject: Subject, event_type: str, *, private: Mapping[str, str] | None = None, **own: Any
    ) -> Event:
        """Append one event, and its leaf. Common fields can be given too, and are then not made up."""
        self.now += timedelta(seconds=1)
        history = self.events.setdefault(subject, [])
        place = f"{subject.id}/{len(history)}"
        disclosures = [
            encode_disclosure(name, value, salt=derive(place, name, length=16))
            for name, value in (private or {}).items()
        ]
        if disclosures:
            self.disclosed[place] = disclosures
        fields: dict[str, Any] = {
            "v": 1,
            "type": event_type,
            "origin": self.keys.origin,
            "env": self.env,
            "subject": {"kind": subject.kind, "id": subject.id},
            "seq": len(history),
            "prev": history[-1].sha256.hex() if history else None,
            "at": encode_time(self.now),
            "clock": {"source": "system", "offset_ms": None},
            "actor": {
                "id": make_id("ac", "depositor"),
                "role": "RH",
                "auth": "token",
                "on_behalf_of": None,
                "signature": None,
            },
            "where": {},
            "why": {},
            "how": {"tool": "evidence-vault", "version": "0.1.0"},
            "result": "ok",
            "nonce": derive(self.keys.seed, place, "nonce").hex(),
            "_sd": sorted(digest_disclosure(text) for text in disclosures),
        }
        event = encode_event(fields | own)
        slot = next_slot(history[-1].nonce) if history else first_slot(subject)
        history.append(event)
        self.order.append((subject, event.seq))
        self.leaves.append(leaf_hash(encode_leaf_entry(event.sha256, slot)))
        return event

    def receive(self, content: bytes, *, name: str = "photo.jpg", **own: Any) -> str:
        """A deposit; returns the item's id. The content is carried unless `contents[item]` is set to None."""
        item = make_id("it", f"item {len(self.contents)}")
        digests = {"sha256": sha256_hex(content), "sha512": hashlib.sha512(content).hexdigest()}
        given: dict[str, Any] = {
            "mode": "content",
            "digests": digests,
            "size": len(content),
            "secret": False,
            "private": {"file_name": name, "depositor": "张三"},
        } | own
        self.contents[item] = content
        self.add(Subject(kind="item", id=item), "ITEM_RECEIVED", **given)
        return item

    def view(self, item: str, **own: Any) -> Event:
        return self.add(Subject(kind="item", id=item), "VIEWED", **({"what": "content", "why": OWNER} | own))

    def publish(self) -> int:
        """Sign a checkpoint of the log as it is; returns its size."""
        size = len(self.leaves)
        self.notes[size] = self.keys.sign(self.head(size))
        return size

    def stamp(self, size: int, authority: Authority, *, late: timedelta = timedelta(0), **own: Any) -> Token:
        """Obtain a token on the checkpoint of this size, and record it."""
        token = authority.stamp(hashlib.sha256(self.notes[size]).digest(), self.now + late)
        self.record_token(Subject(kind="checkpoint", id=str(size)), authority.name, token, **own)
        return token

    def stamp_item(self, item: str, authority: Authority, **own: Any) -> Token:
        """Obtain a token on an item's content, and record it."""
        subject = Subject(kind="item", id=item)
        digests: Any = self.events[subject][0].fields["digests"]
        token = authority.stamp(bytes.fromhex(digests["sha256"]), self.now)
        self.record_token(subject, authority.name, token, **own)
        return token

    def record_token(self, subject: Subject, name: str, token: Token, **own: Any) -> Event:
        if subject.kind == "item":
            digests: Any = self.events[subject][0].fields["digests"]
            imprint = digests["sha256"]
        else:
            imprint = sha256_hex(self.notes[int(subject.id)])
        event_type = "TIMESTAMP_OBTAINED" if subject.kind == "item" else "CHECKPOINT_TIMESTAMPED"
        recorded = {
            "authority": name.lower().replace(" ", "-"),
            "imprint_sha256": imprint,
            "request_sha256": sha256_hex(token.request),
            "response_sha256": sha256_hex(token.response),
        }
        event = self.add(subject, event_type, **(recorded | own))
        self.parts |= token.files(layout.timestamp_folder(subject, event.seq))
        return event

    def anchor(self, size: int, *, chain: Chain | None = None, prev: int | None = None, **own: Any) -> Event:
        """Anchor the checkpoint of this size, linked to the one anchored before (or to `prev`), and record it."""
        before = prev if prev is not None else (self.anchored[-1] if self.anchored else 0)
        link = encode_prev(before, self.head(before).root_hash) if before else bytes(32)
        proof = (chain or self.chain).anchor(size, self.head(size).root_hash, self.now, prev=link)
        self.anchored.append(size)
        return self.record_anchor(size, encode_proof(proof), **own)

    def record_anchor(self, size: int, proof: bytes, **own: Any) -> Event:
        recorded = {
            "anchor_kind": "ethereum",
            "note_sha256": sha256_hex(self.notes[size]),
            "proof_sha256": sha256_hex(proof),
        }
        event = self.add(Subject(kind="checkpoint", id=str(size)), "CHECKPOINT_ANCHORED", **(recorded | own))
        self.parts[layout.anchor_path(size, event.seq)] = proof
        return event

    # The log.

    def read(self, level: int, index: int) -> bytes:
        """A node of the tree: what `core.merkle` proves with."""
        if level == 0:
            return self.leaves[index]
        return node_hash(self.read(level - 1, 2 * index), self.read(level - 1, 2 * index + 1))

    def head(self, size: int) -> TreeHead:
        return TreeHead(size=size, root_hash=root_hash(size, self.read))

    # The export.

    def export(
        self,
        items: Sequence[str],
        *,
        cut: int | None = None,
        bundle: str | None = None,
        sealed: bool = True,
        case: Subject | None = None,
        cases: Sequence[Subject] = (),
        redacted: Sequence[tuple[Subject, int]] = (),
    ) -> "Sealed":
        """Freeze the parts, seal them with EXPORTED, publish M, and prove it all against M.

        cut: newest checkpoint with tokens, unless given. sealed: False leaves EXPORTED out. case: exported with
        the items; cases: travel too, as of the cut; redacted: events of theirs that the reader may not see.
        """
        stamped = [int(subject.id) for subject in self.events if subject.kind == "checkpoint"]
        cut = max(stamped) if cut is None else cut
        bundle = bundle or make_id("bd", "bundle")
        subjects = [Subject(kind="item", id=item) for item in sorted(items)]
        files = self._freeze(subjects, cases, case=case, cut=cut, bundle=bundle)
        for subject, seq in redacted:
            del files[layout.event_path(subject, seq)]
            files[layout.redacted_path(subject, seq)] = encode_redacted(self.events[subject][seq])
        if layout.DISCLOSURES in files:
            told: dict[str, Json] = json.loads(files[layout.DISCLOSURES])
            hidden = {f"{subject.id}/{seq}" for subject, seq in redacted}
            kept = {place: texts for place, texts in told.items() if place not in hidden}
            files[layout.DISCLOSURES] = encode_canonical(kept)
        parts = encode_parts({path: file_of_bytes(data) for path, data in files.items()})
        carried = [
            place
            for place in self.order
            if layout.event_path(*place) in files or layout.redacted_path(*place) in files
        ]
        if sealed:
            for subject in (*([case] if case else []), *subjects):
                event = self.add(subject, "EXPORTED", why=OWNER, **seal_fields(bundle, self.head(cut), parts))
                files[layout.event_path(subject, event.seq)] = event.raw
                carried.append((subject, event.seq))
        self.publish()
        return Sealed(
            vault=self,
            bundle=bundle,
            items=tuple(sorted(items)),
            files=files | {layout.PARTS: parts} | self.log_proofs(carried),
            carried=tuple(carried),
            cut=cut,
        )

    def _freeze(
        self,
        subjects: Sequence[Subject],
        cases: Sequence[Subject],
        *,
        case: Subject | None,
        cut: int,
        bundle: str,
    ) -> Files:
        files: Files = {layout.README: README}
        files[layout.BUNDLE_JSON] = layout.encode_bundle_json(
            origin=self.keys.origin, bundle_id=bundle, item_ids=[subject.id for subject in subjects]
        )
        for index, (subject, seq) in enumerate(self.order):
            whole = subject in (case, *subjects) or subject.kind == "checkpoint"
            as_of_cut = subject.kind in ("log", "platform") or subject in cases
            if whole or (as_of_cut and index < cut):
                files[layout.event_path(subject, seq)] = self.events[subject][seq].raw
        for subject in subjects:
            content = self.contents[subject.id]
            if content is None:
                mode = self.events[subject][0].fields["mode"]
                text = layout.WITHHELD if mode == "content" else layout.NEVER_DEPOSITED
                files[layout.no_content_path(subject.id)] = text
            else:
                files[layout.content_path(subject.id)] = content
        folders = {subject.id for subject in self.events if subject.kind == "checkpoint"}
        folders |= {subject.id for subject in subjects}
        files |= {path: data for path, data in self.parts.items() if path.split("/")[2] in folders}
        disclosed: Any = {
            place: texts for place, texts in self.disclosed.items() if f"proof/events/{place}.json" in files
        }
        if disclosed:
            files[layout.DISCLOSURES] = encode_canonical(disclosed)
        return files

    def log_proofs(self, carried: Sequence[tuple[Subject, int]], sizes: Sequence[int] = ()) -> Files:
        """Notes, consistency between neighbours, and inclusion of every carried event in M."""
        kept = sorted(sizes or self.notes)
        files = {layout.note_path(size): self.notes[size] for size in kept}
        files |= {layout.cosigs_path(size): lines for size, lines in self.cosigs.items() if size in kept}
        for older, newer in pairwise(kept):
            proof = prove_consistency(older, newer, self.read)
            files[layout.consistency_path(older, newer)] = encode_consistency(proof)
        newest = kept[-1]
        places = {place: index for index, place in enumerate(self.order)}
        for subject, seq in carried:
            index = places[subject, seq]
            hashes = tuple(prove_inclusion(index, newest, self.read))
            files[layout.inclusion_path(subject, seq)] = encode_tlog_proof(
                TlogProof(index=index, hashes=hashes, checkpoint_note=self.notes[newest])
            )
        return files

    def policy(self, **changes: Any) -> dict[str, Any]:
        """The trust policy of somebody who knows this vault; a change of None takes an entry out."""
        document: dict[str, Any] = {
            "version": 1,
            "require": {"tsa_groups": 2, "anchors": 1},
            "log": [
                {
                    "origin": self.keys.origin,
                    "vkey": self.keys.vkey,
                    "receipt_vkey": self.keys.receipt_vkey,
                    "class": self.env,
                    "anchor": [self.chain.anchor_policy],
                }
            ],
            "tsa": [authority.policy for authority in self.authorities],
            "chain": [self.chain.policy],
        }
        document |= changes
        return {name: value for name, value in document.items() if value is not None}


@dataclass(frozen=True)
class Sealed:
    """A bundle's files by path without the bag, and who made them. Changes give another one."""

    vault: Vault
    bundle: str
    items: tuple[str, ...]
    files: Files
    carried: tuple[tuple[Subject, int], ...]
    cut: int
    bag: Files | None = field(default=None)
    """Bag files that stand, whatever the rest is; None: made anew from the rest."""

    def zip(self) -> bytes:
        """The bundle."""
        out = io.BytesIO()
        if self.bag is None:
            files = {path: file_of_bytes(data) for path, data in self.files.items()}
            write_bundle(out, bundle_id=self.bundle, files=files)
        else:
            write_files(out, layout.base_folder(self.bundle), self.files | self.bag)
        return out.getvalue()

    def with_bag(self) -> "Sealed":
        """The same, with its bag files fixed as they are now."""
        return replace(self, bag=bag_files(self.bundle, self.files))

    def changed(self, files: Files, *, reseal: str = "bag") -> "Sealed":
        """Another set of files; what the attacker redoes: nothing (`raw`), `bag`, `parts`, `exported`."""
        files = dict(files)
        if reseal == "raw":
            return replace(self, files=files, bag=self.bag or bag_files(self.bundle, self.files))
        if reseal in ("parts", "exported"):
            seals = [path for path, data in files.items() if self._is_seal(path, data)]
            parts = encode_parts(
                {path: file_of_bytes(data) for path, data in files.items() if path not in seals}
            )
            files[layout.PARTS] = parts
            for path in seals if reseal == "exported" else ():
                fields = json.loads(files[path]) | {"parts_sha256": sha256_hex(parts)}
                files[path] = encode_event(fields).raw
        return replace(self, files=files, bag=None)

    def _is_seal(self, path: str, data: bytes) -> bool:
        """Whether this is an EXPORTED event of this bundle."""
        if not path.startswith("proof/events/") or b'"type":"EXPORTED"' not in data:
            return False
        return bool(json.loads(data).get("bundle") == self.bundle)


def good_vault(**arguments: Any) -> tuple[Vault, tuple[str, str]]:
    """A vault with two items, three checkpoints with tokens of two groups, and two linked anchors."""
    vault = Vault(**arguments)
    first = vault.receive(b"the first picture", name="first.jpg")
    second = vault.receive(b"the second picture", name="second.jpg")
    for authority in vault.authorities:
        vault.stamp_item(first, authority)
        vault.stamp_item(second, authority)
    one = vault.publish()
    for authority in vault.authorities:
        vault.stamp(one, authority)
    vault.anchor(one)
    vault.view(first)
    vault.view(second, what="metadata")
    two = vault.publish()
    for authority in vault.authorities:
        vault.stamp(two, authority)
    vault.anchor(two)
    vault.view(first)
    three = vault.publish()
    for authority in vault.authorities:
        vault.stamp(three, authority)
    return vault, (first, second)


def good_bundle(**arguments: Any) -> Sealed:
    """The bundle that passes."""
    vault, items = good_vault(**arguments)
    return vault.export(items)


def small_bundle(**arguments: Any) -> Sealed:
    """The smallest bundle that passes: one item, one checkpoint with two tokens and an anchor, and M."""
    vault = Vault(**arguments)
    item = vault.receive(b"small", digests={"sha256": sha256_hex(b"small")})
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    vault.anchor(size)
    return vault.export([item])


def seal_fields(bundle: str, head: TreeHead, parts: bytes) -> dict[str, Any]:
    return {
        "bundle": bundle,
        "cut": {"size": head.size, "root": head.root_hash.hex()},
        "parts_sha256": sha256_hex(parts),
    }


def encode_redacted(event: Event) -> bytes:
    hidden: dict[str, Json] = {"v": 1, "seq": event.seq}
    return encode_canonical(hidden | {"event_sha256": event.sha256.hex(), "nonce": event.nonce.hex()})


def encode_consistency(proof: Sequence[bytes]) -> bytes:
    return encode_canonical({"v": 1, "proof": [encode_base64(node) for node in proof]})


def bag_files(bundle: str, files: Files) -> Files:
    """The four bag files that the writer makes for these files, read back from what it wrote."""
    out = io.BytesIO()
    write_bundle(out, bundle_id=bundle, files={path: file_of_bytes(data) for path, data in files.items()})
    return {path: data for path, data in read_files(out.getvalue()).items() if path in layout.BAG_FILES}


def read_files(zipped: bytes) -> Files:
    """All files of a bundle's zip, the bag's too, by Python's own zipfile."""
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def write_files(out: io.BytesIO, base: str, files: Mapping[str, bytes]) -> None:
    """A well-formed zip of any files, with CRC-32s that fit: what a tool would write after a change."""
    by_name = {f"{base}/{path}": file_of_bytes(data) for path, data in files.items()}
    members = [ZipMember(name=n, size=by_name[n].size, crc32=by_name[n].crc32) for n in sorted(by_name)]
    write_zip(out, members, lambda member: by_name[member.name].chunks())


def make_id(prefix: Prefix, *parts: str) -> str:
    return encode_id(prefix, derive(prefix, *parts, length=16))


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
