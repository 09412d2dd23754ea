"""The words of the witness protocol: the specification's own example, and everything that is not it."""

import pytest

from evidence_vault.core.tlog_witness import (
    MAX_REQUEST_BYTES,
    encode_request,
    encode_size,
    parse_request,
    parse_size,
)
from evidence_vault.errors import FormatError

EXAMPLE = """\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa \
opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
""".encode()
"""The example request of C2SP tlog-witness."""


def test_parse_request_reads_the_specifications_example() -> None:
    request, note = parse_request(EXAMPLE)
    assert (request.old_size, len(request.proof)) == (20852014, 4)
    assert note.text.startswith("example.com/behind-the-sofa\n20852163\n")
    assert len(note.signatures) == 2
    assert (
        encode_request(old_size=request.old_size, proof=request.proof, checkpoint=request.checkpoint)
        == EXAMPLE
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"old 20852014", b"old 020852014"),
        (b"old 20852014", b"old -1"),
        (b"old 20852014", b"old  20852014"),
        (b"old 20852014", b"Old 20852014"),
        (b"old 20852014", b"old"),
        (b"old 20852014", b"old 9223372036854775808"),
        (b"old 20852014", b"old \xd9\xa1"),
        (b"old 20852014\n", b""),
        (b"old 20852014\n", b"old 20852014\r\n"),
        (b"PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=", b"PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw"),
        (b"PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=", b"PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkax="),
        (b"PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=", b"AAAA"),
        (b"\n\nexample", b"\nexample"),
        (b"old 20852014\n", b"old 20852014\n" + b"A" * 43 + b"=\n" * 60),
        (b"old 20852014\n", b"old 20852014\n" + (b"A" * 43 + b"=\n") * 60),
        (EXAMPLE, b""),
        (EXAMPLE, b"\n\n"),
        (EXAMPLE, b"x" * (MAX_REQUEST_BYTES + 1)),
    ],
)
def test_parse_request_refuses_what_is_not_the_form(old: bytes, new: bytes) -> None:
    changed = EXAMPLE.replace(old, new, 1)
    assert changed != EXAMPLE
    with pytest.raises(FormatError):
        parse_request(changed)


def test_size_answer_is_a_decimal_and_a_line_feed() -> None:
    assert parse_size(encode_size(50)) == 50
    for wrong in (b"", b"50", b"050\n", b"+5\n", b"5\n5\n", b" 5\n", "٥\n".encode()):
        with pytest.raises(FormatError):
            parse_size(wrong)
