"""Strings that came from elsewhere, made safe for a terminal: no control, bidi or format characters."""

import unicodedata

_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}


def shown(text: str) -> str:
    """Return `text` with every character that would not be seen as itself escaped."""
    return "".join(
        character
        if character == "\n" or unicodedata.category(character) not in _HIDDEN
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def shown_line(text: str) -> str:
    """Return `text` as it may stand in a line of ours: no line of its own can pass for one."""
    return shown(text).replace("\n", "\\n")
