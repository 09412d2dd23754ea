"""Who is asking: persons, programs, their roles, and how they prove it."""
