"""Kinds of records, and how each is made: studies of what a network holds inside."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, ClassVar

import nbformat

from wna_utils.analysis import introspection_study, outputs_study, stages
from wna_utils.analysis.introspection_study import COMPONENTS
from wna_utils.data import datasets, photographs
from wna_utils.interventions import adversarial_study
from wna_utils.interventions.adversarial_study import Making
from wna_utils.networks import recorded_networks as networks
from wna_utils.networks import training
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.elu_networks import elu_stack
from wna_utils.networks.infovae import InfoVAE, operations_of
from wna_utils.report import chapters
from wna_utils.report.provenance import taken_by
from wna_utils.report.record_kinds import (
    TRAINING_IMAGES,
    Fetched,
    Filed,
    Trained,
    made_here,
)
from wna_utils.support import paths, recorded, recorded_results, tensor_files


@dataclass(frozen=True)
class Staged(Filed):
    """Stages of training to be recorded, in `cycles` of so many `iterations`, at rates up to `highest`."""

    network: Trained
    cycles: int
    iterations: int
    highest: float
    n: int

    @property
    def recipe(self) -> Cyclic:
        return replace(self.network.recipe, cycles=self.cycles, iterations=self.iterations, highest=self.highest)

    @property
    def path(self) -> Path:
        of = self.network
        return stages.path_of(networks.name_of(of.model, of.dataset, of.seed, self.recipe))

    @property
    def is_there(self) -> bool:
        """Whether it is recorded, of the recipe and the number of images that it is planned with."""
        planned = {"recipe": asdict(self.recipe), "n": self.n}
        return self.path.exists() and planned.items() <= recorded.about(self.path).items()

    @property
    def operations(self) -> float:
        """Floating-point operations that it takes."""
        return 3 * self.recipe.shown(TRAINING_IMAGES) * self.network.per_image

    def make(self, device: str) -> None:
        made, started = made_here(device), time.monotonic()
        of, dataset = self.network, self.network.data()
        cached = training.is_cached(of.model, dataset, of.seed, self.recipe)
        how = (of.model, dataset, of.seed, self.recipe, self.n)
        found = stages.stages(*how, device=device)
        made["seconds"] = None if cached else round(time.monotonic() - started)
        stages.write(found, *how, made)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """While this lasts, environment variables have these values."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@dataclass(frozen=True)
class Executed(Filed):
    """What a chapter computes of recorded networks in minutes, to be recorded by executing it."""

    chapter: str

    @property
    def path(self) -> Path:
        return recorded_results.path_of(self.chapter)

    @property
    def is_there(self) -> bool:
        """Whether it is recorded, of the networks, maps and estimators that are recorded now."""
        return self.path.exists() and not recorded_results.problem(self.path)

    @property
    def operations(self) -> float:
        """Floating-point operations that it takes: five minutes of a core."""
        return 1e13

    def make(self, device: str) -> None:
        made, started = made_here(device), time.monotonic()
        notebook = paths.NOTEBOOKS / f"{self.chapter}.ipynb"
        with TemporaryDirectory() as own:  # with an empty cache, lest what other chapters left there seems to be quick
            into, chapter = Path(own) / "results.safetensors", Path(own) / notebook.name
            with _environment({recorded_results.INTO: str(into), "WNA_CACHE": f"{own}/cache"}):
                chapters.execute(notebook, chapter, {"profile": "book", "device": device}, progress=False)
            found, taken = tensor_files.read(into), taken_by(nbformat.read(chapter, as_version=4))
        if found is None:
            raise ValueError(f"{self.chapter} has no results that are worth recording: take it off the plan")
        made["seconds"] = round(time.monotonic() - started)
        about = {"chapter": self.chapter, "rests on": recorded_results.rests_on(sorted(taken)), "made": made}
        recorded.write(self.path, found[0], about)


@dataclass(frozen=True)
class Studied(Filed):
    """What a fetched network's layers hold alike of photographs and adversarial images, to be recorded."""

    network: Fetched

    @property
    def path(self) -> Path:
        return adversarial_study.path_of(self.network.model)

    @property
    def is_there(self) -> bool:
        """Whether it is recorded, of the photographs and the making that are the book's now."""
        return adversarial_study.is_recorded(self.network.model, photographs.load(), Making())

    @property
    def operations(self) -> float:
        """Floating-point operations that it takes, for thirty steps with gradients, about, from each photograph."""
        return 3 * 30 * len(photographs.load().labels) * self.network.per_image

    def make(self, device: str) -> None:
        made, started = made_here(device), time.monotonic()
        shown = photographs.load()
        found = adversarial_study.computed(self.network.model, shown, Making(), device)
        made["seconds"] = round(time.monotonic() - started)
        adversarial_study.write(self.network.model, found, shown, made)


@dataclass(frozen=True)
class OfInside(Filed):
    """What a module of analysis, the `study`, makes of a recorded network by its `Settings`, to be recorded."""

    study: ClassVar[ModuleType]
    network: Trained
    settings: Any

    @property
    def path(self) -> Path:
        return self.study.path_of(self.network.name, self.settings)

    @property
    def is_there(self) -> bool:
        """Whether it is recorded, of the network that is recorded now."""
        name = self.network.name
        return self.network.path.exists() and self.study.is_recorded(networks.origin_in(name), self.settings)

    def make(self, device: str) -> None:
        made, started = made_here(device), time.monotonic()
        network, dataset = networks.load(self.network.name), self.network.data()
        found = self.study.computed(network, dataset, self.settings, device)
        made["seconds"] = round(time.monotonic() - started)
        self.study.write(self.network.name, found, dataset, self.settings, made)


@dataclass(frozen=True)
class Mapped(OfInside):
    """A map of a recorded network's hidden activations, with the estimator of its errors, to be recorded."""

    study = introspection_study

    @property
    def operations(self) -> float:
        """Floating-point operations of reading its images, and of training."""
        of = self.settings
        mapping = operations_of(InfoVAE(COMPONENTS, of.bottleneck), of.autoencoder)
        judging = operations_of(elu_stack(of.bottleneck, 1), of.estimator)
        return of.n_images * self.network.per_image + mapping + judging


@dataclass(frozen=True)
class Judged(OfInside):
    """An estimator of error on a recorded network's outputs, to be recorded."""

    study = outputs_study

    @property
    def operations(self) -> float:
        """Floating-point operations of reading its images, and of training."""
        judge = elu_stack(len(datasets.CLASSES[self.network.dataset]), 1)
        return self.settings.n_images * self.network.per_image + operations_of(judge, self.settings.recipe)
