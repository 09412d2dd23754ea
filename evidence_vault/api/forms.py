"""A deposit as a browser's form sends it (multipart/form-data, RFC 7578): one file, and what is known about it.

    Content-Disposition: form-data; name="file"; filename="照片.png"      the evidence: this part's bytes, no others
    Content-Type: image/png                                              kept as the sender's claim

    note · secret (true, false, on) · sha256 (hex) · idempotency_key     small fields, each once, in any order;
                                                                         idempotency_key before the file

The envelope is never the evidence: what is hashed, stored and stamped is the file. It goes to the blob store as it
comes, with no copy of it in memory or in a temporary file.

Names as browsers write them (HTML, "multipart form data"): UTF-8 as it is, `"` as %22. What else could be meant
by a part is refused: a second file, an unknown field or header, an encoding, both spellings of a name.
"""

import re
from collections.abc import Mapping

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError

from anchors.values import replace
from evidence_vault.api.fields import MAX_FIELD_CHARS, parse_ext_value
from evidence_vault.core.names import parse_sha256
from evidence_vault.errors import FormatError, TooLarge
from evidence_vault.pipeline.intake.deposit import Deposit, begin_deposit
from evidence_vault.pipeline.intake.deposited import Deposited
from evidence_vault.pipeline.intake.wishes import Wish
from evidence_vault.pipeline.vault import Vault

MAX_VALUE_BYTES = 8_000
"""Of a field: a note of 2000 characters in UTF-8."""

MAX_HEADERS = 4
FIELDS = ("note", "secret", "sha256", "idempotency_key")

_PARAMETER = re.compile(r'; ?(name|filename)="([^"\r\n]*)"|; ?(filename\*)=([^;"\s]+)')
_HARMLESS_ENCODINGS = ("7bit", "8bit", "binary")
_BOUNDARY = re.compile(
    r'multipart/form-data; ?boundary=(?:"([^"\r\n]{1,70})"|([^;\s"]{1,70}))', re.IGNORECASE
)


class FormDeposit:
    """A form on its way in; use it in one thread at a time, then `commit` or `abandon`."""

    def __init__(self, vault: Vault, wish: Wish, content_type: str) -> None:
        """Begin. wish: who deposits, and a key from the header. Raises FormatError without a boundary."""
        found = _BOUNDARY.fullmatch(content_type)
        if not found:
            raise FormatError("Content-Type", "multipart/form-data; boundary=…", content_type[:100])
        self._vault, self._wish = vault, wish
        self._deposit: Deposit | None = None
        self._fields: dict[str, str] = {}
        self._headers: dict[str, str] = {}
        self._header, self._value = bytearray(), bytearray()
        self._part: str | None = None
        self._ended = False
        self._parser = MultipartParser(
            found[1] or found[2],
            {
                "on_part_begin": self._begin_part,
                "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._take,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
            max_header_count=MAX_HEADERS,
            max_header_size=MAX_FIELD_CHARS,
        )

    def write(self, data: bytes) -> None:
        """Take the next bytes of the form. Raises as a deposit does, and FormatError for what is no such form."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise FormatError("form", "multipart/form-data (RFC 7578)", str(error)) from None

    def commit(self) -> Deposited:
        """End the form and commit its file. Raises FormatError if either is missing."""
        if not self._ended:
            raise FormatError("form", "its last boundary", "the end of the body")
        if self._deposit is None:
            raise FormatError("form", "a part named file, with a file", "none")
        self._deposit.amend(self._completed(self._wish))
        return self._deposit.commit()

    def abandon(self) -> None:
        """Leave nothing behind, unless it was committed."""
        if self._deposit is not None:
            self._deposit.__exit__(None, None, None)

    def _begin_part(self) -> None:
        self._headers, self._part = {}, None
        self._header, self._value = bytearray(), bytearray()

    def _end_header(self) -> None:
        name = self._header.decode("latin-1").lower()
        try:
            value = self._value.decode("utf-8").strip(" \t")
        except UnicodeDecodeError:
            raise FormatError(f"form {name[:60]}", "UTF-8", bytes(self._value[:60])) from None
        if name in self._headers or name not in (
            "content-disposition",
            "content-type",
            "content-transfer-encoding",
        ):
            raise FormatError("form", "Content-Disposition and Content-Type, each once", name[:60])
        self._headers[name] = value
        self._header, self._value = bytearray(), bytearray()

    def _end_headers(self) -> None:
        if self._headers.get("content-transfer-encoding", "binary").lower() not in _HARMLESS_ENCODINGS:
            raise FormatError("form", "no transfer encoding", self._headers["content-transfer-encoding"][:60])
        parameters = _parameters(self._headers.get("content-disposition", ""))
        name = parameters.get("name", "")
        if name == "file":
            self._begin_file(parameters)
        elif name not in FIELDS or "filename" in parameters or "filename*" in parameters:
            raise FormatError("form", f"one file, and of {', '.join(FIELDS)} each once", name[:60])
        elif name in self._fields:
            raise FormatError(f"form {name}", "the field once", "twice")
        self._part = name

    def _begin_file(self, parameters: Mapping[str, str]) -> None:
        if self._deposit is not None:
            raise FormatError("form", "one file; deposit each by itself", "a second one")
        named = [parameters[name] for name in ("filename", "filename*") if parameters.get(name)]
        if len(named) != 1:
            raise FormatError("form file", "a file that was chosen, its name in one spelling", len(named))
        file_name = (
            parse_ext_value(parameters["filename*"], place="form filename*")
            if "filename*" in parameters
            else re.sub("%(22|0[AaDd])", lambda found: chr(int(found[1], 16)), parameters["filename"])
        )
        key = self._fields.get("idempotency_key")
        if key is not None and self._wish.idempotency_key not in (None, key):
            raise FormatError("form idempotency_key", "the same as in the header", key)
        self._wish = replace(
            self._wish,
            file_name=file_name,
            media_type=self._headers.get("content-type"),
            idempotency_key=key or self._wish.idempotency_key,
        )
        self._deposit = begin_deposit(self._vault, self._completed(self._wish))

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._part == "file":
            assert self._deposit is not None
            self._deposit.write(data[start:end])
            return
        self._value.extend(data[start:end])
        if len(self._value) > MAX_VALUE_BYTES:
            raise TooLarge(f"form {self._part}", MAX_VALUE_BYTES)

    def _end_part(self) -> None:
        if self._part is None or self._part == "file":
            return
        if self._part == "idempotency_key" and self._deposit is not None:
            raise FormatError("form idempotency_key", "before the file", "behind it")
        try:
            # Browsers send the line ends of a text as CR LF, whatever was typed.
            self._fields[self._part] = self._value.decode("utf-8").replace("\r\n", "\n")
        except UnicodeDecodeError:
            raise FormatError(f"form {self._part}", "UTF-8", bytes(self._value[:60])) from None

    def _end(self) -> None:
        self._ended = True

    def _completed(self, wish: Wish) -> Wish:
        """Return the wish with the fields that have come so far; an empty one says nothing."""
        secret, sha256 = self._fields.get("secret", ""), self._fields.get("sha256")
        if secret not in ("", "true", "false", "on"):
            raise FormatError("form secret", "true, false or on", secret)
        return replace(
            wish,
            note=self._fields.get("note") or None,
            secret=secret in ("true", "on"),
            declared_sha256=parse_sha256(sha256, place="form sha256") if sha256 else None,
        )


def _parameters(value: str) -> Mapping[str, str]:
    """Return name, filename and filename* of a part's Content-Disposition. Raises FormatError."""
    place, found = "form Content-Disposition", dict[str, str]()
    kind, rest = value[:9], value[9:]
    while kind.lower() == "form-data" and rest:
        parameter = _PARAMETER.match(rest)
        if not parameter:
            break
        name, text = parameter[1] or parameter[3], parameter[2] if parameter[1] else parameter[4]
        if name in found:
            raise FormatError(place, "each parameter once", name)
        found[name], rest = text, rest[parameter.end() :]
    if rest or "name" not in found:
        raise FormatError(place, 'form-data; name="…"; filename="…" (RFC 7578 §4.2)', value[:100])
    return found
