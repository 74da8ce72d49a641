"""Eqs. 6 to 11 on units whose classes are known."""

import numpy as np
import pytest

from wna_utils.analysis import reordering

# Two layers of three units; two classes. Units 0 and 5 are for class 1, 1 and 4 for class 0, 2 and 3 for both.
MEANS = np.array([[-1.0, 2.0, 0.1, 1.0, 3.0, -0.5], [4.0, 0.0, 0.1, 0.9, 1.0, 0.5]])


def test_means_by_class_and_a_class_without_images():
    found = reordering.class_means(np.array([[1.0, 2], [3, 4], [5, 6]]), np.array([0, 2, 0]), 3)
    np.testing.assert_allclose(found, [[3, 4], [np.nan, np.nan], [3, 4]])


def test_units_get_the_class_they_respond_to_most():
    assert reordering.assigned(MEANS).tolist() == [1, 0, 0, 0, 0, 1]


def test_class_without_images_gets_no_unit():
    means = np.vstack([MEANS[:1], np.full((1, 6), np.nan), MEANS[1:]])
    assert reordering.assigned(means).tolist() == [2, 0, 0, 0, 0, 2]
    assert reordering.ordered(means, [3, 3]).tolist() == [1, 2, 0, 4, 3, 5]
    mean, inside = reordering.mean_code(np.zeros((0, 2)))
    assert np.isnan([*mean, inside]).all()


def test_order_is_by_class_and_strength_within_layers():
    assert reordering.ordered(MEANS, [3, 3]).tolist() == [1, 2, 0, 4, 3, 5]


def test_colours_are_those_of_the_classes_and_grey_between():
    colours = np.array([[1.0, 0, 0], [0, 0, 1.0]])
    found = reordering.brainbow(MEANS, colours)
    assert found[0].tolist() == [0, 0, 1]  # the strongest; its -1 counts as 0
    assert found[1].tolist() == [0.5, 0, 0]
    assert found[2, 0] == found[2, 2] == pytest.approx(0.025)
    assert reordering.brainbow(np.zeros((2, 3)), colours).tolist() == [[0, 0, 0]] * 3


def test_mean_code_is_the_mean_but_for_what_lies_beyond():
    rng = np.random.default_rng(0)
    codes = rng.normal([1, -0.5], 0.5, (20_000, 2))
    mean, inside = reordering.mean_code(codes)
    assert inside > 0.999
    np.testing.assert_allclose(mean, codes.mean(0), atol=0.01)
    far = np.vstack([codes, np.full((20_000, 2), 9.0)])
    mean, inside = reordering.mean_code(far)
    assert inside == pytest.approx(0.5, abs=0.01)
    np.testing.assert_allclose(mean, codes.mean(0) / 2, atol=0.01)


def test_variance_between_classes():
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], 500)
    noise = rng.normal(size=(1000, 4))
    assert reordering.between_classes(noise, labels) < 0.01
    apart = noise + 2 * labels[:, None]  # 1 of 2 between, 1 within
    assert reordering.between_classes(apart, labels) == pytest.approx(0.5, abs=0.05)
    assert np.isnan(reordering.between_classes(np.ones((4, 2)), np.array([0, 0, 1, 1])))


def test_blocks_and_fractions():
    blocks = reordering.block_activations(np.array([[1.0, 3, 5]]), np.array([0, 0, 2]), 3)
    np.testing.assert_allclose(blocks, [[2, np.nan, 5]])
    shares = reordering.fractions(MEANS)
    assert shares["excited"].tolist() == [0.5, 4 / 6]
    assert shares["inhibited"].tolist() == [2 / 6, 0]
    np.testing.assert_allclose(sum(shares.values()), 1)


@pytest.mark.parametrize("change", [{"limit": 0}, {"step": 0}])
def test_impossible_grids_are_refused(change):
    with pytest.raises(ValueError, match="must be greater than 0"):
        reordering.mean_code(np.zeros((2, 2)), **change)
