"""Spike-triggered covariance: the stimulus directions a unit is tuned to, with significance (§2.2, Eqs. 4 and 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad, unfold

from wna_utils.networks.layers import Field, field_of
from wna_utils.networks.observer import SCORES, Answers, Network, Observer
from wna_utils.observe.loop import observe
from wna_utils.observe.spike_triggered_average import GREY
from wna_utils.observe.tally import UNIT, Tally
from wna_utils.stimuli.blocks import Block, Source
from wna_utils.support.checks import whole

IN_CACHE = 250_000  # numbers in the fields worked on at a time
LARGEST = 4_096  # pixels of a field whose covariance is kept


def spike_triggered_covariance(
    observer: Network | Observer, source: Source, n: int, shuffles: int = 0, **options: Any
) -> "CovarianceTally":
    """Show n images to an observer of units and tally second moments of what their fields saw.

    These are d² numbers for each unit, d the pixels of its field; `options` are those of `observe`. With `shuffles`,
    each unit's responses are also paired with the stimuli of other trials, so many times. Positions whose field reaches
    over the edge of the image are left out. Raises `ValueError` for fields of more than 4,096 pixels, if every field
    reaches over the edge, or if the last block has too few trials to shuffle.
    """
    rest = n % source.block_size
    if shuffles and 0 < rest <= shuffles:
        raise ValueError(f"n must be a multiple of {source.block_size:,}, so that responses can be shuffled; got {n}")
    return observe(observer, source, n, into=CovarianceTally(shuffles), **options)


class CovarianceTally(Tally):
    """First and second moments of the fields: of all stimuli, weighted by the responses, and by shuffled responses."""

    field: Field
    _units: int

    def __init__(self, shuffles: int = 0):
        super().__init__()
        self._shuffles = whole("shuffles", shuffles, 0)

    def _room(self, observer: Observer) -> dict[str, tuple[int, ...]]:
        self.field, self._units = field_of(observer.network, observer.shape), observer.scores[0]
        d = self.field.pixels
        if d > LARGEST:
            raise ValueError(
                f"a field of {d:,} pixels has a covariance of {d**2:,} numbers; choose a layer with a smaller field, "
                f"or smaller images: {LARGEST:,} pixels at most"
            )
        if not all(each.any() for each in self._whole()):
            raise ValueError("every receptive field reaches over the edge of the image: choose an earlier layer")
        rows = 1 + self._units * (1 + self._shuffles)
        return {"weights": (rows,), "first": (rows, d), "second": (rows, d, d)}

    def _whole(self) -> list[Tensor]:
        """Which rows and columns of positions have their field within the image, bool."""
        return [self.field.inside(axis).all(0) for axis in (0, 1)]

    def add(self, block: Block, answers: Answers) -> None:
        """Count the stimuli of a block with the units' responses, (b, u, h', w') or (b, u)."""
        responses = answers[SCORES].float()
        whole_rows, whole_columns = (each.to(responses.device) for each in self._whole())
        a = responses.reshape(*responses.shape[:2], *self.field.positions)
        a = a[:, :, whole_rows][:, :, :, whole_columns].flatten(2)  # (b, u, P)
        shuffled = [a.roll(by, 0) for by in range(1, self._shuffles + 1)]
        weights = torch.cat([torch.ones_like(a[:, :1]), a, *shuffled], 1)  # (b, rows, P)
        inside = torch.outer(whole_rows, whole_columns).flatten()
        size = max(1, IN_CACHE // (self.field.pixels * max(1, int(inside.sum()))))
        added = {name: torch.zeros_like(sums, dtype=torch.float64) for name, sums in self._sums.items()}
        for w, x in zip(weights.split(size), (block.stimuli - GREY).split(size), strict=True):
            fields = unfold(pad(x, self.field.margins), self.field.size, stride=self.field.step)
            fields = fields[:, :, inside].movedim(1, 2).flatten(0, 1)  # (b·P, d)
            for row, weight in enumerate(w.movedim(1, 0).flatten(1)):
                weighted = fields * weight[:, None]
                added["weights"][row] += weight.double().sum()
                added["first"][row] += weighted.sum(0)
                added["second"][row] += weighted.T @ fields
        for name, values in added.items():
            self._count(name, values)

    def _moments(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Weighted means (r, d) and covariances (r, d, d) of the rows; NaN for a unit that never responded."""
        weights, first, second = (self._sums[name][rows].numpy() / UNIT for name in ("weights", "first", "second"))
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = first / weights[:, None]
            return mean, second / weights[:, None, None] - mean[:, :, None] * mean[:, None]

    @property
    def trials(self) -> int:
        """Receptive fields counted: images times positions whose field lies within the image."""
        return round(int(self._sums["weights"][0]) / UNIT)

    @property
    def dead(self) -> np.ndarray:
        """Whether a unit gave no response but 0, (u,) bool; for responses of 0 and more."""
        return (self._sums["weights"][1 : 1 + self._units] == 0).numpy()

    @property
    def prior(self) -> np.ndarray:
        """Covariance of the stimuli, (d, d): Φ."""
        return self._moments(slice(0, 1))[1][0]

    @property
    def stc(self) -> np.ndarray:
        """Spike-triggered covariance, (u, d, d): Λ of Eq. 4."""
        return self._moments(slice(1, 1 + self._units))[1]

    @property
    def sta(self) -> np.ndarray:
        """Spike-triggered average less the mean stimulus, (u, c, s, s): μ of Eq. 4."""
        mean = self._moments(slice(0, 1 + self._units))[0]
        return (mean[1:] - mean[0]).reshape(-1, self.field.image[0], *self.field.size)

    def whitened_sta(self, tolerance: float = 1e-3) -> np.ndarray:
        """Spike-triggered average divided by the stimuli's covariance, Eq. 5, (u, c, s, s); for correlated stimuli.

        Directions in which the stimuli vary less than `tolerance` times the most are left out.
        """
        inverse = np.linalg.pinv(self.prior, rcond=tolerance, hermitian=True)
        return (self.sta.reshape(-1, self.field.pixels) @ inverse).reshape(self.sta.shape)

    def spectrum(self, unit: int) -> "Spectrum":
        """How the unit's stimuli vary more or less than all stimuli do, with what shuffled responses give.

        Raises `ValueError` for a unit that never responded.
        """
        if self.dead[unit]:
            raise ValueError(f"unit {unit} never responded: it has no spike-triggered covariance")
        units, shuffles = self._units, self._shuffles
        values, vectors = np.linalg.eigh(self.stc[unit] - self.prior)
        null = self._moments(slice(1 + units + unit, None, units))[1]
        extremes = np.linalg.eigvalsh(null - self.prior)[:, [0, -1]] if shuffles else np.full((1, 2), np.nan)
        axes = vectors.T.reshape(-1, self.field.image[0], *self.field.size)
        return Spectrum(values, axes, float(extremes[:, 0].min()), float(extremes[:, 1].max()), shuffles)


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues (d,) of Λ − Φ, rising, their axes (d, c, s, s), and the range that shuffled responses give."""

    values: np.ndarray
    axes: np.ndarray
    low: float
    high: float
    shuffles: int

    @property
    def outside(self) -> np.ndarray:
        """Which eigenvalues lie outside the shuffled range, (d,) bool."""
        return (self.values < self.low) | (self.values > self.high)


def largest_angle(found: Sequence[np.ndarray], planted: Sequence[np.ndarray]) -> float:
    """Largest principal angle, in degrees, between the spaces that two sets of maps span."""
    from scipy.linalg import subspace_angles

    return float(np.rad2deg(subspace_angles(*(np.reshape(each, (len(each), -1)).T for each in (found, planted)))[0]))
