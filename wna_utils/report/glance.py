"""Verdicts at a glance: all of them in one picture for the first page, and those of a chapter in a table at its top."""

from collections import Counter
from html import escape
from pathlib import Path

import pandas as pd

from wna_utils.report import claims
from wna_utils.report.measured import LOOKS, Measured
from wna_utils.report.pages import markdown, write
from wna_utils.report.rules import Claim, ledger
from wna_utils.report.scorecard import anchor, section_title


def write_glance(measured: Measured, folder: Path) -> None:
    """Write `glance.md`, a cell for each counted claim by section, and `verdicts/<chapter>.md` for every chapter."""
    write(folder / "glance.md", _picture(measured))
    for chapter, recorded in measured.of_chapter.items():
        listed = [claim for claim in ledger().values() if claim.id in recorded]
        write(folder / "verdicts" / f"{chapter}.md", _of_chapter(listed, measured))


def _picture(measured: Measured) -> str:
    """Rows of linked cells as HTML: the sign and colour of a cell say the verdict, its title the claim."""
    listed = [claim for claim in ledger().values() if claim.counts]
    rows = []
    for section in dict.fromkeys(claim.section for claim in listed):
        cells = "".join(_cell(claim, measured.verdict(claim)) for claim in listed if claim.section == section)
        rows.append(f"<dt>{escape(section_title(section))}</dt><dd>{cells}</dd>")
    used = {measured.verdict(claim) for claim in listed}
    legend = " ".join(f"{_sign(verdict)} {escape(verdict)}" for verdict in LOOKS if verdict in used)
    return f'```{{raw}} html\n<dl class="glance">{"".join(rows)}</dl>\n<p class="glance">{legend}</p>\n```\n'


def _cell(claim: Claim, verdict: str) -> str:
    words = escape(f"{claim.statement} {verdict.capitalize()}.")
    return f'<a href="scorecard.html#{anchor(claim)}" title="{words}" aria-label="{words}">{_sign(verdict)}</a>'


def _sign(verdict: str) -> str:
    kind = verdict.replace(" ", "-").replace("'", "")
    return f'<span class="verdict {kind}" aria-hidden="true">{LOOKS[verdict].sign}</span>'


def _link(claim: Claim, text: str) -> str:
    """A link from a chapter to the claim's row on the scorecard."""
    return f'<a href="../scorecard.html#{anchor(claim)}">{escape(text)}</a>'


def _ours(claim: Claim, measured: Measured) -> str:
    """What was measured, by the text and, where the code has a rule of its own, by the code."""
    said = str(claims.in_words(measured.as_text[claim.id], claim.unit, claim.rule))
    by_code = measured.as_code.get(claim.id)
    return f"{said}; by the code {claims.in_words(by_code, claim.unit, claim.by_code)}" if by_code else said


def _of_chapter(listed: list[Claim], measured: Measured) -> str:
    """The verdicts on these claims, folded: how many of each, and a row for each with what was measured."""
    if not listed:
        return ""
    verdicts = {claim.id: measured.verdict(claim) for claim in listed}
    counted = Counter(verdicts.values())
    title = ", ".join(f"{counted[verdict]} {verdict}" for verdict in LOOKS if verdict in counted)
    rows = [
        {
            "Claim": claim.statement,
            "Paper": claim.paper,
            "Ours": _ours(claim, measured),
            "Verdict": f"{_sign(verdicts[claim.id])} {_link(claim, verdicts[claim.id])}",
            "Shown in": f"{{numref}}`{claim.figure}`",
        }
        for claim in listed
    ]
    return f":::{{dropdown}} Claims of this chapter: {title}\n{markdown(pd.DataFrame(rows))}\n:::\n"
