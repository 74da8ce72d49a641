"""Spike-triggered averages: what units see, from their responses to noise (§2.2, Eq. 4).

A response stands for a number of spikes. Every position of a map counts: it is one unit, looking elsewhere.
Stimuli are counted from mid-grey, and sums are integers of 2⁻²⁴, so that tallies add up exactly (see `tally`).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn.functional import pad, unfold
from torch.nn.grad import conv2d_weight

from wna_utils.networks.layers import Field, field_of
from wna_utils.networks.observer import SCORES, Answers, Network, Observer
from wna_utils.observe.loop import observe
from wna_utils.observe.tally import UNIT, Tally
from wna_utils.stimuli.blocks import Block, Source

GREY = 0.5
CHUNK = 250  # images at a time: what they need stays in cache
GROUPS = 10  # blocks of images are dealt out to so many groups in turn, for errors by the jackknife


def spike_triggered(observer: Network | Observer, source: Source, n: int, **options: Any) -> "FieldTally":
    """Show n images to an observer of units (`layers.readout`) and tally what their receptive fields saw.

    `options` are those of `observe`. Units of a map are pooled over all its positions.
    """
    return observe(observer, source, n, into=FieldTally(), **options)


def _fields_times_responses(padded: Tensor, responses: Tensor, field: Field) -> Tensor:
    """Sum over images and positions of the field (c, s, s) times the response of each unit, (m, c, s, s)."""
    shape = (responses.shape[1], field.image[0], *field.size)
    if field.image[0] > 1:  # it is the gradient of a convolution with respect to its kernel
        return conv2d_weight(padded, shape, responses, stride=field.step)
    fields = unfold(padded, field.size, stride=field.step)  # (b, d, P), faster for grey images
    return (responses.flatten(2) @ fields.movedim(1, 2)).sum(0).view(shape)


class FieldTally(Tally):
    """Sums of responses, of stimuli, and of stimuli in receptive fields weighted by responses, in ten groups of blocks.

    What is read off has a row for each of m units; fields have shape (c, s, s). A unit that never responded is masked.
    """

    field: Field

    def _room(self, observer: Observer) -> dict[str, tuple[int, ...]]:
        self.field = field_of(observer.network, observer.shape)
        (m, *_), c = observer.scores, observer.shape[0]
        return {
            "images": (GROUPS,),
            "responses": (GROUPS, m, *self.field.positions),
            "stimuli": (GROUPS, *observer.shape),
            "power": (GROUPS,),
            "seen": (GROUPS, m, c, *self.field.size),
        }

    def add(self, block: Block, answers: Answers) -> None:
        """Count the stimuli (b, c, h, w) of a block with the units' responses, (b, m, h', w') or (b, m)."""
        group = block.number % GROUPS
        responses = answers[SCORES].float()
        responses = responses.reshape(*responses.shape[:2], *self.field.positions)
        self._sums["images"][group] += len(block)
        for a, x in zip(responses.split(CHUNK), (block.stimuli - GREY).split(CHUNK), strict=True):
            seen = _fields_times_responses(pad(x, self.field.margins), a, self.field)
            self._count("responses", a.sum(0), group)
            self._count("stimuli", x.sum(0), group)
            self._count("power", x.square().sum(), group)
            self._count("seen", seen, group)

    def without(self, *groups: int) -> "FieldTally":
        """The tally of the other groups' images."""
        kept = [group for group in range(len(self._sums["images"])) if group not in groups]
        return self._like({name: sums[kept] for name, sums in self._sums.items()})

    @property
    def halves(self) -> tuple["FieldTally", "FieldTally"]:
        """The tallies of the even and of the odd groups: of disjoint images."""
        return self.without(*range(1, GROUPS, 2)), self.without(*range(0, GROUPS, 2))

    @property
    def n(self) -> int:
        """Images in all."""
        return int(self._sums["images"].sum())

    @property
    def groups(self) -> list[int]:
        """Groups that have images."""
        return self._sums["images"].nonzero().flatten().tolist()

    @property
    def rates(self) -> np.ndarray:
        """Mean response of each unit, over images and positions, (m,)."""
        return self._total("responses").mean((-2, -1)) / self.n

    @property
    def dead(self) -> np.ndarray:
        """Whether a unit gave no response but 0, (m,) bool."""
        return (self._total("responses") == 0).all((-2, -1))

    @property
    def sta(self) -> np.ma.MaskedArray:
        """Spike-triggered average, Eq. 4, less the mean stimulus: (m, c, s, s), for responses of 0 and more.

        Each pixel of the field is averaged over the positions in which it lies within the image.
        """
        weight = self._over_field(self._total("responses"))[:, None]
        return self._masked(self._total("seen"), weight) - self._mean_stimulus()

    @property
    def slope(self) -> np.ma.MaskedArray:
        """Change of the response with each pixel, by linear regression on white stimuli: (m, c, s, s).

        The covariance of pixel and response over the pixels' variance; for normal noise the mean gradient of the
        response (Stein's lemma). It has the shape of `sta`, and means something for responses of either sign.
        """
        trials = self._over_field(np.full(self.field.positions, float(self.n)))
        expected = self._over_field(self._total("responses"))[:, None] * self._mean_stimulus()
        mean = self._total("stimuli").mean() / self.n
        variance = self._total("power") / self.n / np.prod(self.field.image) - mean**2
        return self._masked(self._total("seen") - expected, trials * variance)

    def _total(self, name: str) -> np.ndarray:
        return self._sums[name].sum(0).numpy() / UNIT

    def _masked(self, sums: np.ndarray, weights: np.ndarray) -> np.ma.MaskedArray:
        weights = np.broadcast_to(weights, sums.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            quotient = np.where(weights == 0, np.nan, sums / weights)
        silent = np.broadcast_to(self.dead[:, None, None, None], sums.shape)
        return np.ma.masked_array(quotient, mask=silent | np.isnan(quotient))

    def _over_field(self, weights: np.ndarray) -> np.ndarray:
        """Weights of positions (…, h', w'), added up at each place of the field for which it is in the image."""
        rows, columns = (self.field.inside(axis).numpy().astype(float) for axis in (0, 1))
        return np.einsum("ip,...pq,jq->...ij", rows, weights, columns)

    def _mean_stimulus(self) -> np.ndarray:
        """Mean of what lies at each place of the field, over images and positions, (c, s, s)."""
        rows, columns = (self.field.pixel_of(axis).clamp(0, self.field.image[1 + axis] - 1) for axis in (0, 1))
        inside = [self.field.inside(axis).numpy().astype(float) for axis in (0, 1)]
        images = self._total("stimuli")[:, rows[:, :, None, None], columns]  # (c, s, h', s, w')
        sums = np.einsum("cipjq,ip,jq->cij", images, *inside, optimize=True)
        return sums / np.maximum(self._over_field(np.full(self.field.positions, float(self.n))), 1)


def jackknife(tally: FieldTally, statistic: Callable[[FieldTally], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A statistic of a tally and its standard error, from leaving out one group of blocks at a time.

    The error is masked if there are fewer than two groups, or where the statistic rests on one group alone.
    """
    value = np.ma.asarray(statistic(tally))
    if len(tally.groups) < 2:
        return value, np.ma.masked_invalid(np.full(value.shape, np.nan))
    each = np.ma.stack([statistic(tally.without(group)) for group in tally.groups])
    error = np.ma.sqrt(((each - each.mean(0)) ** 2).sum(0) * (len(each) - 1) / len(each))
    return value, np.ma.masked_where(np.ma.getmaskarray(each).any(0), error)


def cosines(a: np.ndarray, b: np.ndarray) -> np.ma.MaskedArray:
    """Cosine of the angle between a and b (m, …), row by row, (m,); masked where either is, or is zero."""
    a, b = (np.ma.masked_invalid(each).reshape(len(each), -1) for each in (a, b))
    return np.ma.masked_invalid((a * b).sum(1) / np.ma.sqrt((a**2).sum(1) * (b**2).sum(1)))


def expected_cosines(tally: FieldTally) -> np.ndarray:
    """Cosine of each unit's `slope` to what it would converge to, (m,); NaN where it has no error.

    The noise part of the slope's squared norm is estimated by the jackknife variance, summed over its pixels.
    """
    value, error = jackknife(tally, lambda part: part.slope)
    noise, whole = (np.ma.filled((each**2).sum((1, 2, 3)), np.nan) for each in (error, value))
    return np.sqrt((1 - noise / whole).clip(0))
