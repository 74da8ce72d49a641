"""White noise: independent pixels, uniform, normal or binary."""

from dataclasses import dataclass

import numpy as np
import torch

from wna_utils.stimuli.blocks import CPU, Block, Source
from wna_utils.support.checks import one_of, positive, seed


def _uniform(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    return rng.random(size, dtype=np.float32)


def _normal(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Mean and standard deviation of the uniform noise; not clipped to [0, 1]."""
    return rng.standard_normal(size, dtype=np.float32) * np.float32(1 / 12**0.5) + np.float32(0.5)


def _binary(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    return rng.integers(0, 2, size, dtype=np.uint8).astype(np.float32)


DISTRIBUTIONS = {"uniform": _uniform, "normal": _normal, "binary": _binary}


@dataclass(frozen=True)
class WhiteNoise(Source):
    """Independent pixels: mean + contrast · (u − 0.5).

    "uniform" is the original's noise, u in [0, 1) with standard deviation 0.289; "normal" has the same mean and
    standard deviation; "binary" u are 0 or 1. At mean 0.5 and contrast 1, the pixels are u itself. With `antithetic`,
    the second half of each block is the first half mirrored at the mean.

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
        rng = np.random.Generator(np.random.Philox(key=[self.seed, number]))
        size = self.block_size
        noise = DISTRIBUTIONS[self.distribution](rng, (-(-size // 2) if self.antithetic else size, *self.shape))
        if self.antithetic:
            noise = np.concatenate([noise, 1 - noise])[:size]
        if (self.contrast, self.mean) != (1, 0.5):
            noise = np.float32(self.mean) + np.float32(self.contrast) * (noise - np.float32(0.5))
        return Block.of_noise(number, torch.from_numpy(noise).to(device))
