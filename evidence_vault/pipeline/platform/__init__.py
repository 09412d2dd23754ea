"""The platform: what its operator states of it, that it was there, and what happened to it."""
