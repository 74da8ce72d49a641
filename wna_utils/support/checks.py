"""Checks of arguments: each raises `ValueError` with one sentence that names the value and what is allowed."""

import math
from collections.abc import Iterable


def one_of(name: str, value: object, allowed: Iterable[object]) -> None:
    allowed = list(allowed)
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(str, allowed))}; got {value!r}")


def at_least(name: str, value: float, low: float) -> None:
    if not value >= low:
        raise ValueError(f"{name} must be {low} or more; got {value!r}")


def between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must lie between {low} and {high}; got {value!r}")


def positive(name: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be greater than 0; got {value!r}")


def fraction(name: str, value: float) -> None:
    between(name, value, 0, 1)
