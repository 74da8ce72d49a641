"""Claims in notebooks: estimates recorded under them, with their verdicts, and numbers for the prose."""

import json
import math
import re
from collections import Counter
from collections.abc import Sequence

import nbformat

from wna_utils.analysis.courses import Course
from wna_utils.analysis.estimates import Estimate
from wna_utils.observe.tally import Tally
from wna_utils.report.params import running_profile
from wna_utils.report.profiles import JUDGED
from wna_utils.report.rules import NOT_JUDGED, Rule, ledger
from wna_utils.report.tables import number

# What glued estimates are called begins so: as the text says it, as the code does it, and the noise behind them.
METRIC, CODE, SHOWN = "metric: ", "by the code: ", "shown: "


class Printed(str):
    """Text that prints without quotes, also where a page shows an object's representation."""

    __repr__ = str.__str__


def record(
    claim_id: str, estimate: Estimate, shown: Sequence[Tally | Course] = (), by_code: Estimate | None = None
) -> None:
    """Record an estimate under its claim, for the scorecard and for the prose of the page.

    `shown` are the tallies or courses of training that it rests on, so that the scorecard can say how much noise that
    was, shown to how many networks, and whether now or for the records. `by_code` is the estimate by the rule of the
    authors' code, where that differs from the text.

    Glues the estimate in words as `{claim_id}`, the other as `{claim_id}_by_code`, and the verdict as
    `{claim_id}_verdict`; in a profile whose numbers are no results, that is "not judged". Raises `KeyError` for an id
    that the ledger lacks.
    """
    from myst_nb import glue

    claim = ledger()[claim_id]
    glue(claim_id, in_words(estimate, claim.unit, claim.rule), display=False)
    verdict = claim.verdict(estimate, by_code) if running_profile() in JUDGED else NOT_JUDGED
    glue(f"{claim_id}_verdict", Printed(verdict), display=False)
    glue(f"{METRIC}{claim_id}", Printed(json.dumps(vars(estimate))), display=False)
    if by_code:
        glue(f"{claim_id}_by_code", in_words(by_code, claim.unit, claim.by_code), display=False)
        glue(f"{CODE}{claim_id}", Printed(json.dumps(vars(by_code))), display=False)
    glue(f"{SHOWN}{claim_id}", Printed(_shown_in_words(shown)), display=False)


def _shown_in_words(shown: Sequence[Tally | Course]) -> str:
    """How much noise how many networks were shown: "noise: 5 × 10,000,000, recorded"."""
    groups = Counter((tally.n, tally.recorded) for tally in shown)
    each = [f"{count} × {n:,}{', recorded' if kept else ''}" for (n, kept), count in groups.items()]
    return f"noise: {'; '.join(each)}" if each else ""


def say(key: str, value: Estimate | float | str, unit: str = "number") -> None:
    """Glue a number that is not a claim's, in words, under `key`, so that prose never types it.

    Raises `ValueError` for a bare "1,234": the page would show it as a Python tuple, (1, 234).
    """
    from myst_nb import glue

    if isinstance(value, Estimate):
        value = in_words(value, unit)
    text = value if isinstance(value, str) else _number(value, unit)
    if re.fullmatch(r"[\d,]*,\d+", text):
        raise ValueError(f"{key} is the bare number {text}: say what is counted, too")
    glue(key, Printed(text), display=False)


def in_words(estimate: Estimate, unit: str, rule: Rule | None = None) -> Printed:
    """An estimate as text: value, interval and n; with one digit more if what a `rule` asks for hangs on it."""
    if math.isnan(estimate.value):
        return Printed("no samples")
    size = abs(estimate.value)
    decimals = 0 if size in (0, 1) else 1 if 0.01 <= size <= 0.985 else 2
    digits = {"percent": decimals + 2, "points": max(decimals, 1) + 2}.get(unit, 2)
    more = int(rule is not None and _rounded_to_an_edge(estimate, rule, digits))
    value, low, high = (_number(each, unit, decimals, more) for each in (estimate.value, estimate.low, estimate.high))
    low = low.removesuffix(" %").removesuffix(" points")
    interval = "" if math.isnan(estimate.low) else f"95 % CI {low} to {high}; "
    of = "network" if (estimate.n, estimate.of) == (1, "networks") else estimate.of
    return Printed(f"{value} ({interval}n = {estimate.n:,} {of})")


def _rounded_to_an_edge(estimate: Estimate, rule: Rule, digits: int) -> bool:
    """Whether what decides, rounded to so many digits, is an edge of the rule's ranges that it is not itself."""
    decides = getattr(estimate, rule.use)
    edges = {edge for edge in (*rule.reproduced, *rule.partly) if edge is not None}
    return any(decides != edge and round(decides, digits) == round(edge, digits) for edge in edges)


def _number(value: float, unit: str, decimals: int = 1, more: int = 0) -> str:
    if unit == "count":
        return (f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}").replace("-", "−")
    if unit == "percent":
        too_small_to_round = 0 < abs(value) < 0.00005
        return (
            f"{100 * value:.1g} %".replace("-", "−")
            if too_small_to_round
            else number(value, decimals + more, percent=True)
        )
    return f"{number(100 * value, max(decimals, 1) + more)} points" if unit == "points" else number(value, 2 + more)


def recorded(notebook: nbformat.NotebookNode, prefix: str = METRIC) -> dict[str, Estimate]:
    """The estimates that an executed notebook recorded, by claim id: of the text's rule (`METRIC`) or the `CODE`'s."""
    return {claim: Estimate(**json.loads(text)) for claim, text in _glued(notebook, prefix).items()}


def noise_shown(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """How much noise the estimates of an executed notebook rest on, in words, by claim id; empty: none."""
    return _glued(notebook, SHOWN)


def _glued(notebook: nbformat.NotebookNode, prefix: str) -> dict[str, str]:
    found = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name", "")
            if name.startswith(prefix):
                found[name.removeprefix(prefix)] = next(iter(output["data"].values()))
    return found
