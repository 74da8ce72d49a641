import numpy as np
import pytest
import torch

from wna_utils.analysis.gradients import images_for_cosine, mean_gradients
from wna_utils.networks import architectures, layers
from wna_utils.observe.neurons import LinearNonlinear, gabor_pair
from wna_utils.observe.spike_triggered_average import cosines, jackknife, spike_triggered
from wna_utils.stimuli.white import WhiteNoise

WINDOW = (1, 14, 14)


@pytest.fixture(scope="module")
def observer():
    return layers.readout(architectures.build("cnn", (1, 28, 28), 10, seed=0).eval(), "conv2", range(4))


def test_mean_gradient_equals_brute_force(observer):
    source = WhiteNoise(WINDOW, "normal", seed=2)
    mean, error = mean_gradients(observer, source, 40)
    each = np.stack([
        torch.autograd.functional.jacobian(lambda x: observer(x).flatten(), image[None])[:, 0].numpy()
        for image in source.block(0).stimuli[:40]
    ])  # fmt: skip
    np.testing.assert_allclose(mean, each.mean(0), atol=1e-7)
    np.testing.assert_allclose(error, each.std(0, ddof=1) / 40**0.5, atol=1e-7)


def test_slope_converges_to_the_mean_gradient(observer):
    """Stein's lemma, through two convolutions, a pooling and two rectifications."""
    source = WhiteNoise(WINDOW, "normal", seed=2)
    gradient, gradient_error = mean_gradients(observer, source, 4_000)
    slope, slope_error = jackknife(spike_triggered(observer, source, 100_000), lambda tally: tally.slope)
    z = (slope - gradient) / np.ma.sqrt(slope_error**2 + gradient_error**2)
    assert 0.8 < float(np.sqrt((z**2).mean())) < 1.4
    assert cosines(slope, gradient).min() > 0.95


def test_images_needed_are_enough():
    """A filter found by averages has the cosine that was asked for after as many images as were predicted."""
    planted, _ = gabor_pair(10)
    neuron = LinearNonlinear(planted)
    source = WhiteNoise((1, 10, 10), "normal", seed=4)
    value, error = jackknife(spike_triggered(neuron, source, 40_000), lambda tally: tally.slope)
    needed = images_for_cosine(value, error, 40_000, cosine=0.9)
    fresh = [
        spike_triggered(neuron, WhiteNoise((1, 10, 10), "normal", seed), int(needed[0])).slope for seed in range(8)
    ]
    assert np.mean([cosines(each, planted.numpy()[None])[0] for each in fresh]) == pytest.approx(0.9, abs=0.03)


def test_nothing_needs_no_number():
    assert np.isnan(images_for_cosine(np.zeros((1, 4)), np.ones((1, 4)), 10)).all()
    assert np.isnan(images_for_cosine(np.ma.masked_all((1, 4)), np.ones((1, 4)), 10)).all()


def test_bad_requests_are_one_sentence(observer):
    with pytest.raises(ValueError, match="as large as the receptive field, 14×14 pixels, without padding; got 28×28"):
        mean_gradients(observer, WhiteNoise((1, 28, 28)), 10)
    with pytest.raises(ValueError, match="n must be 2 or more; got 1"):
        mean_gradients(observer, WhiteNoise(WINDOW), 1)
