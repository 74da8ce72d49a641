"""Stimulus sources: numbered blocks of images, block i made from (seed, i) alone.

A block is the same whatever the batch size, the device, the number of workers, or the point where an
interrupted run goes on. Any source has `shape`, `block(i)` and `identity()`; see `WhiteNoise`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from wna_utils.support.checks import at_least, fraction, one_of, positive
from wna_utils.support.fingerprint import tensor_digest

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


def _uniform(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    return rng.random(size, dtype=np.float32)


def _normal(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Mean and standard deviation of the uniform noise; not clipped to [0, 1]."""
    return rng.standard_normal(size, dtype=np.float32) * np.float32(1 / 12**0.5) + np.float32(0.5)


def _binary(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    return rng.integers(0, 2, size, dtype=np.uint8).astype(np.float32)


DISTRIBUTIONS = {"uniform": _uniform, "normal": _normal, "binary": _binary}


@dataclass(frozen=True)
class WhiteNoise:
    """Independent pixels: mean + contrast · (u − 0.5).

    "uniform" is the original's noise, u in [0, 1) with standard deviation 0.289; "normal" has the same mean and
    standard deviation; "binary" u are 0 or 1. At mean 0.5 and contrast 1, the pixels are u itself. With `antithetic`,
    the second half of each block is the first half mirrored at the mean.

    Raises `ValueError` for an unknown distribution, a negative seed, a contrast not above 0, or a bad shape.
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
        at_least("seed", self.seed, 0)
        positive("contrast", self.contrast)

    def block(self, i: int) -> Block:
        rng = np.random.Generator(np.random.Philox(key=[self.seed, i]))
        noise = DISTRIBUTIONS[self.distribution](rng, (BLOCK // 2 if self.antithetic else BLOCK, *self.shape))
        if self.antithetic:
            noise = np.concatenate([noise, 1 - noise])
        if (self.contrast, self.mean) != (1, 0.5):
            noise = np.float32(self.mean) + np.float32(self.contrast) * (noise - np.float32(0.5))
        stimuli = torch.from_numpy(noise)
        return Block(stimuli, stimuli, torch.zeros(BLOCK, dtype=torch.long))

    def identity(self) -> str:
        return repr(self)


@dataclass(frozen=True)
class SmoothNoise:
    """Normal noise in which neighbouring pixels go together: white noise blurred by a Gaussian of `width` pixels.

    Mean and standard deviation are those of the uniform white noise; the blur runs round the edges, so that all pixels
    are alike. Raises `ValueError` for a width not above 0.
    """

    shape: tuple[int, int, int]
    seed: int = 0
    width: float = 1.0

    def __post_init__(self):
        positive("width", self.width)

    def block(self, i: int) -> Block:
        white = WhiteNoise(self.shape, "normal", self.seed).block(i).noise.numpy() - 0.5
        rows, columns = (np.exp(-2 * (np.pi * self.width * np.fft.fftfreq(side)) ** 2) for side in self.shape[1:])
        kept = np.outer(rows, columns)  # of the amplitude, by frequency
        noise = np.fft.ifft2(np.fft.fft2(white) * kept).real / np.sqrt((kept**2).mean())
        stimuli = torch.from_numpy(noise.astype(np.float32) + np.float32(0.5))
        return Block(stimuli, stimuli, torch.zeros(BLOCK, dtype=torch.long))

    def identity(self) -> str:
        return repr(self)


class Pictures:
    """Images (m, c, h, w) of a data set as stimuli, shown in turn; their labels (m,) take the place of signals."""

    def __init__(self, images: Tensor, labels: Tensor):
        self.images, self.labels, self.shape = images, labels.long(), tuple(images.shape[1:])

    def block(self, i: int) -> Block:
        shown = torch.arange(i * BLOCK, (i + 1) * BLOCK) % len(self.images)
        stimuli = self.images[shown]
        return Block(stimuli, stimuli, self.labels[shown])

    def identity(self) -> str:
        return f"Pictures({tensor_digest(self.images)}, {tensor_digest(self.labels)})"


class SignalPlusNoise:
    """The paper's Eq. 3: stimulus t = γ·s + (1 − γ)·n, the signals s shown in turn, each with fresh noise n.

    `signals` (m, c, h, w) with their classes `labels` (m,); trial j shows signal j mod m.

    Raises `ValueError` for a γ outside [0, 1], no signals, or signals whose shape is not the noise's.
    """

    def __init__(self, signals: Tensor, labels: Tensor, noise: WhiteNoise, gamma: float):
        fraction("gamma", gamma)
        if len(signals) == 0 or len(signals) != len(labels):
            raise ValueError(f"signals and labels must be as many, 1 or more; got {len(signals)} and {len(labels)}")
        if tuple(signals.shape[1:]) != tuple(noise.shape):
            raise ValueError(f"signals have shape {tuple(signals.shape[1:])} but the noise {tuple(noise.shape)}")
        self.signals, self.labels, self.noise, self.gamma = signals, labels.long(), noise, gamma
        self.shape = noise.shape

    def block(self, i: int) -> Block:
        noise = self.noise.block(i).noise
        shown = torch.arange(i * BLOCK, (i + 1) * BLOCK) % len(self.signals)
        stimuli = self.gamma * self.signals[shown] + (1 - self.gamma) * noise
        return Block(stimuli, noise, self.labels[shown])

    def identity(self) -> str:
        signals = f"{tensor_digest(self.signals)} {tensor_digest(self.labels)}"
        return f"SignalPlusNoise({signals}, {self.noise.identity()}, gamma={self.gamma!r})"
