"""Signal and noise, mixed: the one place that says what γ means."""

from torch import Tensor

from wna_utils.support.checks import fraction


def mixed(signal: Tensor, noise: Tensor, gamma: float) -> Tensor:
    """Eq. 3: γ · signal + (1 − γ) · noise, shapes broadcast; γ is the signal's share. `ValueError` outside [0, 1]."""
    fraction("gamma", gamma)
    return gamma * signal + (1 - gamma) * noise
