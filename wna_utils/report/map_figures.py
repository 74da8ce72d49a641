"""Figures of self-introspection: maps of codes, surfaces of expected error, and units in their order."""

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from matplotlib.axes import Axes
from torch import Tensor

from wna_utils.analysis.introspection import Introspection, Place
from wna_utils.report.figures import class_axis

SURFACE = "magma"
ENDS = (0.02, 0.98)  # quantiles of expected errors at which the colours of a surface end


def class_colours(classes: int) -> np.ndarray:
    """A colour (K, 3) for each class, the same in all maps."""
    return np.array(sns.color_palette("tab10" if classes <= 10 else "husl", classes))


def flat(codes: Tensor) -> np.ndarray:
    """Codes (n, k) as places (n, 2) on paper: the first two numbers, or the only one beside zeros."""
    return torch.nn.functional.pad(codes, (0, 1))[:, :2].numpy()


def show_codes(
    ax: Axes, codes: np.ndarray, labels: np.ndarray, names: Sequence[str], title: str = "", faint: bool = False
) -> None:
    """Codes (n, 2) as dots in the colours of their classes, each class named where most of its codes are."""
    colours = class_colours(len(names))
    ax.scatter(*codes.T, s=3, c=colours[labels], alpha=0.15 if faint else 0.5, linewidths=0, rasterized=True)
    for k in np.unique(labels):
        place = np.median(codes[labels == k], axis=0)
        box = {"facecolor": "white", "alpha": 0.75, "edgecolor": colours[k], "pad": 1.5}
        ax.text(*place, names[k], fontsize="x-small", ha="center", va="center", bbox=box)
    _bare(ax, title)


def mark(ax: Axes, codes: np.ndarray, label: str = "", colour: str = "black") -> None:
    """Codes (n, 2) as crosses, such as those of errors."""
    ax.scatter(*codes.T, s=14, marker="x", c=colour, linewidths=0.8, label=label)


def show_surface(
    ax: Axes, found: Introspection, limits: tuple[float, float, float, float], place: Place, title: str = ""
):
    """The error expected at every place of a map, log₁₀, within `limits` (left, right, bottom, top).

    Colours range over the errors expected of the images of a `place`, but for the outermost. A map of another number of
    numbers than two is no plane: nothing is drawn, and None returned.
    """
    _bare(ax, title)
    if place.codes.shape[1] != 2:
        return None
    left, right, bottom, top = limits
    x, y = torch.linspace(left, right, 120), torch.linspace(bottom, top, 120)
    places = torch.cartesian_prod(x, y)
    surface = found.expected(places).view(120, 120).T.numpy()
    low, high = np.quantile(place.expected.numpy(), ENDS)
    look = {"origin": "lower", "extent": limits, "aspect": "auto", "cmap": SURFACE}
    return ax.imshow(surface, vmin=low, vmax=high, **look)


def limits_of(codes: np.ndarray) -> tuple[float, float, float, float]:
    """What a picture must show for codes (n, 2) to be in it, with some room."""
    low, high = codes.min(0), codes.max(0)
    room = np.where(high > low, 0.05 * (high - low), 0.5)
    (left, bottom), (right, top) = low - room, high + room
    return float(left), float(right), float(bottom), float(top)


def show_units(ax: Axes, values: np.ndarray, title: str = "", limits: tuple[float, float] | None = None):
    """Layers downwards, units across: values (layers, units), or colours (layers, units, 3)."""
    low, high = limits or (None, None)
    drawn = ax.imshow(values, aspect="auto", interpolation="nearest", cmap="viridis", vmin=low, vmax=high)
    _bare(ax, title)
    return drawn


def violins(ax: Axes, expected: np.ndarray, labels: np.ndarray, wrong: np.ndarray, names: Sequence[str]) -> None:
    """Distributions of expected errors (n,), log₁₀, by class: left half right answers, right half wrong ones (Fig. 7).

    Above each class stands the share that is right; a class without images has neither.
    """
    frame = pd.DataFrame(
        {
            "class": [names[k] for k in labels],
            "log₁₀ ê": expected,
            "": np.where(wrong, "wrong", "right"),
        }
    )
    halves = {"hue_order": ["right", "wrong"], "palette": ["tab:green", "tab:red"], "split": True}
    look = {"inner": None, "cut": 0, "linewidth": 0.5, "density_norm": "width"}
    sns.violinplot(frame, x="class", y="log₁₀ ê", hue="", order=list(names), ax=ax, **halves, **look)
    for k in np.unique(labels):
        share = 1 - wrong[labels == k].mean()
        place = {"transform": ax.get_xaxis_transform(), "ha": "center", "fontsize": "x-small"}
        ax.text(k, 1.02, f"{share:.0%}", **place)
    class_axis(ax, names)
    ax.set_xlabel("")
    sns.move_legend(ax, "upper left", bbox_to_anchor=(1, 1), fontsize="small")


def sheet(images: Sequence[np.ndarray], titles: Sequence[str], draw: Sequence[Callable[[Axes, int], object]]):
    """A column for each image (c, h, w) with its title, and below it what each of `draw` puts there (Fig. 4)."""
    rows = 1 + len(draw)
    size = (1.25 * len(images) + 0.3, 1.35 * rows)
    figure, axes = plt.subplots(rows, len(images), figsize=size, squeeze=False)
    for i, (image, title) in enumerate(zip(images, titles, strict=True)):
        axes[0, i].imshow(np.moveaxis(image, 0, -1).clip(0, 1), cmap="gray", vmin=0, vmax=1)
        _bare(axes[0, i], title)
        for row, drawing in enumerate(draw, start=1):
            drawing(axes[row, i], i)
    return figure


def _bare(ax: Axes, title: str) -> None:
    ax.set_title(title, fontsize="small")
    ax.set(xticks=[], yticks=[])
