"""Devices and number formats: what the caller asks for against what this machine has."""

import contextlib
import os
from typing import Any

import torch

from wna_utils.support.checks import one_of

PRECISIONS = ("float32", "bf16")
KINDS = ("cuda", "mps", "xpu")  # of accelerators


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """The torch device for `device`: "auto" takes the machine's accelerator if it has one, or else the CPU.

    Raises `ValueError` for a device that torch does not know or this machine does not have.
    """
    present = ["cpu"]
    if torch.accelerator.is_available() and (accelerator := torch.accelerator.current_accelerator()):
        present.insert(0, accelerator.type)
    if str(device) == "auto":
        return torch.device(present[0])
    kind = str(device).split(":")[0]
    if kind in KINDS and kind not in present:
        raise ValueError(f"torch finds no {kind} device on this machine: device may be {', '.join(['auto', *present])}")
    one_of("device", kind, ["auto", *present])
    return torch.device(device)


def has_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is done in hardware, so that asking for it makes things faster."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    on_cpu = device.type == "cpu" and torch.backends.mkldnn.is_available()
    return on_cpu and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[Any]:
    """Context in which matrix products run in `precision`; float32, and no less, where bf16 has no hardware."""
    one_of("precision", precision, PRECISIONS)
    if precision == "bf16" and has_bf16(device):
        return torch.autocast(device.type, torch.bfloat16)
    if device.type == "cuda":  # whose convolutions would otherwise round to 10 bits
        return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    return contextlib.nullcontext()


def cores() -> int:
    """How many of the machine's cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
