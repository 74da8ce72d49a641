"""Scores of confidence are those of each network; of networks that see colours they may come from the records."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from wna_utils.analysis import confidence, confidence_study
from wna_utils.analysis.confidence_study import KINDS, Case, judged
from wna_utils.analysis.hidden import log_errors
from wna_utils.analysis.introspection_study import study
from wna_utils.data import datasets
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.observer import Observer
from wna_utils.networks.training import trained

QUICK = Cyclic(cycles=1, iterations=100, held_out=200)


@pytest.fixture(scope="module")
def cases(digits, tmp_path_factory):
    """Networks that see colours, and between them one that does not."""
    colours = datasets.load("colour_digits")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WNA_CACHE", str(tmp_path_factory.mktemp("cache")))
        networks = [
            trained("elu_mlp", of, seed, recipe=QUICK) for of, seed in ((colours, 0), (digits, 0), (colours, 1))
        ]
    sets = colours, digits, colours
    return [Case(network, of, 400, 100 + i, i) for i, (network, of) in enumerate(zip(networks, sets, strict=True))]


def test_what_is_found_is_that_of_each_case(cases):
    for case, found in zip(cases, judged(cases, profile="smoke"), strict=True):
        own = study(case.network, case.dataset, case.n_known, seed=case.seed, profile="smoke")
        seen = own(case.dataset.x_test[: case.n_seen])
        assert torch.equal(found.outputs, seen.outputs)
        assert torch.equal(found.calls, seen.calls)
        assert torch.equal(found.expected, seen.expected)
        labels = case.dataset.y_test[: case.n_seen]
        assert torch.equal(found.errors(labels), log_errors(seen.outputs, labels))
        assert found.scores.keys() == set(KINDS)
        assert np.array_equal(found.scores["expected error ê (the map)"], -seen.expected.numpy())
        known = own.hidden.read(case.dataset.part(case.n_known).x_train)
        others = confidence.of_all_kinds(known, case.dataset.y_train[: case.n_known], seen.activations)
        for kind, score in others.items():
            assert np.allclose(found.scores[kind], score)


def test_recorded_scores_come_back_and_one_network_is_shown_its_images_anew(cases, in_records, monkeypatch):
    computed, names = in_records(lambda: judged(cases, profile="smoke"))
    assert len(names) == 2
    judged(cases[1:2], profile="smoke")  # what is not recorded comes from the cache
    shown, real = [], Observer.__call__
    monkeypatch.setattr(Observer, "__call__", lambda self, images: shown.append(len(images)) or real(self, images))
    taken = judged(cases, profile="smoke")
    assert [n for n in shown if n != 400] in ([100], [102])  # training images are what the estimator on outputs sees
    for before, now in zip(computed, taken, strict=True):
        assert torch.equal(before.outputs, now.outputs)
        assert torch.equal(before.expected, now.expected)
        assert all(np.array_equal(before.scores[kind], now.scores[kind]) for kind in KINDS)


@pytest.mark.parametrize("change", [{"n_known": 300}, {"n_seen": 50}, {"seed": 7}])
def test_recorded_scores_are_those_of_the_same_case(cases, change):
    how = {"profile": "smoke"}
    other = replace(cases[0], **change)
    assert confidence_study._key(other, how) != confidence_study._key(cases[0], how)
