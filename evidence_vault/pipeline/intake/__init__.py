"""Intake: a deposit from its first byte to its receipt, whole or in pieces, with what it leaves beside the row."""
