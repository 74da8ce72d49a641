"""Compiling networks for showing them many images, where that repays the seconds it takes."""

import contextlib
import logging
import shutil
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

REPAYS = 2e12  # floating-point operations, some ten seconds on two cores, from which compiling saves time
COMPILERS = ("g++", "clang++", "c++")


def compiled(network: nn.Module, example: Tensor, n: int) -> Callable | None:
    """The network compiled for batches like `example`, if n images repay it and a C++ compiler is at hand; or None.

    Weights are frozen into the compiled code; a batch of another size is answered by the network itself. Anything that
    keeps it from being compiled is no error: the network works without it.
    """
    if not any(map(shutil.which, COMPILERS)):
        return None
    from torch._inductor import config

    def run(batch: Tensor) -> Tensor | dict[str, Tensor]:
        return network(batch)

    run.__code__ = run.__code__.replace()  # what is compiled is kept by code: each network's has its own
    try:
        if not _repays(network, example, n):
            return None
        with _silence(), torch.no_grad(), config.patch(freezing=True, compile_threads=1):
            fast = torch.compile(run, dynamic=False)
            fast(example)
    except Exception:  # of a compiler, of which there are many kinds
        return None

    def forward(batch: Tensor) -> Tensor | dict[str, Tensor]:
        return fast(batch) if batch.shape == example.shape else network(batch)

    return forward


def _repays(network: nn.Module, example: Tensor, n: int) -> bool:
    weights = sum(each.numel() for each in network.parameters())
    most = 2 * weights * example[0, 0].numel()  # each weight at each place of the image: quicker than counting
    return n * most >= REPAYS and n * operations(network, example[:1]) >= REPAYS


def operations(network: nn.Module, example: Tensor) -> float:
    """Floating-point operations for one stimulus, `example` (1, c, h, w)."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(example)
    return counter.get_total_flops()


@contextlib.contextmanager
def _silence():
    """Neither warnings nor the log of a compiler that fails."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
