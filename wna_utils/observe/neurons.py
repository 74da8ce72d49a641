"""Model neurons whose receptive fields are known, to try spike-triggered analysis on (§2.2)."""

import numpy as np
import torch
from torch import Tensor, nn

from wna_utils.stimuli.wavelets import ONE_OCTAVE, gabor
from wna_utils.support.checks import one_of

WHITE = 1 / 12**0.5  # standard deviation of the uniform noise: for white noise a unit filter's drive has variance 1
NONLINEARITIES = ("rectified", "exponential")


class LinearNonlinear(nn.Module):
    """A neuron with one linear filter (c, h, w): its drive, less a threshold, is rectified or exponentiated.

    The filter is scaled to length 1, the drive to standard deviation 1 in white noise. The answer is (b, 1).
    """

    filter: Tensor

    def __init__(self, filter: Tensor, threshold: float = 0.0, nonlinearity: str = "rectified"):
        super().__init__()
        one_of("nonlinearity", nonlinearity, NONLINEARITIES)
        self.threshold, self.nonlinearity = threshold, nonlinearity
        self.register_buffer("filter", filter.float() / filter.norm())

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w)
        drive = _drive(x, self.filter) - self.threshold
        return drive.relu() if self.nonlinearity == "rectified" else drive.exp()


class ComplexCell(nn.Module):
    """The energy model: the squared drives of two filters (c, h, w), added up. It has no preferred sign; (b, 1)."""

    first: Tensor
    second: Tensor

    def __init__(self, first: Tensor, second: Tensor):
        super().__init__()
        self.register_buffer("first", first.float() / first.norm())
        self.register_buffer("second", second.float() / second.norm())

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w)
        return _drive(x, self.first).square() + _drive(x, self.second).square()


class Added(nn.Module):
    """A neuron whose answer is the sum of those of others, (b, 1)."""

    def __init__(self, *neurons: nn.Module):
        super().__init__()
        self.neurons = nn.ModuleList(neurons)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w)
        return sum(neuron(x) for neuron in self.neurons)


def _drive(x: Tensor, filter: Tensor) -> Tensor:
    """How much of the filter is in each stimulus (b, c, h, w), (b, 1)."""
    return ((x - 0.5).flatten(1) @ filter.flatten()[:, None]) / WHITE


def gabor_pair(side: int, cycles: float = 2.0, orientation: float = 45.0) -> tuple[Tensor, Tensor]:
    """Two wavelets (1, side, side) a quarter of a cycle apart, of so many cycles per image; orientation in degrees."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    pair = [gabor(x, y, side / cycles, np.deg2rad(orientation), phase, ONE_OCTAVE / 2) for phase in (0, np.pi / 2)]
    first, second = (torch.from_numpy(each - each.mean())[None].float() for each in pair)
    return first, second
