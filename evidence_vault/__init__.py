"""Evidence Vault: takes evidence in, makes every fact about it provable, hands out bundles to check."""

__version__ = "0.1.0.dev0"
