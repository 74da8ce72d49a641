"""Gradient ascent: what it gives in closed form, where it stops, and that it leaves everything else alone."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from wna_utils.interventions.ascent import ascend

SHAPE = (1, 4, 4)


@pytest.fixture
def linear():
    """A softmax over two linear scores of sixteen pixels."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2, bias=False)).eval()
    network[1].weight.data = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    return network


def test_ascent_on_a_linear_softmax_goes_straight_along_the_difference_of_the_weights(linear):
    start = torch.full((1, *SHAPE), 0.5)
    [called] = linear(start).argmax(1).tolist()
    found = ascend(linear, start, [1 - called], confidences=(0.55,), length=0.02)
    apart = (linear[1].weight[1 - called] - linear[1].weight[called]).detach()
    [[steps]] = found.steps
    expected = start.flatten() + steps * 0.02 * apart / apart.norm()
    assert steps > 0
    assert found.images[0, 0].flatten() == pytest.approx(expected.numpy(), abs=1e-5)
    scores = linear(start)[0].detach()
    score = scores[1 - called] - scores[called] + steps * 0.02 * apart.norm()
    assert found.probability[0, 0] == pytest.approx(float(torch.sigmoid(score)), abs=1e-6)
    assert found.probability[0, 0] >= 0.55
    before = torch.sigmoid(score - 0.02 * apart.norm())
    assert before < 0.55  # it stops at the first step that gets there


def test_stops_on_one_way_are_those_of_ways_of_their_own(linear):
    start = torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(1))
    targets, levels = [0, 1, 0, 1, 1], (0.52, 0.55, 0.6)
    together = ascend(linear, start, targets, confidences=levels, length=0.03)
    for i, level in enumerate(levels):
        alone = ascend(linear, start, targets, confidences=(level,), length=0.03)
        assert together.steps[i].tolist() == alone.steps[0].tolist()
        assert together.images[i] == pytest.approx(alone.images[0].numpy(), abs=1e-6)
    assert together.reached.all()
    assert (np.diff(together.steps, axis=0) >= 0).all()


def test_images_stay_images_and_what_cannot_be_reached_ends_with_the_last_step(linear):
    found = ascend(linear, torch.rand(3, *SHAPE), [0, 1, 0], confidences=(0.999999,), length=5.0, steps=4)
    assert found.images.min() >= 0
    assert found.images.max() <= 1
    assert found.steps.tolist() == [[4, 4, 4]]
    assert not found.reached.any()


def test_a_start_that_is_there_already_is_returned_as_it_is(linear):
    start = torch.rand(4, *SHAPE)
    own = linear(start).argmax(1)
    found = ascend(linear, start, own, confidences=(0.5,))
    assert found.steps.tolist() == [[0] * 4]
    assert torch.equal(found.images[0], start)


def test_the_pull_keeps_images_near_the_centre(linear):
    start = torch.full((1, *SHAPE), 0.5)
    free, held = (
        ascend(linear, start, [1], confidences=(0.99999,), length=0.05, steps=60, pull=pull) for pull in (0.0, 5.0)
    )
    assert (held.images - 0.5).norm() < (free.images - 0.5).norm()


def test_batches_make_no_difference_and_the_network_is_left_alone(linear):
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3)).eval()
    before = copy.deepcopy(network.state_dict())
    start = torch.rand(9, *SHAPE)
    targets = [0, 1, 2] * 3
    found = ascend(network, start, targets, confidences=(0.5,), length=0.05)
    parts = [ascend(network, start[i : i + 1], targets[i : i + 1], confidences=(0.5,), length=0.05) for i in range(9)]
    assert found.images[0] == pytest.approx(torch.cat([each.images[0] for each in parts]).numpy(), abs=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not network.training
    assert all(each.grad is None and each.requires_grad for each in network.parameters())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"confidences": (0.0, 0.5)}, "rise between 0 and 1"),
        ({"confidences": (1.0,)}, "rise between 0 and 1"),
        ({"confidences": (0.9, 0.5)}, "rise between 0 and 1"),
        ({"confidences": ()}, "rise between 0 and 1"),
        ({"targets": [2, 0]}, "0 to 1"),
        ({"targets": [-1, 0]}, "0 to 1"),
        ({"targets": [1]}, "a class for each of 2 images"),
        ({"own": [1, 1]}, "image 1 is of class 1 already: give it another target"),
        ({"own": [1]}, "a class for each of 2 images"),
        ({"length": 0.0}, "greater than 0"),
        ({"pull": -1.0}, "0 or more"),
        ({"steps": 0}, "1 or more"),
    ],
)
def test_bad_input_is_told_in_a_sentence(linear, change, words):
    good = {"targets": [0, 1], "confidences": (0.9,)}
    with pytest.raises(ValueError, match=words):
        ascend(linear, torch.rand(2, *SHAPE), **(good | change))
