import copy
import dataclasses
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from wna_utils.interventions.stimulation import (
    Experiment,
    bias_change,
    map_activation,
    noise_for,
    psychometric,
    responses,
    stimulated,
    to_other_maps,
)
from wna_utils.networks import architectures
from wna_utils.stimuli.white import WhiteNoise

LAYERS = ["conv1", "conv2", "fc1"]


@pytest.fixture(scope="module")
def network():
    return architectures.build("cnn", (1, 28, 28), 10, seed=0).eval()


@pytest.fixture
def images():
    return torch.rand(20, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def test_equation_6_by_hand():
    maps = torch.tensor([[[1.0, 2.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 4.0]]])  # sums 4 and 4, maxima 2 and 4
    assert bias_change(maps, "conv2", k=3).tolist() == [3 * 4 / 2, 3 * 4 / 4]
    assert bias_change(maps, "conv1", k=3).tolist() == pytest.approx([0.1 * 3 * 2, 0.1 * 3 * 1])
    assert bias_change(maps * torch.tensor([1, 2])[:, None, None], "conv2", k=3, rule="code").tolist() == [1.5, 3.0]
    assert bias_change(maps, "conv2", k=3, sign="decrease").tolist() == [-6, -3]


def test_dense_neurons_are_maps_of_their_own():
    neurons = torch.tensor([0.0, 2.0, 5.0])[:, None, None]
    assert bias_change(neurons, "fc1", k=10).tolist() == pytest.approx([0, 0.1, 0.1])
    assert bias_change(neurons, "fc1", k=10, rule="code").tolist() == pytest.approx([0, 0.2, 0.5])


def test_a_silent_layer_gets_nothing():
    for rule in ("paper", "code"):
        assert bias_change(torch.zeros(4, 3, 3), "conv1", k=10, rule=rule).tolist() == [0] * 4


@pytest.mark.parametrize("layer", LAYERS)
@torch.inference_mode()
def test_mean_activation_is_that_of_the_layer(network, images, layer):
    x = images
    for name, module in network.named_children():
        if name.startswith("pool") and name[-1] == layer[-1] and layer.startswith("conv"):
            continue
        x = module(x)
        if name == {"conv1": "relu1", "conv2": "relu2", "fc1": "relu3"}[layer]:
            break
    found = map_activation(network, layer, images)
    torch.testing.assert_close(found, x.mean(0).reshape(found.shape))


@pytest.mark.parametrize("layer", LAYERS)
@torch.inference_mode()
def test_responses_are_those_of_a_changed_copy(network, images, layer):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    activation = map_activation(network, layer, images)
    changes = [bias_change(activation, layer, k, "code", sign) for k in (0, 4) for sign in ("increase", "decrease")]
    found = responses(network, layer, images, changes)
    plain = network(images)
    assert torch.equal(found[0], plain.argmax(1))
    for change, called in zip(changes, found, strict=True):
        assert torch.equal(called, stimulated(network, layer, change)(images).argmax(1))
    assert torch.equal(stimulated(network, layer, changes[0])(images), plain)  # k = 0, to the last bit
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_plus_and_minus_mirror_each_other_on_a_linear_read_out():
    network = nn.Sequential()
    network.add_module("flatten", nn.Flatten())
    network.add_module("fc1", nn.Linear(16, 2))
    nn.init.zeros_(network.fc1.bias)
    x = torch.randn(200, 1, 4, 4)
    change = torch.tensor([0.3, -0.3])
    up, down = responses(network, "fc1", torch.cat([x, -x]), [change, -change])
    assert torch.equal(up[:200], 1 - down[200:])


def test_counts_equal_brute_force(network, images):
    levels = [0.0, 0.5, 1.0]
    noise = noise_for(levels, 25, WhiteNoise((1, 28, 28), seed=3))
    assert not torch.equal(noise[0], noise[1])
    change = bias_change(map_activation(network, "conv2", images), "conv2", 2, "code")
    target = 4
    found = psychometric(network, "conv2", images, target, levels, [0 * change, change], noise)
    for i, level in enumerate(levels):
        x = level * images + (1 - level) * noise[i, :20]
        for row, of in enumerate((network, stimulated(network, "conv2", change))):
            with torch.inference_mode():
                assert found[row, i] == (of(x).argmax(1) == target).sum()


def test_the_control_gives_the_same_to_others():
    change = torch.arange(50.0)
    other = to_other_maps(change, seed=3)
    assert not torch.equal(other, change)
    assert torch.equal(other.sort().values, change)
    assert torch.equal(other, to_other_maps(change, seed=3))


def test_an_unknown_class_is_one_sentence(network, images):
    with pytest.raises(ValueError, match="target must be one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9; got 10"):
        psychometric(network, "conv1", images, 10, [0.0], [torch.zeros(20)], torch.zeros(1, 20, 1, 28, 28))


def test_more_images_than_a_block_of_noise_has_is_one_sentence():
    with pytest.raises(ValueError, match="at most 2,000 images can be mixed with a block of noise; got 2,001"):
        noise_for([0.0], 2001, WhiteNoise((1, 28, 28)))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"layer": "conv7"}, "layer must be one of conv1, conv2, fc1; got 'conv7'"),
        ({"rule": "mine"}, "rule must be one of paper, code; got 'mine'"),
        ({"sign": "up"}, "sign must be one of increase, decrease; got 'up'"),
        ({"k": -1}, "k must be 0 or more; got -1"),
    ],
)
def test_bad_requests_are_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        bias_change(torch.ones(2, 3, 3), **{"layer": "conv1", **arguments})


@pytest.fixture
def experiment(network, images):
    """Two networks that are shown images of three classes, each at two levels."""
    levels = [0.3, 1.0]
    noise = [noise_for(levels, 5, WhiteNoise((1, 28, 28), seed=seed)) for seed in (0, 1)]
    networks = [network, architectures.build("cnn", (1, 28, 28), 10, seed=1).eval()]
    shown = [[images[5 * k : 5 * k + 5] for k in range(3)], [images[5 * k + 5 : 5 * k + 10] for k in range(3)]]
    return Experiment(networks, [images[k::3] for k in range(3)], shown, noise, levels)


def test_experiment_is_its_psychometric_curves(experiment):
    found = experiment.recognised("conv2", (-3, 0, 3), "paper")
    assert found.shape == (2, 3, 3, 2)
    i, k = 1, 2
    activation = map_activation(experiment.networks[i], "conv2", experiment.typical[k])
    changes = [
        bias_change(activation, "conv2", abs(s), "paper", "decrease" if s < 0 else "increase") for s in (-3, 0, 3)
    ]
    shown = (experiment.images[i][k], k, experiment.levels, changes, experiment.noise[i])
    assert np.array_equal(found[i, k], psychometric(experiment.networks[i], "conv2", *shown).numpy())


def test_some_classes_are_those_of_all(experiment):
    of_all = experiment.recognised("fc1", (0, 5))
    assert np.array_equal(experiment.recognised("fc1", (0, 5), classes=[2]), of_all[:, [2]])


def test_wrong_maps_get_the_same_changes_in_another_order(experiment):
    change = experiment.change(0, "fc1", 1, 8)
    shown = (experiment.images[0][1], 1, experiment.levels, [to_other_maps(change, seed=1)], experiment.noise[0])
    expected = psychometric(experiment.networks[0], "fc1", *shown).numpy()
    assert np.array_equal(experiment.recognised("fc1", [8], wrong_maps=True)[0, 1], expected)


def test_lowered_biases_are_raised_ones_with_the_other_sign(experiment):
    assert torch.equal(experiment.change(0, "conv1", 0, -2), -experiment.change(0, "conv1", 0, 2))


def test_recorded_answers_come_back_and_one_part_is_computed_again(experiment, in_records, monkeypatch):
    ask = partial(experiment.recognised, "conv2", (-3, 0, 3), "paper")
    computed, names = in_records(ask)
    assert len(names) == 2 * 3
    parts, real = [], Experiment._of_class
    monkeypatch.setattr(Experiment, "_of_class", lambda *how: parts.append(how) or real(*how))
    assert np.array_equal(ask(), computed)
    assert len(parts) == 1
    monkeypatch.setattr(Experiment, "_of_class", lambda *how: real(*how) + 1)
    with pytest.raises(ValueError, match="stimulation of conv2 differ by"):
        ask()


def with_tanh(network):
    other = copy.deepcopy(network)
    other.relu1 = nn.Tanh()
    return other


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (lambda of: {}, {"layer": "conv1"}),
        (lambda of: {}, {"strengths": (0, 4)}),
        (lambda of: {}, {"rule": "paper"}),
        (lambda of: {}, {"wrong_maps": True}),
        (lambda of: {"levels": [0.0, 0.4]}, {}),
        (lambda of: {"networks": [with_tanh(network) for network in of.networks]}, {}),
        (lambda of: {"typical": [images + 1e-3 for images in of.typical]}, {}),
        (lambda of: {"images": [[images + 1e-3 for images in own] for own in of.images]}, {}),
        (lambda of: {"noise": [noise + 1e-3 for noise in of.noise]}, {}),
    ],
)
def test_recorded_answers_to_anything_else_are_not_taken(experiment, in_records, change, how):
    usual = {"layer": "fc1", "strengths": (0, 3), "rule": "code", "wrong_maps": False}
    _, before = in_records(lambda: experiment.recognised(**usual))
    other = dataclasses.replace(experiment, **change(experiment))
    _, after = in_records(lambda: other.recognised(**usual | how))
    assert len(before) == len(after) == 6
    assert not before & after


def test_classes_with_the_same_images_are_told_apart(experiment, in_records):
    alike = dataclasses.replace(
        experiment, typical=[experiment.typical[0]] * 3, images=[[experiment.images[0][0]] * 3] * 2
    )
    _, names = in_records(lambda: alike.recognised("fc1", (0, 3)))
    assert len(names) == 6
