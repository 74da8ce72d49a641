"""Cyclical rates rise and fall; training repeats itself to the bit, and stops when the held-out error rises."""

from dataclasses import replace

import pytest
import torch

from wna_utils.networks import architectures, cyclic
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.training import accuracy, trained

QUICK = Cyclic(cycles=2, iterations=150, held_out=200)


def test_rate_is_a_triangle_in_every_cycle():
    recipe = Cyclic(cycles=3, iterations=100, highest=0.1, decay=0.5)
    rates = [recipe.rate(i) for i in range(300)]
    assert max(rates[:100]) == pytest.approx(0.1, rel=0.02)
    assert rates[49] == pytest.approx(rates[50])
    assert sum(rates[:100]) / 100 == pytest.approx(0.05)
    assert rates[100:200] == pytest.approx([rate / 2 for rate in rates[:100]])
    assert min(rates) > 0


@pytest.mark.parametrize("change", [{"cycles": 0}, {"iterations": 0}, {"highest": 0}, {"decay": 1.1}, {"noise": -0.1}])
def test_impossible_recipe_is_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        Cyclic(**change)


def test_networks_are_those_of_table_1():
    net1, net2 = architectures.build("elu_mlp", (1, 28, 28), 10, 0), architectures.build("all_cnn", (3, 32, 32), 10, 0)
    assert [net1.get_submodule(f"fc{i}").out_features for i in range(1, 13)] == [200] * 12
    assert [net2.get_submodule(f"conv{i}").out_channels for i in range(1, 8)] == [96, 96, 96, 192, 192, 192, 192]
    assert [net2.get_submodule(f"fc{i}").out_features for i in range(1, 4)] == [512] * 3
    for network, shape in ((net1, (1, 28, 28)), (net2, (3, 32, 32))):
        answers = network.eval()(torch.rand(2, *shape))
        assert answers.shape == (2, 10)
        assert ((answers > 0) & (answers < 1)).all()


def test_dropout_keeps_nine_tenths():
    network = architectures.build("elu_mlp", (1, 28, 28), 10, 0)
    assert {round(each.p, 6) for each in network if isinstance(each, torch.nn.Dropout)} == {0.1}


@pytest.mark.slow
def test_training_learns_digits_and_repeats_itself(digits):
    network = trained("elu_mlp", digits, recipe=QUICK)
    assert accuracy(network, digits) > 0.85
    again = list(
        cyclic.fit_classifier(
            architectures.build("elu_mlp", digits.shape, 10, 0), digits, QUICK, 0, torch.device("cpu")
        )
    )
    assert len(again) == QUICK.epochs
    for name, value in network.state_dict().items():
        assert torch.equal(again[-1][name], value)


def test_training_stops_when_the_held_out_error_rises(digits, monkeypatch):
    errors = iter([0.3, 0.4, 0.5])
    monkeypatch.setattr(cyclic, "held_out_error", lambda *_: next(errors))
    recipe = replace(QUICK, cycles=5, iterations=3, patience=2)
    network = architectures.build("elu_mlp", digits.shape, 10, 0)
    states = list(cyclic.fit_classifier(network, digits, recipe, 0, torch.device("cpu")))
    assert len(states) == 5  # the last three are the same
    last = [state["out.bias"] for state in states]
    assert not torch.equal(last[1], last[2])
    assert torch.equal(last[2], last[4])


def test_what_is_held_out_is_not_learnt(digits):
    with pytest.raises(ValueError, match="training images beside those held out must be 1 or more"):
        next(cyclic.fit_classifier(torch.nn.Identity(), digits, Cyclic(), 0, torch.device("cpu")))


def last_state(digits, recipe):
    network = architectures.build("elu_mlp", digits.shape, 10, 0)
    *_, last = cyclic.fit_classifier(network, digits, recipe, 0, torch.device("cpu"))
    return last["out.bias"]


def test_held_out_images_are_not_learnt(digits):
    recipe = replace(QUICK, cycles=1, iterations=5)
    x = digits.x_train.clone()
    x[-recipe.held_out :] = 1 - x[-recipe.held_out :]
    assert torch.equal(last_state(digits, recipe), last_state(replace(digits, train=x), recipe))
    x[0] = 1 - x[0]  # drawn among 640, hardly ever missed
    wide = replace(recipe, batch_size=2_000)
    assert not torch.equal(last_state(digits, wide), last_state(replace(digits, train=x), wide))


@pytest.mark.parametrize("change", [{"noise": 0.5}, {"highest": 2e-3}, {"decay": 0.5, "cycles": 2}])
def test_noise_and_rates_change_what_is_learnt(digits, change):
    recipe = replace(QUICK, cycles=change.get("cycles", 1), iterations=5)
    assert not torch.equal(last_state(digits, recipe), last_state(digits, replace(recipe, **change)))


def test_held_out_error_by_hand():
    def loss(network, images, wanted):
        return cyclic.squared_error(network(images), wanted)

    network = torch.nn.Flatten()
    x, wanted = torch.tensor([[[[1.0, 0.0]]], [[[0.0, 0.0]]]]), torch.tensor([[0.0, 0.0], [0.0, 2.0]])
    assert cyclic.held_out_error(network, (x, wanted), loss) == pytest.approx(1.25)
    assert cyclic.held_out_error(network, (x[:0], wanted[:0]), loss) == 0


def test_noise_has_a_spread_between_none_and_the_most():
    torch.manual_seed(0)
    noise = cyclic.noisy(torch.zeros(2_000, 1, 40, 40), 0.5).flatten(1).std(1)
    assert noise.min() < 0.02
    assert 0.48 < noise.max() < 0.6
    assert noise.mean() == pytest.approx(0.25, abs=0.01)


def test_squared_error_is_half_the_squared_distance():
    assert cyclic.squared_error(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])).tolist() == [2.5]
