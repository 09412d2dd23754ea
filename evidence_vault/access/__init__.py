"""Who may do what: the matrix, the facts, the decisions. Pure, default deny."""
