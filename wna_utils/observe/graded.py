"""Graded maps: how each class's score goes along with the noise, whatever the network calls it.

A classification image averages the images that are called its class, so that a rare class needs many. The covariance of
a class's score with the noise uses every image for every class. It is a spike-triggered average (§2.2) of the network's
answers, and its slope the mean gradient of the score, for normal noise (Stein's lemma).
"""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from wna_utils.networks.observer import SCORES, Answers, Observer
from wna_utils.observe.spike_triggered_average import CHUNK, GREY, GROUPS, FieldTally
from wna_utils.observe.tally import UNIT
from wna_utils.stimuli.blocks import Block
from wna_utils.support.checks import one_of, positive

ROUNDED = 1e-6  # of a square, that records may differ by

SCALES: dict[str, Callable[[Tensor], Tensor]] = {
    "scores": lambda scores: scores,
    "log-probabilities": lambda scores: scores.log_softmax(1),
    "probabilities": lambda scores: scores.softmax(1),
}


class GradedTally(FieldTally):
    """Sums of stimuli weighted by each class's score, in ten groups of blocks.

    `scale` says what is averaged: the network's "scores" themselves, which are logits as a rule, or by a softmax of
    scores over `temperature` their "log-probabilities" or "probabilities". The lower the temperature, the nearer
    probabilities come to labels. What is read off has a row for each of K classes; a class whose score hardly varies
    (standard deviation below 2⁻¹², or a thousandth of its mean) is masked. Raises `ValueError` for an unknown scale,
    or a temperature not above 0.
    """

    def __init__(self, scale: str = "scores", temperature: float = 1.0):
        super().__init__()
        one_of("scale", scale, SCALES)
        positive("temperature", temperature)
        self.scale, self.temperature = scale, temperature

    def _room(self, observer: Observer) -> dict[str, tuple[int, ...]]:
        of_answers = {"response squares": (GROUPS, observer.classes)}
        return super()._room(observer) | of_answers | {"stimulus squares": (GROUPS, *observer.shape)}

    def add(self, block: Block, answers: Answers) -> None:
        """Count the stimuli (b, c, h, w) of a block with the scores (b, K) that they got."""
        group, shape = block.number % GROUPS, self._sums["seen"].shape[1:]
        scores = SCALES[self.scale](answers[SCORES].double() / self.temperature)
        if not scores.isfinite().all():
            raise ValueError(f'{self.scale} of −∞ have no mean: grade by "probabilities"')
        self._sums["images"][group] += len(block)
        size = CHUNK if scores.device.type == "cpu" else len(block)
        for s, x in zip(scores.split(size), (block.stimuli - GREY).double().split(size), strict=True):
            self._count("responses", s.sum(0)[:, None, None], group)
            self._count("response squares", s.square().sum(0), group)
            self._count("stimuli", x.sum(0), group)
            self._count("stimulus squares", x.square().sum(0), group)
            self._count("power", x.square().sum(), group)
            self._count("seen", (s.T @ x.flatten(1)).view(shape), group)

    @property
    def spread(self) -> np.ndarray:
        """Standard deviation of each class's score over all stimuli, (K,)."""
        return _deviation(self._total("response squares"), self._total("responses")[:, 0, 0], self.n)

    @property
    def maps(self) -> np.ma.MaskedArray:
        """Covariance of each class's score with every pixel, over the score's standard deviation, (K, c, h, w).

        All are masked if there are fewer than two images. Raises `ValueError` if no class's score varies.
        """
        if self.n < 2:
            return np.ma.masked_invalid(np.full(self._sums["seen"].shape[1:], np.nan))
        if not self.spread.any():
            raise ValueError(
                f"the {self.scale} of all classes are the same for all stimuli: there is nothing to grade by; "
                "multiply them, if they are merely small"
            )
        expected = self._total("responses")[..., None] * self._total("stimuli") / self.n
        covariance, spread = (self._total("seen") - expected) / self.n, self.spread[:, None, None, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            maps = np.where(spread > 0, covariance / spread, np.nan)
        return np.ma.masked_array(maps, mask=np.isnan(maps))

    @property
    def z(self) -> np.ma.MaskedArray:
        """Correlation of each class's score with every pixel, times √(n − 1), (K, c, h, w).

        It has mean 0 and variance 1 if scores have nothing to do with the stimuli, as `ClassTally.z` has for labels.
        """
        pixels = _deviation(self._total("stimulus squares"), self._total("stimuli"), self.n)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.ma.masked_invalid(self.maps * np.sqrt(self.n - 1) / pixels)


def _deviation(squares: np.ndarray, sums: np.ndarray, n: int) -> np.ndarray:
    """Standard deviation, from sums of squares and sums of n numbers; 0 where it could be due to rounding."""
    mean = sums / n
    variance = squares / n - mean**2
    return np.sqrt(np.where(variance > ROUNDED * mean**2 + 1 / UNIT, variance, 0))
