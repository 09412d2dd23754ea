from collections.abc import Sequence
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from anchors.rfc3161.certificate import Certificate
from anchors.rfc3161.path import MAX_PATH, NoPath, find_path
from anchors.rfc3161.purpose import time_stamping_flaw
from tests.anchors.rfc3161.conftest import NOW
from tests.anchors.rfc3161.pki import (
    TIME_STAMPING,
    YEAR,
    Holder,
    authority,
    issue,
    key_usage,
    name_of,
    signer,
)

ROOT = authority("Root")
POLICY_A, POLICY_B = x509.ObjectIdentifier("1.2.3.1"), x509.ObjectIdentifier("1.2.3.2")


def path_of(
    leaf: Holder, *candidates: Holder, roots: Sequence[Holder] = (ROOT,)
) -> tuple[Certificate, ...] | NoPath:
    return find_path(
        leaf.certificate,
        candidates=[one.certificate for one in candidates],
        roots=[one.certificate for one in roots],
        moment=NOW,
    )


def refusal(leaf: Holder, *candidates: Holder, roots: Sequence[Holder] = (ROOT,)) -> str:
    found = path_of(leaf, *candidates, roots=roots)
    assert isinstance(found, NoPath), "a path was found"
    return f"{found.sub_indication}: {found.reason}"


def policies(*oids: x509.ObjectIdentifier) -> tuple[x509.ExtensionType, bool]:
    return x509.CertificatePolicies([x509.PolicyInformation(oid, None) for oid in oids]), False


def subtree(organization: str) -> x509.DirectoryName:
    return x509.DirectoryName(x509.Name(name_of("any", organization).rdns[:1]))


def test_find_path_goes_from_the_signer_to_the_root() -> None:
    middle = authority("Middle", ROOT, path_length=0)
    leaf = signer(middle)
    found = path_of(leaf, leaf, ROOT, middle)
    assert found == (leaf.certificate, middle.certificate, ROOT.certificate)


def test_find_path_ends_at_any_certificate_the_policy_names() -> None:
    middle = authority("Middle", ROOT)
    leaf = signer(middle)
    assert path_of(leaf, roots=(middle,)) == (leaf.certificate, middle.certificate)
    assert path_of(leaf, roots=(leaf,)) == (leaf.certificate,)


def test_find_path_prefers_the_shortest() -> None:
    middle = authority("Middle", ROOT)
    leaf = signer(middle)
    assert path_of(leaf, middle, roots=(ROOT, middle)) == (leaf.certificate, middle.certificate)


def test_find_path_takes_the_good_one_of_two_cross_certificates() -> None:
    middle = authority("Middle", ROOT, not_after=NOW - timedelta(days=1))
    renewed = issue("Middle", ROOT, key=middle.key, extensions=[(x509.BasicConstraints(True, None), True)])
    leaf = signer(middle)
    assert path_of(leaf, middle, renewed) == (leaf.certificate, renewed.certificate, ROOT.certificate)


def test_find_path_never_trusts_a_candidate_because_it_is_there() -> None:
    evil_root = authority("Root")
    leaf = signer(evil_root)
    assert refusal(leaf, evil_root, ROOT).startswith("NO_CERTIFICATE_CHAIN_FOUND")


def test_find_path_refuses_a_forged_signature_under_the_right_name() -> None:
    impostor = Holder(key=authority("Other").key, x509=ROOT.x509)
    assert refusal(signer(impostor)).startswith("NO_CERTIFICATE_CHAIN_FOUND")


@pytest.mark.parametrize("shift", [-2 * YEAR, 2 * YEAR])
@pytest.mark.parametrize("which", ["signer", "middle", "root"])
def test_find_path_refuses_what_is_not_valid_at_the_moment(which: str, shift: timedelta) -> None:
    def window(name: str) -> dict[str, object]:
        moved = shift if name == which else timedelta(0)
        return {"not_before": NOW - YEAR + moved, "not_after": NOW + YEAR + moved}

    root = authority("Root", **window("root"))  # type: ignore[arg-type]
    middle = authority("Middle", root, **window("middle"))  # type: ignore[arg-type]
    leaf = signer(middle, **window("signer"))  # type: ignore[arg-type]
    assert refusal(leaf, middle, roots=(root,)).startswith("OUT_OF_BOUNDS_NO_POE")


def test_find_path_counts_both_ends_of_validity_as_valid() -> None:
    second = NOW.replace(microsecond=0)
    leaf = signer(ROOT, not_before=second, not_after=second)
    found = find_path(leaf.certificate, candidates=[], roots=[ROOT.certificate], moment=second)
    assert isinstance(found, tuple)
    found = find_path(
        leaf.certificate, candidates=[], roots=[ROOT.certificate], moment=second + timedelta(microseconds=1)
    )
    assert isinstance(found, NoPath)


ISSUER_FLAWS: list[tuple[str, list[tuple[x509.ExtensionType, bool]], str]] = [
    ("none", [], "no basic constraint"),
    ("not-ca", [(x509.BasicConstraints(False, None), True)], "no basic constraint"),
    (
        "usage",
        [(x509.BasicConstraints(True, None), True), (key_usage(signs=True), True)],
        "without keyCertSign",
    ),
    (
        "eku",
        [
            (x509.BasicConstraints(True, None), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        ],
        "without timeStamping",
    ),
    (
        "critical",
        [
            (x509.BasicConstraints(True, None), True),
            (x509.UnrecognizedExtension(POLICY_A, b"\x05\x00"), True),
        ],
        "the critical extension 1.2.3.1",
    ),
]


@pytest.mark.parametrize(
    ("extensions", "flaw"), [case[1:] for case in ISSUER_FLAWS], ids=[case[0] for case in ISSUER_FLAWS]
)
def test_find_path_refuses_an_issuer_that_may_not_issue(
    extensions: list[tuple[x509.ExtensionType, bool]], flaw: str
) -> None:
    middle = issue("Middle", ROOT, extensions=extensions)
    found = refusal(signer(middle), middle)
    assert found.startswith("CHAIN_CONSTRAINTS_FAILURE")
    assert flaw in found


def test_find_path_counts_intermediates_against_the_path_length() -> None:
    root = authority("Root", path_length=1)
    first = authority("First", root)
    second = authority("Second", first)
    assert isinstance(path_of(signer(first), first, roots=(root,)), tuple)
    assert "a path length of 1" in refusal(signer(second), first, second, roots=(root,))


def test_find_path_ends_after_a_bounded_number_of_steps() -> None:
    deep = [ROOT]
    for number in range(MAX_PATH):
        deep.append(authority(f"Depth {number}", deep[-1]))
    assert refusal(signer(deep[-1]), *deep).startswith("NO_CERTIFICATE_CHAIN_FOUND")
    assert isinstance(path_of(signer(deep[MAX_PATH - 2]), *deep), tuple)
    # A maze: twelve authorities of one name and key, each issued by any of them.
    start = authority("Maze")
    maze = [start]
    for _ in range(11):
        maze.append(
            issue("Maze", start, key=start.key, extensions=[(x509.BasicConstraints(True, None), True)])
        )
    assert "first 64 signatures" in refusal(signer(start), *maze)


@pytest.mark.parametrize(
    ("usage", "critical", "extra", "flaw"),
    [
        ([], True, [], "no extended key usage"),
        ([TIME_STAMPING], False, [], "not critical"),
        ([ExtendedKeyUsageOID.CODE_SIGNING], True, [], "the purposes"),
        ([TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING], True, [], "the purposes"),
        ([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE], True, [], "the purposes"),
        ([TIME_STAMPING], True, [(key_usage(issues=True), True)], "key usage beyond"),
        ([TIME_STAMPING], True, [(key_usage(signs=True, issues=True), True)], "key usage beyond"),
    ],
)
def test_find_path_refuses_a_signer_that_is_for_more_than_time_stamping(
    usage: list[x509.ObjectIdentifier],
    critical: bool,
    extra: list[tuple[x509.ExtensionType, bool]],
    flaw: str,
) -> None:
    leaf = signer(ROOT, usage=usage, critical=critical, extra=extra)
    assert flaw in (time_stamping_flaw(leaf.certificate) or "")
    assert flaw in refusal(leaf)


def test_find_path_accepts_a_signer_with_digital_signature() -> None:
    leaf = signer(ROOT, extra=[(key_usage(signs=True), True)])
    assert isinstance(path_of(leaf), tuple)


@pytest.mark.parametrize(
    ("permitted", "excluded", "good"),
    [
        ([subtree("Example")], None, True),
        ([subtree("Other")], None, False),
        (None, [subtree("Example")], False),
        (None, [subtree("Other")], True),
        ([x509.DNSName("example.org")], None, False),
        ([x509.RFC822Name("a@example.org")], None, True),
    ],
)
def test_find_path_keeps_to_name_constraints(
    permitted: list[x509.GeneralName] | None, excluded: list[x509.GeneralName] | None, good: bool
) -> None:
    constraints = x509.NameConstraints(permitted, excluded)
    middle = authority("Middle", ROOT, extra=[(constraints, True)])
    leaf = signer(middle, extra=[(x509.SubjectAlternativeName([x509.DNSName("tsa.example.org")]), False)])
    if good:
        assert isinstance(path_of(leaf, middle), tuple)
    else:
        assert "name constraints" in refusal(leaf, middle)


@pytest.mark.parametrize(
    ("above", "below", "good"),
    [
        ([POLICY_A], [POLICY_A, POLICY_B], True),
        ([POLICY_A], [POLICY_B], False),
        ([POLICY_A], [], False),
        ([x509.ObjectIdentifier("2.5.29.32.0")], [POLICY_B], True),
    ],
)
def test_find_path_keeps_to_an_explicit_policy(
    above: list[x509.ObjectIdentifier], below: list[x509.ObjectIdentifier], good: bool
) -> None:
    asked = x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None)
    middle = authority("Middle", ROOT, extra=[(asked, True), policies(*above)])
    leaf = signer(middle, extra=[policies(*below)] if below else [])
    if good:
        assert isinstance(path_of(leaf, middle), tuple)
    else:
        assert "a policy constraint" in refusal(leaf, middle)
