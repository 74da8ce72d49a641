"""What a GPU does is what the CPU does: noise to the bit, answers to rounding, and all of it stays where it is."""

import numpy as np
import pytest
import torch

from wna_utils.analysis.activations import activations_by_class, called_when_mixed
from wna_utils.interventions.attacks import fool
from wna_utils.interventions.stimulation import map_activation, psychometric
from wna_utils.networks import architectures
from wna_utils.networks.layers import readout
from wna_utils.networks.observer import Observer
from wna_utils.observe.cells import CellTally
from wna_utils.observe.loop import observe, shown
from wna_utils.observe.spike_triggered_average import spike_triggered
from wna_utils.stimuli.pictures import SignalPlusNoise
from wna_utils.stimuli.white import WhiteNoise

pytestmark = pytest.mark.cuda
SHAPE = (1, 28, 28)
NOISE = WhiteNoise(SHAPE, seed=1)
PLACES = ("cpu", "cuda")


@pytest.fixture(scope="module")
def network():
    return architectures.build("cnn", SHAPE, 10, seed=0)


@pytest.fixture(scope="module")
def images():
    return torch.rand(40, *SHAPE, generator=torch.Generator().manual_seed(0))


def test_planted_observer_gives_the_same_tally_to_the_bit(planted):
    here, there = (observe(planted, WhiteNoise((1, 8, 8)), 20_500, device=place, cache=False) for place in PLACES)
    assert abs(here.counts - there.counts).sum() <= 2  # a score that hangs on how a product is rounded
    assert here.n == there.n == 20_500
    assert there.tensors()["sums"].device.type == "cpu"


def test_noise_and_answers_stay_on_the_gpu(network):
    observer = Observer(network, SHAPE, device="cuda")
    for block, answers in shown(observer, NOISE, 0, 4_000):
        assert block.stimuli.device.type == answers["scores"].device.type == "cuda"


def test_tallies_of_cells_and_fields_agree(network, images):
    source = SignalPlusNoise(images, torch.arange(40) % 2, NOISE, 0.3)
    here, there = (observe(network, source, 6_000, into=CellTally(2), device=p, cache=False) for p in PLACES)
    assert abs(here.counts - there.counts).sum() < 60
    fields = [spike_triggered(readout(network, "conv1"), NOISE, 2_000, device=p, cache=False).sta for p in PLACES]
    np.testing.assert_allclose(*fields, atol=1e-4)


def test_activations_agree(network, images):
    found = [activations_by_class(network, ["conv2", "fc1"], NOISE, 2_000, device=p, cache=False) for p in PLACES]
    np.testing.assert_allclose(found[0].counts, found[1].counts, atol=20)
    called = [called_when_mixed(network, "conv2", torch.zeros(50, 4, 4), images, [0.5], device=p) for p in PLACES]
    assert (called[0] != called[1]).float().mean() < 0.1


def test_attacks_agree(network, images):
    own, patterns = np.zeros(40), images[:10].numpy()
    here, there = (fool(network, images, own, patterns, [0.3, 0.7], device=p).called for p in PLACES)
    assert (here != there).mean() < 0.05


def test_stimulation_agrees(network, images):
    np.testing.assert_allclose(*(map_activation(network, "conv2", images, device=p) for p in PLACES), atol=1e-3)
    noise = torch.rand(2, 40, *SHAPE)
    counts = [psychometric(network, "fc1", images, 3, [0.2, 0.8], [torch.ones(500)], noise, device=p) for p in PLACES]
    np.testing.assert_allclose(*counts, atol=3)
