"""How strings from a bundle are shown: they are hostile, so quoted, and never interpreted as markup.

Control, bidi and format characters, line ends and odd spaces are written by number.
"""

import re

_INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0")
"""Letters that show nothing (Hangul fillers)."""
_HARMLESS = re.compile(r"(?:[\w.,/+\-–—<>=()#@ ]|:(?! ))*")
"""What may stand unquoted. Without the marks that part our own sentences, so that no string can pass for one."""


def escape(text: str) -> str:
    r"""Return `text` as it may be shown: unsafe characters as \u{…}, quoted unless plain."""
    if text.isprintable() and _HARMLESS.fullmatch(text) and _INVISIBLE.isdisjoint(text):
        return text
    return '"' + "".join(_escape_character(c) for c in text) + '"'


def _escape_character(c: str) -> str:
    """Control, format and bidi characters, line ends, odd spaces, and what Unicode doesn't know, by number."""
    if c in '"\\':
        return f"\\{c}"
    return c if c.isprintable() and c not in _INVISIBLE else f"\\u{{{ord(c):x}}}"
