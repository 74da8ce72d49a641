"""Layers of a network: cutting it at one, reading units there, and the pixels that a unit sees."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from wna_utils.support.checks import between, one_of

LAYERS = (nn.Conv2d, nn.Linear)
NONLINEARITIES = (nn.ReLU, nn.Tanh)


def names(network: nn.Sequential) -> list[str]:
    """Names of the layers that have weights to tell the world apart with: convolutional and dense ones."""
    return [name for name, module in network.named_children() if isinstance(module, LAYERS)]


def split(network: nn.Sequential, layer: str, pooled: bool = False) -> tuple[nn.Sequential, nn.Sequential]:
    """The part that computes the activations of `layer`, and the part that makes scores of them; weights are shared.

    Activations are what comes out of the layer's nonlinearity (and of a normalisation before it). Pooling that follows
    belongs to the second part, or with `pooled` to the first. Raises `ValueError` for an unknown layer.
    """
    one_of("layer", layer, names(network))
    modules = dict(network.named_children())
    order = list(modules)
    own = [layer]
    for name in order[order.index(layer) + 1 :]:
        if isinstance(modules[name], (*LAYERS, nn.Flatten)):
            break
        if pooled or not isinstance(modules[name], (nn.MaxPool2d, nn.Dropout, nn.Dropout2d)):
            own.append(name)
        if isinstance(modules[name], NONLINEARITIES):
            break
    before = order[: order.index(layer)] + own
    return tuple(
        nn.Sequential(OrderedDict((name, modules[name]) for name in part))
        for part in (before, [name for name in order if name not in before])
    )


def stages(network: nn.Sequential, layers: Sequence[str]) -> list[nn.Sequential]:
    """The network cut after each of these layers (pooling included), in their order: one part more than layers."""
    ends = [0, *[len(split(network, layer, pooled=True)[0]) for layer in layers], len(network)]
    if ends != sorted(set(ends)):
        raise ValueError(f"layers must follow each other as in the network: {', '.join(names(network))}; got {layers}")
    return [network[start:stop] for start, stop in pairwise(ends)]


class Pick(nn.Module):
    """Some of the maps (or dense units) of a layer: (b, m, …) to (b, len(units), …)."""

    def __init__(self, units: Sequence[int]):
        super().__init__()
        self.units = tuple(units)

    def forward(self, activations: Tensor) -> Tensor:
        return activations[:, list(self.units)]


def readout(network: nn.Sequential, layer: str, units: Sequence[int] | None = None) -> nn.Sequential:
    """An observer whose answer is the activation of these units of `layer` (of all), (b, units, h', w') or (b, units).

    Raises `ValueError` for an unknown layer or unit.
    """
    before, _ = split(network, layer)
    if units is None:
        return before
    module = getattr(network, layer)
    count = module.out_channels if isinstance(module, nn.Conv2d) else module.out_features
    for unit in units:
        between(f"unit of {layer}", unit, 0, count - 1)
    return nn.Sequential(*before, Pick(units))


@dataclass(frozen=True)
class Field:
    """The pixels that a layer's units see.

    The unit at position (p, q) of a map sees `size` (h, w) pixels, from pixel (start + step·p, start + step·q) on. What
    lies beyond the image's edge is zero padding. A dense unit sees the image, from its one position.
    """

    size: tuple[int, int]
    step: int
    start: int
    positions: tuple[int, int]  # (h', w')
    image: tuple[int, int, int]  # (c, h, w)

    @property
    def pixels(self) -> int:
        """Numbers in a receptive field, over colours: d in the paper's §2.2."""
        return self.image[0] * self.size[0] * self.size[1]

    @property
    def margins(self) -> list[int]:
        """Padding (left, right, top, bottom) with which the fields tile the image; negative where they leave a rest."""
        ends = [
            self.start + self.step * (count - 1) + size - side
            for count, size, side in zip(self.positions, self.size, self.image[1:], strict=True)
        ]
        return [-self.start, ends[1], -self.start, ends[0]]

    def pixel_of(self, axis: int) -> Tensor:
        """Row (`axis` 0) or column (1) of the image under each place of the field, (size, positions)."""
        places = torch.arange(self.size[axis])[:, None]
        return self.start + self.step * torch.arange(self.positions[axis]) + places

    def inside(self, axis: int) -> Tensor:
        """Which of `pixel_of` lie within the image, (size, positions) bool."""
        pixel = self.pixel_of(axis)
        return (pixel >= 0) & (pixel < self.image[1 + axis])


def field_of(observer: nn.Module, shape: tuple[int, int, int]) -> Field:
    """The receptive fields of an observer (see `readout`) that is shown images (c, h, w).

    Raises `ValueError` for convolutions or poolings that are not square.
    """
    with torch.inference_mode():
        answer = observer(torch.zeros(1, *shape))
    if answer.ndim == 2:
        return Field(tuple(shape[1:]), 1, 0, (1, 1), tuple(shape))
    size, step, start = 1, 1, 0
    for module in observer:
        if isinstance(module, (nn.Conv2d, nn.MaxPool2d)):
            kernel, stride, padding = map(_side, (module.kernel_size, module.stride, module.padding))
            size += (kernel - 1) * step
            start -= padding * step
            step *= stride
    return Field((size, size), step, start, tuple(answer.shape[2:]), tuple(shape))


def _side(value: int | tuple[int, int]) -> int:
    height, width = (value, value) if isinstance(value, int) else value
    if height != width:
        raise ValueError(f"receptive fields are worked out for square kernels only; got {value}")
    return height
