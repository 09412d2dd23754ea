"""The offline verifier: core and the verifying halves of the anchors, nothing else."""
