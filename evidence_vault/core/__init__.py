"""The formats and the log, pure: bytes in, values out. No clock, no randomness, no network, no database."""
