"""Cases, grants and orders: who is let in to what, by whom and until when, and what he did there."""
