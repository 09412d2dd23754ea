"""Exit codes of the commands, but for the verdicts of `verify` (docs/operations.md): the numbers of sysexits.h."""

USAGE = 64
"""The call or the settings can't be used."""

UNAVAILABLE = 69
"""Something doesn't answer, or takes nothing in."""

INTERNAL = 70
"""A failure of the program, or of its store."""

REFUSED = 77
"""Whoever was asked says no."""

INTERRUPTED = 130
"""By Ctrl-C, as shells number it."""
