"""A copy of somebody's log, kept by someone who checks how it grows."""
