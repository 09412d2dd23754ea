"""Keeps Python's limit of recursion where it protects us, whatever Ethereum's libraries make of it.

`py_ecc`, which web3 and eth_account bring along, sets the limit of the whole process to 100,000 at its import.
Then a document nested that deep, in a node's answer or a request to the vault's own API, runs over the stack and
kills the process, where JSON's parser would have said RecursionError. Whoever imports those libraries imports this.
"""

import sys

import eth_account  # noqa: F401 - brings it now, so that it can't come later

DEEPEST = 1000
"""Python's own default."""

sys.setrecursionlimit(DEEPEST)
