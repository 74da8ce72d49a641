"""Identity of objects: a hash of all that decides what they do, so that a cached result is used only where it belongs.

Objects are traversed recursively. User code is hashed by its bytecode and by everything that it references: defaults,
closures, globals, base classes. Installed libraries are hashed by name and version. An opaque object, such as an open
file or the state of a random generator, raises `Uncertain`.
"""

import copyreg
import dataclasses
import datetime
import decimal
import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import operator
import os
import re
import sys
import types
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
import torch.fx
from torch import Tensor, nn

from wna_utils.support.attributes import hides_more, state_of, without_hooks, without_ignored
from wna_utils.support.bytecode import Constant, analysed
from wna_utils.support.fingerprint import digest, tensor_digest
from wna_utils.support.libraries import Uncertain, is_imported, is_of_library, library_name, require_version, version_of

LRU = type(functools.cache(len))

# Types whose values are identified by type and repr, and types identified by how they are pickled.
PLAIN = {type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented)}
PLAIN |= {torch.dtype, torch.device, torch.layout, torch.memory_format}
REDUCED = {range, slice, torch.Size, re.Pattern, decimal.Decimal, type(vars(namedtuple("_", "x"))["x"])}
REDUCED |= {datetime.date, datetime.time, datetime.datetime, datetime.timedelta, datetime.timezone}
REDUCED |= {operator.itemgetter, operator.attrgetter, operator.methodcaller}
DESCRIPTORS: tuple[type, ...] = (types.MemberDescriptorType, types.GetSetDescriptorType, types.MethodDescriptorType)
DESCRIPTORS += (types.WrapperDescriptorType, types.ClassMethodDescriptorType)
FIELD = ("name", "default", "default_factory", "init", "kw_only", "metadata")  # what counts of a dataclass's field

# They reach things by a text, or outside of the program.
BLIND = (eval, exec, globals, __import__, importlib.import_module, sys.modules, open, os.environ, os.getenv)
MISSING = object()
HEAP = 1 << 9  # CPython's flag of a type that is not built in


def identity(*objects: object) -> str:
    """Short hash of all that decides what the objects do: values, classes, code, and what the code reaches.

    It is the same in other processes. A network's device and mode (training or not) do not count, nor do names of
    functions, docstrings and the layout of code. Raises `Uncertain`, with a short reason, where it cannot tell.
    """
    try:
        return _Walk().all("identity", *objects)
    except RecursionError:
        raise Uncertain("it is nested too deeply to be hashed") from None
    except Uncertain:
        raise
    except Exception as error:  # whatever attributes of classes of one's own may raise
        raise Uncertain(f"looking at it raises {type(error).__name__}") from error


class _Walk:
    """One walk over objects and their parts; the hash of each is made of the hashes of its parts.

    Reference cycles are broken by numbering: a back-reference is hashed as the number of its object.
    """

    def __init__(self, around: frozenset[int] = frozenset()):
        self._around = around  # what the set lies in whose element is walked
        self._within: dict[int, int | None] = {}  # objects whose parts are being walked, with their numbers
        self._done: dict[int, str] = {}
        self._kept: list[object] = []  # kept alive, so that no other object gets the id of one
        self._numbered = 0

    def all(self, kind: str, *values: object) -> str:
        return digest(kind, *[self.of(value) for value in values])

    def of(self, value: object) -> str:
        if type(value) in PLAIN:
            return digest("plain", type(value).__name__, repr(value))
        key = id(value)
        if key in self._done:
            return self._done[key]
        if key in self._around:
            raise Uncertain("a set holds something that leads back to the set")
        if key in self._within:
            if self._within[key] is None:
                self._within[key] = self._numbered = self._numbered + 1
            return digest("again", self._within[key])
        self._kept.append(value)
        self._within[key] = None
        found = next(rule for kinds, rule in RULES if isinstance(value, kinds))(self, value)
        number = self._within.pop(key)
        self._done[key] = found if number is None else digest("numbered", number, found)
        return self._done[key]

    def elements(self, values: Iterable[object]) -> list[str]:
        """Hashes of a set's elements, sorted. Each is walked by itself, since their order differs between processes."""
        around = self._around | self._within.keys()
        return sorted(_Walk(around).of(value) for value in values)

    def class_(self, cls: type) -> str:
        name = library_name(cls)
        if name is None and not cls.__flags__ & HEAP:  # built in, but not to be found under its name
            name = f"{cls.__module__}.{cls.__qualname__} {require_version(cls.__module__)}"
        if name is not None:
            placed = [item for each in cls.__mro__ for item in sorted(vars(each).items()) if _is_placed(item[1])]
            return self.all("class of a library", name, *chain.from_iterable(placed))
        namespace = sorted(without_ignored(vars(cls)).items())
        return self.all("class", type(cls), cls.__bases__, *chain.from_iterable(namespace))

    def module(self, module: types.ModuleType) -> str:
        """A module as a value: what will be taken from it is not known, so that all counts if it is one's own."""
        if version := version_of(module.__name__):
            return digest("library", module.__name__, version)
        return self.all("module", *chain.from_iterable(sorted(without_ignored(vars(module)).items())))

    def function(self, function: types.FunctionType) -> str:
        if function.__globals__ is globals():  # how identities are made decides no result
            return digest("identity")
        own = not is_of_library(function)
        if not own and (name := library_name(function)):
            return digest("library", name)
        text = _code(function.__code__)
        held = (function.__defaults__, function.__kwdefaults__, function.__closure__, without_ignored(vars(function)))
        if not own:  # made by a library's function, as wrappers are; what it loads has the library's version
            return self.all("function of a library", text, require_version(function.__globals__["__name__"]), *held)
        reached = [self._loaded(function, *path) for path in analysed(function.__code__).loads]
        reached += [self._imported(function, *each) for each in analysed(function.__code__).imports]
        return self.all("function", text, *held, *reached)

    def _loaded(self, function: Any, name: str, *attributes: str) -> str:
        """What a global name stands for; of a module, only the attributes that are taken from it."""
        value = function.__globals__.get(name, function.__builtins__.get(name, MISSING))
        for attribute in attributes:
            if not isinstance(value, types.ModuleType):
                break
            found, version = getattr(value, attribute, MISSING), version_of(value.__name__)
            if version and not isinstance(found, types.ModuleType) and not _may_be_placed(found):
                return digest("library", value.__name__, attribute, version, type(found).__qualname__)
            value = found
        if any(value is each for each in BLIND):
            raise Uncertain(f"{function.__qualname__} uses {'.'.join((name, *attributes))}, which may reach anything")
        return digest("nothing") if value is MISSING else self.of(value)

    def _imported(self, function: types.FunctionType, level: int, name: str, items: tuple[str, ...] | None) -> str:
        """What an import inside a function brings."""
        try:
            name = importlib.util.resolve_name("." * level + name, function.__globals__.get("__package__"))
            if version := version_of(name):
                return digest("library", name, version)
            module = importlib.import_module(name)
            if not items:
                return self.all("import", sys.modules[name.partition(".")[0]], module)
            submodules = [importlib.import_module(f"{name}.{item}") for item in items if not hasattr(module, item)]
            return self.all("import", submodules, *[getattr(module, item) for item in items if hasattr(module, item)])
        except ImportError:
            return digest("nothing")

    def compiled(self, function: types.BuiltinFunctionType | types.MethodWrapperType) -> str:
        owner = function.__self__
        if owner is None or isinstance(owner, types.ModuleType):
            module = function.__module__ or "builtins"
            return digest("library", module, function.__qualname__, require_version(module))
        return self.all("method", owner, function.__name__)

    def tensor(self, tensor: Tensor) -> str:
        try:
            values = tensor_digest(tensor.detach().resolve_conj().resolve_neg())
        except (RuntimeError, NotImplementedError, TypeError, ValueError):
            values = None
        if values is None or tensor.is_quantized:  # quantized ones have scales, too
            raise Uncertain(f"a tensor of {tensor.dtype}, {tensor.layout}, on {tensor.device} cannot be hashed")
        return self.all("tensor", type(tensor), values, state_of(tensor))

    def array(self, array: np.ndarray | np.generic) -> str:
        if isinstance(array, np.ma.MaskedArray):
            parts = (array.data, np.ma.getmaskarray(array), array.fill_value, state_of(array))
            return self.all("masked", type(array), *parts)
        held = np.asarray(array)
        values = held.tolist() if held.dtype.hasobject else hashlib.sha256(held.tobytes()).hexdigest()
        state = {} if type(array) is np.memmap else state_of(array)
        return self.all("array", type(array), repr(held.dtype), held.shape, values, state)

    def instance(self, value: object) -> str:
        """Any other object: its class, what it holds, and its attributes; `Uncertain` if there is more to it."""
        cls = type(value)
        if version_of(cls.__module__) and (name := library_name(value)):  # such as numpy's own functions
            return digest("library", name)
        if cls in REDUCED:
            return self.all("reduced", copyreg.dispatch_table.get(cls, cls.__reduce__)(value))
        base = next(each for each in CONTENTS if each in cls.__mro__)
        if hides_more(cls, base):
            raise Uncertain(f"{cls.__module__}.{cls.__qualname__} cannot be hashed for certain")
        contents, attributes = CONTENTS[base](self, value), chain.from_iterable(state_of(value).items())
        return digest("instance", self.of(cls), self.all("contents", *contents), self.all("attributes", *attributes))


def _is_placed(value: object) -> bool:
    """Whether an attribute of a library's class is a function that one has put there oneself."""
    return isinstance(value, types.FunctionType) and is_imported(value) and not is_of_library(value)


def _may_be_placed(value: object) -> bool:
    """Whether an attribute of a library's module may have been put there, so that its name does not say it all."""
    if isinstance(value, types.MethodType):
        return not isinstance(value.__func__, types.FunctionType) or not is_of_library(value.__func__)
    if isinstance(value, (type, types.FunctionType, functools.partial, LRU)) or type(value) in PLAIN:
        return True
    return version_of(type(value).__module__) is None or any(value is each for each in BLIND)


@functools.cache
def _code(code: types.CodeType) -> str:
    """Hash of what code does. Each constant is walked by itself, so that its hash says nothing of the others."""
    does = analysed(code)
    steps = [
        f"{name} {_Walk().of(argument.value) if isinstance(argument, Constant) else argument}"
        for name, argument in does.steps
    ]
    return digest("code", *does.frame, *steps)


def _in_cell(cell: types.CellType) -> tuple[object, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:  # not set yet
        return ()


# What objects of these classes, and of classes derived from them, hold besides their attributes.
CONTENTS: dict[type, Callable[[_Walk, Any], Iterable[object]]] = {
    nn.Module: lambda _, network: without_hooks(network),
    OrderedDict: lambda _, value: chain.from_iterable(OrderedDict.items(value)),
    defaultdict: lambda _, value: (value.default_factory, *chain.from_iterable(dict.items(value))),
    dict: lambda _, value: chain.from_iterable(dict.items(value)),
    types.MappingProxyType: lambda _, value: chain.from_iterable(value.items()),
    deque: lambda _, value: (value.maxlen, *deque.__iter__(value)),
    list: lambda _, value: list.__iter__(value),
    tuple: lambda _, value: tuple.__iter__(value),
    set: _Walk.elements,
    frozenset: _Walk.elements,
    str: lambda _, value: (str.__repr__(value),),
    bytes: lambda _, value: (bytes.__repr__(value),),
    bytearray: lambda _, value: (bytes(value),),
    int: lambda _, value: (int.__repr__(value),),
    float: lambda _, value: (float.__repr__(value),),
    complex: lambda _, value: (complex.__repr__(value),),
    property: lambda _, value: (value.fget, value.fset, value.fdel),
    staticmethod: lambda _, value: (value.__func__,),
    classmethod: lambda _, value: (value.__func__,),
    types.MethodType: lambda _, value: (value.__func__, value.__self__),
    functools.partial: lambda _, value: (value.func, value.args, value.keywords),
    LRU: lambda _, value: (value.__wrapped__,),
    types.UnionType: lambda _, value: value.__args__,
    types.GenericAlias: lambda _, value: (value.__origin__, value.__args__),
    object: lambda _, value: (),
}

RULES: list[tuple[type | tuple[type, ...], Callable[[_Walk, Any], str]]] = [
    (type, _Walk.class_),
    (types.ModuleType, _Walk.module),
    (types.FunctionType, _Walk.function),
    (types.CodeType, lambda _, code: _code(code)),
    ((types.BuiltinFunctionType, types.MethodWrapperType), _Walk.compiled),
    (DESCRIPTORS, lambda walk, value: walk.all("descriptor", value.__objclass__, value.__name__)),
    (types.CellType, lambda walk, cell: walk.all("cell", *_in_cell(cell))),
    (Tensor, _Walk.tensor),
    ((np.ndarray, np.generic), _Walk.array),
    (np.dtype, lambda walk, value: walk.all("dtype", repr(value))),
    (PurePath, lambda walk, value: walk.all("path", type(value), str(value))),
    (dataclasses.Field, lambda walk, field: walk.all("field", *[getattr(field, name) for name in FIELD])),
    (functools.cached_property, lambda walk, value: walk.all("cached", type(value), state_of(value) | {"lock": 0})),
    (torch.fx.Graph, lambda walk, graph: walk.all("graph", graph.python_code("self").src)),
    (object, _Walk.instance),
]
