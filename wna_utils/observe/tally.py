"""Tallies: the sums of stimuli by response, from which every map is read.

All numbers are integers. A pixel x is counted as round(x·2²⁴) (exact for uniform noise), so that adding tallies in
any order, from any split of the trials, gives the same bits.
"""

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from wna_utils.stimuli.blocks import Block
from wna_utils.support.paths import replacing

UNIT = 2.0**24  # a pixel value of 1, in counted units
Maps = np.ndarray | np.ma.MaskedArray


class Filled(Protocol):
    """What `observe` fills: it takes blocks with the model's scores, and can be kept in a file."""

    def add(self, block: Block, scores: Tensor) -> None:
        """Count the block's stimuli, given the scores (b, …) that the model answered."""

    def tensors(self) -> dict[str, Tensor]:
        """The integers that are the tally, by name."""

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take over the integers of a saved tally."""


class Tally:
    """Counts (K,), sums and sums of squares (K, c, h, w) of images, by class of response.

    The maps read off it are masked arrays: a class without enough images is masked ("no samples"), and NaN lies
    under the mask, so that it can't be taken for a number.
    """

    def __init__(self, counts: Tensor, sums: Tensor, squares: Tensor):
        self._counts, self._sums, self._squares = counts, sums, squares  # int64; units of 2⁻²⁴

    @classmethod
    def empty(cls, classes: int, shape: tuple[int, ...]) -> "Tally":
        """A tally of no images of this shape (c, h, w) yet."""
        zeros = torch.zeros(classes, *shape, dtype=torch.int64)
        return cls(torch.zeros(classes, dtype=torch.int64), zeros, zeros.clone())

    def add(self, block: Block, scores: Tensor) -> None:
        """Count the stimuli of a block under the classes that got the highest of the scores (b, K)."""
        self.count(block.stimuli, scores.argmax(1))

    def count(self, images: Tensor, rows: Tensor) -> None:
        """Count images (b, c, h, w) under rows (b,) of the tally; two matrix products, exact in float64."""
        chosen = torch.nn.functional.one_hot(rows, len(self._counts)).double().T  # (K, b)
        pixels = images.flatten(1).double()  # (b, c·h·w)
        shape = self._sums.shape
        self._sums += (chosen @ (pixels * UNIT).round_()).long().cpu().view(shape)
        self._squares += (chosen @ pixels.square_().mul_(UNIT).round_()).long().cpu().view(shape)
        self._counts += chosen.sum(1).long().cpu()

    def __add__(self, other: "Tally") -> "Tally":
        if self._sums.shape != other._sums.shape:
            raise ValueError(f"tallies of shapes {tuple(self._sums.shape)} and {tuple(other._sums.shape)} do not add")
        return Tally(self._counts + other._counts, self._sums + other._sums, self._squares + other._squares)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tally):
            return NotImplemented
        return all(torch.equal(mine, other.tensors()[name]) for name, mine in self.tensors().items())

    __hash__ = None

    @property
    def counts(self) -> np.ndarray:
        """Images per class, (K,) int64."""
        return self._counts.numpy()

    @property
    def n(self) -> int:
        """Images in all."""
        return int(self._counts.sum())

    @property
    def reached(self) -> np.ndarray:
        """Whether a class has any images, (K,) bool."""
        return self.counts > 0

    @property
    def means(self) -> np.ma.MaskedArray:
        """Mean image of each class, (K, c, h, w): the classification images, or bias maps, of Fig. 2."""
        return _per_image(self._sums.numpy() / UNIT, self._per_class(), at_least=1)

    @property
    def deviations(self) -> np.ma.MaskedArray:
        """`means` less the mean of all stimuli, (K, c, h, w): what sets a class apart from noise of any kind."""
        return self.means - self._sums.numpy().sum(0) / UNIT / max(self.n, 1)

    @property
    def rms(self) -> np.ma.MaskedArray:
        """Root mean square of the images of each class, (K, c, h, w): the original's maps from Gabor noise."""
        return np.ma.sqrt(_per_image(self._squares.numpy() / UNIT, self._per_class(), at_least=1))

    @property
    def standard_error(self) -> np.ma.MaskedArray:
        """Standard error of `means`, (K, c, h, w), from the spread within each class; needs two images."""
        n = self._per_class()
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = (self._squares.numpy() / UNIT - (self._sums.numpy() / UNIT) ** 2 / n) / (n - 1)
        return np.ma.sqrt(_per_image(variance.clip(min=0), n, at_least=2))

    @property
    def z(self) -> np.ma.MaskedArray:
        """How far each class mean lies from the mean of all stimuli, in standard errors, (K, c, h, w).

        The error is that of the mean of n_k images drawn without replacement from the N shown, so that z has mean
        0 and variance 1 if the responses have nothing to do with the stimuli. A class that got none, or all, of the
        images is masked.
        """
        n, total = self._per_class(), self.n
        with np.errstate(divide="ignore", invalid="ignore"):
            grand_mean = self._sums.numpy().sum(0) / UNIT / total
            variance = self._squares.numpy().sum(0) / UNIT / total - grand_mean**2
            error = np.sqrt(variance.clip(min=0) / n * (total - n) / (total - 1))
            z = (self._sums.numpy() / UNIT / n - grand_mean) / error
        return np.ma.masked_invalid(z)

    def _per_class(self) -> np.ndarray:
        return self.counts.reshape(-1, *[1] * (self._sums.ndim - 1)).astype(float)

    def tensors(self) -> dict[str, Tensor]:
        """The integers that are the tally, by name."""
        return {"counts": self._counts, "sums": self._sums, "squares": self._squares}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take over the integers of a saved tally."""
        self._counts, self._sums, self._squares = (tensors[name].clone() for name in self.tensors())

    def save(self, path: str | Path) -> None:
        """Write the tally to a safetensors file, whole or not at all."""
        write(Path(path), self.tensors())

    @classmethod
    def load(cls, path: str | Path) -> "Tally":
        """Read a tally written by `save`; raises `ValueError` if the file is missing or damaged."""
        found = read(Path(path))
        if found is None:
            raise ValueError(f"{path} is not a whole tally file; make it again with Tally.save")
        tensors, _ = found
        return cls(tensors["counts"], tensors["sums"], tensors["squares"])


class CellTally:
    """Tallies of stimuli and of the noise alone, by stimulus–response cell: S signals × K responses."""

    def __init__(self, signals: int, responses: int, shape: tuple[int, ...]):
        self.stimuli = Tally.empty(signals * responses, shape)
        self.noise = Tally.empty(signals * responses, shape)
        self._cells = (signals, responses)

    @classmethod
    def of(cls, signals: int) -> Callable[[int, tuple[int, ...]], "CellTally"]:
        """A maker of empty tallies for this many signals, as `observe` wants it."""
        return partial(cls, signals)

    def add(self, block: Block, scores: Tensor) -> None:
        """Count a block's stimuli and noise under (signal shown, response given), from scores (b, K)."""
        rows = block.signal * self._cells[1] + scores.argmax(1)
        self.stimuli.count(block.stimuli, rows)
        self.noise.count(block.noise, rows)

    @property
    def counts(self) -> np.ndarray:
        """Trials per cell, (S, K) int64."""
        return self.noise.counts.reshape(self._cells)

    def means(self, of: str = "noise") -> np.ma.MaskedArray:
        """Mean "noise" or "stimuli" of each cell, (S, K, c, h, w); n̄ˢʳ of Eq. 1."""
        means = getattr(self, of).means
        return means.reshape(*self._cells, *means.shape[1:])

    def by_response(self, of: str = "noise") -> Tally:
        """The tally (K,) of "noise" or "stimuli" by response alone, whatever the signal was."""
        cells = getattr(self, of).tensors().values()
        return Tally(*(each.unflatten(0, self._cells).sum(0) for each in cells))

    def tensors(self) -> dict[str, Tensor]:
        parts = {"stimuli": self.stimuli, "noise": self.noise}
        return {f"{part} {name}": value for part, tally in parts.items() for name, value in tally.tensors().items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        for part, tally in {"stimuli": self.stimuli, "noise": self.noise}.items():
            tally.restore({name: tensors[f"{part} {name}"] for name in tally.tensors()})


class Sums:
    """Base of tallies that are integer sums by name, in `_sums`; those of the same model and stimuli add."""

    _sums: dict[str, Tensor]

    def __add__(self, other: Self) -> Self:
        return self._like({name: sums + other._sums[name] for name, sums in self._sums.items()})

    def _like(self, sums: dict[str, Tensor]) -> Self:
        """The same tally with other sums."""
        another = copy.copy(self)
        another._sums = sums
        return another

    def tensors(self) -> dict[str, Tensor]:
        """The integers that are the tally, by name."""
        return dict(self._sums)

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take over the integers of a saved tally."""
        self._sums = {name: tensors[name].clone() for name in self._sums}


def counted(values: Tensor) -> Tensor:
    """Sums in whole units of 2⁻²⁴, on the CPU."""
    return (values.double() * UNIT).round().long().cpu()


def write(path: Path, tensors: dict[str, Tensor], images: int = 0) -> None:
    """Write a tally's integers, and how many images it has seen so far, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(save(tensors, {"images": str(images)}))


def read(path: Path) -> tuple[dict[str, Tensor], int] | None:
    """A tally's integers and how many images it had seen; None if the file is missing or damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, int(file.metadata()["images"])
    except (FileNotFoundError, SafetensorError, KeyError, TypeError):
        return None


def _per_image(values: np.ndarray, n: np.ndarray, at_least: int) -> np.ma.MaskedArray:
    """`values` / n; masked, with NaN below the mask, where a class has fewer than `at_least` images."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.where(n >= at_least, values / n, np.nan)
    return np.ma.masked_array(quotient, mask=np.broadcast_to(n < at_least, values.shape))
