"""The store: models, sessions, queries (the only SQL) and blobs."""
