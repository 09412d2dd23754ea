"""Settings of webhooks: messages to other systems."""

from pydantic import Field

from evidence_vault.network_settings import Part

TURN_S = 2.0
"""So long a receiver is told one message after the other, before others have their turn."""


PROMPT_S = 1.0
"""Whoever takes longer to answer is slow, and told among those who are."""

SLOW_FOR_S = 600.0
"""After its last slow answer a receiver counts as slow: who is slow now and then holds up nobody who isn't."""


class Webhooks(Part):
    """How other systems are told."""

    max_per_actor: int = Field(default=20, ge=0, description="Receivers of one actor; 0: nobody is told.")
    timeout_s: float = Field(
        default=10.0, gt=0, description="One message: a receiver takes it in first and works later."
    )
    private_endpoints: list[str] = Field(
        default_factory=list,
        description="host:port of receivers that may be private or on http; users choose the URLs on them.",
    )
    give_up_days: float = Field(
        default=5.0,
        gt=0,
        description="A receiver that failed this long is told nothing more: a long weekend.",
    )
    keep_ended_days: float = Field(
        default=30.0, ge=0, description="One that ended is listed for so long, with the reason, then deleted."
    )
