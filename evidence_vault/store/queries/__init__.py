"""The only SQL, by idea: actors, events, items, log, jobs, idempotency, exports.

Each function takes a session and does no more than it says; transactions belong to the pipeline stages.
"""
