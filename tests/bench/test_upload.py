"""The upload's figures in their short form: that they are measured, not what they are."""

import pytest

from bench.upload import measure


@pytest.mark.socket
@pytest.mark.slow
def test_upload_in_short_yields_its_rows() -> None:
    rows = {row.name: row for row in measure(short=True)}
    assert set(rows) == {"upload_1gib", "upload_1gib_tus", "upload_1gib_rss", "upload_1gib_together"}
    assert all(row.value > 0 and row.reference_value > 0 for row in rows.values())
    assert rows["upload_1gib_rss"].value < 150
