"""Full audit: what only grew may still hold two histories, and what is shown may differ from what is asked."""

from pathlib import Path

import pytest

from evidence_vault.core.merkle import prove_consistency
from evidence_vault.core.note_keys import encode_vkey
from evidence_vault.core.tiles import TileNodeReader
from evidence_vault.core.tlog_witness import encode_request
from evidence_vault.errors import ConfigError, UnavailableError
from evidence_vault.mirror.folder import MirrorFolder
from evidence_vault.witness.audit import mirror_audit
from evidence_vault.witness.folder import open_witness, watched_logs
from evidence_vault.witness.witness import Answer, WatchedLog, Witness
from tests.mirror.logs import ORIGIN, OTHER_KEY, VKEY, Served, entries, entry, published, signed


def ask(witness: Witness, leaves: list[bytes], *, old: int = 0) -> Answer:
    """Ask for a line under the log of these leaves, with an honest proof."""
    files = published(leaves)
    read = TileNodeReader(lambda tile: files[tile.path], len(leaves))
    proof = prove_consistency(old, len(leaves), read) if old else []
    return witness.add_checkpoint(encode_request(old_size=old, proof=proof, checkpoint=signed(leaves)))


def test_audit_reads_all_before_the_line_and_keeps_the_mirror(tmp_path: Path) -> None:
    server = Served(entries(300))
    audit = mirror_audit(tmp_path / "mirror", server, keys=[VKEY])
    watched = WatchedLog(origin=ORIGIN, keys=(VKEY,), audit=audit)
    with open_witness(tmp_path / "w", name=None, logs=[watched]) as witness:
        assert ask(witness, entries(300)).status == 200
        server.show(entries(700))  # the log is ahead of what it asks: what it asks must still be part of it
        assert ask(witness, entries(500), old=300).status == 200
        assert ask(witness, entries(800), old=500).status == 503  # not public yet
        server.show(entries(800))
        assert ask(witness, entries(800), old=500).status == 200
    assert MirrorFolder(tmp_path / "mirror").checkpoint() == signed(entries(800))


def test_second_entry_of_one_slot_is_never_cosigned_though_the_log_only_grew(tmp_path: Path) -> None:
    leaves = [*entries(20), entry(20, slot=3)]
    server = Served(entries(20))
    audit = mirror_audit(tmp_path / "mirror", server, keys=[VKEY])
    watched = WatchedLog(origin=ORIGIN, keys=(VKEY,), audit=audit)
    with open_witness(tmp_path / "w", name=None, logs=[watched]) as witness:
        assert ask(witness, entries(20)).status == 200
        server.show(leaves)
        assert ask(witness, leaves, old=20).status == 422
    assert list((tmp_path / "w" / "evidence").glob("*.refused"))
    with open_witness(
        tmp_path / "trusting", name=None, logs=[WatchedLog(origin=ORIGIN, keys=(VKEY,))]
    ) as other:
        assert ask(other, entries(20)).status == 200
        assert ask(other, leaves, old=20).status == 200  # the protocol alone can't see it


def test_log_that_shows_one_history_and_asks_for_another_is_refused(tmp_path: Path) -> None:
    server = Served(entries(40))
    audit = mirror_audit(tmp_path / "mirror", server, keys=[VKEY])
    watched = WatchedLog(origin=ORIGIN, keys=(VKEY,), audit=audit)
    with open_witness(tmp_path / "w", name=None, logs=[watched]) as witness:
        assert ask(witness, entries(40, history=1)).status == 422
        assert ask(witness, entries(30, history=1)).status == 422
        assert ask(witness, entries(40)).status == 200
    assert MirrorFolder(tmp_path / "mirror").evidence()


def test_files_that_do_not_fit_are_no_proof_and_no_line(tmp_path: Path) -> None:
    server = Served(entries(40))
    audit = mirror_audit(tmp_path / "mirror", server, keys=[VKEY])
    watched = WatchedLog(origin=ORIGIN, keys=(VKEY,), audit=audit)
    tile = next(path for path in server.files if path.startswith("tile/0/"))
    server.files[tile] = bytes(len(server.files[tile]))
    with open_witness(tmp_path / "w", name=None, logs=[watched]) as witness:
        assert ask(witness, entries(40)).status == 503
        server.show(entries(40))
        server.files["checkpoint"] = signed(entries(40), key=OTHER_KEY)
        assert ask(witness, entries(40)).status == 503
        server.show(entries(40))
        assert ask(witness, entries(40)).status == 200
    assert not (tmp_path / "w" / "evidence").exists()


def test_log_arguments_name_keys_and_where_to_read(tmp_path: Path) -> None:
    asked: list[str] = []

    def source_of(place: str) -> Served:
        asked.append(place)
        if place == "nowhere":
            raise ConfigError("log", "neither")
        return Served(entries(1))

    text = encode_vkey(VKEY)
    [log] = watched_logs([text], mirrors=tmp_path, source_of=source_of)
    assert (log.origin, log.keys, log.audit, asked) == (ORIGIN, (VKEY,), None, [])
    [log] = watched_logs([f"{text}@https://log.example/log", text], mirrors=tmp_path, source_of=source_of)
    assert (set(log.keys), log.audit is None, asked) == ({VKEY}, False, ["https://log.example/log"])
    for wrong in ("x", text[:-4], f"{text}@nowhere", text.replace("+", " ")):
        with pytest.raises((ConfigError, UnavailableError)):
            watched_logs([wrong], mirrors=tmp_path, source_of=source_of)
