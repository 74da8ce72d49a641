"""White noise: independent pixels, uniform, normal or binary."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from wna_utils.stimuli.blocks import CPU, Block, Source
from wna_utils.stimuli.philox import normal, uniform
from wna_utils.support.checks import one_of, positive, seed

Draw = Callable[[int, int, tuple[int, ...], torch.device], Tensor]  # from a seed, a block's number, shape and device


def _normal(seed: int, number: int, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Mean and standard deviation of the uniform noise; not clipped to [0, 1]."""
    return normal(seed, number, shape, device).mul_(1 / 12**0.5).add_(0.5)


def _binary(seed: int, number: int, shape: tuple[int, ...], device: torch.device) -> Tensor:
    return (uniform(seed, number, shape, device) >= 0.5).float()


DISTRIBUTIONS: dict[str, Draw] = {"uniform": uniform, "normal": _normal, "binary": _binary}


@dataclass(frozen=True)
class WhiteNoise(Source):
    """Independent pixels: mean + contrast · (u − 0.5).

    "uniform" is the original's noise, u in [0, 1) with standard deviation 0.289; "normal" has the same mean and
    standard deviation; "binary" u are 0 or 1. At mean 0.5 and contrast 1, the pixels are u itself. With `antithetic`,
    the second half of each block is the first half mirrored at the mean. Uniform and binary noise have the same bits
    on every device, normal noise is the same to float32 rounding.

    Raises `ValueError` for an unknown distribution, a seed that is not whole or beyond 64 bit, a contrast not above 0,
    or a bad shape.
    """

    shape: tuple[int, int, int]
    distribution: str = "uniform"
    seed: int = 0
    contrast: float = 1.0
    mean: float = 0.5
    antithetic: bool = False

    def __post_init__(self):
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"shape must be (channels, height, width), each 1 or more; got {self.shape!r}")
        one_of("distribution", self.distribution, DISTRIBUTIONS)
        seed("seed", self.seed)
        positive("contrast", self.contrast)

    def block(self, number: int, device: torch.device = CPU) -> Block:
        size = self.block_size
        drawn = (-(-size // 2) if self.antithetic else size, *self.shape)
        noise = DISTRIBUTIONS[self.distribution](int(self.seed), number, drawn, torch.device(device))
        if self.antithetic:
            noise = torch.cat([noise, 1 - noise])[:size]
        if (self.contrast, self.mean) != (1, 0.5):
            noise = self.mean + self.contrast * (noise - 0.5)
        return Block.of_noise(number, noise)
