"""Scores of confidence in a network's answers: each is higher where an answer is more likely to be right."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from wna_utils.analysis.hidden import Activations
from wna_utils.support.checks import between

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors

SOUGHT = 10_000  # known images among which neighbours are sought
FAR = 1e9  # farther than any distance


def margin(outputs: Tensor) -> np.ndarray:
    """By how much the highest of the outputs (n, K) exceeds the next, (n,)."""
    top = outputs.topk(2, dim=1).values
    return (top[:, 0] - top[:, 1]).numpy()


def nearness(known: Tensor, features: Tensor, k: int = 10) -> np.ndarray:
    """Minus the mean distance of features (n, p) to their k nearest neighbours among `known` ones (m, p), (n,)."""
    return -neighbours(known, k).kneighbors(features.numpy())[0].mean(1)


class Mahalanobis:
    """Minus the squared Mahalanobis distance to the nearest class mean, with one covariance (Lee et al., 2018)."""

    def __init__(self, known: Tensor, labels: Tensor):
        from sklearn.covariance import LedoitWolf

        classes = labels.unique()
        self.means = torch.stack([known[labels == k].mean(0) for k in classes]).double()
        place = torch.searchsorted(classes, labels.contiguous())
        precision = LedoitWolf(assume_centered=True).fit((known - self.means[place]).numpy()).precision_
        sizes, directions = torch.linalg.eigh(torch.from_numpy(precision))
        self.root = directions * sizes.clamp(min=0).sqrt()

    def __call__(self, features: Tensor) -> np.ndarray:
        whitened = features.double() @ self.root, self.means @ self.root  # in which all directions vary alike
        return -torch.cdist(*whitened).amin(1).square().numpy()


class TrustScore:
    """Distance to the nearest known image of another class over that to the nearest of the called one (Jiang, 2018).

    A class without known images is farther than any.
    """

    def __init__(self, known: Tensor, labels: Tensor, classes: int):
        self.classes = classes
        self.trees = {k: neighbours(known[labels == k], 1) for k in labels.unique().tolist()}

    def __call__(self, features: Tensor, calls: Tensor) -> np.ndarray:
        near = np.full((len(features), self.classes), np.inf)
        for k, tree in self.trees.items():
            near[:, k] = tree.kneighbors(features.numpy())[0][:, 0]
        rows = np.arange(len(near))
        own = near[rows, calls.numpy()].copy()
        near[rows, calls.numpy()] = np.inf
        return np.minimum(near.min(1), FAR) / np.maximum(own, 1 / FAR)


def of_all_kinds(known: Activations, labels: Tensor, seen: Activations) -> dict[str, np.ndarray]:
    """Scores (n,) of what was `seen`, by kind, that need no map; `labels` (m,) are those of the `known` images.

    Neighbours are sought among the first 10,000 of these.
    """
    classes, near = seen.outputs.shape[1], slice(0, SOUGHT)
    return {
        "margin of the outputs": margin(seen.outputs),
        "nearest neighbours": nearness(known.features[near], seen.features),
        "Mahalanobis": Mahalanobis(known.last, labels)(seen.last),
        "trust score": TrustScore(known.last[near], labels[near], classes)(seen.last, seen.calls),
    }


def neighbours(known: Tensor, k: int) -> "NearestNeighbors":
    """What finds the k nearest of `known` features (m, p); raises `ValueError` if there are not so many."""
    from sklearn.neighbors import NearestNeighbors

    between("neighbours", k, 1, len(known))
    return NearestNeighbors(n_neighbors=k, algorithm="brute").fit(known.numpy())
