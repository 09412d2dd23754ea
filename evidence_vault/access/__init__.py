"""Who may do what: pure decisions, default deny."""
