"""Encoding models: what is sparse enough is found, what is not is missed, and constants are told apart."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import kstest

from wna_utils.analysis.encoding import accuracies, fit, p_by_permutation, romp


def planted(seed, sparsity, images=40, units=2000):
    """Features of which so many make the response."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(images, units))
    weights = np.zeros(units)
    weights[random.choice(units, sparsity, replace=False)] = random.choice([-1, 1], sparsity)
    return features, weights


def recovered(sparsity):
    """Of twenty plantings, how many are found exactly."""
    found = 0
    for seed in range(20):
        features, weights = planted(seed, sparsity)
        found += np.allclose(romp(features, features @ weights, sparsity), weights, atol=1e-8)
    return found


def test_two_units_of_two_thousand_are_found_from_forty_images():
    assert recovered(2) >= 19


def test_eight_units_are_too_many_for_forty_images():
    assert recovered(8) <= 1


def test_columns_are_taken_for_what_they_explain_not_for_their_length():
    features, weights = planted(0, 1)
    response = features @ weights
    features = features * np.random.default_rng(1).uniform(0.01, 100, 2000)
    found = romp(features, response, 1)
    assert np.flatnonzero(found).tolist() == np.flatnonzero(weights).tolist()
    assert features @ found == pytest.approx(response)


def test_no_more_columns_enter_than_twice_the_sparsity_and_none_without_a_response():
    random = np.random.default_rng(2)
    features = random.normal(size=(40, 100))
    assert 1 <= (romp(features, random.normal(size=40), 3) != 0).sum() <= 6
    assert not romp(features, np.zeros(40), 3).any()
    assert not romp(np.zeros((40, 5)), random.normal(size=40), 3).any()


def test_models_with_constants_foretell_new_images():
    features, weights = planted(3, 2)
    others = np.random.default_rng(4).normal(size=(7, 2000))
    model = fit(features + 5, (features @ weights + 3)[:, None], 2)
    assert model.predict(others + 5)[:, 0] == pytest.approx(others @ weights + 3)


def test_accuracies_are_correlations_vertex_by_vertex():
    random = np.random.default_rng(5)
    first, second = random.normal(size=(2, 9, 3))
    expected = [np.corrcoef(first[:, i], second[:, i])[0, 1] for i in range(3)]
    assert accuracies(first, second) == pytest.approx(expected)
    assert accuracies(np.ones((9, 1)), second[:, :1]).tolist() == [0]


def test_p_is_uniform_without_an_effect_and_the_least_there_is_with_one():
    random = np.random.default_rng(0)
    chance = [p_by_permutation(*random.normal(size=(2, 20, 5)), 199, seed) for seed in range(200)]
    assert kstest(chance, "uniform").pvalue > 0.01
    measured = random.normal(size=(20, 5))
    assert p_by_permutation(measured + random.normal(size=(20, 5)), measured, 199) == 1 / 200
    assert p_by_permutation(np.full((20, 5), 0.1), measured, 199) == 1  # it foretells the same of all images


def test_p_is_that_of_mean_accuracies_over_all_orders_of_the_images():
    random = np.random.default_rng(1)
    predicted, measured = random.normal(size=(2, 5, 3))
    found = accuracies(predicted, measured).mean()
    orders = list(permutations(range(5)))
    exact = np.mean([accuracies(predicted, measured[list(order)]).mean() >= found - 1e-12 for order in orders])
    assert abs(p_by_permutation(predicted, measured, 20_000) - exact) < 0.01


def test_bad_input_is_told_in_a_sentence():
    with pytest.raises(ValueError, match="sparsity must be 1 or more"):
        romp(np.ones((3, 2)), np.ones(3), 0)
    with pytest.raises(ValueError, match="same images; got 3 and 4"):
        romp(np.ones((3, 2)), np.ones(4), 1)
