import copy
from collections import OrderedDict
from functools import partial

import numpy as np
import pytest
import torch

from wna_utils.analysis import activations
from wna_utils.analysis.activations import activations_by_class, at_the_edge, called_when_mixed, silent_units, turned
from wna_utils.networks import architectures
from wna_utils.observe.loop import observe
from wna_utils.stimuli.pictures import Pictures
from wna_utils.stimuli.white import WhiteNoise

LAYERS = ["input", "conv1", "conv2", "fc1"]


@pytest.fixture(scope="module")
def network():
    return architectures.build("cnn", (1, 28, 28), 10, seed=0).eval()


@torch.inference_mode()
def at(network, layer, x):
    """What `layer` passes on, module by module."""
    if layer == activations.INPUT:
        return x
    ends = {"conv1": "relu1", "conv2": "relu2", "fc1": "relu3"}
    for name, module in network.named_children():
        x = module(x)
        if name == ends[layer]:
            return x


def test_means_by_response_equal_brute_force(network):
    source = WhiteNoise((1, 28, 28), seed=4)
    found = activations_by_class(network, LAYERS, source, 700)
    x = source.block(0).stimuli[:700]
    with torch.inference_mode():
        response = network(x).argmax(1)
    assert found.counts.tolist() == torch.bincount(response, minlength=10).tolist()
    assert (found.counts == observe(network, source, 700).counts).all()
    for layer in LAYERS:
        every = at(network, layer, x)
        assert found.means[layer].shape == (10, *every.shape[1:])
        for k in range(10):
            if found.counts[k]:
                np.testing.assert_allclose(found.means[layer][k], every[response == k].mean(0), atol=1e-5)
                if found.counts[k] > 1:
                    error = every[response == k].std(0) / found.counts[k] ** 0.5
                    np.testing.assert_allclose(found.errors[layer][k], error, atol=1e-4)
            else:
                assert np.ma.getmaskarray(found.means[layer][k]).all()


def test_silent_units_are_those_whose_means_are_zero(network):
    network = copy.deepcopy(network)
    with torch.no_grad():
        network.conv1.bias[3] -= 100
        network.fc1.bias[5] -= 100
    other = architectures.build("cnn", (1, 28, 28), 10, seed=1).eval()
    source = WhiteNoise((1, 28, 28), seed=4)
    silent, of_other = silent_units([network, other], LAYERS[1:], [source, WhiteNoise((1, 28, 28), seed=5)], 2_300)
    found = activations_by_class(network, LAYERS[1:], source, 2_300)
    means = [found.means[layer].filled(0).reshape(10, len(getattr(network, layer).bias), -1) for layer in LAYERS[1:]]
    expected = np.concatenate([(each == 0).all((0, 2)) for each in means])
    assert (silent == expected).all()
    assert silent[3]
    assert silent[len(network.conv1.bias) + len(network.conv2.bias) + 5]
    assert not of_other[3]
    assert len(of_other) == len(silent)


def test_means_by_label_equal_brute_force(network, digits):
    x, y = digits.x_test[:300], digits.y_test[:300]
    found = activations_by_class(network, LAYERS, Pictures(x, y), 300, by="label")
    assert found.counts.tolist() == torch.bincount(y, minlength=10).tolist()
    np.testing.assert_allclose(found.means["conv2"][3], at(network, "conv2", x[y == 3]).mean(0), atol=1e-5)
    other = activations_by_class(network, LAYERS, Pictures(x, y), 300)
    assert (other.counts != found.counts).any()  # an untrained network calls them something else


@pytest.mark.parametrize("layer", [activations.INPUT, "conv1", "conv2", "fc1"])
def test_mixing_nothing_changes_nothing_and_mixing_all_leaves_the_pattern(network, digits, layer):
    x = digits.x_test[:60]
    own = at(network, layer, x)
    called = called_when_mixed(network, layer, own[7], x, [1.0, 0.0])
    with torch.inference_mode():
        plain = network(x).argmax(1)
    assert torch.equal(called[0], plain)
    assert (called[1] == plain[7]).all()


def test_mixture_is_that_of_fig_21(network, digits):
    x, pattern = digits.x_test[:20], at(network, "conv2", digits.x_test[30:31])[0]
    with torch.inference_mode():
        scores = network.fc2(
            network.relu3(network.fc1(0.7 * pattern.flatten() + 0.3 * at(network, "conv2", x).flatten(1)))
        )
    assert torch.equal(called_when_mixed(network, "conv2", pattern, x, [0.3])[0], scores.argmax(1))


def test_only_images_of_other_classes_can_be_turned():
    called = torch.tensor([[1, 1, 0, 2], [1, 1, 1, 1]])
    assert turned(called, torch.tensor([1, 0, 0, 2]), 1).tolist() == [[True, False, False], [True, True, True]]


def test_bad_requests_are_one_sentence(network, digits):
    x = digits.x_test[:5]
    with pytest.raises(ValueError, match="gamma must lie between 0 and 1"):
        called_when_mixed(network, "conv1", x[0], x, [1.5])
    with pytest.raises(ValueError, match="layer must be one of conv1, conv2, fc1, fc2; got 'conv9'"):
        called_when_mixed(network, "conv9", x[0], x, [0.5])
    with pytest.raises(ValueError, match=r"a pattern for conv1 has shape \(20, 12, 12\); got \(1, 28, 28\)"):
        called_when_mixed(network, "conv1", x[0], x, [0.5])


def test_share_of_the_edge_is_that_of_a_map_of_ones_and_of_a_corner():
    """The first map is 1 everywhere, the second only where the zeros around reach, the third never responds."""
    conv = torch.nn.Conv2d(1, 3, 3, padding=1)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[1] = -1  # over an image of ones: −9 inside, −6 along an edge, −4 in a corner
        conv.bias.copy_(torch.tensor([1.0, 8.0, -1.0]))
    network = torch.nn.Sequential(OrderedDict(conv1=conv, relu1=torch.nn.ReLU()))
    ones = torch.ones(5, 1, 6, 6)
    share = at_the_edge(network, "conv1", ones)
    assert share[0] == pytest.approx(20 / 36)
    assert share[1] == 1
    assert share[2] is np.ma.masked


def test_recorded_silent_units_come_back_for_the_same_networks_layers_and_noise_alone(network, in_records, monkeypatch):
    def ask(of=network, layers=("conv1", "fc1"), seed=4, n=2_300):
        return silent_units([of], layers, [WhiteNoise((1, 28, 28), seed=seed)], n)

    [computed], names = in_records(ask)
    assert len(names) == 2
    other = copy.deepcopy(network)
    other.relu1 = torch.nn.Tanh()
    for how in ({"of": other}, {"layers": ("conv1", "conv2")}, {"seed": 5}):
        assert not names & in_records(partial(ask, **how))[1]
    assert len(names & in_records(partial(ask, n=2_200))[1]) == 1  # the first, whole block
    in_records(ask)
    blocks, real = [], activations.shown
    monkeypatch.setattr(activations, "shown", lambda *how: blocks.append(how) or real(*how))
    [taken] = ask()
    assert (taken == computed).all()
    assert len(blocks) == 1
