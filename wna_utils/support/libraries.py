"""Which code belongs to an installed library, and to which version; everything else is user code."""

import functools
import importlib.metadata
import importlib.util
import os
import platform
import sys
import types
from pathlib import Path

OWN = {__name__.partition(".")[0], "__main__"}  # packages of one's own, wherever they are installed


class Uncertain(Exception):
    """The behaviour of an object depends on something that cannot be inspected; the message says what."""


@functools.cache
def version_of(module: str) -> str | None:
    """Version of the library, or of the Python, that a module belongs to; None for code of one's own."""
    package = module.partition(".")[0]
    try:
        spec = None if package in OWN else importlib.util.find_spec(package)
    except (ImportError, ValueError):  # a module that was not imported, but made
        spec = None
    if spec is None:
        return None
    places = [Path(place) for place in (spec.origin, *(spec.submodule_search_locations or ())) if place]
    if any({"site-packages", "dist-packages"} & set(place.parts) for place in places):
        names = sorted(set(_distributions().get(package, ())))
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names) or None
    of_python = not spec.has_location or places[0].is_relative_to(Path(os.__file__).parent)
    return f"Python {platform.python_version()}" if package in sys.stdlib_module_names and of_python else None


_distributions = functools.cache(importlib.metadata.packages_distributions)


def require_version(module: str) -> str:
    if (version := version_of(module)) is None:
        raise Uncertain(f"compiled code of {module} cannot be hashed")
    return version


def library_name(value: object) -> str | None:
    """Qualified name and library version of an object that is importable under its own name; None for anything else."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or (version := version_of(module)) is None:
        return None
    found = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{module}.{name} {version}" if found is value else None


def is_imported(function: types.FunctionType) -> bool:
    module = sys.modules.get(function.__globals__.get("__name__", ""))
    return module is not None and vars(module) is function.__globals__


def is_of_library(function: types.FunctionType) -> bool:
    return is_imported(function) and version_of(function.__globals__["__name__"]) is not None
