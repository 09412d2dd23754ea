"""`evidence-vault init [HOME]`: create a vault. A development vault is complete at once; others are filled in."""

import argparse
from pathlib import Path

from evidence_vault.service.create import create_home
from evidence_vault.settings import default_home


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "home",
        nargs="?",
        type=Path,
        help="the vault's folder (default: EVIDENCE_VAULT_HOME, else ~/.evidence-vault)",
    )
    parser.add_argument(
        "--class",
        dest="log_class",
        choices=("development", "test", "production"),
        help="what its evidence may be used for, for ever (default: development)",
    )
    parser.add_argument("--origin", help="the log's name, for ever, like vault.example/log")
    parser.add_argument("--port", type=int, default=8460, help="where it will listen (default: 8460)")


def run(args: argparse.Namespace) -> int:
    """Create the vault and say what comes next."""
    home = args.home or default_home()
    created = create_home(home, log_class=args.log_class, origin=args.origin, port=args.port)
    if not created.opened:
        print(f"Settings are in {created.settings_file}.")
        print(
            "Name your time-stamping authorities and networks there, then run the same `init` without options."
        )
        return 0
    settings = created.settings
    print(f"The vault {settings.origin} is ready in {settings.home}.")
    if settings.log_class == "development":
        print("It is a DEVELOPMENT vault: what it attests proves nothing to anyone.")
    print()
    print("Next:")
    print(f"  evidence-vault token create --home {settings.home} --name 'Who it is for' --save my.token")
    print(f"  evidence-vault serve {settings.home}")
    return 0
