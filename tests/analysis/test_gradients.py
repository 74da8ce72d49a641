import numpy as np
import pytest
import torch

from wna_utils.analysis.gradients import images_for_cosine, mean_gradients, smoothgrad
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


def test_smoothgrad_of_a_linear_network_is_its_weights():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 4))
    found = smoothgrad(network, torch.full((1, 6, 6), 0.5), 3, 0.1, device="cpu")
    np.testing.assert_allclose(found.reshape(4, 36), network[1].weight.detach(), atol=1e-6)


def test_smoothgrad_is_the_mean_gradient_around_its_image(observer):
    """Captum's mean over noise around mid-grey, and ours, agree within their errors."""
    read = torch.nn.Sequential(observer, torch.nn.Flatten())
    state = torch.random.get_rng_state()
    found = smoothgrad(read, torch.full(WINDOW, 0.5), 2_000, 0.3 / 12**0.5, seed=5, device="cpu")
    assert torch.equal(torch.random.get_rng_state(), state)
    mean, error = mean_gradients(observer, WhiteNoise(WINDOW, "normal", seed=2, contrast=0.3), 2_000)
    known = error > 0
    z = (found - mean)[known] / (2**0.5 * error[known])
    assert 0.8 < float(np.sqrt((z**2).mean())) < 1.2


@pytest.mark.parametrize(("n", "spread", "name"), [(0, 0.1, "n"), (5, 0.0, "spread"), (5, float("nan"), "spread")])
def test_smoothgrad_needs_noise(n, spread, name):
    with pytest.raises(ValueError, match=f"^{name} must be"):
        smoothgrad(torch.nn.Flatten(), torch.zeros(1, 2, 2), n, spread)
