"""What a log shows to somebody who holds an older checkpoint of it: joined to that, or refused."""

import pytest

from anchors.base import TreeHead
from evidence_vault.core import layout
from evidence_vault.core.checkpoint import shown_note_path
from evidence_vault.core.merkle import Frontier, leaf_hash, verify_consistency
from evidence_vault.core.textfields import parse_base64
from evidence_vault.errors import FormatError, UnavailableError, VerificationError
from evidence_vault.mirror.later import LaterLog
from tests.mirror.logs import ORIGIN, OTHER_KEY, VKEY, Served, entries, published, signed


class Shown(Served):
    """A log of 700 leaves that shows the notes of these sizes, too."""

    def __init__(self, *sizes: int, history: int = 0) -> None:
        super().__init__()
        leaves = entries(700, history=history)
        self.files = published(leaves) | {"checkpoint": signed(leaves)}
        self.files |= {shown_note_path(size): signed(leaves[:size]) for size in sizes}


def head(size: int, history: int = 0) -> TreeHead:
    return Frontier().extend([leaf_hash(leaf) for leaf in entries(size, history=history)]).tree_head()


def open_log(source: Served, held: int = 300, history: int = 0) -> LaterLog:
    return LaterLog(source, origin=ORIGIN, held=head(held, history), keys=[VKEY])


def test_later_and_earlier_checkpoints_are_joined_to_the_one_that_is_held() -> None:
    log = open_log(Shown(10, 300, 512, 600))
    assert (log.newest, log.is_signed) == (head(700), True)
    assert [log.head(size) for size in (10, 300, 512, 600, 700)] == [
        head(n) for n in (10, 300, 512, 600, 700)
    ]
    assert (log.head(11), log.head(701), log.note(0)) == (None, None, None)
    files = log.files({10, 300, 512, 700})
    joined = {(10, 300), (300, 512), (512, 700)}
    assert files.keys() == {layout.note_path(size, added=True) for size in (10, 512, 700)} | {
        layout.consistency_path(*ends, added=True) for ends in joined
    }
    for older, newer in joined:
        text = files[layout.consistency_path(older, newer, added=True)].decode()
        hashes = [parse_base64("proof", one, length=32) for one in text.split('"') if one.endswith("=")]
        verify_consistency(older=head(older), newer=head(newer), proof=hashes)


def test_a_log_of_another_history_is_refused_whoever_signed_it() -> None:
    with pytest.raises(VerificationError, match="root hash at size 300"):
        open_log(Shown(history=1))


def test_a_note_of_another_history_is_refused() -> None:
    shown = Shown(512)
    shown.files[shown_note_path(512)] = signed(entries(512, history=1))
    with pytest.raises(VerificationError, match="root hash at size 512"):
        open_log(shown).note(512)
    shown.files[shown_note_path(512)] = signed(entries(600))
    with pytest.raises(FormatError, match="size 512"):
        open_log(shown).note(512)


def test_a_wrong_signature_by_a_named_key_is_refused_and_a_strangers_is_told() -> None:
    shown = Shown()
    stranger = signed(entries(700), key=OTHER_KEY)
    shown.files["checkpoint"] = stranger
    log = open_log(shown)
    assert (log.is_signed, log.newest) == (False, head(700))
    honest = signed(entries(700))
    shown.files["checkpoint"] = honest[:-9] + (b"A" if honest[-9:-8] != b"A" else b"B") + honest[-8:]
    with pytest.raises(VerificationError):
        open_log(shown)


def test_a_source_that_is_behind_or_of_another_log_is_refused() -> None:
    with pytest.raises(UnavailableError, match="behind"):
        open_log(Shown(), held=701)
    with pytest.raises(VerificationError, match="origin"):
        LaterLog(Shown(), origin="other.example/log", held=head(300), keys=[])


def test_a_cosigned_note_is_carried_with_the_logs_own_line_alone() -> None:
    shown = Shown(512)
    honest = shown.files[shown_note_path(512)]
    line = signed(entries(512), key=OTHER_KEY).rpartition(b"\n\n")[2]
    for both in (honest + line, honest.replace(b"\n\n", b"\n\n" + line)):
        shown.files[shown_note_path(512)] = both
        assert open_log(shown).note(512) == honest
