"""The scorecard: every claim with what was published, what was measured, and the verdict; and how many of each."""

import math
from collections import Counter
from pathlib import Path

import pandas as pd

from wna_utils.analysis.estimates import Estimate
from wna_utils.report import claims
from wna_utils.report.measured import LOOKS, Measured
from wna_utils.report.pages import markdown, write
from wna_utils.report.rules import BY_CODE, NOT_TESTABLE, REPRODUCED, Amendment, Claim, Rule, ledger

HEAD = ":header-rows: 1\n:class: scorecard\n:widths: 8 34 13 13 20 12\n"
HEAD += "\n* - Section\n  - Claim\n  - Paper\n  - Southampton\n  - Ours\n  - Verdict\n"
FEWEST = 3  # networks that are to decide about networks
TWO_THERE_ARE = "two networks could be had"  # what the ledger says of rules about networks of ImageNet


def write_scorecard(measured: Measured, folder: Path) -> list[str]:
    """Write `scorecard.md`, the table of all claims, and `summary.md`, that of verdicts by section.

    Returns what no chapter recorded, though it has a rule; and, where results are judged, the estimates without an
    interval, the claims about networks that fewer than three decide, if the ledger gives no reason, and the rules that
    so few could not meet.
    """
    listed = ledger().values()
    rows = "".join(_row(claim, measured) for claim in listed)
    write(folder / "scorecard.md", f":::{{list-table}}\n{HEAD}{rows}:::\n")
    write(folder / "summary.md", _summary(measured))
    missing = [claim.id for claim in listed if claim.rule and claim.id not in measured.as_text]
    return [f"no notebook records the claim {name}" for name in missing] + _unexplained(measured)


def _unexplained(measured: Measured) -> list[str]:
    """Estimates that lack an interval, or three networks, without a reason in the ledger; rules out of reach."""
    found = []
    for claim in ledger().values() if measured.judged else ():
        ours = measured.as_text.get(claim.id)
        if ours and math.isnan(ours.low) and not claim.no_interval:
            found.append(f"the claim {claim.id} has no interval: the ledger must say why (no_interval)")
        if ours and claim.about == "networks" and (claim.counts or claim.own) and not claim.few and not _several(ours):
            found.append(f"few networks decide about the claim {claim.id}: the ledger must say why (few)")
        if ours and claim.rule and _out_of_reach(claim.rule, claim.unit, ours):
            found.append(
                f"the claim {claim.id} has a rule that no share of {ours.n} can meet: the ledger must amend it"
            )
    return found


def _out_of_reach(rule: Rule, unit: str, ours: Estimate) -> bool:
    """Whether all of n do what is claimed, and the interval is still too wide for "reproduced"."""
    low = rule.reproduced[0]
    return unit == "percent" and rule.use == "low" and ours.value == 1 and low is not None and ours.low < low


def _several(estimate: Estimate) -> bool:
    """Whether enough networks decide about networks."""
    return "networks" in estimate.of and estimate.n >= FEWEST


def _row(claim: Claim, measured: Measured) -> str:
    verdict = measured.verdict(claim)
    judged = [f"{{bdg-{LOOKS[verdict].badge}}}`{verdict}`"]
    judged += [_in_words(claim.rule, claim.unit)] if claim.rule else []
    judged += [f"by the code: {_in_words(claim.by_code, claim.unit)}"] if claim.by_code else []
    cells = (
        [f'<span id="{anchor(claim)}"></span>{section_title(claim.section)}'],
        [claim.statement, *_notes(claim)],
        [claim.paper],
        [claim.southampton],
        _measured(claim, measured),
        judged,
    )
    return "* - " + "\n  - ".join("\n\n    ".join(paragraphs) for paragraphs in cells) + "\n"


def _notes(claim: Claim) -> list[str]:
    """Where a claim stands, there and here, and what else is to be known about it."""
    where = claim.where.replace("*", r"\*")
    notes = [f"{where}; here {{numref}}`{claim.figure}`" if claim.figure else where]
    if claim.note:
        notes.append(claim.note)
    if claim.theorem:
        notes.append("A theorem: this checks it, and is not counted among the claims.")
    if claim.own:
        notes.append("A prediction or question of our own, which is not counted among the papers' claims.")
    if claim.same_as:
        notes.append(f"Said in another row, too (“{ledger()[claim.same_as].statement}”), and not counted again.")
    if claim.few:
        notes.append(f"Fewer than {FEWEST} networks decide: {claim.few}.")
    if claim.order == "history":
        said = "first rule" if any(each.rule for each in claim.amended) else "rule"
        notes.append(f"The history shows the {said} committed before the run.")
    elif claim.rule:
        notes.append("Rule and result came with one commit: that the rule was first, the history does not show.")
    return notes + [_before(each, claim.unit) for each in claim.amended]


def _measured(claim: Claim, measured: Measured) -> list[str]:
    """What was measured, or the reason why nothing was."""
    if not (ours := measured.as_text.get(claim.id)):
        return [claim.reason or "–"]
    said = [claims.in_words(ours, claim.unit, claim.rule)]
    if by_code := measured.as_code.get(claim.id):
        said.append(f"by the code: {claims.in_words(by_code, claim.unit, claim.by_code)}")
    if math.isnan(ours.low) and claim.no_interval:
        said.append(f"no interval: {claim.no_interval}")
    noise = measured.noise.get(claim.id)
    if noise and claim.id in measured.as_code:
        noise = f"as the text has it, {noise}; by the code it may be less, as the chapter says"
    return said + [noise] * bool(noise)


def _before(amendment: Amendment, unit: str) -> str:
    """What a claim said before it was amended, and why it was."""
    said = f"Amended {amendment.when}: {amendment.why}."
    if amendment.statement:
        said += f" It said: “{amendment.statement}”"
    if amendment.rule:
        said += f" Its rule was: {_in_words(amendment.rule, amendment.unit or unit)}."
    return f"{said} By that it was *{amendment.verdict}*."


def _in_words(rule: Rule, unit: str) -> str:
    """A rule in words: "low end 0.50 to 0.97; partly 0.30 to 0.99"."""
    end = "" if rule.use == "value" else f"{rule.use} end "
    return f"{end}{_range(rule.reproduced, unit)}; partly {_range(rule.partly, unit)}"


def _range(limits: tuple[float | None, float | None], unit: str) -> str:
    scale, sign = {"percent": (100, " %"), "points": (100, " points")}.get(unit, (1, ""))
    low, high = (None if limit is None else f"{limit * scale:.4g}".replace("-", "−") for limit in limits)
    if low is None:
        return f"up to {high}{sign}"
    return f"from {low}{sign}" if high is None else f"{low} to {high}{sign}"


def _summary(measured: Measured) -> str:
    """How many claims were reproduced, and how many would be by chance; a table by section."""
    listed = [claim for claim in ledger().values() if claim.counts]
    verdicts = {claim.id: measured.verdict(claim) for claim in ledger().values()}
    sections = dict.fromkeys(claim.section for claim in listed)
    counted = Counter((claim.section, verdicts[claim.id]) for claim in listed)
    used = [verdict for verdict in LOOKS if verdict in {verdicts[claim.id] for claim in listed}]
    table = pd.DataFrame(
        {verdict: [counted[section, verdict] for section in sections] for verdict in used},
        index=[section_title(section) for section in sections],
    )
    total = ", ".join(f"**{n}** {verdict}" for verdict, n in table.sum().items())
    said = [f"Of {len(listed)} claims: {total}."]
    if measured.judged:
        by_chance = sum(claim.chance() for claim in listed if verdicts[claim.id] != NOT_TESTABLE)
        said.append(
            f"By {{ref}}`a crude yardstick <by-chance>`, chance alone would give about {by_chance:.0f} “reproduced”."
        )
        said.append(_networks(listed, measured))
        if barely := sum(_by_value_alone(claim, measured) for claim in listed):
            said.append(
                f"Of what is reproduced, {barely} are so by the value alone: the interval leaves the rule's range."
            )
    said += _order([claim for claim in listed if claim.rule])
    theorems = [claim for claim in ledger().values() if claim.theorem]
    if theorems and measured.judged:
        hold = sum(verdicts[claim.id] == REPRODUCED for claim in theorems)
        said.append(f"Of {len(theorems)} theorems, which are checked and not counted, {hold} hold.")
    predicted = Counter(verdicts[claim.id] for claim in ledger().values() if claim.own)
    if predicted and measured.judged:
        came = ", ".join(f"{predicted[verdict]} {verdict}" for verdict in LOOKS if predicted[verdict])
        said.append(f"Of {predicted.total()} predictions and questions of our own, also not counted: {came}.")
    if again := sum(claim.same_as is not None for claim in ledger().values()):
        said.append(f"{again} rows that say again what another says are not counted.")
    return f"{' '.join(said)}\n\n{markdown(table.reset_index(names='section'))}\n"


def _order(decided: list[Claim]) -> list[str]:
    """How many rules were amended after a result, and of how many the history shows that they came before it."""
    if not decided:
        return []
    other_rule = sum(any(each.rule for each in claim.amended) for claim in decided)
    otherwise = sum(bool(claim.amended) for claim in decided) - other_rule
    shown = [claim for claim in decided if claim.order == "history"]
    expected = sum("prototype" in (claim.note or "") for claim in shown)
    seen = f" (for {expected} of them a prototype had been run)" if expected else ""
    return [
        f"Of {len(decided)} rules, {other_rule} were replaced in the open after a first result had been seen; of "
        f"{otherwise} more, what is measured or counted was changed, or a rule by the code was added. Their rows say "
        f"how and why. That the first rule is older than the first result, the history shows of {len(shown)}{seen}; of "
        "the others it is our word."
    ]


def _networks(listed: list[Claim], measured: Measured) -> str:
    """How many rules about networks several networks decide."""
    found = [each for each in listed if each.about == "networks" and each.id in measured.as_text]
    several = sum(_several(measured.as_text[each.id]) and not each.few for each in found)
    there = sum(each.few == TWO_THERE_ARE for each in found)
    others = f"; for {there} others, about networks of ImageNet, {TWO_THERE_ARE}" if there else ""
    return f"Of the {len(found)} rules about networks, {several} are decided by {FEWEST} networks or more{others}."


def _by_value_alone(claim: Claim, measured: Measured) -> bool:
    """Whether a claim is reproduced by an estimate whose interval reaches beyond what the rule asks of the value."""
    judged = {
        REPRODUCED: (claim.rule, measured.as_text.get(claim.id)),
        BY_CODE: (claim.by_code, measured.as_code.get(claim.id)),
    }
    rule, estimate = judged.get(measured.verdict(claim), (None, None))
    if not (rule and estimate) or rule.use != "value":
        return False
    low, high = rule.reproduced
    return (low is not None and estimate.low < low) or (high is not None and estimate.high > high)


def section_title(section: str) -> str:
    """What a section of the ledger is called on pages."""
    return f"§{section}" if section[0].isdigit() else section


def anchor(claim: Claim) -> str:
    """The id of a claim's row on the scorecard's page."""
    return f"claim-{claim.id}"
