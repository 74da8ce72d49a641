"""Frozen copies of networks, so that whatever is done with one leaves the caller's as it was."""

import copy
import functools
import inspect
import types
from collections.abc import Callable, Iterator

import torch
from torch import nn

CONTAINERS = (list, tuple, set, frozenset)
ENOUGH = 10_000  # objects looked at


def frozen(network: nn.Module, device: torch.device) -> nn.Module:
    """A copy of the network on the device, in eval mode, with weights that do not ask for gradients.

    Raises `ValueError` for a network that cannot be copied, or that calls another one, in training mode, by a function.
    """
    for module in network.modules():
        for function in filter(inspect.isroutine, vars(module).values()):  # a copy keeps them, and all they call
            require_eval(function)
    try:
        own = copy.deepcopy(network)
    except Exception as error:  # whatever a class of its own may raise
        raise ValueError(
            f"the network cannot be copied ({first_line(error)}): build it anew, load its weights, and show that"
        ) from error
    own = own.to(device).eval().requires_grad_(False)
    for each in own.parameters():
        if each.ndim == 4:
            each.data = each.data.contiguous(memory_format=torch.channels_last)
    return own


def require_eval(function: Callable) -> None:
    """Raise `ValueError` for a function that reaches a network in training mode, as far as one can see into it."""
    for module in _networks(function, set()):
        if any(each.training for each in module.modules()):
            raise ValueError(
                "the function uses a network in training mode, which stimuli would change: "
                "call its eval() before, or give the network itself"
            )


def _networks(value: object, seen: set[int]) -> Iterator[nn.Module]:
    """The networks that a function, or what it holds, leads to."""
    if id(value) in seen or len(seen) > ENOUGH or isinstance(value, (type, types.ModuleType, str, bytes, torch.Tensor)):
        return
    seen.add(id(value))
    if isinstance(value, nn.Module):
        yield value
        return
    for part in _parts(value):
        yield from _networks(part, seen)


def _parts(value: object) -> list[object]:
    """What a value holds: closure, globals and defaults of a function, elements, attributes."""
    if isinstance(value, types.FunctionType):
        try:
            names = inspect.getclosurevars(value)
        except ValueError:  # a cell that is not filled yet
            return []
        return [*names.nonlocals.values(), *names.globals.values(), value.__defaults__, value.__kwdefaults__]
    if isinstance(value, types.MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, CONTAINERS):
        return list(value)
    called = vars(type(value)).get("__call__")
    return [called, *getattr(value, "__dict__", {}).values()]


def first_line(error: Exception) -> str:
    """What an error says, in its first line; its kind if it says nothing."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
