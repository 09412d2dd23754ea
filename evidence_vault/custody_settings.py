"""Settings of what the vault does with evidence over the years: reading it again, and noticing its own gaps."""

from pydantic import Field

from evidence_vault.network_settings import Part


class Fixity(Part):
    """How often and how fast all contents are read again and compared with their digests."""

    sweep_days: float = Field(
        default=30.0, gt=0, description="A sweep begins so long after the last began: disks rot in months."
    )
    bytes_per_s: int = Field(
        default=16 * 2**20,
        ge=2**16,
        description="16 MiB/s: a tenth of a slow disk, so that deposits don't wait; 40 TB in 30 days.",
    )
    items_per_round: int = Field(
        default=64, ge=1, le=1000, description="Small contents of one round; a commit, 1 s, for each round."
    )
    event_days: float = Field(
        default=365.0,
        ge=0,
        description="A sound content is an event so often, not each time: monthly ones would outgrow the rest.",
    )


class Presence(Part):
    """How the vault notices that it did not run."""

    beat_s: float = Field(default=30.0, gt=0, description="Between two signs of life; each is a small write.")
    outage_after_s: float = Field(
        default=300.0,
        gt=0,
        description="A longer silence is an incident; a restart or an upgrade is shorter.",
    )


class Retention(Part):
    """How long content is held by its owner, and how long an offer to take it over stands."""

    warn_days: int = Field(default=30, ge=1, description="The end of a retention is told so long before.")
    max_days: int = Field(
        default=36_525, ge=1, description="A retention can't be taken back: at most a hundred years."
    )
    offer_days: int = Field(default=14, ge=1, description="An offer that names no end stands so long.")
    offer_cap_days: int = Field(default=90, ge=1, description="And none longer: nobody remembers it by then.")
