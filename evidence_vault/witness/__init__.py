"""The witness: somebody else's process, which cosigns a log's checkpoints as long as the log only grows."""
