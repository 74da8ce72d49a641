"""Mean activations of layers by class, and what a network says when they are mixed with others (§3.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from wna_utils.networks.layers import split, stages
from wna_utils.observe.loop import observe
from wna_utils.observe.tally import Maps, Tally
from wna_utils.stimuli.blocks import Block, Source
from wna_utils.support.checks import fraction, one_of
from wna_utils.support.devices import resolve_device

INPUT = "input"  # the images themselves, where a layer is asked for


class WithActivations(nn.Module):
    """An observer that answers its scores and, after them, the activations of some layers in one row: (b, K + …).

    Activations are what a layer passes on, after its nonlinearity and pooling; the first layer may be "input", the
    stimulus itself. `shapes` are those for one image.
    """

    def __init__(self, network: nn.Sequential, layers: Sequence[str], shape: tuple[int, int, int]):
        super().__init__()
        parts = stages(network, [layer for layer in layers if layer != INPUT])
        self.parts = nn.ModuleList([nn.Identity(), *parts] if layers[0] == INPUT else parts)
        with torch.inference_mode():
            outputs = self._outputs(torch.zeros(1, *shape))
        self.shapes = tuple(tuple(each.shape[1:]) for each in outputs[:-1])
        self.size = sum(each.numel() for each in outputs)

    def forward(self, x: Tensor) -> Tensor:
        *activations, scores = self._outputs(x)
        return torch.cat([scores, *[each.flatten(1) for each in activations]], 1)

    def _outputs(self, x: Tensor) -> list[Tensor]:
        return [x := part(x) for part in self.parts]


class ByResponse(Tally):
    """Counts, sums and squares of activations (K, F) by the class that got the highest score."""

    @classmethod
    def empty(cls, classes: int, answer: tuple[int, ...], shape: tuple[int, ...]) -> "ByResponse":
        return super().empty(classes, (answer[0] - classes,))

    def add(self, block: Block, scores: Tensor) -> None:
        """Count the activations that follow the scores, (b, K + F)."""
        classes = len(self.counts)
        self.count(scores[:, classes:], self._rows(block, scores[:, :classes]))

    def _rows(self, block: Block, scores: Tensor) -> Tensor:
        return scores.argmax(1)


class ByLabel(ByResponse):
    """The same by the signal's class, whatever the network calls it."""

    def _rows(self, block: Block, scores: Tensor) -> Tensor:
        return block.signal


@dataclass(frozen=True)
class MeanActivations:
    """Images of each class, counts (K,), and by layer the mean of their activations and its standard error, (K, …).

    A class without images has its mean masked, one with fewer than two its error.
    """

    counts: np.ndarray
    means: dict[str, Maps]
    errors: dict[str, Maps]

    @property
    def reached(self) -> np.ndarray:
        """Whether a class has any images, (K,) bool."""
        return self.counts > 0


def activations_by_class(
    network: nn.Sequential,
    layers: Sequence[str],
    source: Source,
    n: int,
    classes: int = 10,
    by: type[ByResponse] = ByResponse,
    **options,
) -> MeanActivations:
    """Show n stimuli to a network and average the activations of its layers, by the class called (or `ByLabel`).

    `options` are those of `observe`. Raises `ValueError` for an unknown layer.
    """
    observer = WithActivations(network, layers, source.shape)
    tally = observe(observer, source, n, (observer.size,), tally=partial(by.empty, classes), **options)
    ends = np.cumsum([0, *(torch.Size(shape).numel() for shape in observer.shapes)])

    def by_layer(rows: Maps) -> dict[str, Maps]:  # (K, F)
        return {
            layer: rows[:, start:stop].reshape(-1, *shape)
            for layer, (start, stop), shape in zip(layers, pairwise(ends), observer.shapes, strict=True)
        }

    return MeanActivations(tally.counts, by_layer(tally.means), by_layer(tally.standard_error))


@torch.inference_mode()
def called_when_mixed(
    network: nn.Sequential, layer: str, pattern: Tensor, images: Tensor, gammas: Sequence[float], device: str = "auto"
) -> Tensor:
    """What the network calls images (n, c, h, w) when their activations at `layer` are mixed with a pattern: (g, n).

    Activations become (1 − γ)·pattern + γ·activation for each γ, as under Fig. 21, so that γ = 1 leaves the images
    alone. `layer` "input" mixes the images themselves. The network is not changed. Raises `ValueError` for a γ outside
    [0, 1], an unknown layer, or a pattern that does not fit it.
    """
    for gamma in gammas:
        fraction("gamma", gamma)
    target = resolve_device(device)
    before, after = (nn.Identity(), network) if layer == INPUT else split(network, layer, pooled=True)
    before, after = (each.to(target, memory_format=torch.channels_last).eval() for each in (before, after))
    activations = torch.cat([before(batch.to(target)) for batch in images.split(250)])
    if pattern.shape != activations.shape[1:]:
        raise ValueError(f"a pattern for {layer} has shape {tuple(activations.shape[1:])}; got {tuple(pattern.shape)}")
    pattern = pattern.to(target, torch.float32)
    mixtures = ((1 - gamma) * pattern + gamma * batch for gamma in gammas for batch in activations.split(250))
    return torch.cat([after(batch).argmax(1) for batch in mixtures]).view(len(gammas), -1).cpu()


def turned(called: Tensor, labels: Tensor, target: int) -> Tensor:
    """Which images of other classes (g, m) are called the target: what Fig. 21 takes the share of."""
    one_of("the number of labels", len(labels), [called.shape[1]])
    return (called == target)[:, labels != target]
