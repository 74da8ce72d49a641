"""Published numbers are read by key, and what notebooks ask for is there."""

import re

import numpy as np
import pytest

from wna_utils.report import chapters, published


def test_table_1_has_a_value_for_each_gamma():
    table = published("table_1")
    assert len(table) == 4
    for row in table.values():
        assert len(row) == 11
        assert (np.diff(row) >= 0).all()


def test_southampton_counts_add_up_to_ten_million():
    assert sum(published("southampton_counts")) == 10_000_000


def test_unknown_key_is_told():
    with pytest.raises(ValueError, match="published must be one of accuracy, templates, "):
        published("table_2")


def test_what_notebooks_ask_for_is_there():
    asked = {key for path in chapters.notebooks() for key in re.findall(r'published\(\\"(\w+)\\"\)', path.read_text())}
    assert "table_1" in asked
    for key in asked:
        assert published(key)
