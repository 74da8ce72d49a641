"""Stimuli: sources of numbered blocks of images, made of noise, pictures, or both."""

from wna_utils.stimuli.blocks import Block, SmallBlocks, Source
from wna_utils.stimuli.gabor import GaborModel, GaborNoise, fit_gabor, gabor_of
from wna_utils.stimuli.generated import GeneratedNoise
from wna_utils.stimuli.mixtures import mixed
from wna_utils.stimuli.pictures import Pictures, SignalPlusNoise
from wna_utils.stimuli.smooth import PinkNoise, SmoothNoise
from wna_utils.stimuli.wavelets import ONE_OCTAVE
from wna_utils.stimuli.white import DISTRIBUTIONS, WhiteNoise

__all__ = [
    "DISTRIBUTIONS",
    "ONE_OCTAVE",
    "Block",
    "GaborModel",
    "GaborNoise",
    "GeneratedNoise",
    "Pictures",
    "PinkNoise",
    "SignalPlusNoise",
    "SmallBlocks",
    "SmoothNoise",
    "Source",
    "WhiteNoise",
    "fit_gabor",
    "gabor_of",
    "mixed",
]
