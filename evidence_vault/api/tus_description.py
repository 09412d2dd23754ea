"""What FastAPI can't read from the functions of `tus`: header fields, bodies, and problems of the protocol."""

from evidence_vault.api.description import may_answer

VERSION = "1.0.0"
PIECE = "application/offset+octet-stream"
"""The media type of a piece of an upload (tus.io/protocols/resumable-upload, PATCH)."""


def _fields(method: str) -> list[dict[str, object]]:
    """Return the header fields of a call, for its documentation."""
    text, number = {"type": "string"}, {"type": "string", "pattern": "^(0|[1-9][0-9]{0,15})$"}
    spoken = {"Tus-Resumable": (True, {"type": "string", "const": VERSION}, "the protocol's version")}
    checksum = {
        "Upload-Checksum": (False, text, "sha1, sha256 or sha512, and base64: of the bytes of this request")
    }
    of_method = {
        "POST": {
            **checksum,
            "Upload-Length": (True, number, "bytes of the whole content"),
            "Upload-Metadata": (
                False,
                text,
                "filename, filetype, note, secret, sha256; each with base64 of UTF-8",
            ),
            "Repr-Digest": (False, text, "sha-256=:base64: (RFC 9530); must agree with the whole content"),
        },
        "PATCH": {
            **checksum,
            "Upload-Offset": (True, number, "where the bytes go: where the upload stands"),
        },
    }
    return [
        {"name": name, "in": "header", "required": needed, "schema": schema, "description": meaning}
        for name, (needed, schema, meaning) in {**spoken, **of_method.get(method, {})}.items()
    ]


def described(method: str, *problems: str, body: bool = False) -> dict[str, object]:
    """Return a call's `openapi_extra`. problems: its own, beside those that its form tells."""
    told: dict[str, object] = {**may_answer("tus-version", *problems), "parameters": _fields(method)}
    if body:
        binary = {"schema": {"type": "string", "format": "binary"}}
        told["requestBody"] = {"required": method == "PATCH", "content": {PIECE: binary}}
    return told
