"""Measurements: cheap, callable pieces, and what `make bench` builds from them."""
