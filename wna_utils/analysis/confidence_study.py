"""How sure a network, its map and its training images are of test images: all scores of confidence side by side.

Networks that see colours take their time to read images; of these, the result is recorded (`recorded_results`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wna_utils.analysis import confidence, introspection_study, outputs_study
from wna_utils.analysis.hidden import log_errors
from wna_utils.analysis.introspection import Introspection
from wna_utils.data.datasets import Dataset
from wna_utils.support.fingerprint import digest, network_digest
from wna_utils.support.recorded_results import in_parts

KINDS = (
    "expected error ê (the map)",
    "reconstruction (the map)",
    "the same estimator on outputs",
    "margin of the outputs",
    "nearest neighbours",
    "Mahalanobis",
    "trust score",
)  # of confidence


@dataclass(frozen=True)
class Case:
    """A network that is judged on its first `n_seen` test images, given its first `n_known` training images.

    Map and estimators are those of `introspection_study` and `outputs_study`, with this `seed`.
    """

    network: nn.Sequential
    dataset: Dataset
    n_known: int
    n_seen: int
    seed: int


@dataclass(frozen=True)
class Judged:
    """What is found about n test images.

    `outputs` (n, K) are the network's, from 0 to 1, and `expected` (n,) log₁₀ of the error that its map expects;
    `scores` (n,) by kind are higher where an answer is more likely to be right.
    """

    outputs: Tensor
    expected: Tensor
    scores: dict[str, np.ndarray]

    @property
    def calls(self) -> Tensor:
        """Class (n,) that the network gives each image."""
        return self.outputs.argmax(1)

    def errors(self, labels: Tensor) -> Tensor:
        """log₁₀ of e = ½‖y − ŷ‖², (n,), but no less than −12."""
        return log_errors(self.outputs, labels)


def judged(cases: Sequence[Case], **how: Any) -> list[Judged]:
    """What is found about the test images of each network; `how` are options of `introspection_study.study`.

    These are the `bottleneck` and the `mmd_weight` of maps, the `profile` and the `device`. Raises what that raises.
    """
    slow = [i for i, case in enumerate(cases) if case.dataset.shape[0] == 3]
    found = in_parts(
        "scores of confidence",
        len(slow),
        lambda i: _key(cases[slow[i]], how),
        lambda which, anew: [_rows(cases[slow[i]], how, anew) for i in which],
    )
    rows = dict(zip(slow, found, strict=True))
    return [_judged(rows[i] if i in rows else _rows(case, how, anew=False)) for i, case in enumerate(cases)]


def _prepared(case: Case, how: dict[str, Any]) -> tuple[Introspection, nn.Sequential]:
    """The map of the network's activations with the estimator of its errors, and that on its outputs."""
    of = case.network, case.dataset, case.n_known
    on_outputs = {name: how[name] for name in ("profile", "device") if name in how}
    judge = outputs_study.study(*of, seed=case.seed, **on_outputs)
    return introspection_study.study(*of, seed=case.seed, **how), judge


def _key(case: Case, how: dict[str, Any]) -> str:
    own, judge = _prepared(case, how)
    of = case.dataset
    weights = own.key, network_digest(judge)
    return digest(*weights, of.fingerprint, of.test_digest, case.n_known, case.n_seen)


def _rows(case: Case, how: dict[str, Any], anew: bool) -> Tensor:
    """Outputs, expected error and scores of each test image, which may be shown `anew`, (n, K + 1 + scores)."""
    own, judge = _prepared(case, how)
    images, labels = case.dataset.part(case.n_known).x_train, case.dataset.y_train[: case.n_known]
    shown = case.dataset.x_test[: case.n_seen]
    known, seen = own.hidden.read(images, anew=anew), own.place(own.hidden.read(shown, anew=anew))
    with torch.no_grad():
        by_outputs = -judge(seen.outputs)[:, 0]
    scores = dict(zip(KINDS[:3], (-seen.expected, -seen.missed, by_outputs), strict=True))
    others = confidence.of_all_kinds(known, labels, seen.activations)
    scores |= {kind: torch.from_numpy(each).float() for kind, each in others.items()}
    return torch.cat([seen.outputs, torch.stack([seen.expected, *[scores[kind] for kind in KINDS]], 1)], 1)


def _judged(rows: Tensor) -> Judged:
    outputs, expected, scores = rows.tensor_split([-len(KINDS) - 1, -len(KINDS)], 1)
    return Judged(outputs, expected[:, 0], dict(zip(KINDS, scores.T.numpy(), strict=True)))
