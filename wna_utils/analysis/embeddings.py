"""How well a map of few numbers keeps what it maps apart: neighbours, clusters, and what lies between them."""

import numpy as np

from wna_utils.support.checks import between


def neighbour_accuracy(
    known: np.ndarray, labels: np.ndarray, codes: np.ndarray, true: np.ndarray, k: int = 10
) -> float:
    """Share of codes (n, d) whose class most of the k nearest among `known` (m, d) have."""
    from sklearn.neighbors import KNeighborsClassifier

    between("neighbours", k, 1, len(known))
    return float(KNeighborsClassifier(k).fit(known, labels).score(codes, true))


def left_out_accuracy(codes: np.ndarray, labels: np.ndarray, k: int = 10) -> float:
    """Share of codes (n, d) whose class most of the k nearest *other* codes have."""
    votes = labels[neighbours_of(codes, k)]  # (n, k)
    counted = np.stack([(votes == label).sum(1) for label in range(labels.max() + 1)], 1)
    return float((counted.argmax(1) == labels).mean())


def impurity(codes: np.ndarray, calls: np.ndarray, k: int = 20) -> np.ndarray:
    """Share of the k nearest other codes that are called otherwise, (n,), of codes (n, d) and calls (n,)."""
    return (calls[neighbours_of(codes, k)] != calls[:, None]).mean(1)


def neighbours_of(codes: np.ndarray, k: int) -> np.ndarray:
    """Indices (n, k) of the k nearest other codes."""
    from sklearn.neighbors import NearestNeighbors

    between("neighbours", k, 1, len(codes) - 1)
    return NearestNeighbors(n_neighbors=k).fit(codes).kneighbors(return_distance=False)


def halfway(codes: np.ndarray, true: np.ndarray, calls: np.ndarray, k: int = 50, least: float = 0.1) -> np.ndarray:
    """Whether codes (n, d) lie between the clusters of their true and their called class, (n,) bool.

    That is, of the k nearest others each of the two has at least a share of `least`, and no third class has more.
    """
    votes = true[neighbours_of(codes, k)]  # (n, k)
    shares = np.stack([(votes == label).mean(1) for label in range(max(true.max(), calls.max()) + 1)], 1)
    rows = np.arange(len(codes))
    less = np.minimum(shares[rows, true], shares[rows, calls])
    shares[rows, true] = shares[rows, calls] = 0
    return (less >= least) & (shares.max(1) <= less)


def nearest_to_one(codes: np.ndarray) -> float:
    """The standard deviation of codes (n, d) along the axis where it is furthest from 1, as a factor of at most 1."""
    spread = codes.std(0)
    return float(np.minimum(spread, 1 / np.maximum(spread, 1e-12)).min())


def quality(high: np.ndarray, codes: np.ndarray, labels: np.ndarray, k: int = 10) -> dict[str, float]:
    """Trustworthiness and continuity of a map from `high` (n, p) to codes (n, d), and the silhouette of its classes.

    Trustworthiness falls where neighbours in the map were none before, continuity where neighbours were torn apart.
    """
    from sklearn.manifold import trustworthiness
    from sklearn.metrics import silhouette_score

    between("neighbours", k, 1, (len(codes) - 1) // 2)
    return {
        "trustworthiness": float(trustworthiness(high, codes, n_neighbors=k)),
        "continuity": float(trustworthiness(codes, high, n_neighbors=k)),
        "silhouette": float(silhouette_score(codes, labels)) if len(np.unique(labels)) > 1 else np.nan,
    }
