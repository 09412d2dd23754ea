"""The workers: claim a job, advance it, record where it stands."""
