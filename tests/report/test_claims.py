import nbformat
import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from wna_utils.analysis.estimates import Estimate
from wna_utils.report import chapters, claims
from wna_utils.report.claims import Claim, Rule

RULE = Rule(reproduced=(0.5, 0.9), partly=(0.3, None))


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (0.7, "reproduced"),
        (0.5, "reproduced"),
        (0.4, "partly"),
        (0.95, "partly"),
        (0.1, "not reproduced"),
        (np.nan, "not testable"),
    ],
)
def test_verdict_follows_from_the_ranges(value, verdict):
    assert RULE.verdict(Estimate(value, value, value, 5, "networks")) == verdict


def test_verdict_can_ask_for_the_end_of_the_interval():
    cautious = RULE.model_copy(update={"use": "low"})
    assert cautious.verdict(Estimate(0.7, 0.2, 0.8, 5, "networks")) == "not reproduced"


def test_ledger_is_well_formed():
    ledger = claims.ledger()
    assert len(ledger) >= 100
    for claim in ledger.values():
        assert claim.rule or claim.reason
        if claim.rule:
            for low, high in (claim.rule.reproduced, claim.rule.partly):
                assert low is None or high is None or low <= high


@pytest.mark.parametrize(
    "change", [{"rule": None}, {"unit": "percents"}, {"colour": "red"}, {"figure": None}, {"reason": "none"}]
)
def test_malformed_claim_is_refused(change):
    entry = yaml.safe_load(claims.LEDGER.read_text())[0]
    with pytest.raises(ValidationError):
        Claim(**{**entry, **change})


def test_id_cannot_stand_twice(tmp_path):
    entry = yaml.safe_load(claims.LEDGER.read_text())[0]
    path = tmp_path / "claims.yml"
    path.write_text(yaml.safe_dump([entry, entry]))
    with pytest.raises(ValueError, match="same id twice"):
        claims.ledger(path)


def test_every_claims_figure_exists_in_a_notebook():
    figures = {
        cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        for notebook in chapters.notebooks()
        for cell in nbformat.read(notebook, as_version=4).cells
    }
    assert {claim.figure for claim in claims.ledger().values() if claim.figure} <= figures


def test_bare_number_that_a_page_would_show_as_a_tuple_is_refused():
    with pytest.raises(ValueError, match="say what is counted"):
        claims.say("trials", "142,551")
    with pytest.raises(ValueError, match="say what is counted"):
        claims.say("trials", 142_551, "count")


@pytest.mark.parametrize(
    ("estimate", "unit", "words"),
    [
        (
            Estimate(0.991, 0.989, 0.993, 5, "networks"),
            "percent",
            "99.10 % (95 % CI 98.90 to 99.30 %; n = 5 networks)",
        ),
        (Estimate(0.258, np.nan, np.nan, 10_000, "test images"), "percent", "25.8 % (n = 10,000 test images)"),
        (
            Estimate(0.0, 0.0, 0.000008, 500_000, "images"),
            "percent",
            "0 % (95 % CI 0 to 0.0008 %; n = 500,000 images)",
        ),
        (Estimate(9, np.nan, np.nan, 10, "maps"), "count", "9 (n = 10 maps)"),
        (Estimate(0.456, 0.4, 0.5, 3, "maps"), "number", "0.46 (95 % CI 0.40 to 0.50; n = 3 maps)"),
        (Estimate(0.2, -0.1, 0.5, 3, "maps"), "number", "0.20 (95 % CI −0.10 to 0.50; n = 3 maps)"),
        (Estimate(0.2, np.nan, np.nan, 1, "networks"), "number", "0.20 (n = 1 network)"),
        (Estimate(np.nan, np.nan, np.nan, 0, "maps"), "number", "no samples"),
    ],
)
def test_estimates_are_said_in_words(estimate, unit, words):
    assert claims.in_words(estimate, unit) == words
    assert repr(claims.in_words(estimate, unit)) == words
