"""The HTTP face, under `/v1`."""
