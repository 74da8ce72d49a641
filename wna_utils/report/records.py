"""Making the records: what `book/recorded/plan.yml` lists and is not there yet, in its order."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from wna_utils.analysis import courses
from wna_utils.data import datasets
from wna_utils.data.datasets import Dataset
from wna_utils.interventions.backdoors import Backdoor
from wna_utils.networks import recorded_networks as networks
from wna_utils.networks import training
from wna_utils.networks.training import AUTHORS, RECIPES, Recipe
from wna_utils.observe import recorded_tallies as tallies
from wna_utils.observe.loop import observe
from wna_utils.observe.recorded_tallies import Shown
from wna_utils.observe.recording import Recording
from wna_utils.report.provenance import commit, device_in_words, versions
from wna_utils.stimuli import gabor
from wna_utils.support import recorded
from wna_utils.support.checks import one_of


@dataclass(frozen=True)
class Trained:
    """A network to be recorded; `of` says whose recipe it has: "ours" (`RECIPES`) or "theirs" (`AUTHORS`).

    With a `backdoor`, such as "X 0 1", it learns the data set in which half of the source class is poisoned.
    """

    model: str
    dataset: str
    seed: int
    of: str = "ours"
    backdoor: str = ""

    @property
    def recipe(self) -> Recipe:
        return {"ours": RECIPES, "theirs": AUTHORS}[self.of][self.model.removesuffix("_softmax")]

    @property
    def name(self) -> str:
        dataset = Backdoor.parse(self.backdoor).name_of(self.dataset) if self.backdoor else self.dataset
        return networks.name_of(self.model, dataset, self.seed, self.recipe, self.recipe.epochs)

    def data(self) -> Dataset:
        """What the network learns."""
        dataset = datasets.load(self.dataset)
        return Backdoor.parse(self.backdoor).poisoned(dataset) if self.backdoor else dataset

    @property
    def path(self) -> Path:
        return networks.path_of(self.name)

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

    @property
    def path(self) -> Path:
        return gabor.recorded_path(self.dataset)

    @property
    def name(self) -> str:
        return self.path.stem

    def make(self, device: str) -> None:
        made, started = _made(device), time.monotonic()
        gabor.record_model(datasets.load(self.dataset), made | {"seconds": round(time.monotonic() - started)})


@dataclass(frozen=True)
class Tallied:
    """A tally to be recorded."""

    shown: Shown

    @property
    def path(self) -> Path:
        return self.shown.path

    @property
    def name(self) -> str:
        return self.shown.name

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

    def make(self, device: str) -> None:
        made, started = _made(device), time.monotonic()
        of, dataset = self.network, self.network.data()
        how = (of.model, dataset, of.seed, of.recipe, self.n, self.n_last)
        courses.course(*how, device=device)
        made["seconds"] = round(time.monotonic() - started)
        courses.record_course(*how, made, device)


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
    course: dict[str, int] | None = None,
) -> Iterator[Record]:
    for seed in range(seeds):
        network = Trained(model, dataset, seed, recipe, backdoor)
        if course:
            yield Followed(network, **course)
            continue
        yield network
        for noise in shown:
            if noise.get("noise") == "gabor":
                yield Fitted(dataset)
            yield Tallied(Shown(network.name, seed=seed, **noise))


def missing(names: list[str]) -> list[Record]:
    """The records of these names (all, if there is none) that are not there; `ValueError` for a name not planned."""
    by_name = {record.name: record for record in plan()}
    for name in names:
        one_of("record", name, by_name)
    return [record for name, record in by_name.items() if (not names or name in names) and not record.path.exists()]


def make(names: list[str], device: str = "auto", tell: Callable[[str], None] = print) -> None:
    """Make the records of these names (all, if there is none) that are not there yet.

    A run that is cut off goes on where it was, to the same bits.
    """
    for record in missing(names):
        started = time.monotonic()
        record.make(device)
        recorded.write_checksums()
        tell(f"{record.name}: {time.monotonic() - started:.0f} s")


def _made(device: str) -> dict[str, Any]:
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": commit(),
        "device": device_in_words(device),
        "versions": versions(),
    }
