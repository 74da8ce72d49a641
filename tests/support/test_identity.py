import copy
import functools
import importlib.util
import itertools
import operator
import os
import pickle
import random
import subprocess
import sys
import textwrap
import threading
import types
import weakref
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from enum import Enum, Flag
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from wna_utils.networks import architectures
from wna_utils.stimuli import white
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support.identity import Uncertain, identity

SCALE, TABLE = 2.0, {"a": [1, 2]}


def executed(source, name, file="<nowhere>", **namespace):
    """What a source that lies in no file calls `name`."""
    exec(compile(textwrap.dedent(source), file, "exec"), namespace)
    return namespace[name]


def all_differ(*objects):
    return len({identity(each) for each in objects}) == len(objects)


def all_agree(*objects):
    return len({identity(each) for each in objects}) == 1


def with_attribute(thing, name, value):
    setattr(thing, name, value)
    return thing


def scaled(x):
    return x * SCALE


class Gain(nn.Module):
    def __init__(self, g=1, table=()):
        super().__init__()
        self.fc = nn.Linear(2, 2)
        nn.init.ones_(self.fc.weight)
        nn.init.zeros_(self.fc.bias)
        self._g, self._table = g, table

    def forward(self, x):
        return self._g * self.fc(x)


class Scaled(nn.Module):
    def forward(self, x):
        return scaled(x) + sum(TABLE["a"])


class Activated(nn.Module):
    def forward(self, x):
        return torch.nn.functional.relu(x)


class Wrapper:
    """A source around another."""

    def __init__(self, noise):
        self.noise = noise

    def block(self, i):
        return self.noise.block(i)


# Networks: their own attributes, buffers and settings.


def test_private_attributes_count():
    assert all_differ(Gain(1), Gain(-1))
    assert all_differ(Gain(table={"a": [1, {"b": (1.0,)}]}), Gain(table={"a": [1, {"b": (2.0,)}]}))
    assert all_agree(Gain(3, [1]), Gain(3, [1]))


@pytest.mark.parametrize("persistent", [True, False])
def test_buffers_count_whether_saved_or_not(persistent):
    def having(*values, dtype=torch.float32):
        inner = nn.Identity()
        inner.register_buffer("b", torch.tensor(values, dtype=dtype), persistent=persistent)
        return nn.Sequential(inner)

    assert all_differ(having(1, 2), having(1, 3), having(1, 2, dtype=torch.float64), having(1), nn.Sequential())
    assert all_agree(having(1, 2), having(1, 2))


@pytest.mark.parametrize(
    "networks",
    [
        lambda: (nn.BatchNorm2d(3), nn.BatchNorm2d(3, eps=1e-4), nn.BatchNorm2d(3, momentum=0.2)),
        lambda: (nn.Softplus(), nn.Softplus(beta=2), nn.Softplus(threshold=10)),
        lambda: (nn.Dropout(), with_attribute(nn.Dropout(), "scale", 1), with_attribute(nn.Dropout(), "scale", 2)),
        lambda: (nn.MaxPool2d(2), with_attribute(nn.MaxPool2d(2), "return_indices", True)),
    ],
)
def test_settings_of_pytorchs_own_layers_count(networks):
    assert all_differ(*networks())
    assert [*map(identity, networks())] == [*map(identity, networks())]


def test_order_of_layers_and_their_weights_count():
    torch.manual_seed(0)
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    assert all_differ(nn.Sequential(first, second), nn.Sequential(second, first), nn.Sequential(first, first))


def test_a_residual_network_has_an_identity_that_one_setting_changes():
    torch.manual_seed(0)
    network = torchvision.models.resnet18(weights=None)
    before = identity(network)
    assert identity(copy.deepcopy(network)) == before
    network.layer3[1].bn2.eps = 1e-4
    assert identity(network) != before


def test_mode_gradients_and_memory_format_do_not_count():
    network = architectures.build("cifar_cnn", (3, 32, 32), 10, seed=0)
    other = copy.deepcopy(network).eval().requires_grad_(False).to(memory_format=torch.channels_last)
    assert all_agree(network, other)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_device_does_not_count():
    assert all_agree(Gain(), Gain().cuda())


@pytest.mark.parametrize("name", ["cnn", "rnn", "vae"])
def test_copies_and_networks_made_again_are_the_same(name):
    network, again = (architectures.build(name, (1, 28, 28), 10, seed=0) for _ in range(2))
    before = identity(network)
    copied, pickled = copy.deepcopy(network), pickle.loads(pickle.dumps(network))
    assert {identity(each) for each in (network, again, copied, pickled)} == {before}
    assert identity(architectures.build(name, (1, 28, 28), 10, seed=1)) != before


def test_traced_networks_count_by_their_graph():
    def traced(last):
        return torch.fx.symbolic_trace(nn.Sequential(Activated(), last))

    assert all_agree(traced(nn.ReLU()), traced(nn.ReLU()))
    assert all_differ(traced(nn.ReLU()), traced(nn.Tanh()), traced(Activated()))


# Code: classes, functions and what they reach.

MODEL = """
from torch import nn
CONSTANT = 1
def outer(x):
    return inner(x) + CONSTANT
def inner(x):
    return x
class First(nn.Module):
    gain = 1
    def forward(self, x):
        return self.gain * outer(x)
class Second(First):
    pass
class Model(Second):
    def __init__(self):
        super().__init__()
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("CONSTANT = 1", "CONSTANT = 2"),
        ("CONSTANT = 1", "CONSTANT = True"),
        ("inner(x) + CONSTANT", "inner(x) - CONSTANT"),
        ("return x\n", "return -x\n"),
        ("return inner(x) + CONSTANT", "return [inner(y) - CONSTANT for y in x]"),
        ("def inner(x)", "def inner(x, y=0)"),
        ("gain = 1", "gain = 2"),
        ("self.gain * outer(x)", "outer(x)"),
        ("(First):\n    pass", "(First):\n    gain = 1"),
    ],
)
def test_an_edited_base_class_function_or_constant_counts(old, new):
    assert old in MODEL
    before, same, edited = (executed(each, "Model")() for each in (MODEL, MODEL, MODEL.replace(old, new)))
    assert all_agree(before, same)
    assert all_differ(before, edited)


def test_what_nested_functions_reach_counts():
    source = "K = 1\ndef f(x):\n    return lambda: [(lambda: y + K)() for y in x]\n"
    assert all_differ(*(executed(source.replace("K = 1", f"K = {k}"), "f") for k in (1, 2)))


def test_replaced_functions_and_constants_count(monkeypatch):
    here = sys.modules[__name__]
    found = [identity(Scaled())]
    for name, value in (("scaled", lambda x: x), ("scaled", lambda x: -x), ("TABLE", {"a": [1]}), ("sum", lambda _: 0)):
        monkeypatch.setattr(here, name, value, raising=False)
        found.append(identity(Scaled()))
    assert len(set(found)) == 5
    monkeypatch.undo()
    assert identity(Scaled()) == found[0]
    monkeypatch.setitem(TABLE, "a", [1, 3])
    monkeypatch.setattr(here, "SCALE", 2)
    assert identity(Scaled()) not in found


def test_what_is_put_into_a_library_counts(monkeypatch):
    before = identity(Activated()), identity(nn.ReLU())
    monkeypatch.setattr(torch.nn.functional, "relu", lambda x: x)
    assert identity(Activated()) != before[0]
    monkeypatch.setattr(torch.nn.functional, "relu", functools.partial(scaled))
    assert identity(Activated()) != before[0]
    monkeypatch.setattr(torch.nn.functional, "relu", Wrapper(1))
    with_one = identity(Activated())
    monkeypatch.setattr(torch.nn.functional, "relu", Wrapper(2))
    assert identity(Activated()) != with_one
    monkeypatch.setattr(torch.nn.functional, "relu", Gain(1).forward)
    with_one = identity(Activated())
    monkeypatch.setattr(torch.nn.functional, "relu", Gain(2).forward)
    assert identity(Activated()) != with_one
    monkeypatch.setattr(nn.ReLU, "forward", scaled)
    assert identity(nn.ReLU()) != before[1]
    monkeypatch.undo()
    assert (identity(Activated()), identity(nn.ReLU())) == before


@pytest.mark.parametrize(
    "imports",
    [
        "import helping\ndef f(x):\n    return helping.f(x)",
        "import helping\ndef f(x, m=helping):\n    return m.f(x)",
        "def f(x):\n    import helping\n    return helping.f(x)",
        "def f(x):\n    from helping import f\n    return f(x)",
        "def f(x):\n    def g():\n        from helping import f\n        return f(x)\n    return g()",
    ],
)
def test_modules_of_ones_own_count_by_what_is_taken_from_them(monkeypatch, imports):
    def found(helping):
        module = types.ModuleType("helping")
        exec(helping, vars(module))
        monkeypatch.setitem(sys.modules, "helping", module)
        return identity(executed(imports, "f"))

    helping = "K = 1\ndef f(x):\n    return x * K\n"
    assert found(helping) == found(helping) == found("# edited\n" + helping)
    assert len({found(helping), found(helping.replace("1", "2")), found(helping.replace("*", "+"))}) == 3


NESTED = "def f(x):\n    def g(y):{}\n        return y\n    return g"
LOCAL = "def f(x):\n    class G:{}\n        a = 1\n    return G"
CLASS = "class f:{}\n    def g(self):\n        return 1"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            "def f(x):\n    return 2 * x",
            'def f(x):\n    """Doubles."""\n\n    # twice\n    return (2\n            * x)',
        ),
        ("def f(x):\n    pass", 'def f(x):\n    """Does nothing."""'),
        ("def f(x):\n    return x, 'a', None", "def f(x):\n    'a'\n    return x, 'a', None"),
        (NESTED.format(""), NESTED.format("\n        'Nested.'")),
        (LOCAL.format(""), LOCAL.format("\n        'Local.'")),
        (CLASS.format(""), CLASS.format("\n    'A class.'\n")),
        ("def f(x):\n    return x", "def other(x):\n    return x\nf = other"),
        ("f = lambda x: x + 1", "def f(x):\n    return x + 1"),
    ],
)
def test_docstrings_comments_lines_and_names_do_not_count(first, second):
    found = [
        identity(executed(first, "f")),
        identity(executed("\n" * 300 + first, "f", "elsewhere.py")),
        identity(executed(second, "f")),
    ]
    assert len(set(found)) == 1


def test_all_that_makes_a_function_counts():
    def making(a, *, b):
        def made(x, y=a, *, z=b):
            return x, y, z, a

        return made

    arguments = "x, y", "x, *, y", "x, y, /", "*x, y", "x, y=None", "x, *y", "x, **y"
    assert all_differ(*(executed(f"def f({each}):\n    return x, y", "f") for each in arguments))
    assert all_differ(making(1, b=1), making(2, b=1), making(1, b=2), with_attribute(making(1, b=1), "note", 1))
    assert all_agree(making(1, b=1), making(1, b=1))
    assert all_differ(
        *(executed(f"def f(x):\n    return {text}", "f") for text in ("x.a", "x.b", "x['a']", "x[{1, 2}]"))
    )
    assert all_differ(*(executed(f"def f(x):\n    return {text}", "f") for text in ("1", "True", "1.0", "-0.0", "0.0")))
    assert all_differ(
        *(executed(f"def f(x):\n    return x in {text}", "f") for text in ("(1,)", "(True,)", "{1}", "x"))
    )


def test_code_of_ones_own_counts_under_the_name_of_a_library(monkeypatch, tmp_path):
    def found(k):
        path = tmp_path / "this.py"
        path.write_text(f"def f(x):\n    return x + {k}\n")
        spec = importlib.util.spec_from_file_location("this", path)
        module = importlib.util.module_from_spec(spec)
        exec(path.read_text(), vars(module))
        monkeypatch.setitem(sys.modules, "this", module)
        source = f"import this\nK = {k}\ndef f(x):\n    return this.f(x)\ndef g(x):\n    return K\nclass C:\n    f = g"
        names = {"__name__": "torch.nn.functional"}
        return identity(executed(source, "f")), *(identity(executed(source, name, **names)) for name in ("g", "C"))

    assert all(first != second for first, second in zip(found(1), found(2), strict=True))
    assert found(1) == found(1)


def test_attributes_that_a_module_makes_up_count(monkeypatch):
    def found(k):
        module = types.ModuleType("helping")
        exec(f"def __getattr__(name):\n    return {k}", vars(module))
        monkeypatch.setitem(sys.modules, "helping", module)
        return identity(executed("import helping\ndef f(x):\n    return helping.k", "f"))

    assert len({found(1), found(2)}) == 2


@pytest.mark.parametrize(
    "wrapped",
    [
        functools.cache,
        staticmethod,
        classmethod,
        property,
        lambda f: property(len, f),
        functools.cached_property,
        functools.partial,
        lambda f: functools.partial(len, f),
        lambda f: functools.partial(len, f=f),
        torch.no_grad(),
        torch.inference_mode(),
        lambda f: functools.wraps(len)(lambda x: f(x)),
        lambda f: types.MethodType(f, 1),
        Wrapper,
        lambda f: lambda x: f(x),
        lambda f: type("Made", (), {"f": f}),
        lambda f: type("Meta", (type,), {"f": f})("Made", (), {}),
        lambda f: with_attribute(Gain(), "forward", f),
        np.vectorize,
        torch.func.vmap,
    ],
)
def test_wrapped_functions_count_by_what_they_wrap(wrapped):
    first, same, other = (executed(f"def f(x):\n    return {text}", "f") for text in ("x", "x", "-x"))
    assert all_agree(wrapped(first), wrapped(same))
    assert all_differ(wrapped(first), wrapped(other), first)


def test_functions_of_libraries_count_by_name():
    functions = torch.relu, torch.nn.functional.gelu, torch.nn.functional.relu, np.exp, np.sin, np.mean, len
    assert all_differ(*functions, torch.Tensor.relu, torch.Tensor.tanh, [].append, [1].append, os.path, os)


def test_what_identities_are_for_has_one_itself():
    assert all_differ(lambda x: identity(x), lambda x: (identity(x), Uncertain))


def test_methods_count_with_their_object():
    assert identity(lambda: random.shuffle) != identity(lambda: random.random)  # by name, whatever state they have
    assert all_differ(Gain(1).forward, Gain(2).forward, WhiteNoise((1, 2, 2)).block, WhiteNoise((1, 2, 3)).block)


def test_slots_and_state_of_containers_of_ones_own_count():
    class Slotted:
        __slots__ = ("__hidden", "x")

        def __init__(self, hidden, **x):
            self.__hidden = hidden
            for name, value in x.items():
                setattr(self, name, value)

    class Child(Slotted):
        __slots__ = ("x",)

    class Named(dict):
        pass

    assert all_differ(Slotted(1), Slotted(2), Slotted(1, x=1), Slotted(1, x=None), Child(1), Child(1, x=1))
    assert all_differ(Named(a=1), Named(a=2), with_attribute(Named(a=1), "b", 1), {"a": 1})


def test_copying_leaves_a_class_the_same():
    made = executed("class C:\n    def __init__(self):\n        self.x = 1", "C")()
    before = identity(made)
    copy.deepcopy(made)  # Python notes the class's slots in the class
    assert identity(made) == before


def test_using_paths_and_enumerations_leaves_them_the_same():
    class Flags(Flag):
        A = 1
        B = 2

    things = Path("a/b"), Flags, Flags.A
    before = [*map(identity, things)]
    assert hash(things[0])
    assert things[0].parts
    assert ~(Flags.A | Flags.B) != ~Flags.A
    assert [*map(identity, things)] == before
    assert all_differ(Path("a/b"), Path("a/c"), "a/b")


# Sources: functions, constants and what they wrap.


def test_functions_and_constants_of_a_source_count(monkeypatch):
    noise = WhiteNoise((1, 8, 8))
    found = [identity(noise)]
    monkeypatch.setitem(white.DISTRIBUTIONS, "uniform", white._binary)
    found.append(identity(noise))
    monkeypatch.undo()
    monkeypatch.setattr(white, "positive", lambda *_: None)
    found.append(identity(noise))
    monkeypatch.undo()
    assert len(set(found)) == 3
    assert identity(noise) == found[0]


def test_what_a_source_wraps_counts():
    noises = WhiteNoise((1, 8, 8)), WhiteNoise((1, 8, 8), seed=1), WhiteNoise((1, 8, 8), "normal")
    assert all_differ(*map(Wrapper, noises), *noises, *[Wrapper(Wrapper(noise)) for noise in noises])
    assert all_agree(Wrapper(WhiteNoise((1, 8, 8))), Wrapper(WhiteNoise((1, 8, 8))))


def test_fields_of_a_dataclass_count():
    def made(default, unit=1):
        @dataclass(frozen=True)
        class Made:
            x: int = default
            y: list = field(default_factory=list, metadata={"unit": unit})

        return Made

    assert all_differ(made(1), made(2), made(1, unit=2), made(1)(), made(1)(2))
    assert all_agree(made(1), made(1))


def test_annotations_do_not_count():
    @dataclass
    class Made:
        x: random.Random(0) = 1

    assert identity(Made(1)) != identity(Made(2))


# Values.


def test_values_of_different_types_differ():
    class Colour(Enum):
        RED = 1
        BLUE = 2

    class Level(int):
        pass

    plain = True, 1, 1.0, 1 + 0j, "1", b"1", None, ..., -0.0, 0.0, float("nan"), "", (), [], {}, set(), frozenset()
    others = Level(1), Level(2), Colour.RED, Colour.BLUE, Colour, range(3), range(4), slice(1), slice(2)
    held = (
        (1,),
        [1],
        {1},
        {1: 1},
        {1: True},
        {True: 1},
        {"a": 1, "b": 2},
        {"b": 2, "a": 1},
        [[1], 2],
        [[1, 2]],
        [1, [2]],
    )
    held += deque([1]), deque([1], 2), defaultdict(int), defaultdict(list), OrderedDict(a=1), types.MappingProxyType({})
    arrays = np.float32(1), np.float64(1), np.int64(1), np.dtype("f4"), np.dtype(">f4"), torch.float32, torch.float64
    assert all_differ(*plain, *others, *held, *arrays, torch.Size([1]), torch.device("cpu"), torch.device("cuda"))


def test_arrays_count_by_type_shape_and_values():
    array = np.arange(4.0)
    masked = np.ma.masked_array(array, mask=[0, 0, 0, 1])
    filled = np.ma.masked_array(array, mask=[0, 0, 0, 1], fill_value=7)
    own = array.view(type("Own", (np.ma.MaskedArray,), {}))
    objects = np.array([1, "a", None], dtype=object)
    assert all_differ(
        array, array + 1, array[:, None], array.astype(int), array.view(np.recarray), list(array), array[0]
    )
    assert all_differ(masked, masked.data, masked + 1, np.ma.masked_array(array, mask=[0, 0, 1, 0]), filled)
    assert identity(with_attribute(own, "scale", 1)) != identity(with_attribute(own, "scale", 2))
    assert all_differ(np.zeros(1), np.zeros(1, dtype=np.int64), np.zeros(1, dtype="datetime64[s]"))
    assert all_agree(*(np.array([10**number, [number]], dtype=object) for number in map(int, ("20", "20"))))
    assert all_differ(objects, np.array([True, "a", None], dtype=object), np.array([1, "a", [None]], dtype=object))
    assert all_agree(
        np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3)), np.arange(12)[::2].reshape(2, 3) // 2
    )


def test_tensors_count_by_type_shape_and_values():
    tensor = torch.arange(4.0)
    complex_ = torch.tensor([1 + 2j])
    assert all_differ(
        tensor, tensor + 1, tensor[None], tensor.double(), nn.Parameter(tensor), complex_, complex_.conj()
    )
    assert all_differ(torch.zeros(0, 3), torch.zeros(3, 0), torch.zeros(()), with_attribute(tensor.clone(), "scale", 2))
    assert all_agree(complex_.conj(), torch.tensor([1 - 2j]))
    assert all_agree(tensor, torch.arange(8.0)[:4], tensor.clone())


def test_objects_are_told_apart_by_number_and_order():
    assert len({identity(), identity(1), identity(1, 2), identity(2, 1), identity((1, 2)), identity(1, 2, None)}) == 6


# Cycles.


def test_cycles_end_and_are_told_apart():
    def loop(*values):
        made = list(values)
        made.append(made)
        return made

    longer = [1, [1]]
    longer[1].append(longer)
    assert all_agree(loop(1), loop(1))
    assert all_differ(loop(1), loop(2), loop(1, 1), longer, [1, loop(1)])


def test_functions_and_classes_that_reach_each_other_have_an_identity():
    source = """
    def f(x):
        return g(x) if x else Node(x)
    def g(x):
        return f(x - 1)
    class Node:
        def __init__(self, x):
            self.x, self.me = x, self
        def grow(self):
            return Node(f(self.x))
    node = Node(1)
    """
    for name in ("f", "g", "Node", "node"):
        edited = source.replace("x - 1", "x - 2")
        assert all_agree(executed(source, name), executed(source, name))
        assert all_differ(executed(source, name), executed(edited, name))


# Other processes.

SCRIPT = """
import enum
from dataclasses import dataclass, field
import numpy as np
import torch
from torch import nn
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support.identity import identity

NAMES = {"one", "two", "three", ("four", 4), frozenset({"five", "six"})}

class Kind(enum.Flag):
    A = 1
    B = 2

@dataclass
class Setting:
    names: set = field(default_factory=lambda: set(NAMES))
    kind: Kind = Kind.A | Kind.B

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.setting = Setting()
        self.weight = nn.Parameter(torch.ones(3))
        self.register_buffer("mask", torch.ones(3), persistent=False)

    def forward(self, x):
        return np.exp(x) if x in {"a", "b", "c", None} else [y for y in self.setting.names if y in NAMES]

found = identity(Model(), WhiteNoise((1, 8, 8)), Model, NAMES, {str, int, len})
"""


@pytest.mark.slow
def test_identity_is_the_same_on_standard_input_and_the_command_line_under_any_hash_seed():
    found = [executed(SCRIPT, "found", __name__="__main__")]
    for seed, arguments, typed in ((1, ["-c", SCRIPT + "print(found)"], ""), (2, ["-"], SCRIPT + "print(found)")):
        environment = {**os.environ, "PYTHONHASHSEED": str(seed), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, *arguments]
        done = subprocess.run(command, input=typed, env=environment, capture_output=True, text=True, check=True)
        found.append(done.stdout.strip())
    assert len(set(found)) == 1
    assert found[0]
    assert executed(SCRIPT.replace('"five"', '"seven"'), "found", __name__="__main__") != found[0]


# What cannot be told.


def test_hooks_are_uncertain_until_they_are_removed():
    network = architectures.build("logistic", (1, 8, 8), 2, seed=0)
    before = identity(network)
    for register in ("register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook"):
        handle = getattr(network.fc, register)(lambda *_: None)
        with pytest.raises(Uncertain, match=r"^a hook is registered on layer fc$"):
            identity({"held": [network]})
        handle.remove()
    network.fc._is_full_backward_hook = None
    assert identity(network) == before
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    with pytest.raises(Uncertain, match=r"^a hook is registered on all networks$"):
        identity(network)
    handle.remove()


class Randomly(random.Random):
    pass


def generated():
    yield 1


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (random.Random(0), "random.Random"),
        (Randomly(0), "Randomly"),
        (random.shuffle, "random.Random"),
        (np.random.default_rng(0), "Generator"),
        (np.random.RandomState(0), "RandomState"),
        (torch.Generator(), "torch._C.Generator"),
        (generated(), "generator"),
        (iter([1]), "list_iterator"),
        (itertools.count(), "itertools.count"),
        (threading.Lock(), "lock"),
        (threading.Thread(), "lock"),
        (weakref.ref(Gain), "ReferenceType"),
        (memoryview(b"1"), "memoryview"),
        (torch.eye(2).to_sparse(), "torch.sparse_coo"),
        (torch.empty(2, device="meta"), "meta"),
    ],
)
def test_what_has_a_hidden_state_is_uncertain_wherever_it_is(thing, name):
    for each in (
        thing,
        [thing],
        {1: thing},
        Wrapper(thing),
        Gain(table=thing),
        lambda: thing,
        functools.partial(len, thing),
    ):
        with pytest.raises(Uncertain, match=rf"^[^\n]*{name}[^\n]*cannot be hashed[^\n]*$"):
            identity(each)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_quantized_tensors_whose_scale_is_not_seen_are_uncertain():
    with pytest.raises(Uncertain, match="cannot be hashed"):
        identity(torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8))


def test_an_open_file_in_a_closure_is_uncertain(tmp_path):
    with (tmp_path / "file").open("w") as file, pytest.raises(Uncertain, match=r"^_io.TextIOWrapper cannot be hashed"):
        identity(lambda x: file.write(x))


@pytest.mark.parametrize(
    "text",
    ["eval", "builtins.eval", "exec", "globals", "__import__", "importlib.import_module", "sys.modules"],
)
def test_code_that_reaches_things_by_a_text_is_uncertain(text):
    with pytest.raises(Uncertain, match=rf"^f uses {text}, which may reach anything$"):
        identity(executed(f"import builtins, importlib, sys\ndef f(x):\n    return {text}[x]", "f"))


def test_what_cannot_be_walked_is_uncertain():
    deep = []
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(Uncertain, match="nested too deeply"):
        identity(deep)

    class Sly:
        @property
        def __class__(self):
            raise ValueError

    with pytest.raises(Uncertain, match="looking at it raises ValueError"):
        identity(Sly())
    held = Wrapper(None)
    held.noise = {held}
    with pytest.raises(Uncertain, match="leads back to the set"):
        identity(held)
    assert identity(operator.itemgetter(1)) != identity(operator.itemgetter(2))
