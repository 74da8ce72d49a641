"""Smooth noise: white noise, blurred, so that neighbouring pixels go together (§2.2)."""

import math
from dataclasses import dataclass

import torch

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
        white = WhiteNoise(self.shape, "normal", self.seed).block(number, device).noise - 0.5
        rows, columns = (
            torch.exp(-2 * (math.pi * self.width * torch.fft.fftfreq(side, device=device)) ** 2)
            for side in self.shape[1:]
        )
        kept = torch.outer(rows, columns)  # of the amplitude, by frequency
        noise = torch.fft.ifft2(torch.fft.fft2(white) * kept).real / kept.square().mean().sqrt()
        return Block.of_noise(number, noise + 0.5)
