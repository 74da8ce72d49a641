"""What every room leans on: checks of arguments, devices, paths, progress bars, hashes, workers."""

from wna_utils.support.checks import at_least, between, fraction, one_of, positive

__all__ = ["at_least", "between", "fraction", "one_of", "positive"]
