"""What a report says of a whole bundle, it says once; what is wrong, it says wherever it is wrong."""

from evidence_vault.verify.render import render_text
from tests.verify.asking import ask
from tests.verify.handmade import good_bundle


def test_text_says_once_what_passed_for_every_item() -> None:
    report = ask(good_bundle())
    first, second = render_text(report, lang="en").split("\nItem ")[1:]
    tokens = [set(finding.place for finding in item.rows[4].findings) for item in report.items]
    of_both, own = tokens[0] & tokens[1], tokens[1] - tokens[0]
    assert of_both
    assert own
    for place in of_both:
        assert f"✓ {place}: " in first
        assert f"✓ {place}: " not in second
    assert all(f"✓ {place}: " in second for place in own)
    assert "as for the items above" not in first
    for item, text in zip(report.items, (first, second), strict=True):
        assert f"data/{item.item}/content: The content is byte for byte" in text


def test_text_repeats_what_does_not_pass() -> None:
    sealed = good_bundle()
    report = ask(sealed, {**sealed.vault.policy(), "tsa": []})
    items = render_text(report, lang="en").split("\nItem ")[1:]
    unsure = [line for line in items[0].splitlines() if line.startswith("        ? proof/timestamps/")]
    for_both = [line for line in unsure if "/it_" not in line]
    assert for_both
    assert all(line in items[1] for line in for_both)
