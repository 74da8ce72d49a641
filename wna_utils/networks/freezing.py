"""Frozen copies of networks, so that whatever is done with one leaves the caller's as it was."""

import copy

import torch
from torch import nn


def frozen(network: nn.Module, device: torch.device) -> nn.Module:
    """A copy of the network on the device, in eval mode, with weights that do not ask for gradients.

    Raises `ValueError` for a network that cannot be copied.
    """
    try:
        own = copy.deepcopy(network)
    except Exception as error:  # whatever a class of its own may raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"the network cannot be copied ({reason}): build it anew, load its weights, and show that"
        ) from error
    return own.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
