"""A vault for one command that has the home for itself: nothing serves from it meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evidence_vault.pipeline.vault import Vault, build_vault
from evidence_vault.settings import load_settings
from evidence_vault.store.home_lock import alone
from evidence_vault.store.schema import require_current


@contextmanager
def offline_vault(home: Path | None) -> Iterator[Vault]:
    """Yield the vault; nobody else works in its home until the block ends. Raises ConfigError."""
    settings = load_settings(home)
    with alone(settings.home):
        vault = build_vault(settings)
        try:
            require_current(vault.database)
            yield vault
        finally:
            vault.database.dispose()
