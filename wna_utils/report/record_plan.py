"""What is to be recorded, as `book/recorded/plan.yml` says: networks, models of noise, tallies, courses of training."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from wna_utils.analysis import courses
from wna_utils.data import datasets
from wna_utils.data.datasets import Dataset
from wna_utils.interventions.backdoors import Backdoor
from wna_utils.networks import architectures, training
from wna_utils.networks import recorded_networks as networks
from wna_utils.networks.compiling import operations
from wna_utils.networks.training import AUTHORS, RECIPES, Recipe
from wna_utils.observe import recorded_tallies as tallies
from wna_utils.observe.loop import observe
from wna_utils.observe.recorded_tallies import Shown
from wna_utils.observe.recording import Recording
from wna_utils.report.provenance import commit, device_in_words, versions
from wna_utils.stimuli import gabor
from wna_utils.support import recorded


@dataclass(frozen=True)
class Trained:
    """A network to be recorded; `of` says whose recipe it has: "ours" (`RECIPES`) or "theirs" (`AUTHORS`).

    With a `backdoor`, such as "X 0 1", it learns the data set in which half of the source class is poisoned; with
    `classes`, such as "1 7", these alone.
    """

    model: str
    dataset: str
    seed: int
    of: str = "ours"
    backdoor: str = ""
    classes: str = ""

    @property
    def recipe(self) -> Recipe:
        return {"ours": RECIPES, "theirs": AUTHORS}[self.of][self.model.removesuffix("_softmax")]

    @property
    def name(self) -> str:
        dataset = self.dataset
        if self.classes:
            dataset = f"{dataset} {' or '.join(self.classes.split())}"
        if self.backdoor:
            dataset = Backdoor.parse(self.backdoor).name_of(dataset)
        return networks.name_of(self.model, dataset, self.seed, self.recipe, self.recipe.epochs)

    def data(self) -> Dataset:
        """What the network learns."""
        dataset = datasets.load(self.dataset)
        if self.classes:
            dataset = dataset.only(*self.classes.split())
        return Backdoor.parse(self.backdoor).poisoned(dataset) if self.backdoor else dataset

    @property
    def path(self) -> Path:
        return networks.path_of(self.name)

    @property
    def operations(self) -> float:
        """Floating-point operations that it takes: those of three answers to each image in each epoch."""
        images = len(self.data().x_train)
        return 3 * self.recipe.epochs * images * per_image(self.model, self.dataset)

    def make(self, device: str) -> None:
        dataset = self.data()
        made, started = _made(device), time.monotonic()
        cached = training.is_cached(self.model, dataset, self.seed, self.recipe)
        network = training.trained(self.model, dataset, self.seed, recipe=self.recipe, device=device)
        made["seconds"] = None if cached else round(time.monotonic() - started)
        networks.write(network, self.model, dataset, self.seed, self.recipe, self.recipe.epochs, made, device=device)


@dataclass(frozen=True)
class Fitted:
    """A model of Gabor noise to be recorded."""

    dataset: str
    bank_of: str

    @property
    def path(self) -> Path:
        return gabor.recorded_path(self.dataset, self.bank_of)

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def operations(self) -> float:
        """Next to none."""
        return 0.0

    def make(self, device: str) -> None:
        made, started = _made(device), time.monotonic()
        dataset = datasets.load(self.dataset)
        gabor.fit_gabor(dataset, bank_of=self.bank_of)
        made["seconds"] = round(time.monotonic() - started)
        gabor.record_model(dataset, self.bank_of, made)


@dataclass(frozen=True)
class Tallied:
    """A tally of what a network answers, to be recorded."""

    network: Trained
    shown: Shown

    @property
    def path(self) -> Path:
        return self.shown.path

    @property
    def name(self) -> str:
        return self.shown.name

    @property
    def operations(self) -> float:
        """Floating-point operations that it takes."""
        return self.shown.n * per_image(self.network.model, self.network.dataset)

    def make(self, device: str) -> None:
        made, started = _made(device), time.monotonic()
        source = self.shown.source()
        recording = Recording(self.shown.empty(), -(-self.shown.n // source.block_size))
        observe(self.shown.units(), source, self.shown.n, into=recording, device=device, precision=self.shown.precision)
        # A run that went on from where another was cut off tells the rate, and the rate the duration.
        share = recording.added_here / recording.blocks
        made["seconds"] = round((time.monotonic() - started) / share) if share else None
        tallies.write(self.shown, recording, source.block_size, made)


@dataclass(frozen=True)
class Followed:
    """A course of training to be recorded."""

    network: Trained
    n: int
    n_last: int

    @property
    def path(self) -> Path:
        return courses.path_of(self.network.name)

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def operations(self) -> float:
        """Floating-point operations that it takes."""
        images = self.network.recipe.epochs * self.n + self.n_last
        return self.network.operations + images * per_image(self.network.model, self.network.dataset)

    def make(self, device: str) -> None:
        made, started = _made(device), time.monotonic()
        of, dataset = self.network, self.network.data()
        how = (of.model, dataset, of.seed, of.recipe, self.n, self.n_last)
        courses.course(*how, device=device)
        made["seconds"] = round(time.monotonic() - started)
        courses.record_course(*how, made, device)


@cache
def per_image(model: str, dataset: str) -> float:
    """Floating-point operations with which a network answers one image."""
    of = datasets.load(dataset)
    network = architectures.build(model, of.shape, len(of.classes), seed=0)
    return operations(network, of.x_test[:1])


Record = Trained | Fitted | Tallied | Followed


def plan() -> list[Record]:
    """All records that the plan lists, in its order; a network comes before its tallies."""
    entries = yaml.safe_load((recorded.folder() / "plan.yml").read_text())
    records = [record for entry in entries for record in _records(**entry)]
    return list({record.name: record for record in records}.values())


def _records(
    model: str,
    dataset: str,
    seeds: int,
    shown: Sequence[dict[str, Any]] = (),
    recipe: str = "ours",
    backdoor: str = "",
    classes: str = "",
    course: dict[str, int] | None = None,
) -> Iterator[Record]:
    for seed in range(seeds):
        network = Trained(model, dataset, seed, recipe, backdoor, classes)
        if course:
            yield Followed(network, **course)
            continue
        yield network
        for noise in shown:
            if noise.get("noise") == "gabor":
                yield Fitted(dataset, noise.get("how", {}).get("bank_of", "paper"))
            yield Tallied(network, Shown(network.name, seed=seed, **noise))


def _made(device: str) -> dict[str, Any]:
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": commit(),
        "device": device_in_words(device),
        "versions": versions(),
    }
