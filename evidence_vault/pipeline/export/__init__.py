"""Export: parts are collected, sealed, written as a bundle and read by our own verifier."""
