"""Graded maps: of a linear observer they are its weights, in as good an agreement as theory says."""

import numpy as np
import pytest
import torch
from torch import nn

from wna_utils.analysis.graded import expected_correlation, images_for, linear_share
from wna_utils.analysis.similarity import own_correlations
from wna_utils.observe.graded import GradedTally
from wna_utils.observe.loop import observe
from wna_utils.observe.spike_triggered_average import jackknife
from wna_utils.observe.tally import ClassTally
from wna_utils.stimuli.blocks import LARGEST as BLOCK
from wna_utils.stimuli.white import WhiteNoise

SHAPE = (1, 8, 8)
NOISE = WhiteNoise(SHAPE, seed=2)


class Noisy(nn.Module):
    """A linear observer (K, 64) with noise of its own: so much of its scores' variance is linear in the pixels."""

    def __init__(self, classes, share):
        super().__init__()
        self.register_buffer("weights", torch.randn(classes, 64, generator=torch.Generator().manual_seed(0)))
        self.share = share

    def forward(self, x):
        x = x.flatten(1)
        linear = (x - 0.5) @ self.weights.T / (self.weights.norm(dim=1) / 12**0.5)
        hash_of_pixels = (x @ (1e4 * self.weights.T)).remainder(1)  # even from 0 to 1, and nothing to do with them
        return linear * self.share**0.5 + (hash_of_pixels - 0.5) * (12 * (1 - self.share)) ** 0.5


def graded(network, n, source=NOISE, cache=False, start=0, **how):
    return observe(network, source, n, into=GradedTally(**how), cache=cache, start=start)


def of(maps, network):
    return own_correlations(maps, network.weights.view(-1, *SHAPE).numpy())


@pytest.mark.parametrize("classes", [2, 10, 1_000])
def test_maps_of_a_linear_observer_are_its_weights_as_well_as_theory_says(classes):
    network, n = Noisy(classes, 0.1), 4_000
    tally = graded(network, n)
    share = linear_share(tally.z, n)
    found = of(tally.maps, network)
    assert share.mean() == pytest.approx(0.1, abs=0.03 / classes**0.5 + 0.005)
    expected = expected_correlation(np.full(classes, 0.1), 64, n)
    assert found.mean() == pytest.approx(expected.mean(), abs=0.06 / classes**0.5 + 0.005)


def test_images_for_a_correlation_invert_what_is_expected():
    share = np.array([0.5, 0.01])
    needed = images_for(share, 784, 0.9)
    for n, each in zip(needed, share, strict=True):
        assert expected_correlation(each, 784, n) == pytest.approx(0.9)
    assert images_for(np.array([0.0, -0.1]), 784, 0.9).tolist() == [np.inf, np.inf]


def test_labels_are_scores_of_nought_and_one():
    network, n = Noisy(3, 1.0), 20_000
    by_label = observe(network, NOISE, n, cache=False)
    sure = graded(network, n, scale="probabilities", temperature=1e-4)  # as good as labels
    np.testing.assert_allclose(linear_share(sure.z, n), linear_share(by_label.z, n), rtol=1e-2)
    assert own_correlations(sure.z, by_label.z).min() > 0.999
    assert (linear_share(by_label.z, n) < 0.9 * linear_share(graded(network, n).z, n)).all()


def test_maps_and_z_equal_their_definition():
    network, n = Noisy(3, 0.5), 3_000
    x = torch.cat([NOISE.block(i).stimuli for i in range(2)])[:n]
    for scale, change in (("scores", lambda s: s), ("log-probabilities", lambda s: (s / 2).log_softmax(1))):
        s = change(network(x).double()).numpy()
        tally = graded(network, n, scale=scale, temperature=1.0 if scale == "scores" else 2.0)
        pixels = x.double().flatten(1).numpy()
        deviations = (s - s.mean(0)) / s.std(0)
        covariance = deviations.T @ (pixels - pixels.mean(0)) / n
        np.testing.assert_allclose(tally.maps.reshape(3, -1), covariance, atol=1e-6)
        np.testing.assert_allclose(tally.z.reshape(3, -1), covariance / pixels.std(0) * (n - 1) ** 0.5, atol=1e-3)
        np.testing.assert_allclose(tally.spread, s.std(0), rtol=1e-5)


def test_parts_add_up_bit_for_bit():
    network = Noisy(4, 0.3)
    whole = graded(network, 3 * BLOCK)
    parts = [graded(network, BLOCK, start=i * BLOCK) for i in range(3)]
    total = parts[2] + parts[0] + parts[1]
    for name, sums in whole.tensors().items():
        assert torch.equal(sums.sum(0), total.tensors()[name].sum(0))


def test_tallies_of_different_scales_do_not_add():
    network = Noisy(3, 0.5)
    with pytest.raises(ValueError, match="different shapes or settings"):
        graded(network, BLOCK) + graded(network, BLOCK, scale="probabilities")


@pytest.mark.slow
def test_intervals_of_pixels_cover():
    """95 % t intervals from ten groups of blocks hold the pixel's own value in 93 to 97 % of cases."""
    from scipy.stats import t

    network, n = Noisy(2, 0.3), 10 * BLOCK
    truth = (network.weights / network.weights.norm(dim=1, keepdim=True) * (0.3 / 12) ** 0.5).view(-1, *SHAPE).numpy()
    held = []
    for seed in range(12):
        value, error = jackknife(graded(network, n, WhiteNoise(SHAPE, seed=100 + seed)), lambda tally: tally.maps)
        held.append(abs(value - truth) <= t.ppf(0.975, 9) * error)
    assert 0.93 <= np.mean(held) <= 0.97


def test_z_of_scores_that_have_nothing_to_do_with_the_pixels_is_normal():
    z = graded(Noisy(20, 0.0), 10_000).z
    assert z.std() == pytest.approx(1, abs=0.06)
    assert abs(z.mean()) < 0.1
    assert linear_share(z, 10_000).mean() == pytest.approx(0, abs=1e-3)


class Constant(nn.Module):
    def forward(self, x):
        first = x.flatten(1)[:, :1]
        return torch.cat([first, torch.zeros_like(first) + 7], 1)


def test_a_class_whose_score_does_not_vary_is_masked():
    tally = graded(Constant(), 4_000)
    assert np.ma.getmaskarray(tally.maps)[1].all()
    assert not np.ma.getmaskarray(tally.maps)[0].any()
    assert np.isnan(linear_share(tally.z, 4_000)[1])


def test_bad_requests_are_one_sentence():
    with pytest.raises(ValueError, match="scale must be one of scores, log-probabilities"):
        GradedTally("logits")
    with pytest.raises(ValueError, match="temperature must be greater than 0"):
        GradedTally(temperature=0)
    silent = graded(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)).apply(zeroed), 2_000)
    with pytest.raises(ValueError, match="scores of all classes are the same for all stimuli"):
        _ = silent.maps
    with pytest.raises(ValueError, match="−∞ have no mean"):
        graded(lambda x: torch.stack([x.flatten(1)[:, 0], torch.full((len(x),), -torch.inf)], 1), 2_000)
    for wrong in (0.0, 1.0, 2.0):
        with pytest.raises(ValueError, match="correlation must be above 0 and below 1"):
            images_for(np.array([0.0]), 784, wrong)
    with pytest.raises(ValueError, match="n must be 2 or more"):
        linear_share(np.zeros((1, 1, 8, 8)), 1)


def zeroed(module):
    for weights in module.parameters(recurse=False):
        nn.init.zeros_(weights)


def test_one_image_has_no_map():
    assert np.ma.getmaskarray(graded(Noisy(2, 0.5), 1).maps).all()


def test_a_rare_class_has_a_graded_map_though_no_image_is_called_it():
    class Shy(Noisy):
        def forward(self, x):
            return super().forward(x) - torch.tensor([0.0, 0.0, 100.0])

    network = Shy(3, 0.5)
    labels = observe(network, NOISE, 4_000, into=ClassTally(), cache=False)
    assert labels.counts[2] == 0
    assert of(graded(network, 4_000).maps, network)[2] > 0.9
