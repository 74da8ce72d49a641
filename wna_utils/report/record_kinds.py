"""Kinds of records, and how each is made: networks, models of noise, tallies and courses of training."""

import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from wna_utils.analysis import courses
from wna_utils.data import datasets
from wna_utils.data.datasets import Dataset
from wna_utils.interventions.backdoors import Backdoor
from wna_utils.networks import architectures, named, pretrained, training
from wna_utils.networks import recorded_networks as networks
from wna_utils.networks.compiling import operations
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.training import AUTHORS, RECIPES, Recipe
from wna_utils.observe import recorded_tallies as tallies
from wna_utils.observe.loop import observe
from wna_utils.observe.recorded_tallies import Shown
from wna_utils.observe.recording import Recording
from wna_utils.report.provenance import commit, device_in_words, versions
from wna_utils.stimuli import gabor
from wna_utils.support import recorded

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


@dataclass(frozen=True)
class Tallied:
    """A tally of what a network answers, to be recorded."""

    network: Trained | Fetched
    shown: Shown

    @property
    def path(self) -> Path:
        return self.shown.path

    @property
    def name(self) -> str:
        return self.shown.name

    @property
    def is_there(self) -> bool:
        """Whether it is recorded, of the network that is recorded now."""
        known = self.path.exists() and (isinstance(self.network, Fetched) or self.network.path.exists())
        return known and recorded.about(self.path)["weights"] == named.weights_of(self.network.name)

    @property
    def operations(self) -> float:
        """Floating-point operations that it takes."""
        return self.shown.n * self.network.per_image

    def make(self, device: str) -> None:
        made, started = made_here(device), time.monotonic()
        source = self.shown.source()
        recording = Recording(self.shown.empty(), -(-self.shown.n // source.block_size))
        observer = self.shown.observer(source.shape, device=device, precision=self.shown.precision)
        observe(observer, source, self.shown.n, into=recording)
        # A run that went on from where another was cut off tells the rate, and the rate the duration.
        share = recording.added_here / recording.blocks
        made["seconds"] = round((time.monotonic() - started) / share) if share else None
        tallies.write(self.shown, recording, source.block_size, made)


@dataclass(frozen=True)
class Followed(Filed):
    """A course of training to be recorded."""

    network: Trained
    n: int
    n_last: int

    @property
    def path(self) -> Path:
        return courses.path_of(self.network.name)

    @property
    def is_there(self) -> bool:
        """Whether it is recorded, of the recipe and the numbers of images that it is planned with."""
        if not self.path.exists():
            return False
        planned = {"recipe": asdict(self.network.recipe), "n": self.n, "n_last": self.n_last}
        return planned.items() <= recorded.about(self.path).items()

    @property
    def operations(self) -> float:
        """Floating-point operations that it takes."""
        images = self.network.recipe.epochs * self.n + self.n_last
        return self.network.operations + images * self.network.per_image

    def make(self, device: str) -> None:
        made, started = made_here(device), time.monotonic()
        of, dataset = self.network, self.network.data()
        cached = training.is_cached(of.model, dataset, of.seed, of.recipe)
        how = (of.model, dataset, of.seed, of.recipe, self.n, self.n_last)
        found = courses.course(*how, device=device)
        made["seconds"] = None if cached else round(time.monotonic() - started)
        courses.write(found, *how, made)


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
