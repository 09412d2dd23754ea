"""What can be done to a bundle's files after it was sealed: each mutation with the finding that must name it.

`own` is a finding (`row:code`) that the mutation causes whatever digests are redone around it; None where
only the seal and the log can tell. `unreadable`: the files are then no bundle, however they are re-sealed.
`outside_seal`: no digest of the seal is over it. `seal`: it is EXPORTED itself that changes. `lasts`: the own
finding stays even where the attacker builds everything anew.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evidence_vault.core import layout
from evidence_vault.core.canonical import Json, encode_canonical
from evidence_vault.core.disclosures import encode_disclosure
from evidence_vault.core.events import Subject, encode_event
from tests.verify.handmade import LOG, PLATFORM, Files, Keys, Sealed, encode_consistency
from tests.verify.outside import Authority

Place = Callable[[Sealed], str] | str
Change = Callable[[Sealed, Files], None]

ROOT = "RFC 9162 §2.1.3.2 root hash of the inclusion proof"


@dataclass(frozen=True)
class Mutation:
    """Changes `files` in place."""

    name: str
    change: Change
    own: str | None = None
    unreadable: bool = False
    outside_seal: bool = False
    seal: bool = False
    lasts: bool = False

    def files(self, sealed: Sealed) -> Files:
        files = dict(sealed.files)
        self.change(sealed, files)
        assert files != sealed.files, self.name
        return files


def at(place: Place, sealed: Sealed) -> str:
    return place if isinstance(place, str) else place(sealed)


def item(sealed: Sealed, number: int = 0) -> Subject:
    return Subject(kind="item", id=sealed.items[number])


def event(number: int, seq: int) -> Callable[[Sealed], str]:
    return lambda sealed: layout.event_path(item(sealed, number), seq)


def flip(path: Place, byte: int = -1) -> Change:
    def change(sealed: Sealed, files: Files) -> None:
        name = at(path, sealed)
        data = bytearray(files[name])
        data[byte] ^= 1
        files[name] = bytes(data)

    return change


def put(path: Place, data: bytes) -> Change:
    def change(sealed: Sealed, files: Files) -> None:
        files[at(path, sealed)] = data

    return change


def remove(*paths: Place) -> Change:
    def change(sealed: Sealed, files: Files) -> None:
        for path in paths:
            del files[at(path, sealed)]

    return change


def swap(one: Place, other: Place) -> Change:
    def change(sealed: Sealed, files: Files) -> None:
        a, b = at(one, sealed), at(other, sealed)
        files[a], files[b] = files[b], files[a]

    return change


def alter(path: Place, **fields: Any) -> Change:
    """Other values in a file of canonical JSON."""

    def change(sealed: Sealed, files: Files) -> None:
        name = at(path, sealed)
        files[name] = encode_canonical(json.loads(files[name]) | fields)

    return change


def content(number: int) -> Callable[[Sealed], str]:
    return lambda sealed: layout.content_path(sealed.items[number])


def token(number: int, seq: int, name: str = "response.tsr") -> Callable[[Sealed], str]:
    return lambda sealed: f"{layout.timestamp_folder(item(sealed, number), seq)}/{name}"


def inclusion(number: int, seq: int) -> Callable[[Sealed], str]:
    return lambda sealed: layout.inclusion_path(item(sealed, number), seq)


def rechained(sealed: Sealed, files: Files, subject: Subject, documents: list[dict[str, Any]]) -> None:
    """Put these events in place of a subject's history, chained again; inclusion proofs stay as they were."""
    for path in [p for p in files if p.startswith(f"proof/events/{subject.id}/")]:
        del files[path]
    prev = None
    for seq, document in enumerate(documents):
        made = encode_event(document | {"seq": seq, "prev": prev})
        prev = made.sha256.hex()
        files[layout.event_path(subject, seq)] = made.raw
    for path in [p for p in files if p.startswith(f"proof/log/inclusion/{subject.id}/")]:
        if int(path.rpartition("/")[2].split(".")[0]) >= len(documents):
            del files[path]


def history(sealed: Sealed, subject: Subject) -> list[dict[str, Any]]:
    return [json.loads(made.raw) for made in sealed.vault.events[subject]]


def rewrite(number: int, edit: Callable[[list[dict[str, Any]]], None]) -> Change:
    def change(sealed: Sealed, files: Files) -> None:
        documents = history(sealed, item(sealed, number))
        edit(documents)
        rechained(sealed, files, item(sealed, number), documents)

    return change


def disclosures(edit: Callable[[Sealed, dict[str, list[str]]], None]) -> Change:
    def change(sealed: Sealed, files: Files) -> None:
        document: Any = json.loads(files[layout.DISCLOSURES])
        edit(sealed, document)
        files[layout.DISCLOSURES] = encode_canonical(document)

    return change


def other_value(sealed: Sealed, document: dict[str, list[str]]) -> None:
    texts = document[f"{sealed.items[0]}/0"]
    texts[0] = encode_disclosure("file_name", "forged.jpg", salt=bytes(16))


def moved_value(sealed: Sealed, document: dict[str, list[str]]) -> None:
    ours, theirs = (document[f"{name}/0"] for name in sealed.items)
    ours[0], theirs[0] = theirs[0], ours[0]


def other_event(sealed: Sealed, document: dict[str, list[str]]) -> None:
    document[f"{sealed.items[0]}/1"] = document.pop(f"{sealed.items[0]}/0")


def signed_by(keys: Keys, size: int) -> Change:
    """The checkpoint's text, signed again by another key."""

    def change(sealed: Sealed, files: Files) -> None:
        files[layout.note_path(size)] = keys.sign(sealed.vault.head(size))

    return change


def replaced_token(digest: bytes, authority: str) -> Change:
    def change(sealed: Sealed, files: Files) -> None:
        made = Authority(authority).stamp(digest, sealed.vault.now)
        files |= made.files(layout.timestamp_folder(item(sealed), 1))

    return change


def unrecorded_token(sealed: Sealed, files: Files) -> None:
    files |= (
        Authority("Alpha").stamp(bytes(32), sealed.vault.now).files(layout.timestamp_folder(item(sealed), 3))
    )


def other_anchor(**proof: Any) -> Change:
    return alter("proof/anchors/8/2.json", **proof)


def without_token(sealed: Sealed, files: Files) -> None:
    for path in [p for p in files if p.startswith(layout.timestamp_folder(item(sealed), 1) + "/")]:
        del files[path]


def more_consistency(sealed: Sealed, files: Files) -> None:
    files[layout.consistency_path(8, 17)] = encode_consistency([])


def parts_line(edit: Callable[[list[str]], None]) -> Change:
    def change(sealed: Sealed, files: Files) -> None:
        lines = files[layout.PARTS].decode().splitlines(keepends=True)
        edit(lines)
        files[layout.PARTS] = "".join(lines).encode()

    return change


def no_content(text: bytes) -> Change:
    def change(sealed: Sealed, files: Files) -> None:
        del files[layout.content_path(sealed.items[0])]
        files[layout.no_content_path(sealed.items[0])] = text

    return change


def redacted(*, keep: bool) -> Change:
    def change(sealed: Sealed, files: Files) -> None:
        made = sealed.vault.events[item(sealed)][3]
        hidden: dict[str, Json] = {
            "v": 1,
            "seq": 3,
            "event_sha256": made.sha256.hex(),
            "nonce": made.nonce.hex(),
        }
        files[layout.redacted_path(item(sealed), 3)] = encode_canonical(hidden)
        if not keep:
            del files[layout.event_path(item(sealed), 3)]

    return change


def left_out(sealed: Sealed, files: Files) -> None:
    alter(layout.BUNDLE_JSON, items=[sealed.items[0]])(sealed, files)


def append(path: Place, data: bytes) -> Change:
    def change(sealed: Sealed, files: Files) -> None:
        files[at(path, sealed)] += data

    return change


def older_proof(sealed: Sealed, files: Files) -> None:
    path = inclusion(0, 0)(sealed)
    files[path] = sealed.vault.log_proofs([(item(sealed), 0)], [8, 13, 17])[path]


def proof_of_nothing(sealed: Sealed, files: Files) -> None:
    files[inclusion(0, 9)(sealed)] = files[inclusion(0, 3)(sealed)]


def two_signatures(sealed: Sealed, files: Files) -> None:
    other = Keys("attacker").sign(sealed.vault.head(17))
    files[layout.note_path(17)] += other.rpartition(b"\n\n")[2]


def extra_line(sealed: Sealed, files: Files) -> None:
    path = inclusion(0, 0)(sealed)
    files[path] = files[path].replace(b"\nindex ", b"\nextra AAAA\nindex ", 1)


def one_more_checkpoint(sealed: Sealed, files: Files) -> None:
    files[layout.note_path(10)] = sealed.vault.keys.sign(sealed.vault.head(10))


def unrecorded_anchor(sealed: Sealed, files: Files) -> None:
    files["proof/anchors/8/7.json"] = files["proof/anchors/8/2.json"]


def insert(place: int, taken_from: int) -> Callable[[list[dict[str, Any]]], None]:
    """A second event like an older one."""
    return lambda documents: documents.insert(place, documents[taken_from] | {"nonce": "00" * 32})


def nothing_disclosed(sealed: Sealed, document: dict[str, list[str]]) -> None:
    del document[f"{sealed.items[0]}/0"]


def one_less(sealed: Sealed, document: dict[str, list[str]]) -> None:
    document[f"{sealed.items[0]}/0"].pop()


def field(seq: int, **fields: Any) -> Callable[[list[dict[str, Any]]], None]:
    return lambda documents: documents[seq].update(fields)


def drop(seq: int) -> Callable[[list[dict[str, Any]]], None]:
    def edit(documents: list[dict[str, Any]]) -> None:
        del documents[seq]

    return edit


def without_deposit(sealed: Sealed, files: Files) -> None:
    remove(event(0, 0), inclusion(0, 0))(sealed, files)
    disclosures(nothing_disclosed)(sealed, files)


def backdate(documents: list[dict[str, Any]]) -> None:
    documents[3]["at"] = "2026-11-22T15:00:00.000Z"


UNKNOWN = (
    *("extra.txt", "fetch.txt", "manifest-sha512.txt", "data/extra", "proof/extra", "proof/events/extra"),
    *("proof/log/extra", "proof/log/inclusion/extra", "proof/timestamps/extra", "proof/anchors/extra"),
    *("proof/attestations/extra", "proof/anchors/8/2.ots"),
)
CONTENT = [
    Mutation("one byte of a content", flip(content(0)), "2:content.digest"),
    Mutation("a shorter content", put(content(0), b"the first pict"), "2:content.size"),
    Mutation("the contents of two items exchanged", swap(content(0), content(1)), "2:content.digest"),
]
EVENTS = [
    Mutation("an event's claim changed", alter(event(0, 3), what="metadata"), f"4:mismatch({ROOT})"),
    Mutation("an event's time changed", rewrite(0, backdate), f"4:mismatch({ROOT})"),
    Mutation("the newest event changed", alter(event(0, 4), what="metadata"), f"4:mismatch({ROOT})"),
    Mutation("another actor", rewrite(1, lambda d: d[3]["actor"].update(role="AD")), f"4:mismatch({ROOT})"),
    Mutation(
        "another digest at seq 0",
        rewrite(0, lambda d: d[0]["digests"].update(sha256="00" * 32)),
        "2:content.digest",
    ),
    Mutation("two events exchanged", swap(event(0, 3), event(0, 4)), "3:events.misplaced"),
    Mutation(
        "two events exchanged and renumbered",
        rewrite(0, lambda d: d.insert(3, d.pop(4))),
        f"4:mismatch({ROOT})",
    ),
    Mutation("an event removed", remove(event(0, 3), inclusion(0, 3)), "3:events.gap"),
    Mutation(
        "an event removed, the rest renumbered",
        rewrite(0, drop(3)),
        f"4:mismatch({ROOT})",
    ),
    Mutation("an event cut off before the seal", rewrite(0, drop(4)), f"4:mismatch({ROOT})"),
    Mutation("seq 0 removed", without_deposit, "3:events.gap"),
    Mutation("another item's event in its place", swap(event(0, 3), event(1, 3)), "3:events.misplaced"),
    Mutation(
        "an event of another log",
        rewrite(0, field(3, origin="other.example/log")),
        "4:log.event-origin",
        lasts=True,
    ),
    Mutation("an event of another class", rewrite(0, field(3, env="development")), "4:log.class", lasts=True),
    Mutation(
        "LOG_OPENED removed",
        remove(layout.event_path(LOG, 0), layout.inclusion_path(LOG, 0)),
        "4:log.not-opened",
        lasts=True,
    ),
    Mutation(
        "the platform's statement removed",
        remove(layout.event_path(PLATFORM, 0), layout.inclusion_path(PLATFORM, 0)),
    ),
    Mutation(
        "the platform's statement changed",
        alter(layout.event_path(PLATFORM, 0), operator="Another"),
        f"4:mismatch({ROOT})",
    ),
    Mutation("EXPORTED removed", remove(event(0, 5), inclusion(0, 5)), "3:events.not-sealed", seal=True),
    Mutation("an event behind EXPORTED", rewrite(0, insert(6, 4)), "3:events.after-seal", seal=True),
    Mutation("two EXPORTED", rewrite(0, insert(6, 5)), "3:events.after-seal", seal=True),
    Mutation(
        "EXPORTED of another bundle",
        rewrite(0, field(5, bundle="bd_" + "0" * 26)),
        "3:events.not-sealed",
        seal=True,
    ),
    Mutation(
        "EXPORTED with another cut",
        rewrite(0, lambda d: d[5]["cut"].update(size=13)),
        "3:events.cut",
        seal=True,
    ),
]
DISCLOSURES = [
    Mutation("a disclosure changed", disclosures(other_value), "3:mismatch(disclosure 'file_name')"),
    Mutation(
        "a disclosure moved to another item", disclosures(moved_value), "3:mismatch(disclosure 'file_name')"
    ),
    Mutation(
        "disclosures moved to another event", disclosures(other_event), "3:mismatch(disclosure 'file_name')"
    ),
    Mutation("a disclosure removed", disclosures(one_less)),
    Mutation("all disclosures removed", remove(layout.DISCLOSURES)),
]
CHECKPOINTS = [
    Mutation(
        "a checkpoint's root changed",
        flip("proof/log/17.note", 30),
        "4:mismatch(signature",
        outside_seal=True,
    ),
    Mutation(
        "a checkpoint signed by an unknown key",
        signed_by(Keys("attacker"), 17),
        "4:log.unknown-key",
        outside_seal=True,
    ),
    Mutation(
        "the largest checkpoint signed by an unknown key",
        signed_by(Keys("attacker"), 21),
        "4:log.unknown-key",
        outside_seal=True,
    ),
    Mutation(
        "another log's checkpoint",
        signed_by(Keys("x", "other.example/log"), 17),
        "4:log.origin",
        outside_seal=True,
    ),
    Mutation(
        "a checkpoint under another size",
        swap("proof/log/13.note", "proof/log/17.note"),
        "4:log.size",
        outside_seal=True,
    ),
    Mutation(
        "another event's inclusion proof",
        swap(inclusion(0, 3), inclusion(0, 4)),
        f"4:mismatch({ROOT})",
        outside_seal=True,
    ),
    Mutation(
        "an inclusion proof against an older checkpoint",
        older_proof,
        "4:log.other-checkpoint",
        outside_seal=True,
    ),
    Mutation("an inclusion proof removed", remove(inclusion(0, 3)), "4:log.no-inclusion", outside_seal=True),
    Mutation(
        "a consistency proof removed",
        remove("proof/log/consistency/13-17.json"),
        "4:log.no-consistency",
        outside_seal=True,
    ),
    Mutation(
        "a consistency proof changed",
        alter("proof/log/consistency/13-17.json", proof=["A" * 43 + "="]),
        "4:mismatch(RFC 9162 §2.1.4.2",
        outside_seal=True,
    ),
    Mutation("a consistency proof between no neighbours", more_consistency, unreadable=True),
    Mutation(
        "an inclusion proof of no event",
        proof_of_nothing,
        unreadable=True,
    ),
    Mutation("a checkpoint with two signatures", two_signatures, unreadable=True),
    Mutation("an inclusion proof with an extra line", extra_line, unreadable=True),
    Mutation(
        "cosignatures of no checkpoint",
        put("proof/log/5.cosigs", b"\xe2\x80\x94 w AAAAAAAA\n"),
        unreadable=True,
    ),
    Mutation(
        "one more checkpoint without its proofs",
        one_more_checkpoint,
        unreadable=True,
    ),
]
TOKENS = [
    Mutation(
        "a token over another digest", replaced_token(bytes(32), "Alpha"), "5:mismatch(recorded response)"
    ),
    Mutation(
        "a token of another authority", replaced_token(bytes(32), "Gamma"), "5:mismatch(recorded response)"
    ),
    Mutation(
        "tokens of two items exchanged", swap(token(0, 1), token(1, 1)), "5:mismatch(recorded response)"
    ),
    Mutation("another request", flip(token(0, 1, "request.tsq"), 45), "5:mismatch(recorded request)"),
    Mutation("a recorded token removed", without_token, "5:token.missing"),
    Mutation("a recorded token without its request", remove(token(0, 1, "request.tsq")), unreadable=True),
    Mutation("an unrecorded token", unrecorded_token, "5:token.unrecorded"),
    Mutation(
        "certificates of another authority",
        put(token(0, 1, "chain.pem"), Authority("Gamma").root_pem.encode()),
    ),
    Mutation("certificates that are none", put(token(0, 1, "chain.pem"), b"nothing"), unreadable=True),
    Mutation(
        "revocation evidence of no token", put("proof/timestamps/8/9/revocation/0.crl", b"0"), unreadable=True
    ),
]
ANCHORS = [
    Mutation("an anchor of another contract", other_anchor(contract="00" * 20), "6:mismatch(recorded proof)"),
    Mutation("an anchor of another sender", other_anchor(sender="00" * 20), "6:mismatch(recorded proof)"),
    Mutation("an anchor on another chain", other_anchor(chain_id=1), "6:mismatch(recorded proof)"),
    Mutation(
        "an anchor of an unknown kind",
        put("proof/anchors/8/2.json", b'{"kind":"stone","v":1}'),
        "6:mismatch(recorded proof)",
    ),
    Mutation(
        "two anchors exchanged",
        swap("proof/anchors/8/2.json", "proof/anchors/13/2.json"),
        "6:mismatch(recorded proof)",
    ),
    Mutation("a recorded anchor removed", remove("proof/anchors/8/2.json"), "6:anchor.missing"),
    Mutation(
        "an unrecorded anchor",
        unrecorded_anchor,
        "6:anchor.unrecorded",
    ),
]
FORM = [
    Mutation("another README", flip(layout.README)),
    Mutation("a certificate slipped in", put(layout.CERTIFICATE, b"%PDF")),
    Mutation("an item's content denied", no_content(layout.NEVER_DEPOSITED), "2:content.denied"),
    Mutation("an item's content withheld", no_content(layout.WITHHELD)),
    Mutation("another text in place of a content", no_content(b"Trust me."), unreadable=True),
    Mutation(
        "content and the text that there is none",
        put(lambda s: layout.no_content_path(s.items[0]), layout.WITHHELD),
        unreadable=True,
    ),
    Mutation("an event both whole and redacted", redacted(keep=True), unreadable=True),
    Mutation("an item's event redacted", redacted(keep=False), unreadable=True),
    Mutation("another bundle's id", alter(layout.BUNDLE_JSON, bundle="bd_" + "0" * 26), unreadable=True),
    Mutation("an item left out of bundle.json", left_out, unreadable=True),
    Mutation(
        "another origin in bundle.json", alter(layout.BUNDLE_JSON, origin="a.example/log"), "4:log.origin"
    ),
    Mutation("a newer version in bundle.json", alter(layout.BUNDLE_JSON, v=2), unreadable=True),
    Mutation("an event not in canonical form", append(event(0, 3), b"\n"), unreadable=True),
    Mutation("the vault's own event", put("proof/events/vault/0.json", b"{}"), unreadable=True),
    *(Mutation(f"an extra file {path}", put(path, b"x"), unreadable=True) for path in UNKNOWN),
]
ALL = [*CONTENT, *EVENTS, *DISCLOSURES, *CHECKPOINTS, *TOKENS, *ANCHORS, *FORM]
