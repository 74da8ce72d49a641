"""Stages of training are what networks do after each cycle, and are found where they are recorded."""

from dataclasses import replace

import pytest
import torch

from wna_utils.analysis import stages
from wna_utils.analysis.hidden import HiddenLayers
from wna_utils.analysis.reordering import between_classes
from wna_utils.networks import architectures
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.training import accuracy, trained

RECIPE = Cyclic(cycles=2, iterations=60, held_out=100)
N = 60


@pytest.fixture(scope="module")
def found(digits, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WNA_CACHE", str(tmp_path_factory.mktemp("cache")))
        return stages.stages("elu_mlp", digits, 1, RECIPE, N)


def test_stages_are_those_of_the_networks_after_each_cycle(digits, found):
    images, labels = digits.x_test[:N], digits.y_test[:N].numpy()
    networks = [architectures.build("elu_mlp", digits.shape, 10, 1).eval()]
    networks += [trained("elu_mlp", digits, 1, recipe=RECIPE, epoch=cycle) for cycle in (1, 2)]
    hidden = [HiddenLayers(network, images).raw(images) for network in networks]
    for share, each in zip(found.apart, hidden, strict=True):
        assert float(share) == pytest.approx(between_classes(each.numpy(), labels), abs=1e-6)
    assert float(found.accuracy) == pytest.approx(accuracy(networks[-1], digits))
    assert found.apart[-1] > found.apart[0]
    # As many components as there are images hold nearly all of what tells activations of all stages apart.
    before, after = torch.cdist(hidden[0], hidden[2]), torch.cdist(found.features[0], found.features[2])
    assert torch.corrcoef(torch.stack([before.flatten(), after.flatten()]))[0, 1] > 0.99
    assert float(found.features.square().mean()) == pytest.approx(1, abs=0.05)


def test_recorded_stages_are_found_for_the_same_settings_alone(digits, found, records_folder, monkeypatch):
    stages.write(found, "elu_mlp", digits, 1, RECIPE, N, {})
    monkeypatch.setattr(stages, "trained", lambda *_, **__: pytest.fail("they were not found"))
    again = stages.stages("elu_mlp", digits, 1, RECIPE, N)
    torch.testing.assert_close(again.features, found.features, atol=5e-3, rtol=1e-3)
    torch.testing.assert_close(again.apart, found.apart)
    for how in ((2, RECIPE, N), (1, RECIPE, N + 1), (1, replace(RECIPE, iterations=31), N)):
        with pytest.raises(pytest.fail.Exception):
            stages.stages("elu_mlp", digits, *how)
    monkeypatch.setenv("WNA_RECORDED", "off")
    with pytest.raises(pytest.fail.Exception):
        stages.stages("elu_mlp", digits, 1, RECIPE, N)


def test_a_network_without_hidden_dense_layers_is_refused(digits):
    with pytest.raises(ValueError, match="has no hidden dense layers"):
        stages.stages("logistic", digits, 1, RECIPE, N)
