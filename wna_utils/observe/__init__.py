"""Showing stimuli to observers: the one loop, and the tallies that it fills."""

from wna_utils.observe.calls import CallTally
from wna_utils.observe.cells import CellTally
from wna_utils.observe.graded import GradedTally
from wna_utils.observe.layers import ActivationTally
from wna_utils.observe.loop import observe
from wna_utils.observe.neurons import Added, ComplexCell, LinearNonlinear, gabor_pair
from wna_utils.observe.recording import Recording, in_halves
from wna_utils.observe.spike_triggered_average import (
    FieldTally,
    cosines,
    expected_cosines,
    jackknife,
    spike_triggered,
)
from wna_utils.observe.spike_triggered_covariance import (
    CovarianceTally,
    largest_angle,
    spike_triggered_covariance,
)
from wna_utils.observe.tally import ClassTally, Maps, Tally

__all__ = [
    "ActivationTally",
    "Added",
    "CallTally",
    "CellTally",
    "ClassTally",
    "ComplexCell",
    "CovarianceTally",
    "FieldTally",
    "GradedTally",
    "LinearNonlinear",
    "Maps",
    "Recording",
    "Tally",
    "cosines",
    "expected_cosines",
    "gabor_pair",
    "in_halves",
    "jackknife",
    "largest_angle",
    "observe",
    "spike_triggered",
    "spike_triggered_covariance",
]
