"""Networks of ELUs: the classifiers of Pardo et al. (2019), Table 1, and the stacks that study them, Table 2."""

from collections import OrderedDict
from itertools import pairwise

from torch import nn

from wna_utils.networks.generators import Shape


def elu_mlp(shape: Shape, classes: int, layers: int = 12, width: int = 200, keep: float = 0.9) -> nn.Sequential:
    """Net1: twelve dense layers of 200 units, `elu1` to `elu12`. Training keeps a share of `keep` of the units.

    The paper's "p = 0.9" is what TensorFlow 1.14 calls the probability of keeping a unit.
    """
    sizes = (shape[0] * shape[1] * shape[2], *[width] * layers)
    return _initialised(nn.Sequential(OrderedDict(flatten=nn.Flatten(), **_dense(sizes, keep), **_out(width, classes))))


def all_cnn(shape: Shape, classes: int, keep: float = 0.8) -> nn.Sequential:
    """Net2: convolutions, global average pooling, and three dense layers, `elu1` to `elu3`.

    The last convolution, before the pooling, has no dropout.
    """
    widths, strides, sizes = (96, 96, 96, 192, 192, 192), (1, 1, 2, 1, 1, 2), (192, 512, 512, 512)
    steps = OrderedDict()
    for i, ((before, after), stride) in enumerate(zip(pairwise((shape[0], *widths)), strides, strict=True), start=1):
        steps[f"conv{i}"] = nn.Conv2d(before, after, kernel_size=3, stride=stride, padding=1)
        steps[f"conv_elu{i}"], steps[f"conv_drop{i}"] = nn.ELU(), nn.Dropout(1 - keep)
    steps["conv7"], steps["conv_elu7"] = nn.Conv2d(widths[-1], sizes[0], kernel_size=1), nn.ELU()
    steps["mean"], steps["flatten"] = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return _initialised(nn.Sequential(OrderedDict(**steps, **_dense(sizes, keep), **_out(sizes[-1], classes))))


def elu_stack(inputs: int, outputs: int, layers: int = 3, width: int = 200) -> nn.Sequential:
    """Dense ELU layers and a linear one: encoder, decoder and estimator of error are such stacks (Table 2)."""
    sizes = (inputs, *[width] * layers)
    return _initialised(nn.Sequential(OrderedDict(**_dense(sizes, keep=1), out=nn.Linear(width, outputs))))


def _dense(sizes: tuple[int, ...], keep: float) -> OrderedDict[str, nn.Module]:
    steps = OrderedDict()
    for i, (before, after) in enumerate(pairwise(sizes), start=1):
        steps[f"fc{i}"], steps[f"elu{i}"] = nn.Linear(before, after), nn.ELU()
        if keep < 1:
            steps[f"drop{i}"] = nn.Dropout(1 - keep)
    return steps


def _out(width: int, classes: int) -> OrderedDict[str, nn.Module]:
    return OrderedDict(out=nn.Linear(width, classes), sigmoid=nn.Sigmoid())


def _initialised(network: nn.Sequential) -> nn.Sequential:
    """The network with TensorFlow 1.14's default initialisation: Glorot uniform weights, biases of zero."""
    for module in network:
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return network
