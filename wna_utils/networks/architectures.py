"""The observers of the paper's Figs. 10 and 11, with logits out and every layer named; any network by its name."""

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn

from wna_utils.networks.elu_networks import all_cnn, elu_mlp
from wna_utils.networks.generators import Shape, autoencoder, vae
from wna_utils.support.checks import one_of


def cnn(shape: Shape, classes: int, channels: tuple[int, int] = (20, 50), hidden: int = 500) -> nn.Sequential:
    """Two 5×5 convolutions with pooling and two dense layers; 431,080 parameters for ten MNIST classes.

    The paper writes ReLU before pooling. Maximum and ReLU commute, so the outputs are the same to the
    last bit, and pooling first leaves ReLU a quarter of the work.
    """
    side_h, side_w = (((size - 4) // 2 - 4) // 2 for size in shape[1:])
    if min(side_h, side_w) < 1:
        raise ValueError(f"the CNN needs images of at least 16×16 pixels; got shape {shape}")
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(shape[0], channels[0], kernel_size=5),
            pool1=nn.MaxPool2d(2),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(channels[0], channels[1], kernel_size=5),
            pool2=nn.MaxPool2d(2),
            relu2=nn.ReLU(),
            flatten=nn.Flatten(),
            fc1=nn.Linear(channels[1] * side_h * side_w, hidden),
            relu3=nn.ReLU(),
            fc2=nn.Linear(hidden, classes),
        )
    )


def binary_cnn(shape: Shape, classes: int) -> nn.Sequential:
    """The wider-then-narrower CNN of the two-digit experiments (Figs. 1 and 12).

    The original ends in one sigmoid unit. Two logits whose difference is that unit's input
    give the same decision at 0.5 and keep the outputs (b, K) like every other observer's.
    """
    return cnn(shape, classes, channels=(40, 50), hidden=100)


def cifar_cnn(shape: Shape, classes: int, width: int = 32) -> nn.Sequential:
    """Six 3×3 convolutions in three stages and three dense layers, Fig. 11; 5,852,170 parameters for CIFAR-10.

    The paper leaves the width p of the first convolution open; the authors' code has 32. Pooling comes before ReLU,
    see `cnn`.
    """
    if min(shape[1:]) < 8:
        raise ValueError(f"the CIFAR CNN needs images of at least 8×8 pixels; got shape {shape}")
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(shape[0], width, kernel_size=3, padding=1),
            norm1=nn.BatchNorm2d(width),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(width, 64, kernel_size=3, padding=1),
            pool1=nn.MaxPool2d(2),
            relu2=nn.ReLU(),
            conv3=nn.Conv2d(64, 128, kernel_size=3, padding=1),
            norm2=nn.BatchNorm2d(128),
            relu3=nn.ReLU(),
            conv4=nn.Conv2d(128, 128, kernel_size=3, padding=1),
            pool2=nn.MaxPool2d(2),
            relu4=nn.ReLU(),
            drop1=nn.Dropout2d(0.05),
            conv5=nn.Conv2d(128, 256, kernel_size=3, padding=1),
            norm3=nn.BatchNorm2d(256),
            relu5=nn.ReLU(),
            conv6=nn.Conv2d(256, 256, kernel_size=3, padding=1),
            pool3=nn.MaxPool2d(2),
            relu6=nn.ReLU(),
            flatten=nn.Flatten(),
            drop2=nn.Dropout(0.1),
            fc1=nn.Linear(256 * (shape[1] // 8) * (shape[2] // 8), 1024),
            relu7=nn.ReLU(),
            fc2=nn.Linear(1024, 512),
            relu8=nn.ReLU(),
            drop3=nn.Dropout(0.1),
            fc3=nn.Linear(512, classes),
        )
    )


def tanh_convolutions(network: nn.Sequential) -> nn.Sequential:
    """The network with tanh instead of ReLU up to its first dense layer, as the paper's §3.3 has it for its filters.

    Tanh rises as ReLU does, so that it may follow the pooling, too (see `cnn`).
    """
    modules = dict(network.named_children())
    flatten = list(modules).index("flatten")
    return nn.Sequential(
        OrderedDict(
            (name.replace("relu", "tanh"), nn.Tanh()) if isinstance(module, nn.ReLU) and i < flatten else (name, module)
            for i, (name, module) in enumerate(modules.items())
        )
    )


def cnn_tanh(shape: Shape, classes: int) -> nn.Sequential:
    """`cnn` with tanh convolutions."""
    return tanh_convolutions(cnn(shape, classes))


def cifar_cnn_tanh(shape: Shape, classes: int) -> nn.Sequential:
    """`cifar_cnn` with tanh convolutions."""
    return tanh_convolutions(cifar_cnn(shape, classes))


def softmax_on(network: nn.Sequential) -> nn.Sequential:
    """The network with probabilities out, to which cross-entropy adds a second softmax: some of the authors' notebooks.

    No output can be more than 1 ahead of the others, so that this loss has a floor: 1.46 for ten classes.
    """
    return network.append(nn.Softmax(1))


def cnn_softmax(shape: Shape, classes: int) -> nn.Sequential:
    """`cnn` with probabilities out."""
    return softmax_on(cnn(shape, classes))


def cifar_cnn_softmax(shape: Shape, classes: int) -> nn.Sequential:
    """`cifar_cnn` with probabilities out."""
    return softmax_on(cifar_cnn(shape, classes))


def mlp(shape: Shape, classes: int, hidden: int = 1000) -> nn.Sequential:
    """One hidden layer: 784 → 1000 → 10."""
    pixels = shape[0] * shape[1] * shape[2]
    return nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            fc1=nn.Linear(pixels, hidden),
            relu1=nn.ReLU(),
            fc2=nn.Linear(hidden, classes),
        )
    )


def logistic(shape: Shape, classes: int) -> nn.Sequential:
    """Multinomial logistic regression on the pixels."""
    return nn.Sequential(OrderedDict(flatten=nn.Flatten(), fc=nn.Linear(shape[0] * shape[1] * shape[2], classes)))


class RowRNN(nn.Module):
    """A two-layer tanh RNN that reads an image row by row, from the top."""

    def __init__(self, width: int, classes: int, hidden: int = 100, layers: int = 2):
        super().__init__()
        self.rnn = nn.RNN(width, hidden, layers, batch_first=True, nonlinearity="tanh")
        self.fc = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w)
        rows = x.permute(0, 2, 1, 3).flatten(2)  # (b, h, c·w): time runs down the image
        states, _ = self.rnn(rows)
        return self.fc(states[:, -1])


def rnn(shape: Shape, classes: int) -> RowRNN:
    """RNN of the paper's Figs. 10 and 13: 28 → 100 → 100 → 10."""
    return RowRNN(shape[0] * shape[2], classes)


MODELS: dict[str, Callable[[Shape, int], nn.Module]] = {
    "cnn": cnn,
    "binary_cnn": binary_cnn,
    "mlp": mlp,
    "rnn": rnn,
    "logistic": logistic,
    "cifar_cnn": cifar_cnn,
    "cnn_tanh": cnn_tanh,
    "cifar_cnn_tanh": cifar_cnn_tanh,
    "cnn_softmax": cnn_softmax,
    "cifar_cnn_softmax": cifar_cnn_softmax,
    "autoencoder": autoencoder,
    "vae": vae,
    "elu_mlp": elu_mlp,
    "all_cnn": all_cnn,
}


def paper_cnn(shape: Shape) -> str:
    """Name of the CNN that the paper shows images of this shape to: `cifar_cnn` for colour, or else `cnn`."""
    return "cifar_cnn" if shape[0] == 3 else "cnn"


def build(name: str, shape: Shape, classes: int, seed: int) -> nn.Module:
    """The untrained network `name`, its weights drawn from `seed`; torch's global generator is left alone."""
    one_of("model", name, MODELS)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return MODELS[name](shape, classes)
