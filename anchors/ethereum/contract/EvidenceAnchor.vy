# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title EvidenceAnchor
@license Apache-2.0
@notice Records tree heads of append-only logs. A sender is one log; each of its anchors has a larger tree size
        than the one before, and the event links to that one, so a second history of a log can be made only
        in public. Nobody owns the contract, nothing can change it, it takes no ether.
@dev A slot packs the last anchor of a sender: size (8 bytes, big-endian) and the first 24 bytes of the root.
     Anchoring the size 2**64 - 1 closes the sender for ever, and no other.
"""

event Anchored:
    log_owner: indexed(address)
    size: uint64
    root: bytes32
    prev: bytes32

slot: public(HashMap[address, bytes32])


@external
def anchor(size: uint64, root: bytes32):
    """
    @notice Record that the sender's log has this root at this size.
    @param size Number of leaves; larger than that of the sender's last anchor, and so never 0
    @param root Root hash of the log at this size
    """
    prev: bytes32 = self.slot[msg.sender]
    assert convert(size, uint256) > convert(prev, uint256) >> 192, "size must grow"
    self.slot[msg.sender] = convert((convert(size, uint256) << 192) | (convert(root, uint256) >> 64), bytes32)
    log Anchored(log_owner=msg.sender, size=size, root=root, prev=prev)
