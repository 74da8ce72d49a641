"""Layers of a network: cutting it at one, reading units there, and the pixels that a unit sees."""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from wna_utils.networks.freezing import first_line, frozen
from wna_utils.support.checks import between, one_of

if TYPE_CHECKING:
    from torchvision.models.feature_extraction import NodePathTracer

LAYERS = (nn.Conv2d, nn.Linear)
NONLINEARITIES = (nn.ReLU, nn.Tanh)
WINDOWS = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)  # what looks at a square of what comes before it
POINTWISE_CALLS = {"relu", "relu_", "tanh", "sigmoid", "gelu", "dropout", "batch_norm", "elu", "silu", "leaky_relu"}


def names(network: nn.Sequential) -> list[str]:
    """Names of the convolutional and dense layers (normalisation and parameter-free layers do not count)."""
    return [name for name, module in network._modules.items() if isinstance(module, LAYERS)]


def in_words(network: nn.Module) -> str:
    """The layers of a network in words: "20 maps of 5×5, pooling, ReLU, 500 units"."""

    def words(module: nn.Module) -> str:
        match module:
            case nn.Conv2d():
                return f"{module.out_channels} maps of {'×'.join(map(str, module.kernel_size))}"
            case nn.Linear():
                return f"{module.out_features:,} units"
            case nn.RNN():
                return f"{module.num_layers} recurrent layers of {module.hidden_size} {module.nonlinearity} units"
            case nn.BatchNorm2d():
                return "normalization"
            case nn.Dropout() | nn.Dropout2d():
                return f"dropout {module.p:g}"
            case nn.MaxPool2d():
                return "pooling"
            case nn.ReLU() | nn.Tanh() | nn.Sigmoid():
                return type(module).__name__
        return ""

    return ", ".join(filter(None, map(words, network.modules())))


def split(network: nn.Sequential, layer: str, pooled: bool = False) -> tuple[nn.Sequential, nn.Sequential]:
    """The part that computes the activations of `layer`, and the part that makes scores of them; weights are shared.

    Activations are what comes out of the layer's nonlinearity (and of a normalisation before it). Pooling that follows
    belongs to the second part, or with `pooled` to the first. Raises `ValueError` for an unknown layer.
    """
    one_of("layer", layer, names(network))
    modules = network._modules  # named_children leaves out a module that is there twice
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


def nodes_of(network: nn.Module) -> list[str]:
    """Names of what can be read in a network, in torchvision's words: its modules and operations.

    Raises `ValueError` for a network whose operations cannot be traced.
    """
    tracer, _ = _traced(network)
    return list(tracer.node_to_qualname.values())[1:]  # without the input


def answering_node(network: nn.Module) -> str:
    """Name of the node whose output the network returns; raises `ValueError` if that is no single one."""
    tracer, graph = _traced(network)
    [returned] = next(node for node in graph.nodes if node.op == "output").args
    if returned not in tracer.node_to_qualname:
        raise ValueError("the network's scores cannot be read beside its layers: it returns more than one thing")
    return tracer.node_to_qualname[returned]


def _traced(network: nn.Module) -> tuple["NodePathTracer", torch.fx.Graph]:
    from torchvision.models.feature_extraction import NodePathTracer

    tracer = NodePathTracer()
    try:
        return tracer, tracer.trace(network)
    except Exception as error:  # whatever a forward of its own may do while it is traced
        raise ValueError(f"the network's layers cannot be read ({first_line(error)}): only its scores can") from error


def extracted(network: nn.Module, nodes: Sequence[str]) -> nn.Module:
    """A network that answers {node: its output} for these nodes; what none of them needs is not computed.

    Raises `ValueError` for an unknown node, and lists the known ones.
    """
    from torchvision.models.feature_extraction import create_feature_extractor

    known = nodes_of(network)
    for node in nodes:
        if not any(each == node or each.startswith(f"{node}.") for each in known):
            one_of("layer", node, known)
    return create_feature_extractor(network, {node: node for node in nodes}, suppress_diff_warning=True)


def activation_nodes(network: nn.Sequential, layers: Sequence[str]) -> dict[str, str]:
    """The node at which each of the layers is done, with its nonlinearity and the pooling before that.

    Raises `ValueError` for an unknown layer, or layers that are not in the network's order.
    """
    order = list(network._modules)
    places = [len(split(network, layer, pooled=True)[0]) - 1 for layer in layers]
    if places != sorted(set(places)):
        raise ValueError(f"layers must follow each other as in the network: {', '.join(names(network))}; got {layers}")
    return {layer: order[place] for layer, place in zip(layers, places, strict=True)}


class _Node(nn.Module):
    """A network that answers with the output of one of its nodes."""

    def __init__(self, network: nn.Module, node: str):
        super().__init__()
        self.network, self.node = extracted(network, [node]), node

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)[self.node]


class _Pick(nn.Module):
    """Some of the maps (or dense units) of a layer: (b, m, …) to (b, len(units), …)."""

    def __init__(self, units: Sequence[int]):
        super().__init__()
        self.units = tuple(units)

    def forward(self, activations: Tensor) -> Tensor:
        return activations[:, list(self.units)]


def readout(network: nn.Module, layer: str, units: Sequence[int] | None = None) -> nn.Sequential:
    """An observer whose answer is the activation of these units of `layer` (of all), (b, units, h', w') or (b, units).

    In a plain sequence of modules that is what comes out of the layer's nonlinearity, before any pooling; in another
    network, the output of the node of this name. Weights are shared with the network. Raises `ValueError` for an
    unknown layer or unit.
    """
    plain = isinstance(network, nn.Sequential) and "." not in layer
    before = split(network, layer)[0] if plain else nn.Sequential(_Node(network, layer))
    if units is None:
        return before
    module = dict(network.named_modules()).get(layer)
    count = getattr(module, "out_channels", getattr(module, "out_features", None))
    for unit in units:
        between(f"unit of {layer}", unit, 0, math.inf if count is None else count - 1)
    return nn.Sequential(*before, _Pick(units))


POINTWISE = (*NONLINEARITIES, nn.BatchNorm2d, nn.Dropout, nn.Dropout2d, nn.Identity, _Pick)
POINTWISE += (nn.Sigmoid, nn.GELU, nn.ELU, nn.SiLU, nn.LeakyReLU, nn.Softplus, nn.Hardtanh)


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
        """Padding (left, right, top, bottom) with which the fields tile the image; negative if pixels remain."""
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


def field_of(observer: nn.Module | Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> Field:
    """The receptive fields of an observer (see `readout`) that is shown images (c, h, w).

    Raises `ValueError` for convolutions or poolings that are not square, for layers that do not follow one another,
    and for modules not known to act locally.
    """
    if not isinstance(observer, nn.Module):
        return Field(tuple(shape[1:]), 1, 0, (1, 1), tuple(shape))
    with torch.no_grad():
        answer = frozen(observer, torch.device("cpu"))(torch.zeros(1, *shape))
    if answer.ndim == 2:
        return Field(tuple(shape[1:]), 1, 0, (1, 1), tuple(shape))
    size, step, start = 1, 1, 0
    for module in _chain(observer):
        if isinstance(module, POINTWISE):
            continue
        if not isinstance(module, WINDOWS) or isinstance(module.padding, str):
            raise ValueError(f"receptive fields cannot be worked out through {module}")
        kernel, stride, padding = map(_side, (module.kernel_size, module.stride, module.padding))
        size += (kernel - 1) * _side(getattr(module, "dilation", 1)) * step
        start -= padding * step
        step *= stride
    return Field((size, size), step, start, tuple(answer.shape[2:]), tuple(shape))


def _chain(observer: nn.Module) -> Iterator[nn.Module]:
    """The modules of an observer that pass stimuli on from one to the next."""
    if isinstance(observer, nn.Sequential):
        for module in observer:
            yield from _chain(module)
    elif isinstance(observer, _Node):
        for node in observer.network.graph.nodes:
            if len(node.users) > 1:
                raise ValueError("receptive fields are worked out only where each layer feeds one other")
            if node.op == "call_module":
                yield observer.network.get_submodule(node.target)
            elif node.op in ("call_function", "call_method") and _name(node.target) not in POINTWISE_CALLS:
                raise ValueError(f"receptive fields cannot be worked out through {_name(node.target)}")
    else:
        yield observer


def _name(function: Callable | str) -> str:
    return function if isinstance(function, str) else function.__name__


def _side(value: int | tuple[int, int]) -> int:
    height, width = (value, value) if isinstance(value, int) else value
    if height != width:
        raise ValueError(f"receptive fields are worked out for square kernels only; got {value}")
    return height
