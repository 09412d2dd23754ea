"""Settings of one time-stamping authority: whom to ask, whom to trust, and how much to ask of it at a time."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from evidence_vault.core.names import LogClass
from evidence_vault.errors import ConfigError
from evidence_vault.network_settings import Code, Oid, Part, Url

SEND_WITHIN_S = 5.0
"""Jobs that were claimed together are sent within this; the rest go back, so that no lease ends while one waits."""


class TimestampAuthority(Part):
    """One RFC 3161 authority that stamps items and checkpoints."""

    name: Code = Field(description="How events and the trust policy call it.")
    group: Code = Field(description="Who runs its root: two authorities of one group count once.")
    url: Url = Field(description="Where requests are posted.")
    policy: Oid | None = Field(
        default=None, description="The policy to ask for; none leaves it to the authority."
    )
    log_class: LogClass = Field(
        default="production", description="A token of a lesser class never passes as this."
    )
    roots_pem: str | None = Field(default=None, description="The trusted roots, inline PEM.")
    roots_file: Path | None = Field(
        default=None, description="The trusted roots, a PEM file relative to the home."
    )
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="Sent along, such as a password.")
    client_certificate_file: Path | None = Field(
        default=None, description="TLS client certificate with its key, a PEM file relative to the home."
    )
    tls_roots_file: Path | None = Field(
        default=None, description="Roots for its TLS, PEM, in place of the system's: a private CA's."
    )
    required: bool = Field(
        default=True, description="False: nobody waits for it; what it answers counts all the same."
    )
    timeout_s: float = Field(
        default=20.0, gt=0, le=300, description="The whole exchange: a slow drip must end too."
    )
    min_interval_s: float = Field(
        default=0.0, ge=0, description="Between requests: public authorities block haste."
    )
    exchanges: int = Field(
        default=4,
        ge=1,
        le=64,
        description="Requests at once: four hide the way there and back, and are haste to nobody.",
    )
    stamps_items: bool = Field(
        default=True, description="False: only checkpoints, for authorities with a price."
    )

    @model_validator(mode="after")
    def _one_source_of_roots(self) -> Self:
        if (self.roots_pem is None) == (self.roots_file is None):
            raise ValueError("give exactly one of roots_pem and roots_file")
        return self

    def load_roots_pem(self, home: Path) -> str:
        """Return the roots as PEM text. Raises ConfigError if the file can't be read."""
        if self.roots_pem is not None:
            return self.roots_pem
        assert self.roots_file is not None
        try:
            return (home / self.roots_file).read_text("ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"authorities.{self.name}.roots_file", str(error)) from None
