from functools import partial

import numpy as np
import pytest
import torch

from wna_utils.analysis import convergence
from wna_utils.analysis.convergence import half_correlation
from wna_utils.analysis.similarity import correlations, own_correlations
from wna_utils.observe.loop import observe
from wna_utils.observe.recording import Recording, in_halves
from wna_utils.observe.tally import ClassTally
from wna_utils.stimuli.white import WhiteNoise

SIZES = (300, 1_000, 3_000, 10_000)


@pytest.fixture
def grown(planted, noise):
    """Growing tallies of a planted observer, and its converged one from other noise."""
    converged = in_halves(planted, WhiteNoise(noise.shape, seed=9), 400_000)
    fresh = partial(observe, planted, noise)
    return convergence.growing(lambda start, n: fresh(n, start=start), SIZES), converged


def test_growing_tallies_are_those_of_one_run_each(grown, planted, noise):
    for tally, size in zip(grown[0], SIZES, strict=True):
        assert tally == observe(planted, noise, size)


def test_error_of_a_planted_observers_maps_follows_one_over_root_n(grown):
    tallies, converged = grown[0], grown[1].whole
    errors = np.array([convergence.errors(tally, converged).mean() for tally in tallies])
    slope = np.polyfit(np.log(SIZES), np.log(errors), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.03)
    for tally in tallies:
        ratio = convergence.errors(tally, converged) / convergence.expected_errors(tally, converged)
        np.testing.assert_allclose(ratio, 1, atol=0.2)


def test_likeness_of_a_planted_observers_maps_is_what_theory_expects(grown):
    tallies, converged = grown
    likeness = [convergence.likeness(tally, converged) for tally in tallies]
    assert likeness == sorted(likeness)
    expected = [convergence.expected_likeness(converged, size) for size in SIZES]
    np.testing.assert_allclose(likeness, expected, atol=0.04)
    assert expected[-1] > 0.98


def test_likeness_is_freed_of_the_noise_of_a_converged_map_from_few_images(grown, planted, noise):
    tallies, converged = grown
    few = in_halves(planted, WhiteNoise(noise.shape, seed=10), 4_000)
    plain = np.ma.diagonal(correlations(tallies[-1].deviations, few.whole.deviations)).mean()
    truth = convergence.likeness(tallies[-1], converged)
    assert abs(convergence.likeness(tallies[-1], few) - truth) < (truth - plain) / 3


def test_a_class_without_images_counts_as_unlike(planted, noise):
    converged = in_halves(planted, noise, 20_000)
    one = ClassTally.of(len(converged.whole.counts), noise.shape)
    one.count(noise.block(0).stimuli, torch.zeros(2000, dtype=torch.long))
    assert convergence.likeness(one, converged) == 0  # a class that has all the images differs from none
    assert np.ma.getmaskarray(convergence.errors(one, converged.whole))[1:].all()


def test_nothing_is_like_what_is_not_known(noise):
    halves = Recording(ClassTally(), 2)
    halves.parts = [ClassTally.of(3, noise.shape), ClassTally.of(3, noise.shape)]
    assert np.isnan(convergence.likeness(ClassTally.of(3, noise.shape), halves))


def test_no_pixels_are_significant_without_signal_and_many_are_with_it(grown, noise):
    tallies, _ = grown
    shares = [convergence.share_significant(tally) for tally in tallies]
    assert shares[-1] > 0.5
    assert shares == sorted(shares)
    at_random = ClassTally.of(2, noise.shape)
    at_random.count(noise.block(0).stimuli, torch.arange(2000) % 2)
    assert convergence.share_significant(at_random) <= 0.02
    few = ClassTally.of(2, noise.shape)
    few.count(noise.block(0).stimuli[:12], torch.tensor([0] * 3 + [1] * 9))
    assert convergence.share_significant(few) == 0


@pytest.mark.parametrize(
    ("values", "target", "needed"),
    [
        ([0.2, 0.6, 1.0], 0.1, 10),
        ([0.0, 0.5, 1.0], 0.5, 100),
        ([0.0, 0.5, 1.0], 0.75, 1000 / 10**0.5),
        ([0.0, 0.9, 0.5], 0.8, np.inf),
        ([0.9, 0.2, 1.0], 0.6, 1000 / 10**0.5),
    ],
)
def test_images_needed_is_where_a_curve_stays_above_its_target(values, target, needed):
    assert convergence.images_needed([10, 100, 1000], values, target) == pytest.approx(needed)


def test_images_in_words_say_what_lies_beyond_the_sizes():
    sizes = (100, 100_000)
    assert convergence.images_in_words([100.0, 100.0], sizes) == "≤ 100"
    assert convergence.images_in_words([2_345.0, 912.0, np.inf], sizes) == "2,000 (900 to > 100,000)"
    assert convergence.images_in_words([np.inf, np.inf], sizes) == "> 100,000"


def test_sizes_must_rise(planted, noise):
    with pytest.raises(ValueError, match="each step between sizes must be 1 or more"):
        convergence.growing(lambda start, n: None, (100, 100))


def test_errors_of_all_maps_are_put_side_by_side(grown):
    tallies, converged = grown
    n, error, expected = convergence.errors_of_all([converged, converged], [tallies, tallies[:2]])
    assert len(n) == 2 * (len(tallies) + 2)
    assert n[:2].tolist() == tallies[0].counts.tolist()
    np.testing.assert_allclose(error[:2], convergence.errors(tallies[0], converged.whole))
    np.testing.assert_allclose(expected[-2:], convergence.expected_errors(tallies[1], converged.whole))
    assert not len(convergence.errors_of_all([converged], [tallies], fewest=10**6)[0])


def test_correlation_with_the_limit_follows_from_two_halves():
    """Maps with as much noise as signal: halves correlate at 1/2, each with the limit at √(1/2)."""
    rng = np.random.default_rng(0)
    limit, *noise = rng.normal(size=(3, 20, 1, 40, 40))
    halves = [limit + each for each in noise]
    expected = own_correlations(halves[0], limit).mean()
    assert half_correlation(*halves) == pytest.approx(expected, abs=0.01)
    assert half_correlation(*halves) == pytest.approx(0.5**0.5, abs=0.01)
    assert np.isnan(half_correlation(*noise))
