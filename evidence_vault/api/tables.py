"""Tables as CSV (RFC 4180), for whoever opens them in a spreadsheet.

A cell that begins with `= + - @`, a tab or a carriage return gets a leading quote mark: a spreadsheet would take it
for a formula, and names and notes are anybody's words. Lines end with CRLF, the first one names the columns.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import Query, Request
from fastapi.responses import Response

MEDIA_TYPE = "text/csv"

Format: TypeAlias = Annotated[
    Literal["json", "csv"] | None,
    Query(description="As `Accept: application/json` or `text/csv`; what stands here counts before it."),
]

AS_TABLE: dict[int | str, dict[str, Any]] = {
    200: {"description": "As JSON, or as a table", "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}
}
"""What a route tells of its answer as a table."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def asks_for_table(request: Request, asked: str | None) -> bool:
    """Whether the caller wants a table: by `format`, or by an `Accept` that names CSV and not JSON."""
    if asked is not None:
        return asked == "csv"
    named = {one.partition(";")[0].strip().lower() for one in request.headers.get("accept", "").split(",")}
    return MEDIA_TYPE in named and "application/json" not in named


def encode_table(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Return the table; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return text.getvalue()


def table_answer(
    name: str, columns: Sequence[str], rows: Iterable[Mapping[str, object]], *, following: str | None = None
) -> Response:
    """Return the table as a download. following: the address of the page after, told by `Link` (RFC 8288)."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    if following is not None:
        headers["Link"] = f'<{following}>; rel="next"'
    return Response(encode_table(columns, rows), media_type=MEDIA_TYPE, headers=headers)


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
