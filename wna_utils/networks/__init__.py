"""Networks: architectures, generators and their training; layers to read, and other ways to answer."""

from wna_utils.networks.answers import ConfidenceBins, OnlySaturated
from wna_utils.networks.architectures import MODELS, build, paper_cnn
from wna_utils.networks.generators import Generator
from wna_utils.networks.layers import Field, field_of, readout
from wna_utils.networks.observer import Observer
from wna_utils.networks.training import Recipe, accuracy, predict, recipe_of, trained

__all__ = [
    "MODELS",
    "ConfidenceBins",
    "Field",
    "Generator",
    "Observer",
    "OnlySaturated",
    "Recipe",
    "accuracy",
    "build",
    "field_of",
    "paper_cnn",
    "predict",
    "readout",
    "recipe_of",
    "trained",
]
