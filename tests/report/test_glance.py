from bs4 import BeautifulSoup

from tests.conftest import chapter_of
from wna_utils.analysis.estimates import mean_over
from wna_utils.report import glance
from wna_utils.report.measured import Measured
from wna_utils.report.rules import ledger


def test_every_counted_claim_has_a_linked_cell_that_says_its_verdict(tmp_path):
    glance.write_glance(Measured.of([chapter_of("book", tmp_path)]), tmp_path)
    cells = BeautifulSoup((tmp_path / "glance.md").read_text(), "html.parser").select("dl.glance a")
    counted = [claim for claim in ledger().values() if claim.counts]
    assert {cell["href"] for cell in cells} == {f"scorecard.html#claim-{claim.id}" for claim in counted}
    assert len(cells) == len(counted)
    [decided] = [cell for cell in cells if cell.text == "✓"]
    assert decided["href"].endswith("s31_cnn_accuracy")
    assert decided["aria-label"] == f"{ledger()['s31_cnn_accuracy'].statement} Reproduced."
    assert all(cell.text == "–" for cell in cells if cell is not decided)


def test_chapter_opens_with_its_own_claims(tmp_path):
    glance.write_glance(Measured.of([chapter_of("book", tmp_path)]), tmp_path)
    [opening, head, _, row, end] = (tmp_path / "verdicts" / "book.md").read_text().splitlines()
    assert opening == ":::{dropdown} Claims of this chapter: 1 reproduced"
    assert head == "| Claim | Paper | Ours | Verdict | Shown in |"
    assert "99.00 % (95 % CI 98.00 to 100.00 %; n = 5 networks)" in row
    assert '<a href="../scorecard.html#claim-s31_cnn_accuracy">reproduced</a>' in row
    assert end == ":::"


def test_sizes_for_trying_things_out_show_no_verdict(tmp_path):
    glance.write_glance(Measured.of([chapter_of("smoke", tmp_path)]), tmp_path)
    assert "✓" not in (tmp_path / "glance.md").read_text()
    assert "1 not judged" in (tmp_path / "verdicts" / "smoke.md").read_text()


def test_what_could_not_be_estimated_at_such_sizes_is_not_judged_either():
    nothing = {"s31_cnn_accuracy": mean_over([])}
    verdicts = [Measured(nothing, {}, {}, {}, judged).verdict(ledger()["s31_cnn_accuracy"]) for judged in (True, False)]
    assert verdicts == ["not testable", "not judged"]
    without_rule = next(claim for claim in ledger().values() if not claim.rule)
    assert Measured({}, {}, {}, {}, False).verdict(without_rule) == "not testable"
