"""Tables of the book: numbers and estimates as the text of cells, and rows as a table in the book's style."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from wna_utils.analysis.estimates import Estimate, mean_over


def table(rows: pd.DataFrame | Sequence[Mapping[str, object]] | Mapping[str, Mapping[str, object]]) -> Styler:
    """A table of the rows, each a mapping from the head of a column to a cell.

    Rows that have names, the keys of a mapping, show them in a first column.
    """
    named = isinstance(rows, Mapping)
    frame = pd.DataFrame.from_dict(rows, orient="index") if named else pd.DataFrame(rows)
    style = frame.style.set_table_attributes('class="table"')
    return style if named else style.hide()


def number(value: float, digits: int = 2, percent: bool = False) -> str:
    """A number as text; a dash if there is none."""
    if np.isnan(value):
        return "–"
    text = f"{100 * value:.{digits}f}" if percent else f"{value:.{digits}f}"
    text = text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")
    return f"{text} %" if percent else text


def with_interval(value: float, low: float, high: float, digits: int = 2, percent: bool = False) -> str:
    """A value with its interval in brackets: "0.51 (0.42 to 0.60)"; a dash if one of the three is missing."""
    ends = [number(each, digits, percent) for each in (value, low, high)]
    return "–" if "–" in ends else f"{ends[0]} ({ends[1].removesuffix(' %')} to {ends[2]})"


def estimate(found: Estimate, digits: int = 1, percent: bool = False) -> str:
    """An estimate with its interval and n in brackets: "51.2 % (42.0 to 60.4 %; 5)"."""
    if np.isnan(found.value):
        return "no samples"
    interval = with_interval(found.value, found.low, found.high, digits, percent)
    value = number(found.value, digits, percent)
    return f"{value} ({found.n})" if interval == "–" else f"{interval.removesuffix(')')}; {found.n})"


def with_half_width(
    values: Sequence[float] | Estimate,
    digits: int = 2,
    percent: bool = False,
    within: tuple[float, float] | None = None,
) -> str:
    """Mean over networks and half its 95 % interval: "0.51 ± 0.09"; in brackets how many have a value, if not all."""
    found = values if isinstance(values, Estimate) else mean_over(values, within=within)
    asked = found.n if isinstance(values, Estimate) else len(values)
    text = number(found.value, digits, percent)
    half = (found.high - found.low) / 2
    if not np.isnan(half):
        text = f"{text.removesuffix(' %')} ± {number(half, digits, percent)}"
    return text + (f" ({found.n})" if 0 < found.n < asked else "")


def class_names(called: np.ma.MaskedArray, classes: Sequence[str]) -> list[list[str]]:
    """Names of the classes that maps are called, (rows, K); a dash where there is no map."""
    return [["–" if k is np.ma.masked else classes[k] for k in row] for row in called]
