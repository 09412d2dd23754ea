"""Settings of grants, orders and refusals: what a deployer decides about access, each with its unit and reason."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from evidence_vault.core.names import JURISDICTION
from evidence_vault.errors import FormatError
from evidence_vault.network_settings import Part

DEFAULT_UNDERTAKING = (
    "I keep what I see here secret, use it for the stated purpose alone, make no copy that the purpose does not "
    "need, and destroy what I hold of it when the purpose has ended."
)

Paragraph = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x09\x0b-\x1f\x7f]{1,2000}$")]


def _jurisdiction(text: str) -> str:
    """One spelling, or two of one country would be two."""
    try:
        JURISDICTION.check(text, "jurisdiction")
    except FormatError as error:
        raise ValueError(f"must be {error.expected}") from None
    return text


Jurisdiction = Annotated[
    str, AfterValidator(_jurisdiction), Field(json_schema_extra={"pattern": f"^{JURISDICTION.pattern}$"})
]


class Access(Part):
    """What a deployer decides about access."""

    order_days: int = Field(
        default=15, ge=1, le=365, description="An investigation order lasts so long unless it says otherwise."
    )
    order_cap_days: int = Field(
        default=30, ge=1, le=365, description="And never longer: the rules of several courts say 15 to 30."
    )
    grant_days: int = Field(default=90, ge=1, description="A grant lasts so long unless it says otherwise.")
    grant_cap_days: int = Field(
        default=3650,
        ge=1,
        le=36500,
        description="And never longer: what is needed in ten years is given anew.",
    )
    max_items: int = Field(
        default=500, ge=1, le=500, description="Items of one grant or order: as many events as items."
    )
    jurisdiction: Jurisdiction | None = Field(
        default=None, description="Where this vault is, as in `cn`; a grant to another crosses the border."
    )
    cross_border: bool = Field(
        default=True, description="False: no grant to a foreign authority, and those given are worth nothing."
    )
    break_glass: bool = Field(
        default=True,
        description="Whether an administrator may open content in need, told to owner and auditor.",
    )
    undertaking: Paragraph = Field(
        default=DEFAULT_UNDERTAKING, description="What is signed before a trade secret is opened."
    )
    refusal_note_s: int = Field(
        default=3600,
        ge=60,
        description="So often at most a refusal to a former grantee stands in an item's history, or he fills it.",
    )
