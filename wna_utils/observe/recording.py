"""A tally as it is recorded: in halves, with what every block added to it and how bright that block was."""

import copy
from typing import Any, Generic, Self, TypeVar

import torch
from torch import Tensor

from wna_utils.networks.observer import Answers, Network, Observer
from wna_utils.observe.calls import CallTally
from wna_utils.observe.cells import CellTally
from wna_utils.observe.layers import ActivationTally
from wna_utils.observe.loop import observe
from wna_utils.observe.spike_triggered_average import FieldTally
from wna_utils.observe.tally import UNIT, ClassTally, Tally
from wna_utils.stimuli.blocks import Block, Source

OWN = ("by_block", "brightness")
COUNTS = "counts"  # what images are counted in, at the end of a name such as "noise counts"
WHOLE = {COUNTS, "images"}  # numbers of images, kept as they are
UNDIVIDED = (FieldTally, ActivationTally, CallTally)  # in one part: no halves of them are compared

Kind = TypeVar("Kind", ClassTally, CellTally, CallTally, ActivationTally, FieldTally)


class Recording(Tally, Generic[Kind]):
    """Tallies of even and of odd blocks, and a row for each of so many `blocks`, from number `first` on.

    A `FieldTally`, which has groups of blocks already, stays in one part, as do tallies that no one halves. `by_block`
    (blocks, K) int64 are images by class, or sums of responses by unit; `brightness` (blocks,) int64 sums of pixels;
    sums of fractions in 2⁻²⁴.
    """

    def __init__(self, tally: Kind, blocks: int, first: int = 0):
        super().__init__()
        self.parts: list[Kind] = [copy.copy(tally) for _ in range(1 if isinstance(tally, UNDIVIDED) else 2)]
        self.blocks, self.first = blocks, first
        self.added_here = 0  # blocks, by this process

    def _room(self, observer: Observer) -> dict[str, tuple[int, ...]]:
        for part in self.parts:
            part.prepare(observer)
        return {"by_block": (self.blocks, len(_by_response(self.parts[0]))), "brightness": (self.blocks,)}

    def add(self, block: Block, answers: Answers) -> None:
        part, row = self.parts[block.number % len(self.parts)], block.number - self.first
        before = _by_response(part).clone()
        part.add(block, answers)
        self.added_here += 1
        self.by_block[row] += _by_response(part) - before
        self._count("brightness", block.stimuli.double().sum(), row)

    @property
    def by_block(self) -> Tensor:
        """What each block added, (blocks, K) int64."""
        return self._sums["by_block"]

    @property
    def brightness(self) -> Tensor:
        """Sum of all pixels of each block, (blocks,) int64 in 2⁻²⁴."""
        return self._sums["brightness"]

    @property
    def whole(self) -> Kind:
        """The tally of all blocks."""
        total = copy.copy(self.parts[0])
        for part in self.parts[1:]:
            total = total + part
        total.recorded = self.recorded
        return total

    def require_whole(self) -> None:
        super().require_whole()
        for part in self.parts:
            part.require_whole()

    def clear(self) -> None:
        super().clear()
        for part in self.parts:
            part.clear()

    def _like(self, sums: dict[str, Tensor]) -> Self:
        another = copy.copy(self)
        another.parts = [copy.copy(part) for part in self.parts]
        another.restore(sums)
        return another

    def _settings(self) -> dict[str, object]:
        return super()._settings() | {"parts": [part._settings() for part in self.parts], "added_here": None}

    def to(self, device: torch.device) -> Self:
        for part in self.parts:
            part.to(device)
        return super().to(device)

    def tensors(self) -> dict[str, Tensor]:
        parts = {f"{k} {name}": sums for k, part in enumerate(self.parts) for name, sums in part.tensors().items()}
        return parts | super().tensors()

    def restore(self, tensors: dict[str, Tensor]) -> None:
        super().restore({name: tensors[name] for name in OWN})
        for k, part in enumerate(self.parts):
            own = f"{k} "
            part.restore({name.removeprefix(own): sums for name, sums in tensors.items() if name.startswith(own)})


def in_halves(
    observer: Network | Observer, source: Source, n: int, kind: Kind | None = None, **options: Any
) -> Recording[Kind]:
    """Show an observer n stimuli as `observe` does, its even and its odd blocks tallied apart, as `parts`.

    Two maps from disjoint images give the split-half reliability. `kind` is an empty `ClassTally`, which it is by
    default, or `CellTally`: others are kept in one part.
    """
    blocks = -(-n // source.block_size)
    into: Recording[Any] = Recording(ClassTally() if kind is None else kind, blocks)
    return observe(observer, source, n, into=into, **options)


def _by_response(tally: Tally) -> Tensor:
    """Images by class or cell, or sums of responses by unit, so far."""
    return by_response(tally.tensors())


def by_response(tensors: dict[str, Tensor]) -> Tensor:
    """Images by class or cell, or sums of responses by unit, of the integers of a tally."""
    counts = next((each for name, each in tensors.items() if name.endswith(COUNTS)), None)
    return tensors["responses"].sum((0, 2, 3)) if counts is None else counts


def packed(recording: Recording[Any], block_size: int) -> dict[str, Tensor]:
    """The tensors of a recording as they are kept: sums in float32, what the blocks added in 16 bits.

    Seven digits of a sum are a thousandth of the standard error of a sum of ten million pixels.
    """
    tensors = recording.tensors()
    added, brightness = tensors.pop("by_block"), tensors.pop("brightness")
    counted = not isinstance(recording.parts[0], FieldTally)
    added = added.to(torch.int16) if counted else (added / UNIT / block_size).half()  # mean responses
    sums = {name: each if _is_whole(name) else (each / UNIT).float() for name, each in tensors.items()}
    if isinstance(recording.parts[0], ActivationTally):  # large; of squares, sums over hundreds of units are used
        sums |= {name: each.bfloat16() for name, each in sums.items() if name.endswith("squares")}
    return sums | {"added": added, "mean stimulus": (brightness / UNIT / block_size).float()}


def unpacked(tensors: dict[str, Tensor], block_size: int) -> dict[str, Tensor]:
    """What `packed` left of the tensors of a recording, as integers again."""
    sums = dict(tensors)
    added, brightness = sums.pop("added"), sums.pop("mean stimulus")
    if added.is_floating_point():
        added = (added.double() * block_size * UNIT).round()
    return {name: each if _is_whole(name) else (each.double() * UNIT).round().long() for name, each in sums.items()} | {
        "by_block": added.long(),
        "brightness": (brightness.double() * block_size * UNIT).round().long(),
    }


def _is_whole(name: str) -> bool:
    """Whether the tensor of this name, such as "0 counts", holds numbers of images."""
    return name.rsplit(" ", 1)[1] in WHOLE
