"""Operation: opened, checked at start, read again whole, and brought back after a restore."""
