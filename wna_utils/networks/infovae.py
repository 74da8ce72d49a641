"""Networks that study another one's hidden activations: InfoVAE and estimator of error (Pardo et al., Table 2).

The encoder is deterministic: its bottleneck is linear, and nothing is drawn. What makes the codes of all activations
together look like a standard normal distribution is the maximum mean discrepancy between the two (Zhao et al., 2017).
"""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from wna_utils.networks.cyclic import Cyclic, Loss, fit
from wna_utils.networks.elu_networks import elu_stack
from wna_utils.support.checks import at_least, one_of, whole

# How autoencoder and estimator are trained in a profile; in "paper" as the paper says of MNIST. So few cycles as the
# book's never stop early, so that nothing is held out.
AUTOENCODER = Cyclic(cycles=1, iterations=1_000, highest=2e-3, held_out=0)
ESTIMATOR = Cyclic(cycles=1, iterations=2_500, highest=1e-2, held_out=0)
RECIPES = {
    "book": (AUTOENCODER, ESTIMATOR),
    "smoke": (replace(AUTOENCODER, iterations=60), replace(ESTIMATOR, iterations=60)),
    "paper": (
        Cyclic(cycles=30, iterations=3_000, highest=1e-5),
        Cyclic(cycles=50, iterations=10_000, batch_size=32, highest=1e-5),
    ),
}


def recipes_of(profile: str, times_longer: int = 1) -> tuple[Cyclic, Cyclic]:
    """How autoencoder and estimator are trained in a profile, in so many times its cycles.

    Raises `ValueError` for an unknown profile, or times that are not whole, or below 1.
    """
    one_of("profile", profile, RECIPES)
    whole("times_longer", times_longer, 1)
    autoencoder, estimator = (replace(each, cycles=times_longer * each.cycles) for each in RECIPES[profile])
    return autoencoder, estimator


def operations_of(network: nn.Module, recipe: Cyclic) -> float:
    """Floating-point operations of training a network of dense layers: six for each weight and sample."""
    return 6.0 * sum(weights.numel() for weights in network.parameters()) * recipe.shown(0)


class InfoVAE(nn.Module):
    """Activations (b, p) to codes (b, k) and back, each through three layers of 200 ELUs."""

    def __init__(self, inputs: int, bottleneck: int = 2):
        super().__init__()
        whole("bottleneck", bottleneck, 1)
        self.encoder, self.decoder = elu_stack(inputs, bottleneck), elu_stack(bottleneck, inputs)

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (b, k) and reconstructions (b, p) of activations (b, p)."""
        codes = self.encoder(h)
        return codes, self.decoder(codes)


def mmd(codes: Tensor, others: Tensor) -> Tensor:
    """Squared maximum mean discrepancy of two samples (n, k) and (m, k), without bias: 0 in the mean if they are alike.

    With the kernel exp(−d²/2k); for two numbers, that is the one of the InfoVAE's authors. For standard normal codes of
    k numbers, one sample moved by μ, its mean is 2 (k/(k + 2))^(k/2) (1 − exp(−‖μ‖²/(2(k + 2)))).
    Raises `ValueError` for samples of fewer than two.
    """
    for sample in (codes, others):
        at_least("codes to compare", len(sample), 2)
    within = [(_kernel(each, each).sum() - len(each)) / (len(each) * (len(each) - 1)) for each in (codes, others)]
    return within[0] + within[1] - 2 * _kernel(codes, others).mean()


def _kernel(first: Tensor, second: Tensor) -> Tensor:
    squares = first.square().sum(1)[:, None] + second.square().sum(1) - 2 * first @ second.T
    return (squares.clamp(min=0) / (-2 * first.shape[1])).exp()


def train_autoencoder(
    features: Tensor,
    bottleneck: int = 2,
    mmd_weight: float = 10.0,
    seed: int = 0,
    recipe: Cyclic = AUTOENCODER,
    device: str | torch.device = "cpu",
) -> InfoVAE:
    """An `InfoVAE` of features (n, p), trained on the share of their square that it misses, plus λ times the `mmd`.

    Features are scaled to a mean square of 1. Raises `ValueError` for a bottleneck below 1, a weight below 0, or too
    few features.
    """
    at_least("mmd_weight", mmd_weight, 0)
    if not math.isfinite(mmd_weight):
        raise ValueError(f"mmd_weight must be finite; got {mmd_weight}")

    def loss(network: nn.Module, h: Tensor) -> Tensor:
        codes, again = network(h)
        missed = (again - h).square().mean(1)
        return missed + mmd_weight * mmd(codes, torch.randn_like(codes)) if mmd_weight else missed

    return _trained(InfoVAE, (features.shape[1], bottleneck), (features,), loss, recipe, seed, device, "map")


def train_estimator(
    codes: Tensor, errors: Tensor, seed: int = 0, recipe: Cyclic = ESTIMATOR, device: str | torch.device = "cpu"
) -> nn.Sequential:
    """A network that estimates log₁₀ errors (n,) from codes (n, k), trained on half the squared difference.

    It learns them in standard deviations from their mean, which its last layer takes back.
    """

    def loss(network: nn.Module, z: Tensor, wanted: Tensor) -> Tensor:
        return (network(z)[:, 0] - wanted).square() / 2

    mean, spread = errors.mean(), errors.std().clamp(min=1e-6)
    samples = codes, (errors - mean) / spread
    network = _trained(elu_stack, (codes.shape[1], 1), samples, loss, recipe, seed, device, "estimator of error")
    with torch.no_grad():
        network.out.weight *= spread
        network.out.bias.copy_(network.out.bias * spread + mean)
    return network


def _trained(
    kind: Callable[..., nn.Module],
    sizes: tuple[int, ...],
    samples: tuple[Tensor, ...],
    loss: Loss,
    recipe: Cyclic,
    seed: int,
    device: str | torch.device,
    what: str,
) -> nn.Module:
    """A network of these sizes, its weights drawn from the seed, trained."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = kind(*sizes)
    *_, weights = fit(network, samples, loss, recipe, seed, torch.device(device), f"training the {what}")
    network.load_state_dict(weights)
    return network.eval()
