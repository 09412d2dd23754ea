"""`evidence-vault trust export`: the policy by which a vault's own bundles pass, for its operator to hand out."""

from pathlib import Path

from evidence_vault.pipeline.export.trust import final_blocks, policy_text
from evidence_vault.pipeline.vault import build_vault
from evidence_vault.settings import load_settings
from evidence_vault.store.queries import bundles, log
from evidence_vault.store.schema import require_current


def export_policy(home: Path | None, *, tsa_groups: int | None, anchors: int, known_blocks: bool) -> str:
    """Return the policy of the vault in `home`."""
    vault = build_vault(load_settings(home))
    try:
        require_current(vault.database)
        with vault.database.read() as session:
            newest = log.latest_published(session)
            sizes = bundles.anchored_sizes(session, published=newest.size) if newest and known_blocks else []
            return policy_text(
                vault,
                session,
                tsa_groups=tsa_groups,
                anchors=anchors,
                known_blocks=final_blocks(session, sizes),
            )
    finally:
        vault.database.dispose()
