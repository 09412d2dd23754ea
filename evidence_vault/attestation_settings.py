"""Settings of attestations: whose notaries are known, and how much the vault takes in of their statements.

    [notary]
    roots = ["-----BEGIN CERTIFICATE-----
    … -----END CERTIFICATE-----"]

The table is written alike in a trust policy, where it has nothing but the roots.
"""

from pydantic import Field, field_validator

from evidence_vault.errors import FormatError
from evidence_vault.network_settings import Part
from evidence_vault.verify.pem import certificates_of


class Notary(Part):
    """Who is known as a notaries' or appraisers' authority, and the limits of what they hand in."""

    roots: list[str] = Field(
        default_factory=list,
        max_length=200,
        description="PEM. A signature under another root is recorded too, and said to be so.",
    )
    statement_days: float = Field(
        default=7.0,
        gt=0,
        le=90,
        description="A statement names a state of the item at most this old: who signs later looks again.",
    )
    max_per_item: int = Field(
        default=1000, ge=1, le=1000, description="Attestations of one item: its bundle carries all of them."
    )
    max_bytes_per_item: int = Field(
        default=64 * 2**20, ge=2**20, le=64 * 2**20, description="64 MiB together: a reader stops at 256."
    )
    rehash_interval_s: float = Field(
        default=10.0, gt=0, description="Between two re-hashings of an item in view: each reads all of it."
    )

    @field_validator("roots")
    @classmethod
    def _certificates(cls, given: list[str]) -> list[str]:
        try:
            certificates_of(given)
        except FormatError as error:
            raise ValueError(f"roots: {error}") from None
        return given

    def certificates(self) -> tuple[bytes, ...]:
        """Return the roots, DER."""
        return certificates_of(self.roots)
