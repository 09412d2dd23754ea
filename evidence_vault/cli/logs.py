"""Where a command finds a log: at its URL, or in a folder, which needs nothing of the network."""

from pathlib import Path

from evidence_vault.errors import ConfigError
from evidence_vault.mirror.source import FolderSource, HttpSource, Source


def source_of(place: str) -> Source:
    """Return the log at a URL or in a folder. Raises ConfigError if it is neither."""
    if place.startswith(("http://", "https://")):
        from evidence_vault.client.addresses import endpoint_of  # noqa: PLC0415 - a folder needs no client
        from evidence_vault.client.http import GuardedClient  # noqa: PLC0415

        client = GuardedClient(permitted=[endpoint_of(place)])  # whoever types it means it
        return HttpSource(url=place, client=client)
    if not Path(place).is_dir():
        raise ConfigError(place, "neither a URL nor a folder")
    return FolderSource(folder=Path(place))
