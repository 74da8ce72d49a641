"""Attributes of objects: those that decide what an object does, and whether it holds more than attributes can tell."""

import types
from collections.abc import Mapping

import numpy as np
from torch import nn
from torch.nn.modules import module as torch_module

from wna_utils.support.libraries import Uncertain

# Attributes that say nothing of what a class, function or module does, or are caches that Python keeps there.
IGNORED = {
    "__module__", "__name__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__annotate__",
    "__annotate_func__", "__annotations_cache__", "__firstlineno__", "__static_attributes__", "__type_params__",
    "__abstractmethods__", "_abc_impl", "__slotnames__", "__dataclass_params__", "__orig_bases__", "__parameters__",
    "_value2member_map_", "_inverted_", "__builtins__", "__loader__", "__spec__", "__file__", "__cached__",
    "__package__", "__path__",
}  # fmt: skip
# What PyTorch keeps of a network besides settings and weights: its mode, and hooks, of which there must be none.
NETWORK = vars(nn.Module()).keys() - {"_parameters", "_buffers", "_non_persistent_buffers_set", "_modules"}
NETWORK |= {"_flat_weight_refs", "_is_torch_compile"}  # weights once more, and that a copy has been compiled
BOOKKEEPING = {nn.Module: NETWORK, np.ma.MaskedArray: vars(np.ma.masked_array(0)).keys()}
MANAGED_WEAKREF, MANAGED_DICT = 1 << 3, 1 << 4  # CPython's flags of types


def without_ignored(names: Mapping[str, object]) -> dict[str, object]:
    """The attributes that count."""
    return {name: value for name, value in names.items() if name not in IGNORED}


def slots(cls: type) -> list[types.MemberDescriptorType]:
    """The slots of a class and of those that it is derived from."""
    owners = [each for each in cls.__mro__ if "__slots__" in vars(each)]
    members = [value for each in owners for _, value in sorted(vars(each).items())]
    return [value for value in members if isinstance(value, types.MemberDescriptorType)]


def state_of(value: object) -> dict[str, object]:
    """An object's attributes, in slots, too."""
    state = without_ignored(object.__getattribute__(value, "__dict__")) if type(value).__dictoffset__ else {}
    for i, slot in enumerate(slots(type(value))):
        try:
            state[f"{i} {slot.__name__}"] = slot.__get__(value)
        except AttributeError:  # not set
            continue
    dropped = next((names for cls, names in BOOKKEEPING.items() if isinstance(value, cls)), ())
    return {name: held for name, held in state.items() if name not in dropped}


def hides_more(cls: type, base: type) -> bool:
    """Whether objects of the class are larger than `base`, attributes and slots make them: they have a state in C."""

    def added(offset: str, managed: int) -> bool:
        return getattr(cls, offset) != getattr(base, offset) and not cls.__flags__ & managed

    fields = len(slots(cls)) + added("__dictoffset__", MANAGED_DICT) + added("__weakrefoffset__", MANAGED_WEAKREF)
    return cls.__basicsize__ > base.__basicsize__ + fields * tuple.__itemsize__ or cls.__itemsize__ > base.__itemsize__


def without_hooks(network: nn.Module) -> tuple[()]:
    """Nothing; raises `Uncertain` if there is a hook on the network or on a layer of it."""
    everywhere = [value for name, value in vars(torch_module).items() if name.startswith("_global_") and "hook" in name]
    if any(isinstance(hooks, dict) and hooks for hooks in everywhere):
        raise Uncertain("a hook is registered on all networks")
    for layer, module in nn.Module.named_modules(network):
        for name in NETWORK:
            hooks = vars(module).get(name)
            if "hook" in name and isinstance(hooks, dict) and hooks:
                raise Uncertain(f"a hook is registered on {f'layer {layer}' if layer else 'the network'}")
    return ()
