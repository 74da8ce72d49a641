"""Checks of arguments: each raises `ValueError` with one sentence that names the value and what is allowed."""

import math
import operator
from collections.abc import Iterable
from typing import Any


def one_of(name: str, value: object, allowed: Iterable[object]) -> None:
    allowed = list(allowed)
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(str, allowed))}; got {value!r}")


def at_least(name: str, value: float, low: float) -> None:
    if not value >= low:
        raise ValueError(f"{name} must be {low} or more; got {value!r}")


def whole(name: str, value: Any, low: int) -> int:
    """The value as an int, if it is a whole number (of numpy, too, but not a bool) of at least `low`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise ValueError(f"{name} must be a whole number; got {value!r}")
    at_least(name, number, low)
    return number


def seed(name: str, value: object) -> int:
    """The value as an int, if it is a whole number that fits into 64 bits."""
    number = whole(name, value, 0)
    if number >= 2**64:
        raise ValueError(f"{name} must be below 2^64, 18,446,744,073,709,551,616; got {number:,}")
    return number


def between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must lie between {low} and {high}; got {value!r}")


def positive(name: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be greater than 0; got {value!r}")


def fraction(name: str, value: float) -> None:
    between(name, value, 0, 1)
