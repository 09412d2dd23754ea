"""The signer: keys, one per purpose, and the guard that keeps the log from forking."""
