"""Images of a data set as stimuli, alone or in noise (Eq. 3)."""

import torch
from torch import Tensor

from wna_utils.stimuli.blocks import CPU, Block, Source
from wna_utils.stimuli.mixtures import mixed
from wna_utils.support.checks import fraction


def _shown(source: Source, number: int, images: Tensor) -> Tensor:
    """Which of the images, shown in turn, are in a block: (b,)."""
    return torch.arange(number * source.block_size, (number + 1) * source.block_size) % len(images)


class Pictures(Source):
    """Images (m, c, h, w) of a data set as stimuli, shown in turn; their labels (m,) take the place of signals."""

    def __init__(self, images: Tensor, labels: Tensor):
        self.images, self.labels, self.shape = images, labels.long(), tuple(images.shape[1:])

    def block(self, number: int, device: torch.device = CPU) -> Block:
        shown = _shown(self, number, self.images)
        stimuli = self.images[shown].to(device)
        return Block(number, stimuli, stimuli, self.labels[shown].to(device))


class SignalPlusNoise(Source):
    """The paper's Eq. 3: stimulus t = γ·s + (1 − γ)·n, the signals s shown in turn, each with fresh noise n.

    `signals` (m, c, h, w) with their classes `labels` (m,); trial j shows signal j mod m.

    Raises `ValueError` for a γ outside [0, 1], no signals, or signals whose shape is not the noise's.
    """

    def __init__(self, signals: Tensor, labels: Tensor, noise: Source, gamma: float):
        fraction("gamma", gamma)
        if len(signals) == 0 or len(signals) != len(labels):
            raise ValueError(f"signals and labels must be as many, 1 or more; got {len(signals)} and {len(labels)}")
        if tuple(signals.shape[1:]) != tuple(noise.shape):
            raise ValueError(f"signals have shape {tuple(signals.shape[1:])} but the noise {tuple(noise.shape)}")
        self.signals, self.labels, self.noise, self.gamma = signals, labels.long(), noise, gamma
        self.shape = noise.shape

    @property
    def block_size(self) -> int:
        return self.noise.block_size

    def block(self, number: int, device: torch.device = CPU) -> Block:
        noise = self.noise.block(number, device).noise
        shown = _shown(self, number, self.signals)
        stimuli = mixed(self.signals[shown].to(device), noise, self.gamma)
        return Block(number, stimuli, noise, self.labels[shown].to(device))
