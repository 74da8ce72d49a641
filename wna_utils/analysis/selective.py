"""Selective prediction: how well a score tells a network's errors from what it gets right."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RiskCoverage:
    """What a network's risk is if it answers only where it is most confident.

    At coverage `coverage` (n + 1,), from 0 to 1, `accepted` (n + 1,) is the share of all images that are answered
    wrongly. Images of equal confidence share their errors evenly.
    """

    coverage: np.ndarray
    accepted: np.ndarray

    @property
    def risk(self) -> np.ndarray:
        """Share of the answered images that are answered wrongly, (n,), from one image on."""
        return self.accepted[1:] / self.coverage[1:]

    @property
    def aurc(self) -> float:
        """Area under the risk–coverage curve (Geifman and El-Yaniv, 2017): the mean risk over coverages."""
        return float(self.risk.mean())

    @property
    def augrc(self) -> float:
        """Area under the generalized risk–coverage curve (Traub et al., 2024): the mean share of accepted errors.

        Of a network with accuracy a it is a (1 − a)(1 − AUROC) + (1 − a)²/2.
        """
        return float(np.trapezoid(self.accepted, self.coverage))


def risk_coverage(wrong: np.ndarray, confidence: np.ndarray) -> RiskCoverage:
    """The curve of n answers, which are `wrong` (n,) bool or not, with a `confidence` (n,), higher where it is surer.

    Raises `ValueError` for no answers, or a confidence that is no number.
    """
    wrong, confidence = np.asarray(wrong, float), np.asarray(confidence, float)
    if len(wrong) == 0:
        raise ValueError("there are no answers to judge")
    if np.isnan(confidence).any():
        raise ValueError("the confidence of an answer is not a number")
    _, group, sizes = np.unique(-confidence, return_inverse=True, return_counts=True)
    shared = np.bincount(group, wrong) / sizes
    n = len(wrong)
    accepted = np.r_[0, np.cumsum(np.repeat(shared, sizes))] / n
    return RiskCoverage(np.arange(n + 1) / n, accepted)


def auroc(wrong: np.ndarray, confidence: np.ndarray) -> float:
    """Share of pairs of an error and a right answer in which the error is the less confident; NaN without either."""
    from sklearn.metrics import roc_auc_score

    wrong = np.asarray(wrong, bool)
    return float(roc_auc_score(wrong, -np.asarray(confidence, float))) if 0 < wrong.sum() < len(wrong) else np.nan


def criteria(wrong: np.ndarray, confidence: np.ndarray) -> dict[str, float]:
    """How well a confidence (n,) tells what is `wrong` (n,) bool: "AUROC", "AURC" and "AUGRC"."""
    curve = risk_coverage(wrong, confidence)
    return {"AUROC": auroc(wrong, confidence), "AURC": curve.aurc, "AUGRC": curve.augrc}
