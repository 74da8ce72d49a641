"""A source keeps its word or is refused, and a tally comes back only to what it belongs to."""

import os
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from wna_utils.observe.cells import CellTally
from wna_utils.observe.loop import NotCached, observe
from wna_utils.observe.spike_triggered_average import FieldTally
from wna_utils.stimuli.blocks import Block, Source, block_size
from wna_utils.stimuli.philox import uniform
from wna_utils.stimuli.pictures import Pictures, SignalPlusNoise
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support.paths import ROOT, cache_dir

SHAPE = (1, 8, 8)
GAIN = 1.0


class Gain(nn.Module):
    """A gain that no weight, and no public attribute, tells of."""

    def __init__(self, gain):
        super().__init__()
        torch.manual_seed(0)
        self.fc, self._gain = nn.Linear(64, 3), gain

    def forward(self, x):
        return self._gain * self.fc(x.flatten(1))


class Hidden(Gain):
    """The same in a buffer that is not saved."""

    def __init__(self, gain):
        super().__init__(1)
        self.register_buffer("sign", torch.tensor(float(gain)), persistent=False)

    def forward(self, x):
        return self.sign * super().forward(x)


def scaled(x):
    return GAIN * x


class Helped(Gain):
    """The same in a constant that a helper reads."""

    def forward(self, x):
        return scaled(super().forward(x))


@pytest.mark.parametrize("kind", [Gain, Hidden])
def test_tally_comes_back_only_to_the_network_that_it_is_of(kind):
    first, second = (observe(kind(gain), WhiteNoise(SHAPE), 1_000) for gain in (1, -1))
    assert first != second
    assert second == observe(kind(-1), WhiteNoise(SHAPE), 1_000, cache=False)
    assert len(list(cache_dir().rglob("*.safetensors"))) == 2


def test_tally_of_a_network_whose_helper_was_edited_is_made_anew(monkeypatch):
    first = observe(Helped(1), WhiteNoise(SHAPE), 1_000)
    monkeypatch.setattr(sys.modules[__name__], "GAIN", -1.0)
    assert observe(Helped(1), WhiteNoise(SHAPE), 1_000) != first


def test_settings_that_a_module_does_not_show_count():
    def network(eps):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.LayerNorm(3))
        network[2].eps = eps
        return network

    noise = WhiteNoise(SHAPE)
    observe(network(1e-5), noise, 1_000), observe(network(1e3), noise, 1_000)
    assert len(list(cache_dir().rglob("*.safetensors"))) == 2


@pytest.mark.parametrize("part", ["wna_utils.stimuli.white.uniform", "wna_utils.observe.tally.UNIT"])
def test_tally_is_made_anew_where_a_helper_of_source_or_tally_was_edited(planted, monkeypatch, part):
    source = SignalPlusNoise(torch.rand(2, *SHAPE), torch.tensor([0, 1]), WhiteNoise(SHAPE), 0.3)
    observe(planted, source, 1_000)
    changed = 2.0**23 if part.endswith("UNIT") else (lambda *arguments: 1 - uniform(*arguments))
    monkeypatch.setattr(part, changed)
    observe(planted, source, 1_000)
    assert len(list(cache_dir().rglob("*.safetensors"))) == 2


@dataclass(frozen=True)
class Odd(Source):
    """Noise with a fault."""

    fault: str
    shape: tuple[int, int, int] = SHAPE

    def block(self, number, device="cpu"):
        x = torch.rand(self.block_size, *SHAPE)
        if self.fault == "short":
            return Block.of_noise(number, x[:500])
        if self.fault == "array":
            return Block.of_noise(number, x.numpy())
        if self.fault == "double":
            return Block.of_noise(number, x.double())
        if self.fault == "shape":
            return Block.of_noise(number, x[:, :, 1:])
        if self.fault == "number":
            return Block.of_noise(number + 1, x)
        if self.fault == "other each time":
            return Block.of_noise(number, x)
        return Block(number, x, x, torch.zeros(3, dtype=torch.long))


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (
            "short",
            r"block 0 of Odd must have stimuli of shape \(2000, 1, 8, 8\), float32; got \(500, 1, 8, 8\), float32",
        ),
        ("array", "noise must be a torch tensor, .*; got ndarray"),
        ("double", r"got \(2000, 1, 8, 8\), float64"),
        ("shape", r"got \(2000, 1, 7, 8\), float32"),
        ("number", "must say its number, and a signal for each of 2000 stimuli; got number 1"),
        ("other each time", r"block 4 of Odd differs each time: make a block from its number and a seed alone"),
        ("signal", r"got number 0 and signals of shape \(3,\)"),
    ],
)
def test_source_that_breaks_its_word_is_refused(planted, fault, sentence):
    with pytest.raises(ValueError, match=sentence):
        observe(planted, Odd(fault), 10_000, cache=False)


class Shapeless(Source):
    """Blocks of a shape that it does not say."""

    def block(self, number, device="cpu"):
        return Block.of_noise(number, torch.rand(self.block_size, *SHAPE))


@pytest.mark.parametrize(
    ("shape", "said"),
    [(None, "has none"), ((8, 8), r"has \(8, 8\)"), (64, "has 64"), ((1, 8.0, 8), r"has \(1, 8.0, 8\)")],
)
def test_source_without_a_shape_of_three_is_told(planted, shape, said):
    source = Shapeless()
    if shape is not None:
        source.shape = shape
    with pytest.raises(ValueError, match=rf"must have a shape \(c, h, w\), such as \(1, 28, 28\); Shapeless {said}"):
        observe(planted, source, 100, cache=False)


class Small(Source):
    """Blocks of another size, which it says."""

    shape, block_size = SHAPE, 500

    def block(self, number, device="cpu"):
        return Block.of_noise(number, uniform(9, number, (500, *SHAPE)))


def test_blocks_of_any_size_give_exactly_n(planted):
    assert observe(planted, Small(), 10_001).n == 10_001
    halves = [observe(planted, Small(), 700, start=start, cache=False) for start in (0, 700)]
    assert halves[0] + halves[1] == observe(planted, Small(), 1_400, cache=False)


def test_large_images_come_in_blocks_of_32_megabytes_at_most():
    assert block_size((3, 32, 32)) == 2_000
    assert block_size((3, 224, 224)) * 3 * 224 * 224 * 4 <= 32 * 2**20
    assert block_size((3, 4_000, 4_000)) == 1


def test_numpys_whole_numbers_are_whole_numbers(planted):
    assert observe(planted, WhiteNoise(SHAPE, seed=np.int64(3)), np.int64(2_000), start=np.int32(5)).n == 2_000


def test_arguments_of_the_wrong_kind_are_told(planted, noise):
    with pytest.raises(ValueError, match=r"source must be a Source of stimuli, such as WhiteNoise\(.*; got Linear"):
        observe(noise, planted, 100)
    with pytest.raises(ValueError, match="into must be an empty tally, such as CellTally"):
        observe(planted, noise, 100, into=CellTally)
    with pytest.raises(ValueError, match='must answer scores, too: add "scores" to its layers'):
        observe(planted, noise, 100, into=FieldTally(), layers=["input"])


def test_networks_with_kernels_of_one_pixel_are_kept():
    network = nn.Sequential(nn.Conv2d(1, 3, 1), nn.Conv2d(3, 3, 8), nn.Flatten())
    assert observe(network, WhiteNoise(SHAPE), 1_000) == observe(network, WhiteNoise(SHAPE), 1_000)
    assert len(list(cache_dir().rglob("*.safetensors"))) == 1


def test_pictures_and_signals_know_their_place(planted):
    images, labels = torch.rand(7, *SHAPE), torch.arange(7)
    block = Pictures(images, labels).block(3)
    assert block.number == 3
    assert block[5:9].number == 3
    assert torch.equal(block[5:9].signal, (6_000 + torch.arange(5, 9)) % 7)


OWN = """
import torch
from wna_utils.observe import observe
from wna_utils.stimuli import Block, Source

class Own(Source):
    shape = (1, 8, 8)
    def block(self, number, device="cpu"):
        return Block.of_noise(number, torch.full((self.block_size, 1, 8, 8), 0.25))

class Mean(torch.nn.Module):
    def forward(self, x):
        return torch.stack([x.mean((1, 2, 3)), 1 - x.mean((1, 2, 3))], 1)

print(observe(Mean(), Own(), 3_000).counts.tolist())
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [["-c", OWN], ["-"]])
def test_classes_written_on_the_command_line_or_standard_input_run(how):
    run = subprocess.run(
        [sys.executable, *how], input=OWN, capture_output=True, text=True, cwd=ROOT, check=False, timeout=120
    )
    assert run.stdout.strip() == "[0, 3000]", run.stderr


class Drawing(nn.Module):
    def forward(self, x):
        return x.flatten(1)[:, :2] + torch.rand(len(x), 2)


class Reading(nn.Module):
    def forward(self, x):
        return float(os.environ.get("GAIN", "1")) * x.flatten(1)[:, :2]


@pytest.mark.parametrize(
    ("network", "reason"), [(Drawing(), "answers the same stimuli in more than one way"), (Reading(), "environ")]
)
def test_network_that_depends_on_more_than_itself_is_shown_noise_anew(noise, network, reason):
    with pytest.warns(NotCached, match=reason):
        observe(network, noise, 100)
    assert not cache_dir().exists()


def test_that_a_result_is_not_kept_is_said_with_the_reason(noise):
    class Random(nn.Module):
        def __init__(self):
            super().__init__()
            self.generator = np.random.default_rng(0)

        def forward(self, x):
            return x.flatten(1)[:, :2]

    with pytest.warns(NotCached, match="shown anew every time: .* cannot be hashed"):
        observe(Random(), noise, 100)
    assert not cache_dir().exists()


def test_a_class_in_place_of_a_source_or_network_is_told(planted, noise):
    with pytest.raises(ValueError, match=r"source must be a Source of stimuli, .*; got the class Small itself"):
        observe(planted, Small, 10)
    with pytest.raises(ValueError, match=r"the model is a class, not yet a network: make one with Linear\(\)"):
        observe(type(planted), noise, 10)


@dataclass(frozen=True)
class NotANumber(Source):
    """Noise with one pixel that is not a number."""

    shape = SHAPE

    def block(self, number, device="cpu"):
        x = torch.full((self.block_size, *SHAPE), 0.5)
        x[3, 0, 1, 2] = torch.nan
        return Block.of_noise(number, x)


def test_noise_that_is_not_finite_is_told(planted):
    with pytest.raises(ValueError, match="the first block of stimuli is not finite: it has NaN or infinity"):
        observe(planted, NotANumber(), 10)
