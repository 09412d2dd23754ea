"""The matrix: who may do what. One table, to be read beside the law; what it doesn't allow is refused.

Each cell is one letter or several, of which one must hold:

    -  no
    Y  yes
    O  his own: whoever answers for the item
    G  with a live grant that names the action, on this item, or on a case of whose bench he is
    W  as G, and what he gets is a working copy, recorded as one
    U  as G, and only after the undertaking to keep the secret was signed
    N  as G, but without content: a docket copy
    C  as a member of the bench of a case that the item is in, by a live grant on that case
    F  by giving on a part of a live grant that may be given on
    D  on behalf of a holder, by a live grant of that holder that names it
    P  as a party to a case that the item is in
    E  as a party to the case to whose bench an opinion was sealed, after the bench unsealed it
    R  redacted: the chain, without personal values
    S  sealed to the bench of a case, by whoever is its technical investigator
    2  after two others have approved

An action on content needs the row of the content too: a bundle with content in it is opened content. For a trade
secret `open-secret` stands in the place of `open-content`. Nobody attests what is his own, or what a mediation
keeps, and nobody is both appraiser and technical investigator in one case. `unseal` opens an opinion to the
parties, and tells who stands behind a pseudonym, where an order asks it.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

Action: TypeAlias = Literal[
    "deposit",
    "see-metadata",
    "open-content",
    "open-secret",
    "export",
    "read-custody",
    "attest",
    "grant",
    "order",
    "hold",
    "object",
    "unseal",
    "erase",
    "manage",
]

RULES = """
action        RH  AT  NO  AP  TI  AM  JU  CL  AU  AD
deposit       Y   D   Y   Y   S   -   -   Y   -   -
see-metadata  OE  G   OG  OG  OG  G   G   OG  -   -
open-content  OE  G   OG  OW  OG  G   G   -   -   -
open-secret   O   U   OU  OU  OG  U   G   -   -   -
export        O   G   OG  OG  -   G   G   N   -   -
read-custody  OE  G   OG  OG  OG  G   G   OG  R   -
attest        -   -   GY  GY  S   -   -   -   -   -
grant         O   F   -   -   -   -   -   -   -   -
order         -   -   -   -   -   C   C   C   -   -
hold          O   -   -   -   -   C   C   C   -   -
object        P   G   -   -   -   C   C   C   -   -
unseal        -   -   -   -   -   C   C   -   -   -
erase         -   -   -   -   -   -   -   -   -   2
manage        -   -   -   -   -   -   -   -   -   Y
"""
"""The roles: rights holder, attorney, notary, appraiser, technical investigator, arbitrator or mediator, judge,
clerk, auditor, administrator. A notary's, appraiser's, investigator's or clerk's own are the acts, opinions and
copies they deposited."""

BENCH = ("TI", "AM", "JU", "CL")
"""Who may be on the bench of a case. A grant on the case as a whole opens its items to these alone."""

GRANTABLE: tuple[Action, ...] = (
    "attest",
    "deposit",
    "export",
    "object",
    "open-content",
    "read-custody",
    "see-metadata",
)
"""What a grant may name for anybody; `hold` and `order` besides for the bench, on a case."""

BENCH_ACTIONS: tuple[Action, ...] = ("hold", "order")

NAMED_AS: Mapping[Action, Action] = {"unseal": "order"}
"""What a grant must name for an action that none names by itself."""

EXPERTS: Mapping[str, str] = {"AP": "TI", "TI": "AP"}
"""Who may not be the other one too, in one case."""

SCOPES: Mapping[Action, str] = {
    "deposit": "deposit",
    "see-metadata": "read",
    "read-custody": "read",
    "open-content": "content",
    "open-secret": "content",
    "export": "export",
    "attest": "attest",
    "grant": "cases",
    "order": "cases",
    "hold": "cases",
    "object": "cases",
    "unseal": "cases",
    "erase": "manage",
    "manage": "manage",
}
"""The scope that a token needs for each action (RFC 6750 §3)."""

ALL_SCOPES = tuple(dict.fromkeys(SCOPES.values()))


def cell(action: Action, role: str) -> str:
    """Return the letters of a cell; `-` for a role that the table doesn't know."""
    return _CELLS[action].get(role, "-")


def _read(table: str) -> Mapping[str, Mapping[str, str]]:
    (_, *roles), *rows = (line.split() for line in table.strip().splitlines())
    read = {action: dict(zip(roles, cells, strict=True)) for action, *cells in rows}
    assert set(read) == set(get_args(Action))
    return read


_CELLS = _read(RULES)
