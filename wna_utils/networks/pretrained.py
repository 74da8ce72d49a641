"""Networks trained on ImageNet by others: fetched, and made to take images of [0, 1] of any size."""

import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
import torch.fx
from torch import Tensor, nn
from torch.nn.functional import interpolate

from wna_utils.data import imagenet
from wna_utils.data.imagenet import ALEXNET, MOBILENET, RESNET, RESNET_LAYOUT
from wna_utils.networks.compiling import operations
from wna_utils.networks.observer import SCORES
from wna_utils.support.checks import one_of
from wna_utils.support.fingerprint import digest

USUAL = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # mean and standard deviation of ImageNet's colours
SIDE = 224  # pixels, of the images that they were trained on
UNTRAINED = ("untrained", "untrained_too")  # stand in for a trained one where things are tried without a download
KNOWN = (*imagenet.NETWORKS, *UNTRAINED)
# What is compared from the first layer to the last but the scores: seven of each, as AlexNet has before its output.
LAYERS = {
    "mobilenet_v2": {
        "stem": "features.0",
        **{f"block {i}": f"features.{i}" for i in (3, 6, 10, 13, 17)},
        "pooled": "flatten",
    },
    "resnet50": {
        "stem": "maxpool",
        "stage 1": "layer1",
        "stage 2": "layer2",
        "half of stage 3": "layer3.2",
        "stage 3": "layer3",
        "stage 4": "layer4",
        "pooled": "flatten",
    },
    "alexnet": {
        **{f"convolution {i}": f"features.{at}" for i, at in enumerate((1, 4, 7, 9, 11), 1)},  # rectified
        "dense 1": "classifier.2",
        "dense 2": "classifier.5",
    },
    **{name: {"convolution": "0", "rectified": "1", "flat": "2"} for name in UNTRAINED},
}
BRANCHES = {"conv1": "branch2a", "conv2": "branch2b", "conv3": "branch2c", "downsample": "branch1"}
OF_CONVOLUTION = {"weight": "kernel"}
OF_NORMALIZATION = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


class Prepared(nn.Module):
    """A network that is shown images (b, 3, h, w) in [0, 1], of whatever size: its scores, (b, 1000).

    Images are enlarged, or shrunk, to `side` pixels by bilinear interpolation, and normalised as the network has
    learned it; with `swapped`, blue comes first.
    """

    def __init__(self, network: nn.Module, mean: list[float], deviation: list[float], swapped: bool, side: int = SIDE):
        super().__init__()
        self.network, self.swapped, self.side = network, swapped, side
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("deviation", torch.tensor(deviation)[:, None, None])

    @property
    def shape_seen(self) -> tuple[int, int, int]:
        """Shape of the images as the network itself sees them."""
        return 3, self.side, self.side

    def forward(self, images: Tensor) -> Tensor:
        normalised = (_resized(images, self.side) - self.mean) / self.deviation
        return self.network(normalised.flip(1) if self.swapped else normalised)


@torch.fx.wrap  # so that layers can be read, whatever the size of the images
def _resized(images: Tensor, side: int) -> Tensor:
    if images.shape[1] != 3:
        raise ValueError(f"the network takes 3 channels; got {images.shape[1]}: repeat a grey one thrice")
    if images.shape[2:] == (side, side):
        return images
    return interpolate(images, size=(side, side), mode="bilinear", antialias=True)


def load(name: str) -> nn.Module:
    """A network of `imagenet.NETWORKS`, in eval mode; its weights are fetched if they are not there.

    The `UNTRAINED` have random weights, and see 32 pixels. Raises `ValueError` for an unknown name, and
    `DataUnavailable` if the weights cannot be had.
    """
    if name in UNTRAINED:
        return _untrained(UNTRAINED.index(name)).eval()
    folder = imagenet.weights_folder(name)
    return {"mobilenet_v2": _mobilenet, "resnet50": _resnet, "alexnet": _alexnet}[name](folder).eval()


def layers_of(name: str) -> dict[str, str]:
    """Layers of a network from the first to the scores, by a short name: the nodes that an observer reads there."""
    one_of("network", name, KNOWN)
    return {layer: f"network.{node}" for layer, node in LAYERS[name].items()} | {SCORES: SCORES}


@cache
def operations_of(name: str) -> float:
    """Floating-point operations with which a network answers one image; nothing is fetched to tell."""
    from torchvision import models

    return operations(getattr(models, name)(), torch.zeros(1, 3, SIDE, SIDE))


def weights_of(name: str) -> str:
    """Hash of the weights of a network, which its tallies know."""
    return digest(*sorted(imagenet.FILES[name].values()))


def _mobilenet(folder: Path) -> nn.Module:
    from torchvision.models import mobilenet_v2  # takes seconds to import: only those wait who need it

    return _of_torchvision(mobilenet_v2, folder / MOBILENET)


def _alexnet(folder: Path) -> nn.Module:
    """Torchvision's AlexNet: wider or narrower here and there than Caffe's, and without its normalization."""
    from torchvision.models import alexnet

    return _of_torchvision(alexnet, folder / ALEXNET)


def _of_torchvision(build: Callable[[], nn.Module], weights: Path) -> nn.Module:
    with torch.device("meta"):  # no weights are drawn only to be thrown away
        network = build()
    network.load_state_dict(torch.load(weights, weights_only=True), assign=True)
    return Prepared(network, *USUAL, swapped=False)


def _untrained(seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = nn.Conv2d(3, 16, 8, stride=8), nn.ReLU(), nn.Flatten(), nn.Linear(256, len(imagenet.classes()))
        return Prepared(nn.Sequential(*layers), *USUAL, swapped=False, side=32)


def _resnet(folder: Path) -> nn.Module:
    """Torchvision's ResNet-50 with the weights that Keras has, of the network as He et al. (2016) published it.

    It strides in the first convolution of a block, where torchvision's strides in the second; its convolutions have
    biases, which are taken off the running means that follow; and blue comes first.
    """
    from torchvision.models import resnet50

    with torch.device("meta"):
        network = resnet50(norm_layer=partial(nn.BatchNorm2d, eps=1e-3))
    for stage in (network.layer2, network.layer3, network.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    network.load_state_dict(_state_of(network, _arrays(folder)), assign=True)
    means = [123.68, 116.779, 103.939]  # of red, green and blue, in 0…255
    return Prepared(network, [each / 255 for each in means], [1 / 255] * 3, swapped=True)


def _arrays(folder: Path) -> dict[str, Tensor]:
    """The arrays of a TensorFlow.js model, by name."""
    layout: list[dict[str, Any]] = json.loads((folder / RESNET_LAYOUT).read_text())["weightsManifest"][0]["weights"]
    sizes = [torch.Size(each["shape"]).numel() for each in layout]
    numbers = torch.from_file(str(folder / RESNET), size=sum(sizes), dtype=torch.float32)  # read as it is needed
    return {each["name"]: part.view(each["shape"]) for each, part in zip(layout, numbers.split(sizes), strict=True)}


def _state_of(network: nn.Module, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of torchvision's ResNet-50, of arrays that are called as in Keras."""
    state = network.state_dict()
    for name in state:
        layer, _, of = name.rpartition(".")
        if layer == "fc":
            state[name] = arrays["fc1000/kernel"].T if of == "weight" else arrays["fc1000/bias"]
        elif state[name].ndim == 4:
            state[name] = arrays[f"{_convolution(layer)}/kernel"].permute(3, 2, 0, 1)
        elif of in OF_NORMALIZATION:
            convolution = _convolution(layer)
            state[name] = arrays[f"{_normalization(convolution)}/{OF_NORMALIZATION[of]}"]
            if of == "running_mean":
                state[name] = state[name] - arrays[f"{convolution}/bias"]
        else:  # batches that a normalization was trained on
            state[name] = torch.zeros((), dtype=torch.long)
    return {name: each.clone(memory_format=torch.contiguous_format) for name, each in state.items()}


def _convolution(layer: str) -> str:
    """Keras's name of the convolution that torchvision calls "layer3.0.conv2", or of the one before "layer3.0.bn2"."""
    if layer in ("conv1", "bn1"):
        return "conv1"
    stage, block, part, *_ = layer.split(".")
    branch = BRANCHES[part.replace("bn", "conv")]
    return f"res{int(stage[-1]) + 1}{'abcdef'[int(block)]}_{branch}"


def _normalization(convolution: str) -> str:
    return "bn_conv1" if convolution == "conv1" else convolution.replace("res", "bn")
