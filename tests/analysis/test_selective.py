"""Areas under risk–coverage curves against brute force, theory, and ties."""

from itertools import pairwise

import numpy as np
import pytest

from wna_utils.analysis.selective import auroc, risk_coverage


@pytest.fixture
def judged():
    rng = np.random.default_rng(0)
    wrong = rng.random(200) < 0.2
    return wrong, rng.normal(size=200) - wrong


def test_areas_by_brute_force(judged):
    wrong, confidence = judged
    order = sorted(range(200), key=lambda i: -confidence[i])
    accepted, risks, generalized = 0, [], [0.0]
    for answered, i in enumerate(order, start=1):
        accepted += int(wrong[i])
        risks.append(accepted / answered)
        generalized.append(accepted / 200)
    curve = risk_coverage(wrong, confidence)
    assert curve.aurc == pytest.approx(sum(risks) / 200)
    assert curve.augrc == pytest.approx(sum((a + b) / 2 for a, b in pairwise(generalized)) / 200)
    assert curve.risk[-1] == pytest.approx(wrong.mean())


def test_generalized_area_follows_from_the_accuracy_and_the_auroc(judged):
    wrong, confidence = judged
    for scores in (confidence, confidence.round()):  # with ties, too
        a, area = 1 - wrong.mean(), auroc(wrong, scores)
        assert risk_coverage(wrong, scores).augrc == pytest.approx(a * (1 - a) * (1 - area) + (1 - a) ** 2 / 2)


def test_ties_are_shared_whatever_their_order():
    wrong = np.array([True, False, False, True])
    flat = [risk_coverage(wrong[order], np.zeros(4)).risk.tolist() for order in ([0, 1, 2, 3], [1, 2, 3, 0])]
    assert flat == [[0.5] * 4] * 2


def test_best_and_worst_order():
    wrong = np.array([False] * 8 + [True] * 2)
    assert risk_coverage(wrong, -wrong.astype(float)).risk[:8].max() == 0
    assert risk_coverage(wrong, wrong.astype(float)).risk[0] == 1
    assert auroc(wrong, -wrong.astype(float)) == 1


def test_degenerate_answers():
    assert np.isnan(auroc(np.zeros(3, bool), np.arange(3)))
    assert risk_coverage(np.zeros(3, bool), np.arange(3)).aurc == 0
    with pytest.raises(ValueError, match="no answers"):
        risk_coverage(np.array([]), np.array([]))
    with pytest.raises(ValueError, match="not a number"):
        risk_coverage(np.array([True]), np.array([np.nan]))
