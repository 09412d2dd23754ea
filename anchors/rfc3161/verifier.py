"""The door of this kind of anchor: reads a proof's parts, verifies its token, judges it at the given time.

Parts: request.tsq, response.tsr, chain.pem (signer first), revocation/<n>.crl and revocation/<n>.ocsp (DER).
Only the response is needed; everything else helps to judge it and is the prover's.
"""

import re

from anchors.base import AnchorProof, Attested, Indeterminate, Statement
from anchors.errors import FormatError
from anchors.rfc3161.certificate import parse_chain
from anchors.rfc3161.verdict import Rfc3161Trust, VerifiedToken
from anchors.rfc3161.verify import verify_response
from anchors.values import value

_PART_NAMES = ("request.tsq", "response.tsr", "chain.pem")
_EVIDENCE_NAME = re.compile(r"revocation/(0|[1-9][0-9]{0,2})\.(crl|ocsp)")


class Rfc3161Verifier:
    """The door of this kind of anchor: `anchors.base.Verifier` for `Rfc3161Trust`."""

    kind = "rfc3161"

    def verify(
        self, proof: AnchorProof, *, statement: Statement, trusted: Rfc3161Trust
    ) -> Attested | Indeterminate:
        """Attested at gen_time, if the token still stands by itself at `trusted.at`.

        Otherwise Indeterminate with the sub-indication that says which proof of existence is missing; a
        caller who has such proof asks `verify_response` and decides with `VerifiedToken.why_not_good`.
        """
        parts = proof_parts(proof)
        token = verify_response(
            response=parts.response,
            request=parts.request,
            chain=parts.chain,
            revocation=parts.revocation,
            digests={"sha256": statement.sha256},
            trusted=trusted,
        )
        if isinstance(token, Indeterminate):
            return token
        if (not_good := token.why_not_good(trusted.at)) is not None:
            return not_good
        return Attested(
            time=token.gen_time,
            accuracy=token.accuracy,
            source=f"{token.authority} ({token.signer_subject})",
            assumptions=assumptions(token),
        )


@value
class ProofParts:
    """The parts of an AnchorProof of this kind, read: chain and revocation evidence as DER."""

    response: bytes
    request: bytes | None
    chain: tuple[bytes, ...]
    revocation: tuple[bytes, ...]


def proof_parts(proof: AnchorProof) -> ProofParts:
    """Read the parts. Only response.tsr is needed; a name that this kind doesn't have raises FormatError."""
    evidence: list[bytes] = []
    for name in sorted(proof.parts):
        if _EVIDENCE_NAME.fullmatch(name):
            evidence.append(proof.parts[name])
        elif name not in _PART_NAMES:
            raise FormatError("rfc3161 proof", f"one of {', '.join(_PART_NAMES)}, revocation/<n>", name)
    if "response.tsr" not in proof.parts:
        raise FormatError("rfc3161 proof", "a part response.tsr", "none")
    return ProofParts(
        response=proof.parts["response.tsr"],
        request=proof.parts.get("request.tsq"),
        chain=parse_chain(proof.parts.get("chain.pem", b"")),
        revocation=tuple(evidence),
    )


def assumptions(token: VerifiedToken) -> tuple[str, ...]:
    """What a reader of a verified token must believe besides."""
    found = [f"{token.authority} kept its key, and its clock was right"]
    if not token.accuracy_stated:
        found.append(f"{token.authority} states no accuracy")
    if not token.revocation_checked:
        found.append(
            "no certificate of its path was revoked by then: the proof carries no full evidence of it"
        )
    return tuple(found)
