"""What the executed chapters recorded of the ledger's claims, the verdicts, and how a verdict looks on pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import nbformat

from wna_utils.analysis.estimates import Estimate
from wna_utils.report import claims
from wna_utils.report.pages import profile
from wna_utils.report.profiles import JUDGED
from wna_utils.report.rules import (
    BY_CODE,
    NOT_JUDGED,
    NOT_REPRODUCED,
    NOT_TESTABLE,
    PARTLY,
    REPRODUCED,
    UNDETERMINED,
    Claim,
)


class Look(NamedTuple):
    """How a verdict looks: the sign in a picture of all of them, and the kind of badge in a table."""

    sign: str
    badge: str


LOOKS = {  # in the order in which verdicts are listed
    REPRODUCED: Look("✓", "success"),
    BY_CODE: Look("c", "info"),
    PARTLY: Look("~", "warning"),
    UNDETERMINED: Look("?", "secondary"),
    NOT_REPRODUCED: Look("✗", "danger"),
    NOT_TESTABLE: Look("–", "light"),
    NOT_JUDGED: Look("·", "light"),
}


@dataclass(frozen=True)
class Measured:
    """What the chapters recorded, by claim: as the text says it, as the code does it, and the noise behind it."""

    as_text: Mapping[str, Estimate]
    as_code: Mapping[str, Estimate]
    noise: Mapping[str, str]
    of_chapter: Mapping[str, frozenset[str]]  # ids of the claims that each chapter records, by its name
    judged: bool  # whether all chapters have sizes that give results

    @classmethod
    def of(cls, chapters: list[Path]) -> "Measured":
        """What these executed chapters recorded."""
        as_text, as_code, noise, of_chapter, judged = {}, {}, {}, {}, True
        for chapter in chapters:
            notebook = nbformat.read(chapter, as_version=4)
            judged &= profile(notebook) in JUDGED
            recorded = claims.recorded(notebook)
            as_text |= recorded
            of_chapter[chapter.stem] = frozenset(recorded)
            as_code |= claims.recorded(notebook, claims.CODE)
            noise |= claims.noise_shown(notebook)
        return cls(as_text, as_code, noise, of_chapter, judged)

    def verdict(self, claim: Claim) -> str:
        """What the claim's rules say of it, if it has any; where sizes are for trying things out, nothing is judged."""
        verdict = claim.verdict(self.as_text.get(claim.id), self.as_code.get(claim.id))
        return verdict if self.judged or not claim.rule else NOT_JUDGED
