"""Writes the golden bundle of format 1 again: `python -m tests.golden.make`. Its bytes must not change.

It was made once and is verified for ever. This script documents how; a difference between what it writes and
what is committed is a change of the format, or of the vault made by hand, and needs an ADR or a new folder.
"""

from pathlib import Path

from tests.verify.asking import write_policy
from tests.verify.handmade import good_bundle

FOLDER = Path(__file__).parent / "1"


def golden() -> tuple[bytes, str]:
    """The bundle, and the policy of somebody who trusts its vault."""
    bundle = good_bundle()
    return bundle.zip(), write_policy(bundle.vault.policy())


if __name__ == "__main__":
    zipped, policy = golden()
    (FOLDER / "bundle.zip").write_bytes(zipped)
    (FOLDER / "trust.toml").write_text(policy)
