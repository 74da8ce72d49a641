"""What every source of stimuli gives: numbered blocks of images, block i made from (seed, i) alone.

A block is the same whatever the batch size, the device, the number of workers, or the point where an
interrupted run goes on. Any source has `shape`, `block(i)` and `identity()`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

BLOCK = 2_000  # images in a block


@dataclass(frozen=True)
class Block:
    """Consecutive trials: what was shown, the noise in it, and the signal class it was added to."""

    stimuli: Tensor  # (b, c, h, w)
    noise: Tensor  # (b, c, h, w); the stimuli themselves when there is no signal
    signal: Tensor  # (b,) int64; zeros when there is no signal

    def __len__(self) -> int:
        return len(self.stimuli)

    def __getitem__(self, part: slice) -> "Block":
        return self._each(lambda tensor: tensor[part])

    def to(self, device: torch.device) -> "Block":
        return self._each(lambda tensor: tensor.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Block":
        stimuli = change(self.stimuli)  # once, if there is nothing but noise
        return Block(stimuli, stimuli if self.noise is self.stimuli else change(self.noise), change(self.signal))


class Source(Protocol):
    """What `observe` needs to know of a stimulus source."""

    shape: tuple[int, int, int]

    def block(self, i: int) -> Block:
        """The trials from i·BLOCK to (i + 1)·BLOCK − 1."""

    def identity(self) -> str:
        """A text that two sources share only if all their blocks are the same."""
