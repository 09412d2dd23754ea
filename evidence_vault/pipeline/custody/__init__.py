"""Custody: contents read again, holds, transfers, objections, attestations, and the view of it all for a judge."""
