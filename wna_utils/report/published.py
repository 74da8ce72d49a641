"""Published numbers, from `book/published.yml`, so that none is typed into a notebook."""

from typing import Any

import yaml

from wna_utils.support import paths
from wna_utils.support.checks import one_of


def published(key: str) -> Any:
    """What was published under this key of the file; raises `ValueError` for a key that it lacks."""
    numbers = yaml.safe_load((paths.ROOT / "book" / "published.yml").read_text(encoding="utf-8"))
    one_of("published", key, numbers)
    return numbers[key]
