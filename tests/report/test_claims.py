import numpy as np
import pytest

from wna_utils.analysis.estimates import Estimate
from wna_utils.report import claims
from wna_utils.report.rules import Rule


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
        (
            Estimate(0.1, -0.05, 0.25, 5, "networks"),
            "points",
            "10.0 points (95 % CI −5.0 to 25.0 points; n = 5 networks)",
        ),
        (Estimate(0.4, -0.7, 1.5, 5, "networks"), "count", "0.4 (95 % CI −0.7 to 1.5; n = 5 networks)"),
        (Estimate(8.2, 7.4, 9, 5, "networks"), "count", "8.2 (95 % CI 7.4 to 9; n = 5 networks)"),
        (Estimate(-0.001, -0.1, 0.1, 5, "networks"), "number", "0.00 (95 % CI −0.10 to 0.10; n = 5 networks)"),
        (Estimate(np.nan, np.nan, np.nan, 0, "maps"), "number", "no samples"),
    ],
)
def test_estimates_are_said_in_words(estimate, unit, words):
    assert claims.in_words(estimate, unit) == words
    assert repr(claims.in_words(estimate, unit)) == words


@pytest.mark.parametrize(
    ("low", "unit", "words"),
    [
        (0.7982, "number", "0.840 (95 % CI 0.798 to 0.880; n = 3 networks)"),
        (0.8, "number", "0.84 (95 % CI 0.80 to 0.88; n = 3 networks)"),
        (0.81, "number", "0.84 (95 % CI 0.81 to 0.88; n = 3 networks)"),
        (0.7998, "percent", "84.00 % (95 % CI 79.98 to 88.00 %; n = 3 networks)"),
    ],
)
def test_what_decides_is_not_rounded_to_an_edge_of_its_rule(low, unit, words):
    rule = Rule(use="low", reproduced=(0.8, 1), partly=(0.5, 1))
    assert claims.in_words(Estimate(0.84, low, 0.88, 3, "networks"), unit, rule) == words
