"""Kinds of records, and how each is made: what networks answer to noise."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path

from wna_utils.analysis import courses
from wna_utils.networks import named, training
from wna_utils.observe import recorded_labels
from wna_utils.observe import recorded_tallies as tallies
from wna_utils.observe.loop import observe
from wna_utils.observe.recorded_tallies import Shown
from wna_utils.observe.recording import Recording
from wna_utils.report.record_kinds import Fetched, Filed, Trained, made_here
from wna_utils.support import recorded


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
        observe(observer, source, self.shown.n, into=recording, records=False)
        # A run that went on from where another was cut off tells the rate, and the rate the duration.
        share = recording.added_here / recording.blocks
        made["seconds"] = round((time.monotonic() - started) / share) if share else None
        tallies.write(self.shown, recording, source.block_size, made)


@dataclass(frozen=True)
class Labelled(Filed):
    """What a network calls each of many noise images, to be recorded."""

    network: Trained
    shown: Shown

    @property
    def path(self) -> Path:
        return recorded_labels.path_of(self.shown)

    @property
    def is_there(self) -> bool:
        """Whether it is recorded, of the network that is recorded now."""
        known = self.path.exists() and self.network.path.exists()
        return known and recorded.about(self.path)["weights"] == named.weights_of(self.network.name)

    @property
    def operations(self) -> float:
        """Floating-point operations that it takes."""
        return self.shown.n * self.network.per_image

    def make(self, device: str) -> None:
        made, started = made_here(device), time.monotonic()
        labels = recorded_labels.computed(self.shown, device)
        made["seconds"] = round(time.monotonic() - started)
        recorded_labels.write(self.shown, labels, made)


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
