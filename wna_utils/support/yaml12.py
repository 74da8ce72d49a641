"""YAML with the numbers of version 1.2, since PyYAML reads those of 1.1: there 1e-1 is text, and 010 is eight."""

import re
from typing import Any, ClassVar

import yaml


class _Loader(yaml.SafeLoader):
    """A safe loader whose numbers are read as below."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":int", ":float"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


def _real(loader: _Loader, node: yaml.ScalarNode) -> float:
    return float(loader.construct_scalar(node).replace(".inf", "inf").replace(".nan", "nan"))


_Loader.add_implicit_resolver("!integer", re.compile(r"[-+]?[0-9]+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "!real",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|[-+]?\.inf$|\.nan$"),
    list("-+0123456789."),
)
_Loader.add_constructor("!integer", _integer)
_Loader.add_constructor("!real", _real)


def load(text: str) -> Any:
    """What a YAML text says; raises `yaml.YAMLError` if it is none, or asks for anything but plain values."""
    return yaml.load(text, _Loader)
