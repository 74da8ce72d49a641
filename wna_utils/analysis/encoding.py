"""Encoding models: responses of brain areas as sparse sums of a layer's units (Zhang et al., Eqs. 4 and 5)."""

from dataclasses import dataclass

import numpy as np

from wna_utils.analysis.similarity import own_correlations
from wna_utils.support.checks import whole


def romp(features: np.ndarray, response: np.ndarray, sparsity: int) -> np.ndarray:
    """Weights (n,) of few columns of `features` (m, n) that give a response (m,), most of them 0.

    Regularised orthogonal matching pursuit (Needell and Vershynin 2009): of the `sparsity` columns that go best with
    what is left of the response, those enter whose products are within a factor of two of each other and together
    largest; then all that have entered are fitted by least squares. It ends when nothing is left, or with twice as many
    columns. Columns of zeros never enter. Raises `ValueError` for a sparsity below 1, or another number of rows.
    """
    whole("sparsity", sparsity, 1)
    if len(features) != len(response):
        raise ValueError(f"features and responses must be of the same images; got {len(features)} and {len(response)}")
    lengths = np.linalg.norm(features, axis=0)
    unit = features / np.where(lengths == 0, 1, lengths)
    chosen: list[int] = []
    weights, left = np.zeros(0), np.asarray(response, float)
    enough = 1e-10 * np.linalg.norm(left)
    most = min(2 * sparsity, len(response))
    while len(chosen) < most and np.linalg.norm(left) > enough:
        entering = [each for each in _comparable(abs(left @ unit), sparsity).tolist() if each not in chosen]
        if not entering:
            break
        chosen = [*chosen, *entering][:most]
        weights, *_ = np.linalg.lstsq(unit[:, chosen], response, rcond=None)
        left = response - unit[:, chosen] @ weights
    found = np.zeros(features.shape[1])
    found[chosen] = weights / lengths[chosen]
    return found


def _comparable(products: np.ndarray, sparsity: int) -> np.ndarray:
    """Of the largest products, the places of those within a factor of two of each other that have most energy."""
    order = np.argsort(-products, kind="stable")[:sparsity]
    order = order[products[order] > 0]
    values = products[order]
    runs = [order[i:][values[i:] >= value / 2] for i, value in enumerate(values)]
    return max(runs, key=lambda run: float((products[run] ** 2).sum()), default=order)


@dataclass(frozen=True)
class Encoding:
    """Responses of v vertices as sums of units: `weights` (n, v) and `constants` (v,)."""

    weights: np.ndarray
    constants: np.ndarray

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Responses (m, v) to images with these features (m, n)."""
        return features @ self.weights + self.constants


def fit(features: np.ndarray, responses: np.ndarray, sparsity: int) -> Encoding:
    """Encoding models of vertices, from the features (m, n) of images and the responses (m, v) to them.

    Each has a constant of its own, the paper's last column, which is not counted in its `sparsity`. Raises `ValueError`
    as `romp` does.
    """
    centre = features.mean(0)
    weights = np.stack([romp(features - centre, each - each.mean(), sparsity) for each in responses.T], axis=1)
    return Encoding(weights, responses.mean(0) - centre @ weights)


def accuracies(predicted: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Pearson's correlation over images of what was predicted (m, v) and measured (m, v), vertex by vertex: (v,).

    0 for a vertex of which the prediction, or the measurement, is the same for all images.
    """
    return own_correlations(predicted.T, measured.T).filled(0)


def p_by_permutation(predicted: np.ndarray, measured: np.ndarray, n: int = 1000, seed: int = 0) -> float:
    """Probability of so high a mean accuracy if what was predicted had nothing to do with the images.

    The images of the measurements (m, v) are dealt out anew n times, for all vertices together; p = (1 + #)/(1 + n), so
    that it is never 0. Raises `ValueError` for fewer than one permutation.
    """
    whole("n", n, 1)
    random = np.random.default_rng(seed)
    products = _standardized(predicted) @ _standardized(measured).T  # of each prediction with each image's responses
    images = np.arange(len(products))
    found = np.trace(products)
    by_chance = np.array([products[images, random.permutation(len(images))].sum() for _ in range(n)])
    return (1 + int((by_chance >= found - 1e-9 * abs(found)).sum())) / (1 + n)


def _standardized(values: np.ndarray) -> np.ndarray:
    """Values (m, v) less their mean over images, of length 1 for each vertex; zeros for one that is always the same."""
    centred = np.where(np.ptp(values, axis=0) == 0, 0, values - values.mean(0))
    lengths = np.linalg.norm(centred, axis=0)
    return centred / np.where(lengths == 0, 1, lengths)
