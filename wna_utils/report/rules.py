"""The rules: what the ledger `book/claims.yml` says of every claim, and how a rule decides about an estimate."""

import math
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

from wna_utils.analysis.estimates import Estimate
from wna_utils.support.paths import ROOT

LEDGER = ROOT / "book" / "claims.yml"
REPRODUCED, PARTLY, NOT_REPRODUCED, NOT_TESTABLE = "reproduced", "partly", "not reproduced", "not testable"
NOT_JUDGED = "not judged"  # by sizes that are for trying things out
Range = tuple[float | None, float | None]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Strict):
    """Closed ranges that decide about an estimate's value, or about one end of its interval."""

    use: Literal["value", "low", "high"] = "value"
    reproduced: Range
    partly: Range

    def verdict(self, estimate: Estimate) -> str:
        value = getattr(estimate, self.use)
        if math.isnan(value):
            return NOT_TESTABLE
        for verdict, (low, high) in ((REPRODUCED, self.reproduced), (PARTLY, self.partly)):
            if (low is None or value >= low) and (high is None or value <= high):
                return verdict
        return NOT_REPRODUCED


class Claim(_Strict):
    """One claim of the paper or of a replication; see the head of `book/claims.yml`."""

    id: str
    section: str
    where: str
    statement: str
    paper: str
    southampton: str = "–"
    unit: Literal["percent", "number", "count"]
    figure: str | None = None
    rule: Rule | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _decidable(self):
        if (self.rule is None) == (self.reason is None):
            raise ValueError(f"claim {self.id} needs either a rule or a reason why it cannot be tested")
        if self.rule and not self.figure:
            raise ValueError(f"claim {self.id} needs the label of the figure that shows it")
        return self


@cache
def ledger(path: Path = LEDGER) -> dict[str, Claim]:
    """All claims by id; raises `ValueError` if one is malformed or an id stands twice."""
    claims = [Claim(**entry) for entry in yaml.safe_load(path.read_text())]
    by_id = {claim.id: claim for claim in claims}
    if len(by_id) < len(claims):
        raise ValueError(f"{path.name} has the same id twice")
    return by_id
