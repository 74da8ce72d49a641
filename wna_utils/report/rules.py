"""The rules: what the ledger says of every claim, and how a rule decides about an estimate.

The ledger is `book/claims.yml`, and beside it a file for each companion study, such as `book/claims_pardo.yml`, and one
for what this book itself predicts.
"""

import math
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

from wna_utils.analysis.estimates import Estimate
from wna_utils.support.paths import ROOT

LEDGER = ROOT / "book" / "claims.yml"
REPRODUCED, PARTLY, NOT_REPRODUCED, NOT_TESTABLE = "reproduced", "partly", "not reproduced", "not testable"
UNDETERMINED = "undetermined"  # not shown, but the interval reaches what would show it
BY_CODE = "reproduced by the code's rule"  # but not by the text's
NOT_JUDGED = "not judged"  # by sizes that are for trying things out
SIGNIFICANT = 0.025  # how often one end of a 95 % interval lies beyond a null hypothesis that is true
Range = tuple[float | None, float | None]
Unit = Literal["percent", "points", "number", "count"]  # points: differences of percentages


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Strict):
    """Closed ranges that decide about an estimate's value, or about one end of its interval.

    Where "partly" reaches past zero to allow for uncertainty, the value itself must have the sign that is claimed.
    """

    use: Literal["value", "low", "high"] = "value"
    reproduced: Range
    partly: Range

    def verdict(self, estimate: Estimate) -> str:
        value = getattr(estimate, self.use)
        if math.isnan(value):
            return NOT_TESTABLE
        for verdict, (low, high) in ((REPRODUCED, self.reproduced), (PARTLY, self.partly)):
            if (
                (low is None or value >= low)
                and (high is None or value <= high)
                and not self._wrong_sign(estimate.value)
            ):
                return verdict
        return UNDETERMINED if self._reached(estimate) else NOT_REPRODUCED

    def _reached(self, estimate: Estimate) -> bool:
        """Whether the interval of an estimate, if there is one, overlaps what would be called reproduced."""
        low, high = self.reproduced
        return (low is None or estimate.high >= low) and (high is None or estimate.low <= high)

    def _wrong_sign(self, value: float) -> bool:
        """Whether a value has not the sign that an end of its interval must have for "reproduced"."""
        low, high = self.reproduced
        positive = self.use == "low" and low is not None and low >= 0 and value < 0
        return positive or (self.use == "high" and high is not None and high < 0 and value > 0)

    def chance(self, possible: tuple[float, float], counted: bool = False) -> float:
        """Probability that the rule says "reproduced" by chance alone: a crude yardstick.

        A rule about an end of the interval asks for a difference from chance, which is found in 2.5 % of cases where
        there is none. For a rule about the value, the probability is the fraction of the `possible` range that it
        covers; for a `counted` quantity, the fraction of the possible integers.
        """
        if self.use != "value":
            return SIGNIFICANT
        (low, high), (least, most) = self.reproduced, possible
        low, high = (least if low is None else max(low, least)), (most if high is None else min(high, most))
        if counted:
            return max(math.floor(high) - math.ceil(low) + 1, 0) / (most - least + 1)
        return max(high - low, 0) / (most - least)


class Amendment(_Strict):
    """What a claim said before it was amended; what was not changed is not repeated."""

    when: date
    why: str
    verdict: str  # what the estimate of the time got by it
    rule: Rule | None = None
    unit: Unit | None = None
    statement: str | None = None


class Claim(_Strict):
    """One claim of the paper or of a replication; see the head of `book/claims.yml`."""

    id: str
    section: str
    where: str
    statement: str
    paper: str
    southampton: str = "–"
    unit: Unit
    figure: str | None = None
    rule: Rule | None = None
    by_code: Rule | None = None
    reason: str | None = None
    theorem: bool = False
    own: bool = False
    same_as: str | None = None
    about: Literal["networks", "data"] = "networks"
    possible: tuple[float, float] | None = None
    no_interval: str | None = None
    few: str | None = None
    note: str | None = None
    order: Literal["history", "word"] = "word"
    amended: tuple[Amendment, ...] = ()

    @model_validator(mode="after")
    def _decidable(self):
        if (self.rule is None) == (self.reason is None):
            raise ValueError(f"claim {self.id} needs either a rule or a reason why it cannot be tested")
        if self.rule and not self.figure:
            raise ValueError(f"claim {self.id} needs the label of the figure that shows it")
        if self.by_code and not self.rule:
            raise ValueError(f"claim {self.id} has a rule of the code, but none of the text")
        return self

    @property
    def counts(self) -> bool:
        """Whether it counts among the papers' or a replication's claims: theorems don't, nor what we predict ourselves.

        What another claim says again is counted once.
        """
        return not (self.theorem or self.own or self.same_as)

    def verdict(self, estimate: Estimate | None, by_code: Estimate | None = None) -> str:
        """What the rules say of what was measured as the text says it, and as the code does it."""
        if not (self.rule and estimate):
            return NOT_TESTABLE
        verdict = self.rule.verdict(estimate)
        of_code = self.by_code.verdict(by_code) if self.by_code and by_code else NOT_TESTABLE
        if of_code == REPRODUCED and verdict not in (REPRODUCED, NOT_TESTABLE):
            return BY_CODE
        reached = of_code in (PARTLY, UNDETERMINED) and self.by_code._reached(by_code)
        return UNDETERMINED if verdict == NOT_REPRODUCED and reached else verdict

    def chance(self) -> float:
        """How often "reproduced" would come out by chance; see `Rule.chance`."""
        if not self.rule:
            return 0.0
        low = self.rule.reproduced[0]
        share = (-1 if low is not None and low < 0 else 0, 1)
        usual = {"percent": share, "points": share, "count": (0, 10), "number": (-1, 1)}
        return self.rule.chance(self.possible or usual[self.unit], counted=self.unit == "count")


@cache
def ledger(*files: Path) -> dict[str, Claim]:
    """All claims by id, of these files or of all that there are.

    Raises `ValueError` if one is malformed, stands twice or repeats no counted claim.
    """
    files = files or (LEDGER, *sorted(LEDGER.parent.glob("claims_*.yml")))
    claims = [Claim(**entry) for file in files for entry in yaml.safe_load(file.read_text())]
    by_id = {claim.id: claim for claim in claims}
    if len(by_id) < len(claims):
        raise ValueError(f"{' and '.join(file.name for file in files)}: the same id stands twice")
    for claim in claims:
        if claim.same_as:
            same = by_id.get(claim.same_as)
            if not (same and same.counts and same.rule == claim.rule):
                raise ValueError(f"the claim {claim.id} is not the same as {claim.same_as}, by its rule")
    return by_id
