"""Recorded labels tally any of their images as the network would, and none of another noise, network or kind."""

import shutil
from dataclasses import asdict

import numpy as np
import pytest
import torch

from wna_utils.networks import recorded_networks as networks
from wna_utils.networks.training import Recipe, trained
from wna_utils.observe import CallTally, Recording, observe, recorded_labels
from wna_utils.observe.recorded_tallies import Shown
from wna_utils.observe.tally import ClassTally
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support import recorded

QUICK = Recipe(epochs=1)
N = 6_000


@pytest.fixture(scope="module")
def made(digits, shared_records):
    """A folder with a recorded network, and what it calls 6,000 images of fresh noise, of which 2 are altered.

    The altered ones tell labels that were taken from the records from such as were computed.
    """
    name = networks.write(trained("cnn", digits, recipe=QUICK), "cnn", digits, 0, QUICK, {}).stem
    shown = Shown(name, N, seed=7)
    labels = recorded_labels.computed(shown)
    labels[[1_000, 5_999]] = (labels[[1_000, 5_999]] + 1) % 10
    recorded_labels.write(shown, labels, {})
    return shared_records, shown, labels


@pytest.fixture
def shown(made, records_folder):
    folder, shown, _ = made
    shutil.copytree(folder, records_folder, dirs_exist_ok=True)
    return shown


@pytest.fixture
def labels(made):
    return made[2].long()


@pytest.fixture
def network(shown, digits):
    return trained("cnn", digits, recipe=QUICK)


@pytest.fixture
def noise(digits):
    return WhiteNoise(digits.shape, seed=7)


def by_hand(noise, labels, start, stop):
    """Mean image of each label."""
    blocks = range(-(-N // noise.block_size))
    images = torch.cat([noise.block(number).stimuli for number in blocks]).double()
    groups = [images[start:stop][labels[start:stop] == k] for k in range(10)]
    return np.stack([group.mean(0).numpy() for group in groups])


@pytest.mark.parametrize(("start", "n"), [(0, N), (0, 1), (999, 2_002), (4_000, 2_000)])
def test_images_are_tallied_by_their_labels(network, noise, labels, start, n):
    tally = observe(network, noise, n, start=start)
    assert tally.recorded
    assert (tally.counts == labels[start : start + n].bincount(minlength=10).numpy()).all()
    expected = by_hand(noise, labels, start, start + n)
    assert np.allclose(tally.means.filled(np.nan), expected, equal_nan=True)


def test_halves_are_tallied_by_their_labels(network, noise, labels):
    halves = observe(network, noise, N, into=Recording(ClassTally(), 3))
    assert halves.recorded
    assert torch.equal(halves.by_block, torch.stack([part.bincount(minlength=10) for part in labels.split(2_000)]))


def test_without_records_the_network_is_asked(network, noise, labels, monkeypatch):
    monkeypatch.setenv("WNA_RECORDED", "off")
    tally = observe(network, noise, N)
    assert not tally.recorded
    assert abs(tally.counts - labels.bincount(minlength=10).numpy()).sum() in (2, 4)


def test_what_was_tallied_by_labels_is_not_taken_for_computed(network, noise, monkeypatch):
    by_labels = observe(network, noise, N)
    monkeypatch.setenv("WNA_RECORDED", "off")
    assert observe(network, noise, N) != by_labels


def test_anything_else_is_computed(network, noise, digits):
    assert not observe(network, noise, 1, start=N).recorded
    assert not observe(network, WhiteNoise(digits.shape, seed=8), 10).recorded
    assert not observe(network, WhiteNoise(digits.shape, seed=7, contrast=0.5), 10).recorded
    assert not observe(network, WhiteNoise(digits.shape, "normal", seed=7), 10).recorded
    assert not observe(network, noise, 10, into=CallTally()).recorded
    assert not observe(trained("cnn", digits, 1, recipe=QUICK), noise, 10).recorded
    with torch.no_grad():
        network.fc2.bias[3] += 1e-3
    assert not observe(network, noise, 10).recorded


def test_labels_of_another_network_than_is_recorded_now_are_refused(network, noise, shown):
    path = networks.path_of(shown.network)
    tensors, about = recorded.read(path)
    recorded.write(path, tensors | {"fc2.bias": tensors["fc2.bias"] + 1}, about)
    assert "is of another network" in recorded_labels.problem(recorded_labels.path_of(shown))


def test_labels_that_cannot_be_are_told(shown, labels):
    path = recorded_labels.path_of(shown)
    _, about = recorded.read(path)
    for wrong in (labels[1:], labels.clone().fill_(10)):
        recorded.write(path, {"labels": wrong.to(torch.uint8)}, about)
        assert "does not have a label for each image" in recorded_labels.problem(path)
    recorded.write(path, {"labels": labels.to(torch.uint8)}, about | {"shown": asdict(shown) | {"n": 4_000}})
    assert recorded_labels.problem(path) == "is of something else than its name says"


def test_altered_labels_are_found_in_their_block(shown):
    path = recorded_labels.path_of(shown)
    assert [recorded_labels.apart(path, number) for number in range(3)] == [1 / 2_000, 0, 1 / 2_000]
