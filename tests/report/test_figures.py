"""Figures take odd numbers of panels, empty classes and runs without samples."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from wna_utils.analysis.estimates import Estimate
from wna_utils.report import figures


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_rows_of_maps_may_differ_in_length_and_hold_empty_classes():
    maps = np.ma.array(np.random.default_rng(0).random((3, 1, 4, 4)))
    maps[1] = np.ma.masked
    figure = figures.map_grid(
        [maps, maps[:2]], [["a", "b", "c"], ["d", "e"]], ["first", "second"], [[1, 1, 1], [None] * 2]
    )
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert texts.count("no\nsamples") == 2
    assert figure.axes[0].get_ylabel() == "first"


def test_curves_have_common_axes_labels_and_a_bar():
    panels = [[np.random.default_rng(0).random((4, 3))] * 2, [np.zeros((4, 3))]]
    figure = figures.curve_grid([0, 0.5, 1], panels, [["a", "b"], ["c"]], ("signal", "share"), (0, 10), "strength")
    grid = figure.axes[:4]
    assert [ax.get_title() for ax in grid[:3]] == ["a", "b", "c"]
    assert [len(ax.lines) for ax in grid[:3]] == [4, 4, 4]
    assert grid[2].get_xlabel() == "signal"
    assert figure.axes[-1].get_ylabel() == "strength"
    assert not grid[3].axison


def test_estimates_without_samples_are_left_out_but_named():
    _, ax = plt.subplots()
    nothing = Estimate(np.nan, np.nan, np.nan, 0, "networks")
    figures.estimates(ax, [1, 2], [nothing, Estimate(0.5, 0.4, 0.6, 5, "networks")], "some")
    figures.estimates(ax, [1], [nothing], "none")
    assert ax.get_legend_handles_labels()[1] == ["none", "some"]
    assert [list(each[0].get_xdata()) for each in ax.containers] == [[2]]


def test_share_of_nothing_has_no_dot_on_a_log_scale():
    _, ax = plt.subplots()
    figures.shares(ax, np.array([[10, 0], [5, 5]]), ("a", "b"), "log")
    assert ax.get_ylim()[0] == pytest.approx(0.5 / 3)


def test_heatmap_leaves_masked_cells_empty():
    _, ax = plt.subplots()
    matrix = np.ma.masked_array([[0.5, 0.2]], mask=[[False, True]])
    figures.heatmap(ax, matrix, ["row"], ["a", "b"], (0, 1), "Blues")
    assert [text.get_text() for text in ax.texts] == [".50"]
