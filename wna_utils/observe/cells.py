"""Trials by stimulus and response: what signal was shown, and what the observer said (Eq. 1)."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from wna_utils.networks.observer import SCORES, Answers, Observer
from wna_utils.observe.tally import ClassTally, Tally
from wna_utils.stimuli.blocks import Block
from wna_utils.support.checks import whole

PARTS = ("stimuli", "noise")


class CellTally(Tally):
    """Tallies of stimuli and of the noise alone, by stimulus–response cell: S signals × K responses.

    Raises `ValueError` for fewer than one signal.
    """

    def __init__(self, signals: int = 2):
        super().__init__()
        self.signals = whole("signals", signals, 1)

    def _room(self, observer: Observer) -> dict[str, tuple[int, ...]]:
        sizes = ClassTally._sizes(self.signals * observer.classes, observer.shape)
        return {f"{part} {name}": size for part in PARTS for name, size in sizes.items()}

    def add(self, block: Block, answers: Answers) -> None:
        """Count a block's stimuli and noise under (signal shown, response given), from scores (b, K)."""
        scores = answers[SCORES]
        if block.signal.device.type == "cpu" and int(block.signal.max()) >= self.signals:
            raise ValueError(f"signals must lie between 0 and {self.signals - 1}; got {int(block.signal.max())}")
        rows = block.signal * scores.shape[1] + scores.argmax(1)
        self.stimuli.count(block.stimuli, rows)
        self.noise.count(block.noise, rows)

    @property
    def stimuli(self) -> ClassTally:
        """The tally (S·K,) of the stimuli by cell."""
        return self._part("stimuli")

    @property
    def noise(self) -> ClassTally:
        """The tally (S·K,) of the noise in the stimuli by cell."""
        return self._part("noise")

    def _part(self, part: str, change: Callable[[Tensor], Tensor] = lambda sums: sums) -> ClassTally:
        return self.part({name: f"{part} {name}" for name in ClassTally.NAMES}, change)

    @property
    def counts(self) -> np.ndarray:
        """Trials per cell, (S, K) int64."""
        return self.noise.counts.reshape(self.signals, -1)

    @property
    def n(self) -> int:
        """Trials in all."""
        return int(self.counts.sum())

    def _in_words(self) -> str:
        reached = int((self.counts > 0).sum())
        return f"{self.n:,} trials of {self.signals} signals, in {reached} of {self.counts.size} cells"

    def means(self, of: str = "noise") -> np.ma.MaskedArray:
        """Mean "noise" or "stimuli" of each cell, (S, K, c, h, w); n̄ˢʳ of Eq. 1."""
        means = self._part(of).means
        return means.reshape(self.signals, -1, *means.shape[1:])

    def by_response(self, of: str = "noise") -> ClassTally:
        """The tally (K,) of "noise" or "stimuli" by response alone, whatever the signal was."""

        def over_signals(sums: Tensor) -> Tensor:
            return sums.unflatten(0, (self.signals, -1)).sum(0)

        return self._part(of, over_signals)
