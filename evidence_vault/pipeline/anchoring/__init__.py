"""Anchoring: a checkpoint goes to a network, and is followed until its proof outlives that network."""
