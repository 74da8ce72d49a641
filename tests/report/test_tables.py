import numpy as np
import pytest

from wna_utils.analysis.estimates import Estimate
from wna_utils.report import tables


@pytest.mark.parametrize(
    ("value", "digits", "percent", "text"),
    [
        (0.256, 2, False, "0.26"),
        (-0.256, 1, False, "−0.3"),
        (-0.001, 2, False, "0.00"),
        (0.256, 1, True, "25.6 %"),
        (-0.0001, 1, True, "0.0 %"),
        (np.nan, 2, False, "–"),
    ],
)
def test_numbers(value, digits, percent, text):
    assert tables.number(value, digits, percent) == text


def test_intervals():
    assert tables.with_interval(0.5, 0.4, 0.6) == "0.50 (0.40 to 0.60)"
    assert tables.with_interval(0.5, 0.4, 0.6, 0, True) == "50 % (40 to 60 %)"
    assert tables.with_interval(0.5, np.nan, np.nan) == "–"


def test_estimates():
    assert tables.estimate(Estimate(0.5, 0.4, 0.6, 7, "networks"), percent=True) == "50.0 % (40.0 to 60.0 %; 7)"
    assert tables.estimate(Estimate(0.5, np.nan, np.nan, 1, "networks")) == "0.5 (1)"
    assert tables.estimate(Estimate(np.nan, np.nan, np.nan, 0, "networks")) == "no samples"


def test_half_widths_say_how_many_have_a_value():
    assert tables.with_half_width([0.4, 0.6]) == "0.50 ± 1.27"
    assert tables.with_half_width([0.4, 0.6], within=(0, 1)) == "0.50 ± 0.50"
    assert tables.with_half_width([0.4, np.nan]) == "0.40 (1)"
    assert tables.with_half_width([np.nan]) == "–"
    assert tables.with_half_width(Estimate(0.5, 0.4, 0.6, 7, "networks"), 0, True) == "50 ± 10 %"


def test_rows_show_their_names_if_they_have_some():
    assert "<th" in tables.table({"first": {"a": 1}}).to_html()
    assert 'class="row_heading' not in tables.table([{"a": 1}]).to_html()
    assert 'class="table"' in tables.table([{"a": 1}]).to_html()


def test_class_without_a_map_is_a_dash():
    called = np.ma.masked_array([[1, 0]], mask=[[False, True]])
    assert tables.class_names(called, ("cat", "dog")) == [["dog", "–"]]
