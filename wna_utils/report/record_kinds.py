"""Kinds of records, and how each is made: networks and models of noise."""

import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from wna_utils.data import datasets
from wna_utils.data.datasets import Dataset
from wna_utils.interventions.backdoors import Backdoor
from wna_utils.networks import architectures, named, pretrained, training
from wna_utils.networks import recorded_networks as networks
from wna_utils.networks.compiling import operations
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.training import AUTHORS, RECIPES, Recipe
from wna_utils.report.provenance import device_in_words, versions
from wna_utils.stimuli import gabor
from wna_utils.support import recorded
from wna_utils.support.checkout import commit

TRAINING_IMAGES = 60_000  # about, for telling how long it takes
COMMIT = commit()  # of the code that is running, whatever is checked out later


@dataclass(frozen=True)
class Trained:
    """A network to be recorded; `of` says whose recipe it has: "ours" (`RECIPES`) or "theirs" (`AUTHORS`).

    With a `backdoor`, such as "X 0 1", it learns the data set in which half of the source class is poisoned; with
    `classes`, such as "1 7", these alone; with `over`, such as 256, images whose pixels are divided by that; with
    `in_noise`, images in noise of a standard deviation of up to that.
    """

    model: str
    dataset: str
    seed: int
    of: str = "ours"
    backdoor: str = ""
    classes: str = ""
    over: int = 1
    in_noise: float = 0.0

    @property
    def recipe(self) -> Recipe | Cyclic:
        recipe = {"ours": RECIPES, "theirs": AUTHORS}[self.of][self.model.removesuffix("_softmax")]
        return replace(recipe, noise=self.in_noise) if self.in_noise else recipe

    @property
    def name(self) -> str:
        dataset = self.dataset
        if self.classes:
            names = {str(k): name for k, name in enumerate(datasets.CLASSES[dataset])}
            dataset = f"{dataset} {' or '.join(names.get(each, each) for each in self.classes.split())}"
        if self.over != 1:
            dataset += f" over {self.over}"
        if self.backdoor:
            dataset = Backdoor.parse(self.backdoor).name_of(dataset)
        return networks.name_of(self.model, dataset, self.seed, self.recipe)

    def data(self) -> Dataset:
        """What the network learns."""
        dataset = datasets.load(self.dataset)
        if self.classes:
            dataset = dataset.only(*self.classes.split())
        if self.over != 1:
            dataset = dataset.over(self.over)
        return Backdoor.parse(self.backdoor).poisoned(dataset) if self.backdoor else dataset

    @property
    def path(self) -> Path:
        return networks.path_of(self.name)

    @property
    def is_there(self) -> bool:
        """Whether it is recorded, by the recipe that it is planned with."""
        return self.path.exists() and recorded.about(self.path)["recipe"] == asdict(self.recipe)

    @property
    def operations(self) -> float:
        """Floating-point operations of training: three forward passes per image and epoch."""
        return 3 * self.recipe.shown(TRAINING_IMAGES) * self.per_image

    @property
    def per_image(self) -> float:
        """Floating-point operations with which it answers one image."""
        return _per_image(self.model, self.dataset)

    def make(self, device: str) -> None:
        dataset = self.data()
        made, started = made_here(device), time.monotonic()
        cached = training.is_cached(self.model, dataset, self.seed, self.recipe)
        network = training.trained(self.model, dataset, self.seed, recipe=self.recipe, device=device)
        made["seconds"] = None if cached else round(time.monotonic() - started)
        networks.write(network, self.model, dataset, self.seed, self.recipe, made, device=device)


class Filed:
    """A record that is called by the name of its file."""

    path: Path

    @property
    def name(self) -> str:
        return recorded.name_of(self.path)


@dataclass(frozen=True)
class Fitted(Filed):
    """A model of Gabor noise to be recorded."""

    dataset: str
    bank_of: str

    @property
    def path(self) -> Path:
        return gabor.recorded_path(self.dataset, self.bank_of)

    @property
    def is_there(self) -> bool:
        """Whether it is recorded."""
        return self.path.exists()

    @property
    def operations(self) -> float:
        """Next to none."""
        return 0.0

    def make(self, device: str) -> None:
        made, started = made_here(device), time.monotonic()
        dataset = datasets.load(self.dataset)
        gabor.fit_gabor(dataset, bank_of=self.bank_of)
        made["seconds"] = round(time.monotonic() - started)
        gabor.record_model(dataset, self.bank_of, made)


@dataclass(frozen=True)
class Fetched:
    """A network that others trained on ImageNet: it is not recorded, but fetched."""

    model: str

    @property
    def name(self) -> str:
        return named.name_of(self.model)

    @property
    def per_image(self) -> float:
        """Floating-point operations with which it answers one image."""
        return pretrained.operations_of(self.model)


@cache
def _per_image(model: str, dataset: str) -> float:
    of = datasets.load(dataset)
    network = architectures.build(model, of.shape, len(of.classes), seed=0)
    return operations(network, of.x_test[:1])


def made_here(device: str) -> dict[str, Any]:
    """When, by which code and on what a record is being made; how long it took is added when it is done."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": COMMIT,
        "device": device_in_words(device),
        "versions": versions(),
    }
