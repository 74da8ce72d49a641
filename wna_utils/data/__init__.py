"""Data sets: fetched and verified, as tensors in [0, 1]."""

from wna_utils.data.datasets import CLASSES, NAMES, Dataset, load
from wna_utils.data.fetch import DataUnavailable, ensure_files

__all__ = ["CLASSES", "NAMES", "DataUnavailable", "Dataset", "ensure_files", "load"]
