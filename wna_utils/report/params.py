"""Parameters of a notebook: what its parameters cell declares, checked before any work is done.

The cell tagged `parameters` holds literals with annotations; it is the only declaration. Papermill checks neither
names nor types, so the notebook's next cell calls `parameters`, which does.
"""

import ast
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import make_dataclass
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from wna_utils.data import datasets
from wna_utils.interventions import stimulation
from wna_utils.interventions.backdoors import Backdoor
from wna_utils.report.profiles import PROFILES
from wna_utils.stimuli import white as stimuli
from wna_utils.support import devices, paths
from wna_utils.support.checks import at_least, fraction, one_of, positive, seed

TYPES = {
    str(each).removeprefix("<class '").removesuffix("'>"): TypeAdapter(each)
    for each in (int, float, str, bool, list[int], list[float], list[str])
}


def _each(check: Callable, *limits) -> Callable:
    def check_all(name: str, values: list) -> None:
        at_least(f"the number of {name}", len(values), 1)
        for value in values:
            check(f"each of {name}", value, *limits)

    return check_all


def _pair(name: str, value: str) -> None:
    if len(set(value.split())) != 2:
        raise ValueError(f'{name} must be two different classes, such as "1 7"; got {value!r}')


def _backdoor(name: str, value: str) -> None:
    try:
        Backdoor.parse(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _share(name: str, value: float) -> None:
    positive(name, value)
    fraction(name, value)


def _rising(name: str, values: list) -> None:
    _each(at_least, 1)(name, values)
    if values != sorted(set(values)):
        raise ValueError(f"{name} must rise from one to the next; got {values}")


COUNTS = (
    "n_networks", "n_networks_fashion", "n_networks_cifar",
    "n_courses", "n_noise_models",
    "n_noise", "n_noise_others", "n_noise_grid", "n_noise_last", "n_noise_cifar",
    "n_networks_scales", "n_noise_scales", "n_noise_normal",
    "n_gabor", "n_gabor_cifar", "n_generated", "n_switches", "n_images",
    "n_networks_sweep", "n_train", "n_neuron", "n_seeds", "n_pictures", "n_gradients", "n_units",
    "n_inverted", "n_steps", "patch_cell", "n_networks_pair", "n_noise_filters", "n_trials", "n_curve",
)  # fmt: skip

# What a value must be, by name: a name means the same in every notebook.
RULES: dict[str, Callable[[str, Any], None]] = {
    **dict.fromkeys(COUNTS, lambda name, value: at_least(name, value, 1)),
    "profile": lambda name, value: one_of(name, value, PROFILES),
    **dict.fromkeys(("dataset", "fashion", "cifar"), lambda name, value: one_of(name, value, datasets.NAMES)),
    "distribution": lambda name, value: one_of(name, value, stimuli.DISTRIBUTIONS),
    "precision": lambda name, value: one_of(name, value, devices.PRECISIONS),
    "device": lambda _, value: devices.resolve_device(value),
    "seed": seed,
    "block": lambda name, value: at_least(name, value, 0),
    "gammas": _each(fraction),
    "rule": lambda name, value: one_of(name, value, stimulation.RULES),
    "ks": _each(at_least, 0),
    "n_levels": lambda name, value: at_least(name, value, 2),
    "pair": _pair,
    "pairs": _each(_pair),
    "contrasts": _each(at_least, 0.01),
    "sizes": _rising,
    "patches": _each(_backdoor),
    "patch_cifar": _backdoor,
    "poison_fraction": _share,
    "poison_fractions": _each(_share),
    "patch_cells": _each(at_least, 1),
    "n_poisoned": lambda name, value: at_least(name, value, 0),
    **dict.fromkeys(("n_shuffles", "n_shuffles_units"), lambda name, value: at_least(name, value, 20)),
    **dict.fromkeys(("units", "units_cifar"), _each(at_least, 0)),
    # A network says itself which layers it has, and a data set which classes.
    **dict.fromkeys(("layers", "layers_cifar", "source_class", "target_class"), lambda *_: None),
    "legacy_png": lambda *_: None,  # either value will do
}


def parameters(notebook: str) -> Any:
    """The checked parameters of the running notebook, as a frozen dataclass.

    Values come, in this order, from papermill's `-p`, from the profile's part of `notebooks/profiles/sizes.yaml`, and
    from the parameters cell. Raises `ValueError` for a name that the notebook does not declare, a wrong type, or a
    value out of range.
    """
    from IPython import get_ipython

    shell = get_ipython()
    injected = [source for source in shell.user_ns["In"] if source.startswith("# Parameters\n")]
    return check(notebook, shell.user_ns, assigned(injected[-1]) if injected else {})


def running_profile() -> str:
    """Profile of the running notebook; "book" where no notebook runs."""
    from IPython import get_ipython

    shell = get_ipython()
    return shell.user_ns.get("profile", "book") if shell else "book"


def check(notebook: str, namespace: Mapping[str, Any], injected: Mapping[str, Any] = {}) -> Any:
    """Check `namespace`, in which the names `injected` were set from outside, against the notebook's declaration."""
    declared = declaration(notebook)
    for name in injected:
        if name not in declared:
            raise ValueError(f"{notebook} has no parameter {name!r}; it has {', '.join(declared)}")
    values = {name: namespace.get(name, default) for name, (_, default) in declared.items()}
    RULES["profile"]("profile", values["profile"])
    sizes = yaml.safe_load((paths.NOTEBOOKS / "profiles" / "sizes.yaml").read_text())
    values |= {
        name: value
        for name, value in sizes.get(values["profile"], {}).get(notebook, {}).items()
        if name not in injected
    }
    for name, value in values.items():
        annotation = declared[name][0]
        value = _as_text(value) if annotation == "str" else value
        try:
            values[name] = TYPES[annotation].validate_python(value, strict=True)
        except ValidationError:
            raise ValueError(f"{name} must be of type {annotation}; got {value!r}") from None
        RULES.get(name, lambda *_: None)(name, values[name])
    return make_dataclass(notebook, values, frozen=True)(**values)


def _as_text(value: Any) -> Any:
    """A number as text, since a class may be called 3, and is taken for a number on the command line."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def declaration(notebook: str) -> dict[str, tuple[str, Any]]:
    """Annotation and default of each name in the notebook's parameters cell."""
    cells = json.loads((paths.NOTEBOOKS / f"{notebook}.ipynb").read_text())["cells"]
    [source] = ["".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", [])]
    return {
        node.target.id: (ast.unparse(node.annotation), ast.literal_eval(node.value))
        for node in ast.parse(source).body
        if isinstance(node, ast.AnnAssign)
    }


def assigned(source: str) -> dict[str, Any]:
    """The literals that a cell of plain assignments sets, by name."""
    return {
        target.id: _literal(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
    }


def _literal(value: ast.expr) -> Any:
    """A literal, and what papermill writes for numbers that have none: float('nan')."""
    if isinstance(value, ast.List):
        return [_literal(each) for each in value.elts]
    if found := re.fullmatch(r"float\('(-?\w+)'\)", ast.unparse(value)):
        return float(found[1])
    return ast.literal_eval(value)
