"""Figures of the book: they take arrays and draw; what to show is the notebooks' business."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wna_utils.analysis.estimates import Estimate
from wna_utils.observe.tally import Maps

MAP, SIGNED = "viridis", "RdBu_r"


def use_style() -> None:
    """The book's look: readable on a phone, sharp on a screen."""
    sns.set_theme(context="notebook", style="ticks", palette="colorblind")
    plt.rcParams.update({
        "figure.dpi": 130,
        "figure.constrained_layout.use": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": "medium",
        "legend.frameon": False,
    })  # fmt: skip
    if "inline" in plt.get_backend():  # it draws a figure when a cell ends, where pyplot would draw it once more
        plt.switch_backend(plt.get_backend())  # now: with the first figure, the hook would come back
        plt.uninstall_repl_displayhook()


def show_map(ax: Axes, image: Maps, title: str = "", limit: float | None = None, outline: np.ndarray | None = None):
    """One map (c, h, w) as a picture: own range in viridis, or ±`limit` in red and blue.

    Three channels are shown as colours, their common range stretched to the full one. A masked map is drawn as an
    empty frame that says "no samples". `outline` (h, w) is ringed where true.
    """
    ax.set_title(title)
    ax.set(xticks=[], yticks=[])
    sns.despine(ax=ax, left=False, bottom=False, top=False, right=False)
    if np.ma.getmaskarray(image).any():
        ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", facecolor="0.95")
        ax.text(0.5, 0.5, "no\nsamples", ha="center", va="center", color="0.4")
        return None
    if outline is not None and outline.any():
        ax.contour(outline, levels=[0.5], colors="black", linewidths=0.8)
    picture = np.ma.getdata(image)
    low, high = (picture.min(), picture.max()) if limit is None else (-limit, limit)
    if image.shape[0] == 3:
        return ax.imshow(np.moveaxis((picture - low) / max(high - low, 1e-12), 0, -1).clip(0, 1))
    return ax.imshow(picture.squeeze(0), cmap=MAP if limit is None else SIGNED, vmin=low, vmax=high)


def reach(image: Maps) -> float:
    """Largest absolute value of a map, to be its `limit`; 1 if it is masked, or zero throughout."""
    return float(np.ma.filled(abs(image), 0).max()) or 1.0


def show_picture(ax: Axes, image: np.ndarray, title: str = "") -> None:
    """An image (c, h, w) as the network gets it: 0 is black and 1 white, whatever its own range."""
    ax.set_title(title, fontsize="small")
    ax.set_axis_off()
    ax.imshow(np.moveaxis(image, 0, -1).clip(0, 1), cmap="gray", vmin=0, vmax=1)


def map_grid(
    rows: Sequence[Sequence[Maps]],
    titles: Sequence[Sequence[str]],
    row_labels: Sequence[str] = (),
    limits: Sequence[Sequence[float | None]] | None = None,
    outlines: Sequence[Sequence[np.ndarray]] | None = None,
) -> Figure:
    """Rows of maps (c, h, w), each with its title; for `limits` and `outlines`, one for each map, see `show_map`.

    A row whose maps all have the same limit gets a colour bar.
    """
    columns = max(len(row) for row in rows)
    lines = sum(max(title.count("\n") + 1 if title else 0 for title in row) for row in titles)
    size = (1.15 * columns + 0.5, 1.2 * len(rows) + 0.19 * lines)
    figure, axes = plt.subplots(len(rows), columns, figsize=size, squeeze=False)
    for r, maps in enumerate(rows):
        row_limits = limits[r] if limits else [None] * columns
        drawn = None
        for k, image in enumerate(maps):
            outline = outlines[r][k] if outlines else None
            drawn = show_map(axes[r, k], image, titles[r][k], row_limits[k], outline) or drawn
            axes[r, k].title.set_fontsize("small")
        for ax in axes[r, len(maps) :]:
            ax.set_axis_off()
        if drawn is not None and row_limits[0] is not None and len(set(row_limits)) == 1:
            figure.colorbar(drawn, ax=list(axes[r]), shrink=0.8, pad=0.01, aspect=12)
        if row_labels:
            axes[r, 0].set_ylabel(row_labels[r])
    return figure


def map_titles(classes: Sequence[str], called: np.ma.MaskedArray, counts: np.ndarray) -> list[str]:
    """Titles of maps: the class, what a network calls its map (a dash where there is none), and the images in it."""
    arrow = " →\n" if max(map(len, classes)) > 2 else " → "
    return [
        f"{name}{arrow}{'–' if seen is np.ma.masked else classes[seen]}\n{count:,}"
        for name, seen, count in zip(classes, called, counts, strict=True)
    ]


def in_rows(items: Sequence, width: int = 5) -> list[Sequence]:
    """Cut items into rows for `map_grid`, so that ten maps can be seen on a phone, too."""
    return [items[start : start + width] for start in range(0, len(items), width)]


def confusion_grid(matrices: Sequence[np.ndarray], titles: Sequence[str], classes: Sequence[str]) -> Figure:
    """Confusion matrices (K, K) side by side, true class downwards, all on one scale."""
    columns = min(len(matrices), 2)
    rows = -(-len(matrices) // columns)
    size = (4.4 * columns, 4.2 * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
    for ax, matrix, title in zip(axes.flat, matrices, titles, strict=False):
        drawn = heatmap(ax, matrix, classes, classes, (0, 1), "Blues")
        ax.set(title=title, xlabel="called", ylabel="class shown")
    figure.colorbar(drawn, ax=axes, shrink=0.5, label="share of the class's test images")
    return figure


def heatmap(
    ax: Axes, matrix: Maps, rows: Sequence[str], columns: Sequence[str], limits: tuple[float, float], cmap: str
):
    """A matrix as coloured cells with its numbers written in; masked cells stay grey."""
    ax.set_facecolor("0.92")
    drawn = ax.imshow(matrix, cmap=cmap, vmin=limits[0], vmax=limits[1], aspect="auto")
    class_axis(ax, columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    middle = sum(limits) / 2
    reach = limits[1] - middle
    for (r, c), value in np.ndenumerate(np.ma.filled(matrix, np.nan)):
        if np.isnan(value) or abs(value) < 0.005:
            continue
        far = abs(value - middle) > 0.5 * reach and (limits[0] < 0 or value > middle)
        text = f"{value:.2f}".replace("0.", ".", 1)
        ax.text(c, r, text, ha="center", va="center", fontsize="xx-small", color="white" if far else "0.2")
    return drawn


def curves(ax: Axes, x: Sequence[float], rows: np.ndarray, title: str = "") -> None:
    """Curves (n, x) in one panel, from the first in blue to the last in red."""
    for y, color in zip(rows, plt.get_cmap("coolwarm")(np.linspace(0, 1, len(rows))), strict=True):
        ax.plot(x, y, color=color, linewidth=1.2)
    ax.set_title(title, fontsize="small")


def curve_grid(
    x: Sequence[float],
    panels: Sequence[Sequence[np.ndarray]],
    titles: Sequence[Sequence[str]],
    labels: tuple[str, str],
    strengths: tuple[float, float],
    bar: str = "k",
) -> Figure:
    """Panels of `curves` on common axes, which the `labels` name, and a colour bar over the range of strengths."""
    shape = len(panels), max(map(len, panels))
    size = (2.2 * shape[1] + 0.6, 2.2 * shape[0] + 0.2)
    figure, axes = plt.subplots(*shape, figsize=size, sharex=True, sharey=True, squeeze=False)
    for row, row_titles, row_axes in zip(panels, titles, axes, strict=True):
        for rows, title, ax in zip(row, row_titles, row_axes, strict=False):
            curves(ax, x, rows, title)
        for ax in row_axes[len(row) :]:
            ax.set_axis_off()
        row_axes[0].set_ylabel(labels[1])
    for ax in axes[-1]:
        ax.set_xlabel(labels[0])
    scale = plt.cm.ScalarMappable(plt.Normalize(*strengths), "coolwarm")
    figure.colorbar(scale, ax=axes, label=bar, shrink=0.7)
    return figure


def class_axis(ax: Axes, classes: Sequence[str]) -> None:
    """Name the classes below the axis, upright where the names are words."""
    ax.set_xticks(range(len(classes)), classes, rotation=90 if max(map(len, classes)) > 2 else 0)


def shares(ax: Axes, counts: np.ndarray, classes: Sequence[str], scale: str = "linear") -> None:
    """Share of noise that each class gets, a dot for each run: counts (runs, K), the runs' mean as bars.

    On a "log" scale a share of nothing has no dot.
    """
    share = counts / counts.sum(1, keepdims=True)
    ax.bar(range(len(classes)), share.mean(0), color="0.85", zorder=0)
    for run, color in zip(share, sns.color_palette("colorblind", len(share)), strict=True):
        ax.plot(range(len(classes)), run, "o", markersize=5, alpha=0.8, color=color)
    class_axis(ax, classes)
    ax.set(xlabel="class called", ylabel="share of noise images", yscale=scale)
    ax.set_ylim((0, 1.03) if scale == "linear" else (share[share > 0].min() / 3, 1.5))


def lines_over_runs(
    ax: Axes, x: Sequence[float], y: np.ndarray, classes: Sequence[str], at_least: float = 0.03
) -> None:
    """Mean over runs, with the range of runs shaded, of y (runs, x, K) for each class that ever exceeds `at_least`."""
    for k, color in enumerate(sns.color_palette("tab10", len(classes))):
        if y[:, :, k].mean(0).max() < at_least:
            continue
        ax.plot(x, y[:, :, k].mean(0), "o-", color=color, label=classes[k], markersize=4)
        ax.fill_between(x, y[:, :, k].min(0), y[:, :, k].max(0), color=color, alpha=0.15, linewidth=0)
    ax.set(ylim=(0, 1.03), ylabel="share of noise images", xticks=x)
    ax.legend(title="class called", ncols=2, fontsize="small")


def estimates(ax: Axes, x: Sequence[float], values: Sequence[Estimate], label: str, line: str = "o-") -> None:
    """Estimates with their intervals against x; those without samples are left out, but for their name."""
    known = [(at, each) for at, each in zip(x, values, strict=True) if not np.isnan(each.value)]
    if not known:
        ax.plot([], [], line, label=label)  # so that a legend names it
        return
    at, found = zip(*known, strict=True)
    value, low, high = (np.array([getattr(each, end) for each in found]) for end in ("value", "low", "high"))
    errors = [np.nan_to_num(value - low), np.nan_to_num(high - value)]
    ax.errorbar(at, value, yerr=errors, fmt=line, capsize=3, markersize=5, label=label)
