"""The observers of the paper: architectures of its Fig. 10, with logits out and every layer named."""

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn

from wna_utils.checks import one_of

Shape = tuple[int, int, int]


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


class ConfidenceBins(nn.Module):
    """An observer that also says how sure it is: response k·bins + i means class k, confidence in bin i.

    Bins split the softmax probability of the chosen class evenly over [0, 1]. Tallying its responses lets any
    weighting or threshold by confidence be applied afterwards (the paper's footnote 3).
    """

    def __init__(self, model: nn.Module, bins: int = 20):
        super().__init__()
        self.model, self.bins = model, bins

    def forward(self, x: Tensor) -> Tensor:
        probability = self.model(x).float().softmax(1)
        confidence, chosen = probability.max(1)
        i = (confidence * self.bins).long().clamp_(max=self.bins - 1)
        return nn.functional.one_hot(chosen * self.bins + i, probability.shape[1] * self.bins)


MODELS: dict[str, Callable[[Shape, int], nn.Module]] = {
    "cnn": cnn,
    "binary_cnn": binary_cnn,
    "mlp": mlp,
    "rnn": rnn,
    "logistic": logistic,
}


def build(name: str, shape: Shape, classes: int, seed: int) -> nn.Module:
    """The untrained network `name`, its weights drawn from `seed`; torch's global generator is left alone."""
    one_of("model", name, MODELS)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return MODELS[name](shape, classes)
