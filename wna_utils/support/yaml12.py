"""YAML with the numbers of version 1.2, since PyYAML reads those of 1.1: there 1e-1 is text, and 010 is eight.

Underscores between digits are Python's: 1_000 is a thousand.
"""

import re
from typing import Any

import yaml

INTEGER, REAL = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"


class _Loader(yaml.SafeLoader):
    """A safe loader whose numbers are read as below."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in (INTEGER, REAL)]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    return int(text, {"0x": 16, "0o": 8}.get(text[:2], 10))


def _real(loader: _Loader, node: yaml.ScalarNode) -> float:
    return float(re.sub(r"\.(inf|nan)", r"\1", loader.construct_scalar(node).lower()))


_Loader.add_implicit_resolver(
    INTEGER, re.compile(r"([-+]?[0-9]+(_[0-9]+)*|0x[0-9a-fA-F]+|0o[0-7]+)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    REAL,
    re.compile(r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"),
    list("-+0123456789."),
)
_Loader.add_constructor(INTEGER, _integer)
_Loader.add_constructor(REAL, _real)


def load(text: str) -> Any:
    """What a YAML text says; raises `yaml.YAMLError` if it is none, or asks for anything but plain values."""
    try:
        return yaml.load(text, _Loader)
    except ValueError as error:  # of a number or a date that there is not
        raise yaml.YAMLError(str(error)) from error
