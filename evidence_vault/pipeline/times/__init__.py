"""Times: tokens of authorities over items and checkpoints, and the bounds that they give to events."""
