"""The only way out to the network: guarded HTTP."""
