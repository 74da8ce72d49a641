"""The environment is the one that constraints.txt describes, and that describes all of it."""

import sys
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from wna_utils.support.paths import ROOT


def pins(name):
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    return {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in lines if line}


def needed():
    """Names of all distributions that the requirements bring along, here."""
    found, waiting = set(), [(name, frozenset()) for name in pins("requirements.txt")]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in found:
            continue
        found.add((name, extras))
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            if not requirement.marker or any(requirement.marker.evaluate({"extra": e}) for e in extras or {""}):
                waiting.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return {name for name, _ in found}


def test_requirements_are_pinned_as_in_the_constraints():
    constraints = pins("constraints.txt")
    assert {name: constraints.get(name) for name in pins("requirements.txt")} == pins("requirements.txt")


@pytest.mark.skipif(
    (sys.platform, sys.version_info[:2]) != ("linux", (3, 11)),
    reason="made on Linux with Python 3.11",
)
def test_everything_that_is_needed_is_pinned_and_installed_in_that_version():
    constraints = pins("constraints.txt")
    installed = {name: metadata.version(name) for name in needed() - {"pip", "setuptools", "wheel"}}
    assert installed == {name: constraints.get(name) for name in installed}
