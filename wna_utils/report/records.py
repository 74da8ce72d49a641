"""Records: results at the paper's own numbers of images, computed once, kept in `book/recorded/`, and checkable.

A record is a network, rounded to half precision to be small, and the tally of all the noise that the rounded network
was shown; beside the tally it keeps what every block of noise added to it, so that any block can be shown again.
"""

import copy
import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from wna_utils.data import datasets
from wna_utils.networks import architectures, training
from wna_utils.networks.layers import readout
from wna_utils.networks.observer import Answers, Observer
from wna_utils.observe.loop import observe
from wna_utils.observe.spike_triggered_average import FieldTally
from wna_utils.observe.tally import ClassTally, Tally
from wna_utils.report.provenance import commit, device_in_words, versions
from wna_utils.stimuli.blocks import Block, Source
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support.checks import between, one_of
from wna_utils.support.paths import ROOT, replacing

FOLDER = ROOT / "book" / "recorded"
SHAPES = {"cnn": (1, 28, 28), "cifar_cnn": (3, 32, 32)}


@dataclass(frozen=True)
class Plan:
    """What a record holds: n images of "white" or "gabor" noise shown to a network, tallied by class or by unit."""

    model: str
    dataset: str
    n: int
    noise: str = "white"
    layer: str = ""  # whose units' averages are tallied; none: images by class
    precision: str = "float32"

    @property
    def network_file(self) -> Path:
        return FOLDER / f"{self.model}-{self.dataset}.safetensors"

    @property
    def gabor_file(self) -> Path:
        return FOLDER / f"wavelets-{self.dataset}.safetensors"


PLANS = {
    "mnist-white": Plan("cnn", "mnist", 10_000_000),
    "fashion-white": Plan("cnn", "fashion_mnist", 10_000_000),
    "cifar10-white": Plan("cifar_cnn", "cifar10", 1_000_000),
    "mnist-gabor": Plan("cnn", "mnist", 1_000_000, noise="gabor"),
    "mnist-conv1": Plan("cnn", "mnist", 1_000_000, layer="conv1"),
    "mnist-conv2": Plan("cnn", "mnist", 1_000_000, layer="conv2"),
}


class Blockwise(Tally):
    """A tally with, beside it, what each block added: images by class or responses by unit, (blocks, K) int64.

    `blocks` of them are shown, from number `first` on.
    """

    def __init__(self, tally: ClassTally | FieldTally, blocks: int, first: int = 0):
        super().__init__()
        self.tally, self.blocks, self.first = tally, blocks, first

    def _room(self, observer: Observer) -> dict[str, tuple[int, ...]]:
        self.tally.prepare(observer)
        return {"by_block": (self.blocks, len(self._smallest()))}

    def add(self, block: Block, answers: Answers) -> None:
        before = self._smallest()
        self.tally.add(block, answers)
        self.by_block[block.number - self.first] += self._smallest() - before

    @property
    def by_block(self) -> Tensor:
        """What each block added, (blocks, K) int64."""
        return self._sums["by_block"]

    def require_whole(self) -> None:
        self.tally.require_whole()

    def clear(self) -> None:
        super().clear()
        self.tally.clear()

    def _like(self, sums: dict[str, Tensor]) -> Self:
        another = copy.copy(self)
        another.tally = copy.copy(self.tally)
        another.restore(sums)
        return another

    def _settings(self) -> dict[str, object]:
        return super()._settings() | {"tally": self.tally._settings()}

    def to(self, device: torch.device) -> Self:
        self.tally.to(device)
        return super().to(device)

    def tensors(self) -> dict[str, Tensor]:
        return {**self.tally.tensors(), **super().tensors()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        super().restore({"by_block": tensors["by_block"]})
        self.tally.restore({name: sums for name, sums in tensors.items() if name != "by_block"})

    def _smallest(self) -> Tensor:
        tensors = self.tally.tensors()
        return tensors["counts"].clone() if "counts" in tensors else tensors["responses"].sum((0, 2, 3))


@dataclass(frozen=True)
class Record:
    """A record as read from its file: the network, the tally, what each block added, and how it was made."""

    plan: Plan
    network: nn.Module
    tally: ClassTally | FieldTally
    by_block: Tensor
    made: dict[str, str]

    def shown_again(self, block: int, device: str = "auto") -> Blockwise:
        """The tally of block number `block` alone. Raises `ValueError` for a block that the record does not have."""
        between("block", block, 0, len(self.by_block) - 1)
        size = _source(self.plan).block_size
        return _show(self.plan, self.network, size, start=block * size, device=device, cache=False)

    def difference(self, block: int, shown_again: Blockwise) -> float:
        """By how much a block shown again differs from what it had added to the record, as a share of that.

        0 on hardware that computes alike; other hardware rounds otherwise and changes a few answers in a thousand.
        """
        again, added = shown_again.by_block[0], self.by_block[block]
        return float((again - added).abs().sum() / added.abs().sum())


def make(name: str, device: str = "auto") -> Path:
    """Train the record's network as long as the original, show it the noise, and write the record.

    A run that is cut off goes on where it was. Raises `ValueError` for an unknown record.
    """
    one_of("record", name, PLANS)
    plan = PLANS[name]
    made = {
        "plan": json.dumps(asdict(plan)),
        "commit": commit(),
        "device": device_in_words(device),
        "versions": versions(),
    }
    dataset = datasets.load(plan.dataset)
    trained = training.trained(plan.model, dataset, profile="paper", device=device)
    _write(plan.network_file, {key: _rounded(each) for key, each in trained.state_dict().items()})
    if plan.noise == "gabor":
        from wna_utils.stimuli.gabor import fit_gabor

        _write(plan.gabor_file, {key: _rounded(each) for key, each in vars(fit_gabor(dataset)).items()})
    network = _network(plan)
    started = time.monotonic()
    shown = _show(plan, network, plan.n, device=device, precision=plan.precision)
    made |= {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "seconds": f"{time.monotonic() - started:.0f}",
        "accuracy": f"{training.accuracy(network, dataset):.4f}",
    }
    path = FOLDER / f"{name}.safetensors"
    _write(path, shown.tensors(), made)
    return path


def load(name: str) -> Record:
    """The record of this name. Raises `ValueError` for one that is unknown, or whose file is missing or damaged."""
    one_of("record", name, PLANS)
    path = FOLDER / f"{name}.safetensors"
    try:
        with safe_open(path, framework="pt") as file:
            made, names = dict(file.metadata()), file.keys()
            tensors = {key: file.get_tensor(key) for key in names}
        plan = Plan(**json.loads(made.pop("plan")))
        network = _network(plan)
    except (OSError, SafetensorError) as error:
        remedy = f"fetch it again with `git checkout {path}`, or make it with `python -m wna_utils record {name}`"
        raise ValueError(f"the record {path} is missing or damaged: {remedy}") from error
    shown = _empty(plan, plan.n)
    shown.prepare(Observer(_units(plan, network), SHAPES[plan.model]))
    shown.restore(tensors)
    return Record(plan, network, shown.tally, shown.by_block, made)


def _rounded(tensor: Tensor) -> Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor


def _write(path: Path, tensors: dict[str, Tensor], made: dict[str, str] | None = None) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(save({key: each.contiguous() for key, each in tensors.items()}, made))


def _network(plan: Plan) -> nn.Module:
    network = architectures.build(plan.model, SHAPES[plan.model], 10, seed=0)
    network.load_state_dict(load_file(plan.network_file))
    return network.eval()


def _source(plan: Plan) -> Source:
    if plan.noise == "white":
        return WhiteNoise(SHAPES[plan.model])
    from wna_utils.stimuli.gabor import GaborModel, GaborNoise

    return GaborNoise(GaborModel(**{key: each.float() for key, each in load_file(plan.gabor_file).items()}))


def _show(plan: Plan, network: nn.Module, n: int, start: int = 0, **options) -> Blockwise:
    """Show n images of the plan's noise to the network; `options` are those of `observe`."""
    return observe(_units(plan, network), _source(plan), n, into=_empty(plan, n, start), start=start, **options)


def _units(plan: Plan, network: nn.Module) -> nn.Module:
    """What is shown the noise: the network, or the units of the plan's layer."""
    return readout(network, plan.layer) if plan.layer else network


def _empty(plan: Plan, n: int, start: int = 0) -> Blockwise:
    """An empty tally for n images from number `start` on."""
    size = _source(plan).block_size
    return Blockwise(FieldTally() if plan.layer else ClassTally(), -(-n // size), start // size)
