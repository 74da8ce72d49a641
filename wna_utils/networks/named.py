"""Networks by the names that tallies know them by: recorded in this repository, or trained by others and fetched."""

from torch import nn

from wna_utils.networks import pretrained, recorded_networks
from wna_utils.support import recorded

IMAGENET = "imagenet"  # behind the names of networks that are fetched


def name_of(network: str) -> str:
    """What a fetched network is called here, such as "mobilenet_v2-imagenet"."""
    return f"{network}-{IMAGENET}"


def fetched(name: str) -> str:
    """Name of the fetched network, such as "mobilenet_v2"; empty for one that is recorded here."""
    network, _, data = name.partition("-")
    return network if data == IMAGENET else ""


def load(name: str) -> nn.Module:
    """The network of this name, in eval mode.

    Raises `ValueError` for a name that there is not, or a file that is damaged, and `DataUnavailable` if weights cannot
    be had.
    """
    network = fetched(name)
    return pretrained.load(network) if network else recorded_networks.load(name)


def weights_of(name: str) -> str:
    """Hash of the network's weights, which its tallies know."""
    network = fetched(name)
    return pretrained.weights_of(network) if network else recorded_networks.weights_of(name)


def shape_of(name: str) -> tuple[int, int, int]:
    """Shape (c, h, w) of the images that the network was trained on."""
    if fetched(name):
        return 3, pretrained.SIDE, pretrained.SIDE
    return tuple(recorded.about(recorded_networks.path_of(name))["shape"])
