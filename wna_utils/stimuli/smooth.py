"""Smooth noise: white noise, blurred, so that neighbouring pixels go together (§2.2)."""

from dataclasses import dataclass

import numpy as np
import torch

from wna_utils.stimuli.blocks import CPU, Block, Source
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support.checks import positive


@dataclass(frozen=True)
class SmoothNoise(Source):
    """Normal noise in which neighbouring pixels go together: white noise blurred by a Gaussian of `width` pixels.

    Mean and standard deviation are those of the uniform white noise; the blur runs round the edges, so that all pixels
    are alike. Raises `ValueError` for a width not above 0.
    """

    shape: tuple[int, int, int]
    seed: int = 0
    width: float = 1.0

    def __post_init__(self):
        positive("width", self.width)

    def block(self, number: int, device: torch.device = CPU) -> Block:
        white = WhiteNoise(self.shape, "normal", self.seed).block(number).noise.numpy() - 0.5
        rows, columns = (np.exp(-2 * (np.pi * self.width * np.fft.fftfreq(side)) ** 2) for side in self.shape[1:])
        kept = np.outer(rows, columns)  # of the amplitude, by frequency
        noise = np.fft.ifft2(np.fft.fft2(white) * kept).real / np.sqrt((kept**2).mean())
        return Block.of_noise(number, torch.from_numpy(noise.astype(np.float32) + np.float32(0.5)).to(device))
