"""Types for the parameters cell of a notebook: each says which values will do, and in what unit.

They are pydantic's types: any other, `Annotated[int, Field(ge=3)]` for example, may be declared under a name above the
cell and used in the same way.
"""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from wna_utils.data import datasets, photographs
from wna_utils.interventions import stimulation
from wna_utils.interventions.backdoors import Backdoor
from wna_utils.networks import pretrained
from wna_utils.report.profiles import PROFILES
from wna_utils.stimuli import white
from wna_utils.support import devices

T = TypeVar("T")


def _pair(value: str) -> str:
    if len(set(value.split())) != 2:
        raise ValueError('must be two different classes, such as "1 7"')
    return value


def _backdoor(value: str) -> str:
    Backdoor.parse(value)
    return value


def _device(value: str) -> str:
    devices.resolve_device(value)
    return value


def _pictures(value: str) -> str:
    if value != photographs.SAMPLE:  # which is fetched when it is needed
        photographs.folder_of(value)
    return value


def _file(value: str) -> str:
    if value and not Path(value).is_file():
        raise ValueError("must be a file that is there")
    return value


def _rising(values: list) -> list:
    if values != sorted(set(values)):
        raise ValueError("must rise from one to the next")
    return values


def _as_text(value: object) -> object:
    """A number as text: a class may be called 3, which the command line takes for a number."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Profile = Literal[*PROFILES]
ImageNetwork = Literal[*pretrained.KNOWN]
DatasetName = Literal[*datasets.NAMES]
Distribution = Literal[*white.DISTRIBUTIONS]
Precision = Literal[*devices.PRECISIONS]
BiasRule = Literal[*stimulation.RULES]
Device = Annotated[str, AfterValidator(_device)]  # any device of torch that is there, or "auto"

Seed = Annotated[int, Field(ge=0, lt=2**64)]
Count = Annotated[int, Field(ge=1)]
Index = Annotated[int, Field(ge=0)]
Shuffles = Annotated[int, Field(ge=20)]  # enough for an interval of 95 %
Crowd = Annotated[int, Field(ge=50)]  # images among which each has twenty neighbours, and more
Levels = Annotated[int, Field(ge=2)]

Grid = Annotated[int, Field(ge=4, le=pretrained.SIDE)]  # pixels a side, of noise that a network sees enlarged
Pictures = Annotated[str, AfterValidator(_pictures)]  # a folder, "sample", or "own"; or none, ""
File = Annotated[str, AfterValidator(_file)]  # or none, ""

Bottleneck = Annotated[int, Field(ge=1)]  # numbers in a map
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Contrast = Annotated[float, Field(ge=0.01)]

ClassName = Annotated[str, BeforeValidator(_as_text)]
ClassPair = Annotated[str, BeforeValidator(_as_text), AfterValidator(_pair)]  # "1 7"
Patch = Annotated[str, AfterValidator(_backdoor)]  # patch, source and target: "X 0 1"

Some = Annotated[list[T], Field(min_length=1)]
Rising = Annotated[list[T], Field(min_length=1), AfterValidator(_rising)]
