"""What stimuli are called and how all classes score, without a map: for a thousand classes of large images."""

import numpy as np

from wna_utils.networks.observer import SCORES, Answers, Observer
from wna_utils.observe.tally import UNIT, CountingTally
from wna_utils.stimuli.blocks import Block


class CallTally(CountingTally):
    """Numbers of stimuli by class of response, and sums and sums of squares of every class's score, (K,) each."""

    def _room(self, observer: Observer) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("counts", "scores", "score squares"), (observer.classes,))

    def add(self, block: Block, answers: Answers) -> None:
        """Count a block's stimuli under the classes of the highest of the scores (b, K), and add the scores up.

        Raises `ValueError` for a score of −∞.
        """
        scores = answers[SCORES].double()
        if not scores.isfinite().all():
            raise ValueError("scores of −∞ have no mean: have the network answer with probabilities")
        called = scores.argmax(1)
        self._count("counts", called.bincount(minlength=scores.shape[1]))
        self._count("scores", scores.sum(0))
        self._count("score squares", scores.square().sum(0))

    @property
    def means(self) -> np.ndarray:
        """Mean score of each class, (K,)."""
        return self._sums["scores"].numpy() / UNIT / max(self.n, 1)

    @property
    def spread(self) -> np.ndarray:
        """Standard deviation of each class's score over the stimuli, (K,)."""
        squares = self._sums["score squares"].numpy() / UNIT / max(self.n, 1)
        return np.sqrt(np.clip(squares - self.means**2, 0, None))
