"""Generators: autoencoders, whose decoders turn random codes into images (the paper's Figs. 10 and 15)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

Shape = tuple[int, int, int]


class Generator(nn.Module):
    """A network that turns codes (b, `code_size`) into images, trained on its own loss instead of on labels."""

    code_size: int

    def encode(self, x: Tensor) -> Tensor:
        """Codes (b, code_size) of images (b, c, h, w)."""
        raise NotImplementedError

    def decode(self, codes: Tensor) -> Tensor:
        """Images (b, c, h, w) of codes (b, code_size)."""
        raise NotImplementedError

    def loss(self, x: Tensor) -> Tensor:
        """The training objective (loss) on images (b, c, h, w)."""
        raise NotImplementedError


class Autoencoder(Generator):
    """Images to codes of nine numbers and back; Fig. 10. The last layer is a tanh, so that pixels lie in −1 … 1."""

    def __init__(self, shape: Shape, widths: tuple[int, ...] = (128, 64, 12, 9)):
        super().__init__()
        sizes = (shape[0] * shape[1] * shape[2], *widths)
        self.code_size = widths[-1]
        self.encoder = nn.Sequential(nn.Flatten(), *_dense(sizes))
        self.decoder = nn.Sequential(*_dense(sizes[::-1]), nn.Tanh(), nn.Unflatten(1, shape))

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def decode(self, codes: Tensor) -> Tensor:
        return self.decoder(codes)

    def loss(self, x: Tensor) -> Tensor:
        """Mean squared error of the reconstruction."""
        return nn.functional.mse_loss(self.decode(self.encode(x)), x)


class VariationalAutoencoder(Generator):
    """Images to a normal distribution over codes (three numbers, as in the authors' saved run) and back; Fig. 10."""

    def __init__(self, shape: Shape, hidden: int = 400, code_size: int = 3):
        super().__init__()
        pixels = shape[0] * shape[1] * shape[2]
        self.code_size = code_size
        self.encoder = nn.Sequential(nn.Flatten(), *_dense((pixels, hidden, 2 * code_size)))
        self.decoder = nn.Sequential(*_dense((code_size, hidden, pixels)), nn.Sigmoid(), nn.Unflatten(1, shape))

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)[:, : self.code_size]

    def decode(self, codes: Tensor) -> Tensor:
        return self.decoder(codes)

    def loss(self, x: Tensor) -> Tensor:
        """Squared error of the reconstruction plus Kullback–Leibler divergence from the prior, per image."""
        mean, log_variance = self.encoder(x).split(self.code_size, dim=1)
        codes = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2
        return (nn.functional.mse_loss(self.decode(codes), x, reduction="sum") + divergence) / len(x)


def autoencoder(shape: Shape, classes: int) -> Autoencoder:
    """784 → 128 → 64 → 12 → 9 and back; the classes play no part."""
    return Autoencoder(shape)


def vae(shape: Shape, classes: int) -> VariationalAutoencoder:
    """784 → 400 → 3 and back; the classes play no part."""
    return VariationalAutoencoder(shape)


def _dense(sizes: tuple[int, ...]) -> list[nn.Module]:
    """Linear layers between these sizes, with ReLU between them."""
    layers: list[nn.Module] = []
    for size, following in pairwise(sizes):
        layers += [nn.Linear(size, following), nn.ReLU()]
    return layers[:-1]
