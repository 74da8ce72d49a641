"""What every source of stimuli gives: numbered blocks of images, block i made from the source and i alone.

A block is the same whatever the batch size, the number of workers, or the point where an interrupted run goes on.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral

import torch
from torch import Tensor

from wna_utils.support.checks import between, whole

LARGEST = 2_000  # images in a block
BYTES = 32 * 2**20  # of a block, at most, where images are large
CPU = torch.device("cpu")


def block_size(shape: tuple[int, int, int]) -> int:
    """Images in a block of float32 images (c, h, w): 2,000 up to 3×32×32, fewer of larger ones, 32 MB at most."""
    return max(1, min(LARGEST, BYTES // (4 * torch.Size(shape).numel())))


@dataclass(frozen=True)
class Block:
    """Consecutive trials: what was shown, the noise in it, and the signal class it was added to.

    `number` is the block's place in its source, also where only a part of it is left.
    """

    number: int
    stimuli: Tensor  # (b, c, h, w)
    noise: Tensor  # (b, c, h, w); the stimuli themselves when there is no signal
    signal: Tensor  # (b,) int64; zeros when there is no signal

    @classmethod
    def of_noise(cls, number: int, noise: Tensor) -> "Block":
        """A block of nothing but noise (b, c, h, w); raises `ValueError` for what is no tensor."""
        if not isinstance(noise, Tensor):
            raise ValueError(f"noise must be a torch tensor, as torch.from_numpy makes; got {type(noise).__name__}")
        return cls(number, noise, noise, torch.zeros(len(noise), dtype=torch.long, device=noise.device))

    def __len__(self) -> int:
        return len(self.stimuli)

    def __getitem__(self, part: slice) -> "Block":
        return self._each(lambda tensor: tensor[part])

    def to(self, device: torch.device) -> "Block":
        return self._each(lambda tensor: tensor.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Block":
        stimuli = change(self.stimuli)  # once, if there is nothing but noise
        noise = stimuli if self.noise is self.stimuli else change(self.noise)
        return Block(self.number, stimuli, noise, change(self.signal))


class Source(ABC):
    """A source of stimuli: images of one `shape` (c, h, w), in blocks of `block_size`."""

    shape: tuple[int, int, int]

    @property
    def block_size(self) -> int:
        """Images in a block; all blocks have as many."""
        return block_size(self.shape)

    @abstractmethod
    def block(self, number: int, device: torch.device = CPU) -> Block:
        """The trials from number · block_size on, float32, made on the device where that can be."""


def shape_of(source: Source) -> tuple[int, int, int]:
    """Shape (c, h, w) of a source's images; raises `ValueError` if it does not say so."""
    shape = getattr(source, "shape", None)
    if not isinstance(shape, Sequence) or len(shape) != 3 or not all(isinstance(n, Integral) and n > 0 for n in shape):
        said = "has none" if shape is None else f"has {shape!r}"
        raise ValueError(f"a source must have a shape (c, h, w), such as (1, 28, 28); {type(source).__name__} {said}")
    return tuple(shape)


@dataclass(frozen=True)
class SmallBlocks(Source):
    """The first `size` images of every block of another source: for networks that take long to answer an image.

    It is meant for noise whose images have nothing to do with each other: of antithetic noise the mirror images are
    left out, and of pictures most. Raises `ValueError` for a size that its blocks do not have.
    """

    noise: Source
    size: int

    def __post_init__(self):
        between("size", whole("size", self.size, 1), 1, self.noise.block_size)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.noise.shape

    @property
    def block_size(self) -> int:
        return self.size

    def block(self, number: int, device: torch.device = CPU) -> Block:
        return self.noise.block(number, device)[: self.size]
