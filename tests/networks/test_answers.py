"""Observers that answer in other ways than by their largest score."""

import torch

from wna_utils.networks.answers import ConfidenceBins, OnlySaturated


def test_confidence_bins_name_class_and_confidence():
    observer = ConfidenceBins(torch.nn.Identity(), bins=10)
    scores = torch.tensor([[0.72, 0.2, 0.08], [1e-9, 1e-9, 1.0]]).log()
    assert observer(scores).argmax(1).tolist() == [0 * 10 + 7, 2 * 10 + 9]


def test_only_saturated_sigmoids_answer():
    logits = torch.tensor([-200.0, -30.0, 0.0, 10.0, 30.0])
    scores = torch.stack([torch.zeros(5), logits], 1)
    assert OnlySaturated(torch.nn.Identity())(scores).argmax(1).tolist() == [0, 2, 2, 2, 1]
