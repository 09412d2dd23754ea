"""Trust anchors: evidence from outside that a statement existed by some time.

This package knows nothing of the vault. Every kind of anchor has the same doors (`anchors.base`): a proof
that a bundle can carry, a pure verifier, and a submitter that talks to the network.
"""
