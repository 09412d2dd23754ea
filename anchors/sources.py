"""What headers files of all networks share: who was asked, and what each said of blocks.

    {"blocks":[…],"host":"rpc.example"}

A source is named by its host alone, because the address of a node often holds the key to it. A block that a source
does not know is left out. Such a file is as trustworthy as the way it came to the verifier and the hosts it names:
the person who runs the verification fetches it.
"""

from collections.abc import Callable
from typing import TypeVar

from anchors.canonical import as_array, as_host, as_object

MAX_SOURCES = 16
"""More independent nodes than anyone asks."""

BlockT = TypeVar("BlockT")


def parse_sources(
    found: object, place: str, *, max_blocks: int, parse_block: Callable[[object, str], BlockT]
) -> list[tuple[str, tuple[BlockT, ...]]]:
    """Read the sources of a headers file: host and blocks of each. Raises FormatError naming the place."""
    sources = []
    for n, each in enumerate(as_array(found, place, MAX_SOURCES)):
        here = f"{place}[{n}]"
        source = as_object(each, here, frozenset({"host", "blocks"}))
        host = as_host(source["host"], f"{here} host")
        blocks = as_array(source["blocks"], f"{here} blocks", max_blocks)
        sources.append((host, tuple(parse_block(one, f"{here} blocks[{i}]") for i, one in enumerate(blocks))))
    return sources
