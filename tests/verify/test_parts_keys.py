import pytest

from evidence_vault.core import layout
from evidence_vault.errors import FormatError
from evidence_vault.verify.parts import Parts


def test_disclosures_with_a_seq_of_thousands_of_digits_are_unreadable() -> None:
    # Python refuses to convert so long a number with a bare ValueError, which would end the verifier.
    document = b'{"log/1' + b"0" * 5000 + b'":[]}'
    parts = Parts({layout.DISCLOSURES: layout.parse_path(layout.DISCLOSURES)}, {layout.DISCLOSURES: document})
    with pytest.raises(FormatError) as caught:
        parts.disclosures({})
    assert caught.value.place == layout.DISCLOSURES
