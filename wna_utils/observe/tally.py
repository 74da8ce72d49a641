"""Tallies: the sums of stimuli by response, from which every map is read.

All numbers are integers. A pixel x is counted as round(x·2²⁴) (exact for uniform noise), so that adding tallies in
any order gives the same bits; so does counting images by class from any split of the trials.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from wna_utils.networks.observer import SCORES, Answers, Observer
from wna_utils.stimuli.blocks import Block
from wna_utils.support import tensor_files

UNIT = 2.0**24  # a pixel value of 1, in counted units
LIMIT = 2.0**63  # of the integers
EXACT = 2.0**53  # up to which float64 holds every whole number
CHUNK = 250  # images at a time on a CPU: what they need stays in its cache
Maps = np.ndarray | np.ma.MaskedArray


def empty_maps(maps: Maps) -> np.ndarray:
    """Which of the maps (K, …) are masked, since their class got no images: (K,) bool."""
    size = int(np.prod(maps.shape[1:]))  # -1 would not do for no maps
    masked: np.ndarray = np.reshape(np.ma.getmaskarray(maps), (len(maps), size))
    return np.asarray(masked.any(axis=1))


class Tally(ABC):
    """Base of all tallies: integer sums by name, empty until an observer is at hand, which says how large they are."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._full = torch.zeros((), dtype=torch.bool)  # whether a sum outgrew the integers; looked at now and then
        self.recorded = False  # whether it, or what its images are called, was taken from the records

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {'empty' if self.empty else self._in_words()}>"

    def _in_words(self) -> str:
        """What was counted."""
        return ", ".join(f"{name} {tuple(sums.shape)}" for name, sums in self._sums.items())

    @property
    def empty(self) -> bool:
        """Whether nothing was counted yet."""
        return not any(sums.any() for sums in self._sums.values())

    def prepare(self, observer: Observer) -> None:
        """Make room for what this observer answers; raises `ValueError` if it does not answer what is counted."""
        self._make_room(self._room(observer))

    @abstractmethod
    def _room(self, observer: Observer) -> dict[str, tuple[int, ...]]:
        """Shape of each of the sums, given an observer."""

    @abstractmethod
    def add(self, block: Block, answers: Answers) -> None:
        """Count the block's stimuli, given the observer's answers; all of them lie where the sums do."""

    def _make_room(self, shapes: dict[str, tuple[int, ...]], device: torch.device | None = None) -> None:
        self._sums = {name: torch.zeros(shape, dtype=torch.int64, device=device) for name, shape in shapes.items()}
        self._full = torch.zeros((), dtype=torch.bool, device=device)

    def _count(self, name: str, values: Tensor, where: int | slice = slice(None), unit: float = UNIT) -> None:
        """Add values to the sums of this name, or to those at one place, as whole numbers of 1/`unit`.

        Whole numbers are added as they are.
        """
        sums = self._sums[name][where]
        if values.is_floating_point():
            values = (values.double() * unit).round_()
        self._full |= ~((values.double().abs() + sums.double().abs()).amax() < LIMIT)
        sums += values.long()

    def require_whole(self) -> None:
        """Raise `ValueError` if a sum has grown beyond what its integers can hold."""
        if self._full:
            raise ValueError(
                "the tally's integers cannot hold its sums: show fewer images, or stimuli nearer to the range 0 to 1"
            )

    def to(self, device: torch.device) -> Self:
        """This tally, with its sums on the device."""
        self._sums = {name: sums.to(device) for name, sums in self._sums.items()}
        self._full = self._full.to(device)
        return self

    def __add__(self, other: Self) -> Self:
        if type(self) is not type(other):
            raise ValueError(f"a {type(self).__name__} and a {type(other).__name__} do not add")
        mine, theirs = self.tensors(), other.tensors()
        shapes = [{name: tuple(sums.shape) for name, sums in each.items()} for each in (mine, theirs)]
        if shapes[0] != shapes[1] or self._settings() != other._settings():
            raise ValueError(f"tallies of different shapes or settings do not add: {shapes[0]} and {shapes[1]}")
        total = self._like({name: sums + theirs[name] for name, sums in mine.items()})
        for name, sums in mine.items():  # in float64, which does not wrap round
            total._full |= ~((sums.double() + theirs[name].double()).abs().amax() < LIMIT)
        total.require_whole()
        total.recorded = self.recorded and other.recorded
        return total

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tally):
            return NotImplemented
        mine, theirs = self.tensors(), other.tensors()
        return (
            self._settings() == other._settings()
            and mine.keys() == theirs.keys()
            and all(torch.equal(sums, theirs[name]) for name, sums in mine.items())
        )

    def _settings(self) -> dict[str, object]:
        """All that sets tallies of one kind apart, but what they have counted."""
        return {name: value for name, value in vars(self).items() if name not in ("_sums", "_full", "recorded")}

    __hash__ = None  # type: ignore[assignment]

    def _like(self, sums: dict[str, Tensor]) -> Self:
        """The same tally with other sums."""
        another = copy.copy(self)
        another.restore(sums)
        return another

    def part(self, names: dict[str, str], change: Callable[[Tensor], Tensor] = lambda sums: sums) -> "ClassTally":
        """Some of the sums, under other names, as a tally by class that shares them with this one."""
        tally = ClassTally()
        tally._sums = {name: change(self._sums[own]) for name, own in names.items()}
        tally._full = self._full
        return tally

    def tensors(self) -> dict[str, Tensor]:
        """The integers that are the tally, by name."""
        return dict(self._sums)

    def clear(self) -> None:
        """Make the tally empty again."""
        self._sums, self._full = {}, torch.zeros((), dtype=torch.bool)

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take over the integers of a saved tally."""
        self._sums = {name: sums.clone() for name, sums in tensors.items()}
        self._full = torch.zeros((), dtype=torch.bool)


class CountingTally(Tally):
    """Base of tallies that count stimuli by class of response, among others."""

    @property
    def counts(self) -> np.ndarray:
        """Images per class, (K,) int64."""
        return self._sums["counts"].numpy()

    @property
    def n(self) -> int:
        """Images in all."""
        return int(self.counts.sum())

    def _in_words(self) -> str:
        return f"{self.n:,} images, of {int((self.counts > 0).sum())} of {len(self.counts)} classes"


class ClassTally(CountingTally):
    """Counts (K,), sums and sums of squares (K, c, h, w) of images, by class of response.

    The maps read off it are masked arrays: a class without enough images is masked ("no samples"), and NaN lies
    under the mask, so that it can't be taken for a number.
    """

    NAMES = ("counts", "sums", "squares")

    @classmethod
    def of(cls, classes: int, shape: tuple[int, ...]) -> Self:
        """A tally of no images (c, h, w) of so many classes yet."""
        tally = cls()
        tally._make_room(cls._sizes(classes, tuple(shape)))
        return tally

    @staticmethod
    def _sizes(classes: int, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        return dict(zip(ClassTally.NAMES, ((classes,), (classes, *shape), (classes, *shape)), strict=True))

    def save(self, path: Path | str) -> None:
        """Write the tally to a safetensors file, whole or not at all."""
        write(Path(path), self.tensors())

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a tally written by `save`; raises `ValueError` if the file is missing or damaged."""
        found = read(Path(path))
        if found is None:
            raise ValueError(f"{path} is not a whole tally file; make it again with {cls.__name__}.save")
        tally = cls()
        tally.restore(found[0])
        return tally

    def _room(self, observer: Observer) -> dict[str, tuple[int, ...]]:
        return self._sizes(observer.classes, observer.shape)

    def add(self, block: Block, answers: Answers) -> None:
        """Count the stimuli of a block under the classes that got the highest of the scores (b, K)."""
        self.count(block.stimuli, answers[SCORES].argmax(1))

    def count(self, images: Tensor, rows: Tensor) -> None:
        """Count images (b, …) under rows (b,) of the tally: sums of whole numbers, exact in float64."""
        shape = self._sums["sums"].shape
        pixels, size = images.flatten(1), CHUNK if images.device.type == "cpu" else len(images)
        sums, squares = torch.zeros(2, shape[0], pixels.shape[1], dtype=torch.float64, device=images.device)
        added = torch.zeros(2, shape[0], pixels.shape[1], dtype=torch.int64, device=images.device)
        for x, row in zip(pixels.split(size), rows.split(size), strict=True):
            x = x.double()
            sums.zero_().index_add_(0, row, (x * UNIT).round_())
            squares.zero_().index_add_(0, row, x.square_().mul_(UNIT).round_())
            self._full |= ~(squares.amax() < EXACT)  # as long as squares are exact, sums are
            added[0] += sums.long()
            added[1] += squares.long()
        self._count("sums", added[0].view(shape))
        self._count("squares", added[1].view(shape))
        self._count("counts", torch.zeros_like(self._sums["counts"]).index_add_(0, rows, torch.ones_like(rows)))

    @property
    def reached(self) -> np.ndarray:
        """Whether a class has any images, (K,) bool."""
        return self.counts > 0

    @property
    def means(self) -> np.ma.MaskedArray:
        """Mean image of each class, (K, c, h, w): the classification images, or bias maps, of Fig. 2."""
        return _per_image(self._values("sums"), self._per_class(), at_least=1)

    @property
    def deviations(self) -> np.ma.MaskedArray:
        """`means` less the mean of all stimuli, (K, c, h, w): what sets a class apart from noise of any kind."""
        return self.means - self._values("sums").sum(0) / max(self.n, 1)

    @property
    def rms(self) -> np.ma.MaskedArray:
        """Root mean square of the images of each class, (K, c, h, w): the original's maps from Gabor noise."""
        return np.ma.sqrt(_per_image(self._values("squares"), self._per_class(), at_least=1))

    @property
    def standard_error(self) -> np.ma.MaskedArray:
        """Standard error of `means`, (K, c, h, w), from the spread within each class; needs two images."""
        n = self._per_class()
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = (self._values("squares") - self._values("sums") ** 2 / n) / (n - 1)
        return np.ma.sqrt(_per_image(variance.clip(min=0), n, at_least=2))

    @property
    def z(self) -> np.ma.MaskedArray:
        """How far each class mean lies from the mean of all stimuli, in standard errors, (K, c, h, w).

        The error is that of the mean of n_k images drawn without replacement from the N shown, so that z has mean
        0 and variance 1 if the responses have nothing to do with the stimuli. A class that got none, or all, of the
        images is masked.
        """
        n, total = self._per_class(), self.n
        sums, squares = self._values("sums"), self._values("squares")
        with np.errstate(divide="ignore", invalid="ignore"):
            grand_mean = sums.sum(0) / total
            variance = squares.sum(0) / total - grand_mean**2
            error = np.sqrt(variance.clip(min=0) / n * (total - n) / (total - 1))
            z = (sums / n - grand_mean) / error
        return np.ma.masked_invalid(z)

    def _values(self, name: str) -> np.ndarray:
        return self._sums[name].numpy() / UNIT

    def _per_class(self) -> np.ndarray:
        return self.counts.reshape(-1, *[1] * (self._sums["sums"].ndim - 1)).astype(float)


def write(path: Path, tensors: dict[str, Tensor], images: int = 0) -> None:
    """Write a tally's integers, and how many images it has seen so far, whole or not at all."""
    tensor_files.write(path, tensors, {"images": str(images)})


def read(path: Path) -> tuple[dict[str, Tensor], int] | None:
    """A tally's integers and how many images it had seen; None if the file is missing or damaged."""
    found = tensor_files.read(path)
    return found and (found[0], int(found[1]["images"]))


def _per_image(values: np.ndarray, n: np.ndarray, at_least: int) -> np.ma.MaskedArray:
    """`values` / n; masked, with NaN below the mask, where a class has fewer than `at_least` images."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.where(n >= at_least, values / n, np.nan)
    return np.ma.masked_array(quotient, mask=np.broadcast_to(n < at_least, values.shape))
