"""Steps go against the gradient, by as much as they should, and stay among images if they are to."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from wna_utils.analysis.hidden import HiddenLayers
from wna_utils.analysis.introspection import Place, introspect
from wna_utils.interventions.gradient_paths import Paths, fgsm_steps, paths_on_map
from wna_utils.networks import architectures
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.observer import Observer


@pytest.fixture
def linear():
    """Scores are the pixels' products with planted weights; the gradient of E for a target is known."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False), nn.Sigmoid())
    network[1].weight.data = torch.tensor([[1.0, -1, 2, 0], [-1, 1, -2, 0]])
    return network.eval()


IMAGES = torch.full((2, 1, 2, 2), 0.5)


def path_of(network, targets, **how):
    """Images (steps + 1, n, c, h, w) on their way to the targets."""
    observer = Observer(network, (1, 2, 2), device="cpu")
    return torch.stack([images for images, _ in fgsm_steps(observer, IMAGES, torch.tensor(targets), **how)])


def test_direction_on_a_linear_network(linear):
    path = path_of(linear, [0, 1], eps=0.1, steps=1)
    towards_0 = torch.tensor([[0.6, 0.4], [0.6, 0.5]])
    torch.testing.assert_close(path[1, 0, 0], towards_0)
    torch.testing.assert_close(path[1, 1, 0], 1 - towards_0)
    assert torch.equal(path[0], IMAGES)


def test_path_leads_to_the_target_and_is_clipped(linear):
    path = path_of(linear, [0, 1], eps=0.1, steps=20)
    assert path.shape == (21, 2, 1, 2, 2)
    assert path.min() == 0
    assert path.max() == 1
    with torch.no_grad():
        assert linear(path[-1]).argmax(1).tolist() == [0, 1]
    assert (path.diff(dim=0).abs() <= 0.1 + 1e-6).all()
    free = path_of(linear, [0, 1], eps=0.1, steps=20, clip=False)
    assert free.max() == pytest.approx(2.5, abs=1e-4)


def test_network_is_not_changed(linear):
    before = {name: value.clone() for name, value in linear.state_dict().items()}
    path_of(linear, [0, 1], steps=2)
    assert all(torch.equal(value, before[name]) for name, value in linear.state_dict().items())
    assert linear[1].weight.grad is None


@pytest.mark.parametrize(
    ("targets", "change", "message"),
    [
        ([0, 2], {}, "target must lie between 0 and 1; got 2"),
        ([0], {}, "images and targets must be as many; got 2 and 1"),
        ([0, 1], {"eps": 0}, "eps must be greater than 0"),
        ([0, 1], {"steps": 0}, "steps must be 1 or more"),
    ],
)
def test_impossible_attacks_are_refused(linear, targets, change, message):
    with pytest.raises(ValueError, match=message):
        path_of(linear, targets, **change)


@pytest.fixture
def walks():
    """Three attacks on images of class 0: two towards 1, of which one fails, and one towards 2, on the first image."""
    codes = np.array(
        [
            [[0, 0], [0, 1], [0, 0]],
            [[1, 0], [1, 1], [0, -4]],
            [[2, 0], [2, 1], [0, -8]],
        ],
        float,
    )
    return Paths(
        image=np.array([0, 1, 0]),
        own=np.array([0, 0, 0]),
        target=np.array([1, 1, 2]),
        codes=codes,
        calls=np.array([[0, 0, 0], [1, 0, 2], [1, 0, 2]]),
        expected=np.array([[-4.0, -4, -4], [-1, -9, -9], [-6, -9, -2]]),
    )


def test_success_is_what_is_called_in_the_end(walks):
    assert walks.succeeded.tolist() == [True, False, True]


def test_gateways_by_hand(walks):
    """The first and the second go to one target, the second and the third to two; the first and third are one image."""
    assert walks.gateways() == pytest.approx(1 / np.mean([1, 26**0.5, 85**0.5]))
    alone = Paths(*[each[..., :1] for each in (walks.image, walks.own, walks.target)], walks.codes[:, :1], *[
        each[:, :1] for each in (walks.calls, walks.expected)
    ])  # fmt: skip
    assert np.isnan(alone.gateways())


def test_way_ends_with_success(walks):
    assert walks.first_success.tolist() == [1, 2, 1]
    hasty = replace(walks, calls=np.array([[0, 0, 0], [1, 1, 2], [1, 1, 2]]))
    assert hasty.gateways() == pytest.approx(1 / np.mean([1, 26**0.5]))


def test_attacks_that_do_not_move_know_no_gateway():
    """Three images, each attacked towards two targets, stay where they are."""
    places = np.random.default_rng(0).normal(size=(3, 2))
    image, target = np.repeat([0, 1, 2], 2), np.tile([1, 2], 3)
    still = Paths(
        image, np.zeros(6, int), target, np.tile(places[image], (5, 1, 1)), np.zeros((5, 6)), np.zeros((5, 6))
    )
    assert still.gateways() == pytest.approx(1)


def test_error_on_the_way_at_first_success_and_at_the_end(walks):
    found = {when: each.tolist() for when, each in walks.beyond(-3).items()}
    assert found == {"on the way": [True, True], "at first success": [True, False], "at the end": [False, True]}


def test_attack_lands_where_its_target_is_called(walks):
    places = torch.tensor([[2.0, 0.1], [2, -0.1], [0, -8], [0, -8.1]])
    calls = torch.nn.functional.one_hot(torch.tensor([1, 1, 0, 0]), 3).float()
    around = Place(places, torch.zeros(4), torch.zeros(4), calls, lambda: None)
    assert walks.landed(around, k=2).tolist() == [True, False]
    assert walks.landed(around, k=4).tolist() == [False, False]  # half is not most


def test_every_other_class_is_attacked_and_seen_on_the_map(digits):
    network = architectures.build("mlp", digits.shape, 10, 0).eval()
    hidden = HiddenLayers(network, digits.x_train, components=20, device="cpu")
    quick = Cyclic(cycles=1, iterations=5, held_out=100)
    found = introspect(hidden, digits.x_train, digits.y_train, autoencoder=quick, estimator=quick)
    seen = paths_on_map(found, digits.x_test[:2], digits.y_test[:2], steps=3)
    assert seen.codes.shape == (4, 18, 2)
    assert (seen.own != seen.target).all()
    assert len({*zip(seen.own.tolist(), seen.target.tolist(), strict=True)}) == 18
    torch.testing.assert_close(torch.from_numpy(seen.codes[0, 0]), found(digits.x_test[:1]).codes[0])
    first, aims = digits.x_test[:1].expand(9, -1, -1, -1), torch.from_numpy(seen.target[:9])
    *_, (ends, _) = fgsm_steps(hidden.observer, first, aims, steps=3)
    torch.testing.assert_close(torch.from_numpy(seen.codes[-1, :9]), found(ends).codes, atol=1e-4, rtol=1e-4)
    few = paths_on_map(found, digits.x_test[:2], digits.y_test[:2], targets=2, steps=3)
    assert ((few.target - few.own) % 10).tolist() == [1, 2, 1, 2]
    with pytest.raises(ValueError, match="targets must be 1 or more"):
        paths_on_map(found, digits.x_test[:2], digits.y_test[:2], targets=0)
    free = paths_on_map(found, digits.x_test[:2], digits.y_test[:2], steps=3, clip=False)
    assert not np.allclose(free.codes[-1], seen.codes[-1])  # black pixels get darker
