"""A recorded tally is found for the very same network, noise, number of images and kind of tally, and for no other."""

import shutil
from dataclasses import asdict

import pytest
import torch
from torch import nn

from wna_utils.data import imagenet
from wna_utils.networks import architectures
from wna_utils.networks import recorded_networks as networks
from wna_utils.networks.layers import readout
from wna_utils.networks.observer import Observer
from wna_utils.networks.training import Recipe, trained
from wna_utils.observe import loop
from wna_utils.observe import recorded_tallies as tallies
from wna_utils.observe.graded import GradedTally
from wna_utils.observe.loop import observe
from wna_utils.observe.recorded_tallies import Shown
from wna_utils.observe.recording import Recording
from wna_utils.observe.spike_triggered_average import FieldTally
from wna_utils.observe.tally import ClassTally
from wna_utils.stimuli.blocks import CPU, Block
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support import paths, recorded

QUICK = Recipe(epochs=1)
N = 6_000


@pytest.fixture(scope="module")
def made(digits, shared_records):
    """A folder with a recorded network, 6,000 noise images that it called, averages of its first layer, and grades."""
    name = networks.write(trained("cnn", digits, recipe=QUICK), "cnn", digits, 0, QUICK, {}).stem
    by_class, of_units = Shown(name, N, seed=7), Shown(name, 4_000, seed=7, layer="conv1")
    for shown in (by_class, of_units, Shown(name, 4_000, seed=7, graded="probabilities")):
        recording = Recording(shown.empty(), shown.n // 2_000)
        observe(shown.units(), shown.source(), shown.n, into=recording, cache=False)
        tallies.write(shown, recording, 2_000, {})
    return shared_records


@pytest.fixture
def network(made, digits, records_folder):
    """The recorded network; the records are this test's own."""
    shutil.copytree(made, records_folder, dirs_exist_ok=True)
    return trained("cnn", digits, recipe=QUICK)


@pytest.fixture
def noise(digits):
    return WhiteNoise(digits.shape, seed=7)


@pytest.fixture
def _nothing_is_shown(monkeypatch):
    monkeypatch.setattr(loop, "shown", lambda *_: pytest.fail("it was not found"))


@pytest.fixture
def _asked(network, noise, _nothing_is_shown):
    """Everything is there, and nothing may be shown from now on."""


def test_name_does_not_depend_on_the_order_of_options():
    options = {"bank_of": "code", "add_mean": False}
    names = {Shown("cnn", N, noise="gabor", how=how).name for how in (options, dict(reversed(options.items())))}
    assert names == {f"cnn-gabor-add_mean-False-bank_of-code-{N}"}


@pytest.mark.usefixtures("_asked")
@pytest.mark.parametrize("name", ["colour_digits", "mnist"])
def test_records_of_networks_for_other_images_are_no_trouble(network, noise, name, records_folder):
    """As many images of noise of the same seed, shown to a network that cannot take these, and that comes first."""
    shape = (3, 16, 16) if name == "colour_digits" else (1, 28, 28)
    other = architectures.build("mlp", shape, 10, seed=0).eval()
    known = recorded.about(networks.path_of(networks.names()[0]))
    about = known | {"model": "mlp", "shape": shape, "dataset": name}
    recorded.write(networks.path_of("a-network"), recorded.rounded(other.state_dict()), about)
    tensors, known = recorded.read(next((records_folder / "tallies").glob(f"*-white-{N}*")))
    shown = Shown("a-network", N, seed=7)
    recorded.write(shown.path, tensors, known | {"shown": asdict(shown)})
    assert observe(network, noise, N).recorded


@pytest.mark.usefixtures("_asked")
def test_record_that_is_just_being_written_is_not_read(network, noise, records_folder):
    (records_folder / "tallies" / f".cnn-white-{N}.safetensors.xz.5f").write_bytes(b"")
    assert observe(network, noise, N).recorded


@pytest.mark.usefixtures("_asked")
def test_recorded_tallies_come_back(network, noise):
    found = observe(network, noise, N)
    assert found.recorded
    assert found.n == N
    assert observe(readout(network, "conv1"), noise, 4_000, into=FieldTally()).n == 4_000
    in_blocks = observe(network, noise, N, into=Recording(ClassTally(), 3))
    assert in_blocks.whole == found
    assert torch.equal(in_blocks.by_block.sum(0), torch.from_numpy(found.counts))


@pytest.mark.usefixtures("_asked")
def test_recorded_graded_tallies_come_back(network, noise):
    found = observe(network, noise, 4_000, into=GradedTally("probabilities"))
    assert found.recorded
    assert found.n == 4_000


@pytest.mark.parametrize("other", [GradedTally("scores"), GradedTally("probabilities", temperature=2)])
def test_another_scale_is_computed(network, noise, other):
    assert not observe(network, noise, 4_000, into=other).recorded


def test_recorded_tally_is_what_is_computed(network, noise, monkeypatch):
    found = observe(network, noise, N)
    monkeypatch.setenv("WNA_RECORDED", "off")
    computed = observe(network, noise, N)
    assert (found.counts == computed.counts).all()
    assert abs(found.z - computed.z).max() < 1e-3  # seven digits of every sum are kept
    assert not computed.recorded


class Turned(nn.Module):
    """The same weights in a network that answers otherwise."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return -self.network(x)


def other_weights(network):
    with torch.no_grad():
        network.fc2.bias[3] += 1e-3
    return network


def strided(network):
    network.pool1.stride = 2  # as before
    network.conv1.padding_mode = "reflect"
    return network


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (other_weights, {}),
        (Turned, {}),
        (strided, {}),
        (None, {"n": N - 2_000}),
        (None, {"start": 2_000}),
        (None, {"precision": "bf16"}),
        (None, {"preprocess": nn.Identity()}),
        (None, {"cache": False}),
    ],
)
def test_anything_else_is_computed(network, noise, change, how):
    found = observe(change(network) if change else network, noise, **{"n": N} | how)
    assert not found.recorded
    assert found.n == how.get("n", N)


@pytest.mark.parametrize(
    "other", [{"seed": 8}, {"contrast": 0.5}, {"mean": 0.4}, {"distribution": "binary"}, {"antithetic": True}]
)
def test_other_noise_is_computed(network, digits, other):
    assert not observe(network, WhiteNoise(digits.shape, **{"seed": 7} | other), N).recorded


class Mirrored(WhiteNoise):
    """Noise of a class of one's own, with the same settings."""

    def block(self, number, device=CPU):
        return Block.of_noise(number, 1 - super().block(number, device).noise)


def test_noise_of_a_class_of_ones_own_is_computed(network, digits):
    assert not observe(network, Mirrored(digits.shape, seed=7), N).recorded


def test_tally_of_a_network_that_was_recorded_anew_is_computed(network, noise, digits):
    [name] = networks.names()
    other = trained("cnn", digits, seed=1, recipe=QUICK)
    networks.write(other, "cnn", digits, 0, QUICK, {})
    assert [name] == networks.names()
    assert not observe(networks.load(name), noise, N).recorded


@pytest.mark.parametrize(("blocks", "first"), [(4, 0), (3, 1)])
def test_recording_of_other_blocks_is_computed(network, noise, blocks, first):
    into = Recording(ClassTally(), blocks, first)
    start = first * 2_000
    assert not observe(network, noise, N, into=into, start=start).recorded


def test_sum_of_a_recorded_and_a_computed_tally_is_not_recorded(network, noise):
    found, more = observe(network, noise, N), observe(network, noise, 2_000, start=N)
    assert not (found + more).recorded
    assert not (more + found).recorded
    assert observe(network, noise, N, into=Recording(ClassTally(), 3)).whole.recorded


def test_another_kind_of_tally_is_computed(network, noise):
    assert not observe(readout(network, "conv1"), noise, N, into=FieldTally()).recorded
    assert not observe(network, noise, 4_000).recorded


def test_records_of_networks_that_were_not_fetched_are_passed_over(monkeypatch, tmp_path):
    """Noise that was shown to a network of ImageNet, but another observer: nothing is fetched to find that out."""
    monkeypatch.setenv("WNA_DATA", str(tmp_path))
    monkeypatch.setattr(imagenet, "weights_folder", lambda _: pytest.fail("it was fetched"))
    monkeypatch.setattr(recorded, "folder", lambda: paths.ROOT / "book" / "recorded")
    path = next((recorded.folder() / "tallies").glob("resnet50-imagenet-graded*"))
    shown = Shown(**recorded.about(path)["shown"])
    observer = Observer(nn.Sequential(nn.Flatten(), nn.Linear(192, 10)).eval(), (3, 8, 8))
    tally = shown.empty()
    tally.prepare(observer)
    assert tallies.find(observer, shown.source(), shown.n, tally) is None


@pytest.mark.usefixtures("network")
def test_record_of_another_kind_is_not_taken_for_it(records_folder):
    path = next((records_folder / "tallies").glob("*-conv1-*"))
    tensors, about = recorded.read(path)
    other = Shown(**about["shown"] | {"n": 2_000})
    recorded.write(other.path, tensors, about)
    with pytest.raises(ValueError, match="is of something else"):
        tallies.load(other)
