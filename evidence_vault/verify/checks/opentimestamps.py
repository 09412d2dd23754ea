"""Rows 6 and 7 for anchors of the kind OpenTimestamps: a checkpoint under the Merkle root of a Bitcoin block.

    (1) `.json` and `.ots` are there, and the one is about the other
    (2) the `.ots` leads from this checkpoint's note to the root; a carried header is of that root and has its work
    (3) row 7: the policy's known blocks or a headers file vouch for the block

A proof that calendars have only promised is no fault and proves nothing: it is told.
"""

import hashlib
from collections.abc import Sequence

from anchors.base import Indeterminate
from anchors.opentimestamps.bitcoin import shown
from anchors.opentimestamps.headers import BitcoinHeaders
from anchors.opentimestamps.proof import parse_proof
from anchors.opentimestamps.verify import BitcoinTrust, StampedBlock, confirm_stamp, verify_stamp
from evidence_vault.core import layout
from evidence_vault.errors import FormatError, VerificationError
from evidence_vault.verify.anchor_parts import AnchorPart
from evidence_vault.verify.checks.anchor_facts import INCLUDED, AnchorFact, Standing, name_network, settle
from evidence_vault.verify.contents import Bundle
from evidence_vault.verify.headers_files import AnyHeaders
from evidence_vault.verify.report import Findings
from evidence_vault.verify.trust import TrustPolicy


def bitcoin_trust(policy: TrustPolicy, headers: Sequence[AnyHeaders]) -> BitcoinTrust:
    """Return what the policy and the headers files say about Bitcoin."""
    return BitcoinTrust(
        networks=tuple(one.trusted for one in policy.bitcoin),
        headers=tuple(file for file in headers if isinstance(file, BitcoinHeaders)),
    )


def judge_opentimestamps(
    part: AnchorPart,
    *,
    bundle: Bundle,
    policy: TrustPolicy,
    trust: BitcoinTrust,
    standing: Standing,
    findings: Findings,
) -> AnchorFact | None:
    """Return the fact if row 6 passed. Raises FormatError for what is no such proof."""
    stamped = _stamped(part, bundle=bundle, size=standing.size, place=standing.place, findings=findings)
    if stamped is None:
        return None
    named = next((one for one in policy.bitcoin if one.trusted.network == stamped.network), None)
    network = name_network(
        named.name if named else None,
        f"bitcoin {stamped.network}",
        named.bitcoin_class if named else None,
    )
    root = shown(stamped.merkle_root)
    findings.passed(
        INCLUDED, "anchor.stamped", standing.place, block=stamped.height, network=network.shown, root=root
    )
    return settle(
        confirm_stamp(stamped, trusted=trust),
        network=network,
        number=stamped.height,
        prev_size=None,
        standing=standing,
        policy=policy,
        findings=findings,
    )


def _stamped(
    part: AnchorPart, *, bundle: Bundle, size: int, place: str, findings: Findings
) -> StampedBlock | None:
    """(1) and (2)."""
    note = bundle.notes.get(size) or bundle.added_notes.get(size)
    try:
        if part.ots is None:
            raise VerificationError("the .ots beside it", layout.ots_path(size, part.position[1]), "none")
        if note is None:
            raise VerificationError("anchored checkpoint", layout.note_path(size), "none")
        stamped = verify_stamp(parse_proof(part.data, part.ots), sha256=hashlib.sha256(note.raw).digest())
    except FormatError as error:
        raise FormatError(f"{place}: {error.place}", error.expected, error.found) from None
    except VerificationError as error:
        findings.error(INCLUDED, error, place)
        return None
    if isinstance(stamped, Indeterminate):
        findings.remark(INCLUDED, "anchor.promised", place, reason=stamped.reason)
        return None
    return stamped
