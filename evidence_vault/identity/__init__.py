"""Who is asking: actors and their bearer tokens."""
