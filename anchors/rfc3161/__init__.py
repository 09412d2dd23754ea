"""RFC 3161 time-stamps: parsed and verified strictly, and obtained."""
