"""DEVELOPMENT ONLY: a real Ethereum chain inside the process, on one machine, kept in one folder.

The EVM, the blocks, the receipts and the JSON-RPC face are real, so production code runs against it
unchanged; what is missing is other people. Whoever has the folder can rewrite it, so its blocks prove nothing
to anyone.
"""

from anchors.ethereum.devchain.chain import DEVELOPMENT_CHAIN_ID, DevelopmentChain

__all__ = ["DEVELOPMENT_CHAIN_ID", "DevelopmentChain"]
