"""Representational similarity: against rsatoolbox, under the null hypothesis, and with what was planted."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import squareform
from scipy.stats import kstest, spearmanr
from torch import nn

from wna_utils.analysis.representations import (
    by_layer,
    compared,
    dissimilarities,
    p_by_permutation,
    resampled,
    similarity,
    trend,
)
from wna_utils.networks import Observer


def difference(matrices):
    """How much more the second matrix is like the first than the third is."""
    first, second, third = matrices
    return similarity(first, second) - similarity(first, third)


def planted(random, images=40, units=50, noise=(2.0, 2.0)):
    """Matrices of photographs and of two kinds of images that hold them in so much noise."""
    photographs = random.normal(size=(images, units))
    kinds = [photographs + each * random.normal(size=photographs.shape) for each in noise]
    return [dissimilarities(each) for each in (photographs, *kinds)]


@pytest.mark.parametrize("distance", ["correlation", "euclidean"])
def test_matrices_and_similarities_are_those_of_rsatoolbox(distance):
    import rsatoolbox

    random = np.random.default_rng(0)
    activations = [random.normal(size=(12, 30)) for _ in range(2)]
    theirs = [rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(each), method=distance) for each in activations]
    ours = [dissimilarities(each, distance) for each in activations]
    for own, other in zip(ours, theirs, strict=True):
        other = other.dissimilarities[0]
        assert own == pytest.approx(np.sqrt(other * 30) if distance == "euclidean" else other)
    found = rsatoolbox.rdm.compare(*theirs, method="spearman")
    assert similarity(*ours) == pytest.approx(float(found[0, 0]))


def test_ties_count_as_in_spearmans_correlation():
    first, second = np.array([1, 1, 2, 3, 3, 3]), np.array([2, 1, 1, 4, 4, 0])
    assert similarity(first, second) == pytest.approx(spearmanr(first, second).statistic)


def test_activations_of_any_shape_are_compared_unit_by_unit():
    activations = np.random.default_rng(0).normal(size=(5, 3, 4, 4))
    flat = activations.reshape(5, -1)
    assert squareform(dissimilarities(activations)) == pytest.approx(1 - np.corrcoef(flat), abs=1e-12)


def test_p_is_uniform_where_nothing_is_alike():
    random = np.random.default_rng(1)
    found = [
        p_by_permutation(
            dissimilarities(random.normal(size=(10, 20))), dissimilarities(random.normal(size=(10, 20))), 199, seed
        )
        for seed in range(200)
    ]
    assert kstest(found, "uniform").pvalue > 0.01


def test_p_is_as_small_as_it_can_be_where_images_are_the_same():
    one, two, _ = planted(np.random.default_rng(2), noise=(0.1, 0.1))
    assert p_by_permutation(one, two, 1000) == pytest.approx(1 / 1001)
    assert p_by_permutation(one, -two, 1000) == 1


@pytest.mark.slow
def test_of_planted_ties_few_are_rejected():
    random = np.random.default_rng(3)
    rejected = 0
    for seed in range(60):
        matrices = planted(random)
        found = resampled(matrices, difference, 100, seed)
        rejected += found.p_not_above() < 0.05
    assert rejected <= 7  # 5 % of 60 is 3; more than 7 would come in 1 % of such runs


def test_pairs_of_one_image_twice_make_unrelated_matrices_look_alike():
    random = np.random.default_rng(4)
    matrices = [dissimilarities(random.normal(size=(40, 50))) for _ in range(2)]
    left_out, kept = (
        resampled(matrices, lambda found: similarity(*found), 300, 0, duplicates).drawn.mean()
        for duplicates in (False, True)
    )
    assert left_out == pytest.approx(similarity(*matrices), abs=0.02)
    assert kept > left_out + 0.03


@pytest.mark.slow
def test_intervals_hold_what_more_images_would_show():
    random = np.random.default_rng(5)
    truth = np.mean([similarity(*planted(random, 300, noise=(1.5, 1.5))[:2]) for _ in range(5)])
    held = 0
    for seed in range(100):
        found = resampled(planted(random, noise=(1.5, 1.5))[:2], lambda both: similarity(*both), 100, seed).estimate()
        held += found.low <= truth <= found.high
    assert held >= 88  # 95 % are meant; fewer than 88 of 100 would come in 0.3 % of such runs


def test_a_difference_that_was_planted_is_found():
    found = resampled(planted(np.random.default_rng(6), noise=(0.5, 3.0)), difference, 200)
    assert found.p_not_above() < 0.01
    assert found.estimate().low > 0
    assert found.estimate().n == 40


def test_layers_are_compared_one_by_one_with_the_same_draws():
    random = np.random.default_rng(7)
    kinds = [dict(zip("ab", planted(random, 12)[:2], strict=True)) for _ in range(3)]
    found = compared(*kinds, n=30)
    assert found.value.shape == (2, 2)
    assert found.drawn.shape == (30, 2, 2)
    for k, kind in enumerate(kinds[1:]):
        for i, layer in enumerate("ab"):
            pair = [kinds[0][layer], kind[layer]]
            assert found.value[k, i] == pytest.approx(similarity(*pair))
            alone = resampled(pair, lambda both: similarity(*both), 30)
            assert found.drawn[:, k, i] == pytest.approx(alone.drawn)
    assert found.of(lambda each: each[1] - each[0]).drawn[3] == pytest.approx(found.drawn[3, 1] - found.drawn[3, 0])


def test_layers_of_a_network_are_read_under_their_names():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 50), nn.ReLU()).eval()
    images = torch.rand(6, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    found = by_layer(Observer(network, (3, 2, 2), layers={"mine": "1", "scores": "scores"}), images)
    assert list(found) == ["mine", "scores"]
    expected = dissimilarities(network[1](images.flatten(1)).detach().numpy())
    assert found["mine"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("s", "p"), [(28, 0.0008), (22, 0.009)])
def test_trends_of_eight_layers_have_the_papers_p(s, p):
    values = list(range(8))
    for _ in range((28 - s) // 2):  # neighbours that change places
        i = next(i for i in range(7) if values[i + 1] == values[i] + 1)
        values[i], values[i + 1] = values[i + 1], values[i]
    found = trend(values)
    assert found.s == s
    assert found.tau == pytest.approx(s / 28)
    assert found.p == pytest.approx(p, rel=0.08)
    assert trend(values[::-1]).s == -s


def test_a_flat_course_has_no_trend():
    assert trend([1.0] * 5).s == 0
    assert trend([1.0] * 5).p == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: dissimilarities(np.ones((2, 5))), "3 images or more; got 2"),
        (lambda: dissimilarities(np.ones((3, 5))), "image 0 has the same activation in every unit"),
        (lambda: dissimilarities(np.eye(3), "cosine"), "correlation, euclidean"),
        (lambda: p_by_permutation(np.ones(3), np.ones(3), 0), "1 or more"),
        (lambda: resampled([np.ones(3), np.ones(6)], difference), "3, 6 pairs"),
        (lambda: trend([1.0, 2.0]), "3 values or more"),
    ],
)
def test_bad_input_is_told_in_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()
