"""Settings of one Bitcoin network that checkpoints reach by way of OpenTimestamps calendars."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from evidence_vault.core.names import LogClass
from evidence_vault.network_settings import Code, Part, Url


class CalendarServer(Part):
    """One calendar; it sees blinded digests and learns nothing."""

    name: Code = Field(description="How status and errors call it.")
    url: Url = Field(
        description="The calendar itself, not a pool: it is asked again for what it promised. "
        "Private addresses need `private_endpoints`."
    )


class Bitcoin(Part):
    """One Bitcoin network, the calendars that write to it, and the nodes that show its headers."""

    name: Code = Field(description="How jobs, logs and the trust policy call it.")
    network: Literal["main", "test", "regtest"] = Field(
        default="main", description="Nodes are held to its block 0."
    )
    calendars: list[CalendarServer] = Field(
        min_length=1, max_length=8, description="All are asked; one that brings us into a block is enough."
    )
    node_urls: list[SecretStr] = Field(
        min_length=1,
        max_length=8,
        description="Bitcoin nodes, JSON-RPC; all must show the same block. Secret: they hold passwords.",
    )
    log_class: LogClass = Field(
        default="production", description="test for networks whose coins cost nothing."
    )
    timeout_s: float = Field(
        default=60.0, gt=0, le=100, description="All exchanges of one step together: less than a job's lease."
    )
    poll_s: float = Field(
        default=600.0, gt=0, description="Between two looks: a block comes every 10 minutes."
    )
    tell_after_days: int = Field(
        default=14,
        ge=1,
        description="A promise kept by nobody for so long is told as trouble; asking goes on.",
    )

    @model_validator(mode="after")
    def _each_calendar_once(self) -> Self:
        for what in ({one.name for one in self.calendars}, {one.url.rstrip("/") for one in self.calendars}):
            if len(what) != len(self.calendars):
                raise ValueError("calendars: each name and address once")
        if self.network != "main" and self.log_class == "production":
            raise ValueError("log_class: only main net is production")
        return self
