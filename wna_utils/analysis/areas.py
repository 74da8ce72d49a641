"""Brain areas: responses of their vertices, planted or a user's own, and which vertices answer alike twice.

The responses of Zhang et al. are not public. Planted ones show what their analyses would find if it were there, and
what they find where there is nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wna_utils.analysis.representations import FEWEST, dissimilarities, similarity
from wna_utils.support.checks import at_least, whole

PRESENTATIONS = 2


@dataclass(frozen=True)
class Area:
    """Responses of an area's v vertices to images: `betas` (images, 2, v), of two presentations of each.

    `places` (v, 2) are where vertices lie on the flattened surface of their `hemisphere` (v,), 0 or 1.
    """

    betas: np.ndarray
    places: np.ndarray
    hemisphere: np.ndarray

    @property
    def responses(self) -> np.ndarray:
        """Mean of both presentations, (images, v)."""
        return self.betas.mean(1)

    def only(self, vertices: np.ndarray) -> "Area":
        """The area with these vertices alone."""
        return Area(self.betas[..., vertices], self.places[vertices], self.hemisphere[vertices])

    def reliabilities(self, images: slice, radius: float) -> np.ndarray:
        """How alike the dissimilarities of some images are in both presentations, around each vertex, (v,).

        Spearman's correlation of the two matrices over the vertices within `radius` on the same hemisphere: the paper's
        searchlight. Raises `ValueError` if there are fewer than three vertices within it.
        """
        found = []
        for place, side in zip(self.places, self.hemisphere, strict=True):
            near = (np.linalg.norm(self.places - place, axis=1) <= radius) & (self.hemisphere == side)
            at_least("vertices within the radius", int(near.sum()), FEWEST)
            found.append(similarity(*(dissimilarities(self.betas[images, i][:, near]) for i in range(PRESENTATIONS))))
        return np.array(found)

    def most_reliable(self, n: int, images: slice, radius: float) -> "Area":
        """The area with its n vertices of the highest `reliabilities`, half of them from each hemisphere.

        Raises `ValueError` if a hemisphere has not as many.
        """
        whole("n", n, 2)
        reliable = self.reliabilities(images, radius)
        kept = []
        for side in (0, 1):
            own = np.flatnonzero(self.hemisphere == side)
            at_least(f"vertices of hemisphere {side}", len(own), n // 2)
            kept.append(own[np.argsort(-reliable[own], kind="stable")[: n // 2]])
        return self.only(np.concatenate(kept))


def planted(features: np.ndarray | None, images: int, vertices: int, noise: float, units: int, seed: int) -> Area:
    """An area whose vertices are sums of few `units` of a layer, drawn at random, in noise of their own.

    `features` (images, n) are the layer's activations; None plants nothing, so that the area is all noise. Each signal
    has a standard deviation of 1 over images, and `noise` is that of the noise in each presentation. Vertices lie on a
    square grid in each hemisphere. Raises `ValueError` for features of another number of images.
    """
    random = np.random.default_rng(seed)
    signal = np.zeros((images, vertices))
    if features is not None:
        if len(features) != images:
            raise ValueError(f"there must be features of {images} images; got {len(features)}")
        spread = features.std(0)
        used = np.flatnonzero(spread > 0)
        for vertex in range(vertices):
            few = random.choice(used, units, replace=False)
            mixture = (features[:, few] - features[:, few].mean(0)) / spread[few] @ random.normal(size=units)
            signal[:, vertex] = mixture / mixture.std()
    betas = signal[:, None] + noise * random.normal(size=(images, PRESENTATIONS, vertices))
    hemisphere = np.arange(vertices) % 2
    number = np.arange(vertices) // 2
    side = int(np.ceil(np.sqrt(vertices / 2)))
    return Area(betas, np.stack([number // side, number % side], 1).astype(float), hemisphere)


def load(path: str | Path, images: int) -> dict[str, Area]:
    """A user's own areas by name, from an npz file: for each, "NAME betas", "NAME places" and "NAME hemisphere".

    Shapes are those of `Area`, with so many `images`: photographs, then adversarial noise, then interference, all in
    the same order. Raises `ValueError` for a file that cannot be read, or arrays that lack or do not fit.
    """
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = dict(archive)
    except Exception as error:  # whatever numpy makes of a damaged file
        raise ValueError(f"{path} is no npz file of responses that can be read: write one with numpy.savez") from error
    names = [name.removesuffix(" betas") for name in arrays if name.endswith(" betas")]
    if not names:
        raise ValueError(f'{path} has no areas: call their responses "V1 betas", for example')
    return {name: _checked(name, arrays, images) for name in names}


def _checked(name: str, arrays: dict[str, np.ndarray], images: int) -> Area:
    parts: Sequence[str] = (f"{name} betas", f"{name} places", f"{name} hemisphere")
    if missing := [part for part in parts if part not in arrays]:
        raise ValueError(f"there is no {missing[0]}: an area needs {', '.join(parts)}")
    betas, places, hemisphere = (arrays[part] for part in parts)
    vertices = betas.shape[-1] if betas.ndim else 0
    wanted = (images, PRESENTATIONS, vertices), (vertices, 2), (vertices,)
    for part, array, shape in zip(parts, (betas, places, hemisphere), wanted, strict=True):
        if array.shape != shape:
            raise ValueError(f"{part} must have the shape {shape}; got {array.shape}")
        if not np.issubdtype(array.dtype, np.number) or not np.isfinite(array).all():
            raise ValueError(f"{part} must be finite numbers: leave out vertices without them")
    if not np.isin(hemisphere, (0, 1)).all():
        raise ValueError(f"{name} hemisphere must be 0 or 1 for every vertex")
    return Area(betas, places, hemisphere)
