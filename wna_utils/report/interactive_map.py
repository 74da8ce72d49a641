"""A map of activations to explore on the book's page: `book/_static/interactive_map.js` draws it from these data."""

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from wna_utils.report.map_figures import class_colours

if TYPE_CHECKING:
    from IPython.display import HTML

COLUMNS = 50  # thumbnails in a row of the picture that holds them all
GREYS = 16


@dataclass(frozen=True)
class Overlay:
    """What can be switched on over the points: groups of places (n, 2), as dots or as lines.

    Group i has the colour of class `classes[i]`, or that of the text if there are none.
    """

    name: str
    groups: Sequence[np.ndarray]
    lines: bool = False
    classes: Sequence[int] = ()


def interactive_map(
    codes: np.ndarray,
    labels: np.ndarray,
    calls: np.ndarray,
    expected: np.ndarray,
    images: np.ndarray,
    names: Sequence[str],
    overlays: Sequence[Overlay] = (),
) -> "HTML":
    """A map of n images (n, c, h, w) at codes (n, 2), of true class `labels` (n,) and called `calls` (n,).

    `expected` (n,) is log₁₀ of the error expected of each. Pointing at an image, or moving to it by the arrow keys,
    shows it and says all three. Raises `ValueError` for codes that are no places in the plane.
    """
    from IPython.display import HTML

    if codes.ndim != 2 or codes.shape[1] != 2 or not np.isfinite(codes).all():
        raise ValueError(f"the map is drawn in the plane: codes must be pairs of finite numbers; got {codes.shape}")
    places = np.concatenate([codes, *(group for overlay in overlays for group in overlay.groups)])
    low, high = places.min(0), places.max(0)
    span = np.where(high > low, high - low, 1)

    def scaled(points: np.ndarray) -> np.ndarray:
        return np.rint((2 * (points - low) / span - 1) * 32_767).astype("<i2")

    colours = ["#" + "".join(f"{round(255 * part):02x}" for part in colour) for colour in class_colours(len(names))]
    x, y = scaled(codes).T
    data = {
        "names": list(names),
        "colours": colours,
        "x": _encoded(x),
        "y": _encoded(y),
        "labels": _encoded(labels.astype("u1")),
        "calls": _encoded(calls.astype("u1")),
        "expected": _encoded(np.rint(100 * expected).astype("<i2")),
        "side": images.shape[2:],
        "sprite": _sprite(images),
        "overlays": [
            {
                "name": overlay.name,
                "lines": overlay.lines,
                "colours": [colours[k] for k in overlay.classes],
                "paths": [scaled(group).tolist() for group in overlay.groups],
            }
            for overlay in overlays
        ],
    }
    about = escape(f"Map of {len(codes):,} test images; the arrow keys move from image to image")
    legend = "".join(
        f'<li><span style="background:{colour}"></span>{escape(name)}</li>'
        for name, colour in zip(names, colours, strict=True)
    )
    return HTML(
        '<div class="activation-map" hidden>'
        f'<canvas class="points" tabindex="0" role="application" aria-label="{about}"></canvas>'
        f'<ul class="legend">{legend}</ul>'
        '<div class="about"><canvas class="thumbnail" width="84" height="84" aria-hidden="true"></canvas>'
        '<output aria-live="polite">Point at an image, or use the arrow keys. Ringed: misclassified.</output>'
        '<div class="switches"></div></div>'
        f'<script type="application/json">{json.dumps(data).replace("<", chr(92) + "u003c")}</script></div>'
    )


def _encoded(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _sprite(images: np.ndarray) -> str:
    """All images (n, c, h, w) as thumbnails in one picture of few greys, as a data URI."""
    from PIL import Image

    grey = images.mean(1).clip(0, 1)
    n, h, w = grey.shape
    rows = -(-n // COLUMNS)
    sheet = np.zeros((rows * COLUMNS, h, w))
    sheet[:n] = grey
    sheet = sheet.reshape(rows, COLUMNS, h, w).swapaxes(1, 2).reshape(rows * h, COLUMNS * w)
    levels = Image.fromarray(np.rint(sheet * (GREYS - 1)).astype("u1"), mode="P")
    levels.putpalette([level for k in range(GREYS) for level in [k * 255 // (GREYS - 1)] * 3])
    file = io.BytesIO()
    levels.save(file, "PNG", optimize=True, bits=4)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
