"""What requests and answers about attestations look like."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from evidence_vault.api.json_body import Asked
from evidence_vault.api.schemas import View

Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]*={0,2}$", max_length=128 * 1024)]


class StatementSubmission(Asked):
    """A statement as it was shown and signed. Its bytes are signed, so they travel as base64."""

    statement: Base64 = Field(description="statement.txt, base64.")
    signature: str | None = Field(
        default=None,
        max_length=128 * 1024,
        description="Detached CMS with CAdES-B attributes: DER in base64, or PEM. Null: unsigned, and it says so.",
    )
    chain: str | None = Field(
        default=None, max_length=64 * 1024, description="Certificates beside the signature, PEM."
    )


class FixityView(View):
    """What reading the stored bytes again has found; it is an event of the item."""

    seq: int
    event_sha256: str
    result: Literal["intact", "damaged"]
    expected_sha256: str
    found_sha256: str | None = Field(description="Null where the bytes can't be read to their end.")
    at: str


class HeadView(View):
    """The newest event of an item."""

    seq: int
    event_sha256: str


class DraftView(View):
    """What a statement about the item has to name. `case` is the person's to fill in."""

    origin: str
    item: str
    case: None = None
    head: HeadView
    digests: dict[str, str]
    mode: str
    size: int | None
    checked: FixityView | None = Field(
        default=None, description="The newest reading of the stored bytes, whoever asked for it."
    )


class SignatureView(View):
    """Who signed. `trusted`: under a root of this vault's settings; a verifier has his own."""

    status: Literal["trusted", "unknown-root", "unsigned"]
    signer: str | None = None
    issuer: str | None = None
    serial_number: str | None = None
    certificate_sha256: str | None = None
    reason: str | None = None


class WithdrawnView(View):
    """That an attestation was taken back."""

    seq: int
    at: str
    reason: str
    signature: SignatureView


class AttestationView(View):
    """An attestation of an item. `statement` is what follows the type line."""

    seq: int
    event_sha256: str
    statement_sha256: str
    at: str
    actor: str
    role: str
    statement: dict[str, Any]
    signature: SignatureView
    withdrawn: WithdrawnView | None


class AttestationList(View):
    """A page of an item's attestations; `next` is the `from_seq` of the page that follows."""

    attestations: list[AttestationView]
    next: int | None


class RecordedView(View):
    """A statement that is an event now."""

    seq: int
    event_sha256: str
    statement_sha256: str
    signature: SignatureView
