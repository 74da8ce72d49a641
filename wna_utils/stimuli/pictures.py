"""Images of a data set as stimuli, alone or in noise (Eq. 3)."""

import torch
from torch import Tensor

from wna_utils.stimuli.blocks import BLOCK, Block
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support.checks import fraction
from wna_utils.support.fingerprint import tensor_digest


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
