"""Frozen tallies, of every source by every kind of tally: what must not change unless it is meant to.

`python tests/observe/test_golden.py` writes them anew; that belongs in a commit of its own, which says why they
changed.
"""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from wna_utils.data.datasets import Dataset
from wna_utils.networks import architectures
from wna_utils.observe.cells import CellTally
from wna_utils.observe.layers import ActivationTally
from wna_utils.observe.loop import observe
from wna_utils.observe.spike_triggered_average import FieldTally
from wna_utils.observe.spike_triggered_covariance import CovarianceTally
from wna_utils.stimuli.gabor import GaborModel, GaborNoise
from wna_utils.stimuli.generated import GeneratedNoise
from wna_utils.stimuli.pictures import Pictures, SignalPlusNoise
from wna_utils.stimuli.smooth import SmoothNoise
from wna_utils.stimuli.white import WhiteNoise

GOLDEN = Path(__file__).with_name("golden.json")
SHAPE, N = (1, 8, 8), 2_500


def drawn(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def gabor():
    model = GaborModel(
        bank=drawn(5, 8, 8, seed=1),
        components=drawn(1, 3, 5, seed=2),
        low=-drawn(1, 3, seed=3),
        high=drawn(1, 3, seed=4),
        mean=drawn(1, 5, seed=5),
        explained=torch.ones(1),
        error=torch.zeros(1),
    )
    return GaborNoise(model, seed=2)


def generated():
    images, labels = drawn(20, *SHAPE, seed=6), torch.arange(20) % 2
    dataset = Dataset("planted", images, labels, images, labels, ("a", "b"))
    return GeneratedNoise(architectures.build("vae", SHAPE, 2, seed=0), dataset, "normal", seed=2)


SOURCES = {
    "uniform": lambda: WhiteNoise(SHAPE, seed=2),
    "normal": lambda: WhiteNoise(SHAPE, "normal", seed=2),
    "binary": lambda: WhiteNoise(SHAPE, "binary", seed=2),
    "mirrored": lambda: WhiteNoise(SHAPE, seed=2, contrast=0.5, mean=0.25, antithetic=True),
    "smooth": lambda: SmoothNoise(SHAPE, seed=2),
    "signal": lambda: SignalPlusNoise(drawn(7, *SHAPE), torch.arange(7) % 2, WhiteNoise(SHAPE, seed=2), 0.3),
    "pictures": lambda: Pictures(drawn(7, *SHAPE), torch.arange(7) % 2),
    "gabor": gabor,
    "generated": generated,
}


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 6), torch.nn.ReLU(), torch.nn.Linear(6, 2))


def units():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3, padding=1), torch.nn.ReLU())


def activations(by, source):
    return observe(
        architectures.build("mlp", SHAPE, 2, seed=0),
        source,
        N,
        into=ActivationTally(by),
        layers={"fc1": "relu1", "scores": "scores"},
        cache=False,
    )


TALLIES = {
    "classes": lambda source: observe(network(), source, N, cache=False),
    "cells": lambda source: observe(network(), source, N, into=CellTally(2), cache=False),
    "fields": lambda source: observe(units(), source, N, into=FieldTally(), cache=False),
    "covariance": lambda source: observe(units(), source, N, into=CovarianceTally(1), cache=False),
    "activations by response": partial(activations, "response"),
    "activations by label": partial(activations, "label"),
}


def summary(tally):
    """Sum, and sum weighted by place, of each of the tally's tensors: a short text that any change of them changes."""
    found = {}
    for name, tensor in tally.tensors().items():
        name = name.removeprefix("fc1 ")
        flat = tensor.double().flatten()
        place = torch.arange(1, len(flat) + 1, dtype=torch.float64)
        found[name] = [float(flat.sum()), float((flat * (place * 0.6180339887).frac()).sum())]
    return found


@pytest.mark.parametrize("kind", TALLIES)
@pytest.mark.parametrize("source", SOURCES)
def test_tally_is_the_frozen_one(source, kind):
    frozen = json.loads(GOLDEN.read_text())[source][kind]
    found = summary(TALLIES[kind](SOURCES[source]()))
    assert found.keys() == frozen.keys()
    for name, values in frozen.items():
        # Processors that round otherwise change a response in a hundred thousand.
        assert found[name] == pytest.approx(values, rel=5e-5), name


if __name__ == "__main__":
    every = {
        source: {kind: summary(fill(make())) for kind, fill in TALLIES.items()} for source, make in SOURCES.items()
    }
    GOLDEN.write_text(json.dumps(every, indent=1) + "\n")
