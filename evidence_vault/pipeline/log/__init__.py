"""The log: events become leaves, leaves a signed checkpoint; witnesses cosign it, keys take over."""
