"""Noise in which neighbouring pixels go together: white noise, blurred (§2.2), or with the spectrum of photographs."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from wna_utils.stimuli.blocks import CPU, Block, Source
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support.checks import positive


@dataclass(frozen=True)
class SmoothNoise(Source):
    """Normal noise in which neighbouring pixels go together: white noise blurred by a Gaussian of `width` pixels.

    Mean and standard deviation are those of the uniform white noise; the blur wraps around (circular convolution), so
    all pixels have the same statistics. Raises `ValueError` for a width not above 0.
    """

    shape: tuple[int, int, int]
    seed: int = 0
    width: float = 1.0

    def __post_init__(self):
        positive("width", self.width)

    def block(self, number: int, device: torch.device = CPU) -> Block:
        rows, columns = (
            torch.exp(-2 * (math.pi * self.width * torch.fft.fftfreq(side, device=device)) ** 2)
            for side in self.shape[1:]
        )
        return _filtered(self, torch.outer(rows, columns), number, device)


@dataclass(frozen=True)
class PinkNoise(Source):
    """Normal noise whose amplitude falls with frequency as 1/f, as that of photographs does, each channel by itself.

    Mean and standard deviation are those of the uniform white noise, the latter over images: whole images are lighter
    or darker as there is no lowest frequency. Pixels may lie beyond 0 and 1. Raises `ValueError` as `WhiteNoise` does.
    """

    shape: tuple[int, int, int]
    seed: int = 0

    def __post_init__(self):
        WhiteNoise(self.shape, seed=self.seed)

    def block(self, number: int, device: torch.device = CPU) -> Block:
        rows, columns = (torch.fft.fftfreq(side, device=device) for side in self.shape[1:])
        lowest = 1 / max(self.shape[1:])  # a constant has no frequency: it gets the amplitude of the lowest
        frequency = torch.hypot(rows[:, None], columns).clamp(min=lowest)
        return _filtered(self, 1 / frequency, number, device)


def _filtered(noise: SmoothNoise | PinkNoise, kept: Tensor, number: int, device: torch.device) -> Block:
    """A block of white noise of which so much (h, w) of each frequency's amplitude is kept."""
    white = WhiteNoise(noise.shape, "normal", noise.seed).block(number, device).noise - 0.5
    smooth = torch.fft.ifft2(torch.fft.fft2(white) * kept).real / kept.square().mean().sqrt()
    return Block.of_noise(number, smooth + 0.5)
