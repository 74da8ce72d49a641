"""What is to be recorded, as `book/recorded/plan.yml` says."""

from collections.abc import Iterator
from typing import Annotated, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from wna_utils.analysis import outputs_study
from wna_utils.analysis.introspection_study import Settings
from wna_utils.data import datasets, imagenet
from wna_utils.networks import named
from wna_utils.networks.architectures import MODELS
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.infovae import recipes_of
from wna_utils.networks.training import AUTHORS, RECIPES
from wna_utils.observe.graded import SCALES
from wna_utils.observe.recorded_tallies import Shown
from wna_utils.report.chapters import notebooks
from wna_utils.report.record_answers import Followed, Labelled, Tallied
from wna_utils.report.record_kinds import Fetched, Fitted, Trained
from wna_utils.report.record_studies import Executed, Judged, Mapped, Staged, Studied
from wna_utils.stimuli.blocks import LARGEST
from wna_utils.support import recorded, yaml12
from wna_utils.support.checks import one_of

Record = Trained | Fitted | Tallied | Labelled | Followed | Staged | Studied | Mapped | Judged | Executed

FRESH = 1_000_000  # by how much the seed of noise that no other record is of is later than its network's


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class How(_Strict):
    """Options of a noise; see `Shown`."""

    gamma: float | None = None
    contrast: float | None = None
    mean: float | None = None
    add_mean: bool | None = None
    bank_of: str | None = None
    of: Literal[datasets.NAMES] | None = None
    side: PositiveInt | None = None
    block: PositiveInt | None = None


class Noise(_Strict):
    """Noise that a network is shown, as the plan says it."""

    n: PositiveInt
    noise: Literal["white", "gabor", "trials", "pink"] = "white"
    layer: str = ""
    how: How = How()
    precision: Literal["float32", "bf16"] = "float32"
    graded: Literal["", *SCALES] = ""
    calls: bool = False
    activations: str = ""
    labels: bool = False
    fresh: bool = False

    @model_validator(mode="after")
    def _whole_blocks(self):
        size = self.how.block or LARGEST
        kept = [name for name in ("layer", "graded", "calls", "activations", "labels") if getattr(self, name)]
        if len(kept) > 1:
            raise ValueError(f"only one of {' and '.join(kept)} can be kept in a tally")
        if self.labels and self.how.block:
            raise ValueError("labels are recorded of blocks of the usual size")
        if self.fresh and not self.labels:
            raise ValueError("fresh noise is recorded by its labels")
        if self.n % size:
            raise ValueError(f"n must be a multiple of {size:,}, the images in a block")
        return self


class Course(_Strict):
    """Numbers of noise images after every epoch and after the last."""

    n: PositiveInt
    n_last: PositiveInt


class Stages(_Strict):
    """Cycles of so many iterations, their highest rate, and the number of test images whose activations are kept."""

    cycles: PositiveInt
    iterations: PositiveInt
    highest: PositiveFloat
    n: PositiveInt


class Map(_Strict):
    """A map of hidden activations, and the estimator on outputs beside it; see `introspection_study.Settings`."""

    n_images: PositiveInt
    bottleneck: PositiveInt = 2
    mmd_weight: NonNegativeFloat = 10.0
    times_longer: PositiveInt = 1
    later: NonNegativeInt = 0
    outputs: bool = False

    def settings(self, seed: int) -> Settings:
        """How the map of the network of this seed is made."""
        recipes = recipes_of("book", self.times_longer)
        return Settings(self.n_images, self.bottleneck, self.mmd_weight, seed + self.later, *recipes)


class Entry(_Strict):
    """A line of the plan."""

    model: Literal[(*MODELS, *imagenet.NETWORKS)]
    dataset: Literal[(*datasets.NAMES, named.IMAGENET)]
    seeds: PositiveInt
    shown: list[Noise] = []
    recipe: Literal["ours", "theirs"] = "ours"
    backdoor: str = ""
    classes: str = ""
    over: PositiveInt = 1
    in_noise: NonNegativeFloat = 0.0
    course: Course | None = None
    stages: Stages | None = None
    maps: list[Map] = []
    adversarial: bool = False

    @model_validator(mode="after")
    def _possible(self):
        if (self.model in imagenet.NETWORKS) != (self.dataset == named.IMAGENET):
            raise ValueError(f"{self.model} is not trained on {self.dataset}")
        if self.dataset == named.IMAGENET:
            given = self.model_fields_set - {"model", "dataset", "seeds", "shown", "adversarial"}
            if given:
                raise ValueError(f"networks of ImageNet are not trained here: leave out {', '.join(sorted(given))}")
            if not all(each.how.block and each.noise != "trials" for each in self.shown):
                raise ValueError("noise for networks of ImageNet needs a number of images in a block, and is no trials")
            return self
        if self.adversarial:
            raise ValueError("adversarial images are recorded of networks of ImageNet")
        if sum(map(bool, (self.course, self.stages, self.maps or self.shown))) > 1:
            raise ValueError("a line has a course, or stages, or what rests on a network: plan each in one of its own")
        if self.stages and (self.classes or self.backdoor or self.over != 1):
            raise ValueError("stages are recorded of whole, clean data sets")
        if self.recipe == "theirs" and self.model not in AUTHORS:
            raise ValueError(f"theirs is no other recipe than ours for {self.model}")
        if (self.in_noise or self.stages) and not isinstance(RECIPES[self.model.removesuffix("_softmax")], Cyclic):
            raise ValueError(f"{self.model} is not trained in cycles, and so neither in noise nor in stages")
        if any(each.noise == "trials" for each in self.shown) and len(self.classes.split()) != 2:
            raise ValueError("trials need two classes")
        if any(each.noise == "gabor" for each in self.shown) and (self.classes or self.backdoor or self.over != 1):
            raise ValueError("Gabor noise is that of a whole, clean data set")
        return self

    def records(self) -> Iterator[Record]:
        """The records of each seed, the network before what rests on it; a fetched network is none."""
        for seed in range(self.seeds):
            if self.dataset == named.IMAGENET:
                network = Fetched(self.model)
                if self.adversarial:
                    yield Studied(network)
                yield from (self._tallied(network, noise, seed) for noise in self.shown)
                continue
            how = self.recipe, self.backdoor, self.classes, self.over, self.in_noise
            network = Trained(self.model, self.dataset, seed, *how)
            if self.course:
                yield Followed(network, self.course.n, self.course.n_last)
                continue
            if self.stages:
                yield Staged(network, **self.stages.model_dump())
                continue
            yield network
            for noise in self.shown:
                if noise.noise == "gabor":
                    yield Fitted(self.dataset, noise.how.bank_of or "paper")
                yield self._tallied(network, noise, seed)
            for each in self.maps:
                settings = each.settings(seed)
                yield Mapped(network, settings)
                if each.outputs:
                    of = outputs_study.Settings(settings.n_images, settings.seed, settings.estimator)
                    yield Judged(network, of)

    def _tallied(self, network: Trained | Fetched, noise: Noise, seed: int) -> Tallied | Labelled:
        how = noise.model_dump(exclude_none=True, exclude={"labels", "fresh"})
        shown = Shown(network.name, seed=seed + FRESH * noise.fresh, **how)
        return Labelled(network, shown) if noise.labels and isinstance(network, Trained) else Tallied(network, shown)


class Chapter(_Strict):
    """A chapter, of which is recorded what takes it long to compute of recorded networks."""

    chapter: str

    @field_validator("chapter")
    @classmethod
    def _known(cls, name: str) -> str:
        one_of("chapter", name, [notebook.stem for notebook in notebooks()])
        return name

    def records(self) -> Iterator[Record]:
        """The chapter's results."""
        yield Executed(self.chapter)


def _line(raw: object) -> str:
    """What a line of the plan is of: a chapter or a network."""
    return "of a chapter" if isinstance(raw, dict) and "chapter" in raw else "of a network"


Line = Annotated[Annotated[Entry, Tag("of a network")] | Annotated[Chapter, Tag("of a chapter")], Discriminator(_line)]


def plan() -> list[Record]:
    """All records that the plan lists, in its order; a network comes before what rests on it.

    Raises `ValueError`, in one sentence, for a plan that is missing or malformed, or has two records of one name.
    """
    path = recorded.folder() / "plan.yml"
    try:
        entries = TypeAdapter(list[Line]).validate_python(yaml12.load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ValueError(f"{path} cannot be used: {_first(error)}") from None
    by_name = {}
    for record in (record for entry in entries for record in entry.records()):
        if by_name.setdefault(record.name, record) != record:
            raise ValueError(f"{path} has two different records of the name {record.name}")
    return list(by_name.values())


def _first(error: Exception) -> str:
    """What is wrong in the first place, and where."""
    if isinstance(error, ValidationError):
        found = error.errors()[0]
        where = [str(part) for part in found["loc"] if not str(part).startswith("of a ")]
        return f"{found['msg']} (entry {', '.join(where)})"
    return " ".join(str(error).split())
