"""The check at start: the database still holds everything that was ever shown to others.

The database must not be behind the published checkpoint, the signer's guard or an anchor, and must agree with
each; otherwise the vault is read-only and says why. A restored backup then causes an outage, not a fork.

Uploads without a record (a crash between flush and commit) are looked for while it runs (`orphans`).
"""

from collections.abc import Callable, Sequence

from anchors.base import TreeHead
from anchors.values import value
from evidence_vault.core.note_keys import encode_vkey
from evidence_vault.errors import ConfigError, EvidenceError, ReadOnly
from evidence_vault.pipeline.log.log_keys import signing_keys
from evidence_vault.pipeline.log.sequence import stored_frontier
from evidence_vault.pipeline.log.shown import Shown, disagreement, guard_head, published_heads, recorded_heads
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import actors, log


@value
class StartCheck:
    """What was found. problems: empty, or why the vault is read-only."""

    head: TreeHead
    published: TreeHead | None
    problems: tuple[str, ...]


def check_start(vault: Vault, *, anchored: Sequence[TreeHead] = ()) -> StartCheck:
    """Compare the database with all that was shown to others; shut the gate if it disagrees.

    anchored: heads of ours that a chain holds. Raises ConfigError if the log was never opened, or belongs to
    another origin or class than the settings say.
    """
    with vault.database.read() as session:
        state = actors.vault_state(session)
        if state is None:
            raise ConfigError("home", "there is no vault yet: run `evidence-vault init`")
        row = log.current_row(session)
        head = TreeHead(size=row.size, root_hash=row.root_hash)
        newest = log.max_tree_size(session)
    for name, opened, now in (
        ("origin", state.origin, vault.settings.origin),
        ("log_class", state.log_class, vault.settings.log_class),
    ):
        if opened != now:
            raise ConfigError(name, f"this log was opened as {opened!r}; it never changes")
    problems = []
    if newest != head.size:
        problems.append(f"the tree head says {head.size} leaves, the last recorded head {newest}")
    shown = [Shown(where="anchored", what="an anchor", head=anchor) for anchor in anchored]
    for look in (
        lambda: stored_frontier(row),
        lambda: shown.extend(published_heads(vault)),
        lambda: shown.append(guard_head(vault)),
        lambda: _require_key(vault, head),
    ):
        problems += _problem_of(look)
    compared = (_compare(vault, one.what, one.head) for one in shown)
    problems += [problem for problem in compared if problem]
    problems += _stale_guard(vault, head, shown)
    published = next((one.head for one in shown if one.where == "published"), None)
    for problem in problems:
        vault.gate.shut(problem)
    return StartCheck(head=head, published=published, problems=tuple(problems))


def _require_key(vault: Vault, head: TreeHead) -> None:
    """Raise ReadOnly unless the key is here that the log names for its next checkpoint."""
    with vault.database.read() as session:
        keys = signing_keys(session, head.size + 1)
    held = vault.log_signer.verifier_keys
    for key in (keys.key, keys.successor):
        if key is not None and key not in held:
            raise ReadOnly(f"the log names the key {encode_vkey(key)}, whose file is not in the keys folder")


def _problem_of(look: Callable[[], object]) -> list[str]:
    """Return what an error says that this raises; nothing if it raises none."""
    try:
        look()
    except ReadOnly as error:
        return [error.reason]
    except EvidenceError as error:
        return [str(error)]
    return []


def _stale_guard(vault: Vault, head: TreeHead, shown: Sequence[Shown]) -> list[str]:
    """The guard moves before anything is signed: one behind what was signed was put back."""
    guard = next((one.head for one in shown if one.where == "guard"), None)
    if guard is None:
        return []
    seen = (*shown, *recorded_heads(vault))
    later = [one for one in seen if guard.size < one.head.size <= head.size]
    return [
        f"the signer's guard has {guard.size} leaves, but {one.what} has {one.head.size}: it is an old copy; "
        "see `evidence-vault log adopt`"
        for one in later[:1]
    ]


def _compare(vault: Vault, what: str, other: TreeHead) -> str | None:
    """Return what is wrong between our log and a head that others have seen."""
    with vault.database.read() as session:
        found = disagreement(session, other)
    return None if found is None else f"{what} {found.words}"
