"""The Bitcoin networks of a vault: who brings checkpoints to them."""

from datetime import timedelta

from anchors.opentimestamps.bitcoin import LEAST_DIFFICULTY, NETWORKS
from anchors.opentimestamps.calendar import Calendar, Http
from anchors.opentimestamps.submit import OpenTimestampsConfig, OpenTimestampsSubmitter
from evidence_vault.bitcoin_settings import Bitcoin
from evidence_vault.pipeline.vault import Vault


def bitcoin_submitter(vault: Vault, settings: Bitcoin, http: Http) -> OpenTimestampsSubmitter:
    """Return what brings this log's checkpoints under a block of this network."""
    config = OpenTimestampsConfig(
        network=NETWORKS[settings.network],
        calendars=tuple(Calendar(name=one.name, url=one.url) for one in settings.calendars),
        node_urls=tuple(url.get_secret_value() for url in settings.node_urls),
        least_difficulty=LEAST_DIFFICULTY.get(settings.network, 0),
        poll_s=settings.poll_s,
        timeout_s=settings.timeout_s,
        tell_after=timedelta(days=settings.tell_after_days),
    )
    return OpenTimestampsSubmitter(config, http=http, clock=vault.clock, random=vault.random)
