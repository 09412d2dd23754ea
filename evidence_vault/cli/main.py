"""`evidence-vault COMMAND …`: finds the command's module, runs it, turns errors into sentences and exit codes.

Only the module of the command that was asked for is imported: `verify` must start fast, and must work where
nothing of the server is installed. Each module has `add_arguments(parser)` and `run(args) -> exit code`.

    0 done · 2, 3, 4, 5 verdicts of `verify` · 64 the call or the settings can't be used · 69 something doesn't
    answer · 70 a failure of this program · 77 refused · 130 interrupted
"""

import argparse
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from evidence_vault import __version__
from evidence_vault.cli.shown import shown
from evidence_vault.errors import (
    AccessRefused,
    ConfigError,
    Conflict,
    EvidenceError,
    FormatError,
    IntegrityError,
    SecondPersonNeeded,
    UnavailableError,
    VerificationError,
)
from evidence_vault.exits import INTERNAL, INTERRUPTED, REFUSED, UNAVAILABLE, USAGE

COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": ("evidence_vault.cli.init", "create a vault in a folder"),
    "serve": ("evidence_vault.cli.serve", "run the vault: its API and its work in the background"),
    "migrate": ("evidence_vault.cli.migrate", "bring the database to what this version needs"),
    "user": ("evidence_vault.cli.user", "add persons, give roles, two administrators at a time"),
    "login": ("evidence_vault.cli.login", "begin a session with your password"),
    "pseudonym": ("evidence_vault.cli.pseudonym", "take a name to deposit under, whose owner is sealed"),
    "token": ("evidence_vault.cli.token", "create, list and revoke the tokens people use"),
    "deposit": ("evidence_vault.cli.deposit", "deposit files, or only their digests"),
    "status": ("evidence_vault.cli.status", "see how far an item has come"),
    "receipt": ("evidence_vault.cli.receipt", "read a deposit receipt"),
    "export": ("evidence_vault.cli.export", "fetch a bundle that anyone can verify offline"),
    "attest": ("evidence_vault.cli.attest", "state what you examined of an item, signed with your own key"),
    "attest prepare": ("evidence_vault.cli.attest_prepare", "write the statement, to sign it elsewhere"),
    "attest withdraw": ("evidence_vault.cli.attest_withdraw", "take your attestation back, with a reason"),
    "attest list": ("evidence_vault.cli.attest_list", "see who attested what, and what was withdrawn"),
    "case": ("evidence_vault.cli.case", "open cases, put items into them, consent, see who saw what"),
    "grant": ("evidence_vault.cli.grant", "let others see items, see what they saw, revoke"),
    "order": ("evidence_vault.cli.order", "register, show and return investigation orders"),
    "opinion": ("evidence_vault.cli.opinion", "give an opinion sealed to the bench of a case; unseal it"),
    "hold": ("evidence_vault.cli.hold", "keep content from being erased; see what keeps it, and how long"),
    "objection": ("evidence_vault.cli.objection", "object to an item, answer, see both side by side"),
    "verify": ("evidence_vault.verify.command", "verify bundles, offline"),
    "headers": ("evidence_vault.cli.headers", "ask nodes about the blocks of a bundle"),
    "anchors": ("evidence_vault.cli.anchors", "add later proofs to a bundle, beside its seal"),
    "chain": ("evidence_vault.cli.chain", "put the anchor contract on an Ethereum network"),
    "key": ("evidence_vault.cli.key", "let a new key take over from an old one"),
    "trust": (
        "evidence_vault.cli.trust",
        "write and extend a trust policy; show whom it trusts, and whom a bundle needs",
    ),
    "timestamps": ("evidence_vault.cli.timestamps", "ask authorities again that refused for good"),
    "log fsck": ("evidence_vault.cli.log_fsck", "read all that was recorded and published again"),
    "log adopt": ("evidence_vault.cli.log_adopt", "rebuild the signer's guard, after a look at who saw what"),
    "log follow": ("evidence_vault.cli.log_follow", "keep a mirror of a log and check that it only grows"),
    "witness": ("evidence_vault.cli.witness", "cosign somebody's log as long as it only grows"),
    "fixity": ("evidence_vault.cli.fixity", "read contents again, and see how they are"),
    "incident": (
        "evidence_vault.cli.incident",
        "tell what happened to the platform, for every bundle to say",
    ),
    "recover": ("evidence_vault.cli.recover", "bring a restored, older database up to what was published"),
    "demo": ("evidence_vault.cli.demo", "run the main job on real input, in a folder"),
}
"""Every command, of one word or two: its module, and what it is for."""


class Parser(argparse.ArgumentParser):
    """Ends with 64 for a call that can't be used (sysexits; argparse would say 2, which is a verdict here)."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and how to find out more."""
        self.exit(USAGE, f"{self.prog}: {message}\nSee `{self.prog} --help`.\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    words = 2 if " ".join(arguments[:2]) in COMMANDS else 1
    name = " ".join(arguments[:words])
    if name not in COMMANDS:
        _overview().parse_args(arguments or ["--help"])
        return USAGE
    purpose = COMMANDS[name][1]
    parser = Parser(prog=f"evidence-vault {name}", description=f"{purpose[0].upper()}{purpose[1:]}.")
    try:
        module = importlib.import_module(COMMANDS[name][0])
        module.add_arguments(parser)
        return int(module.run(parser.parse_args(arguments[words:])))
    except EvidenceError as error:
        code, text = explain(error)
        print(f"evidence-vault {name}: {text}", file=sys.stderr)
        return code
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("evidence_vault", "anchors"):
            raise
        print(
            f"evidence-vault {name}: {error.name} is not installed; this command needs "
            "`pip install 'evidence-vault[server,devchain]'` (only `verify`, `receipt` and `trust` with --trust "
            "work without; `log follow` with 'evidence-vault[follow]')",
            file=sys.stderr,
        )
        return USAGE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its exit
        return 0
    except OSError as error:
        where = f"{shown(str(error.filename))}: " if error.filename else ""
        print(f"evidence-vault {name}: {where}{error.strerror or error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print(f"evidence-vault {name}: interrupted", file=sys.stderr)
        return INTERRUPTED


def explain(error: EvidenceError) -> tuple[int, str]:
    """Return exit code and sentence for an error."""
    text = shown(str(error))
    match error:
        case ConfigError() | FormatError() | Conflict():
            return USAGE, text
        case UnavailableError():
            return UNAVAILABLE, text
        case AccessRefused() | SecondPersonNeeded():
            return REFUSED, text
        case VerificationError():
            return USAGE, text
        case IntegrityError():
            return (
                INTERNAL,
                f"{text}. The store disagrees with itself: nothing was changed; call the operator.",
            )
        case _:
            return INTERNAL, text


def _overview() -> Parser:
    lines = "\n".join(f"  {name:<15} {purpose}" for name, (_, purpose) in COMMANDS.items())
    parser = Parser(
        prog="evidence-vault",
        description="Takes evidence in, makes every fact about it provable, hands out bundles to check.",
        epilog=f"commands:\n{lines}\n\n`evidence-vault COMMAND --help` says more about one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="evidence-vault COMMAND …",
    )
    parser.add_argument("--version", action="version", version=f"evidence-vault {__version__}")
    parser.add_argument("command", choices=tuple(COMMANDS), metavar="COMMAND", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
