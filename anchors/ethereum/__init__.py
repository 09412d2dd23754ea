"""Ethereum: a checkpoint recorded by a contract, proven offline from header and receipt."""
