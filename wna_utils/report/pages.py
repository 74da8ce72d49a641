"""What pages include that is made from the executed chapters: scorecard, its summary, status of the build, cover."""

import base64
from collections import Counter
from pathlib import Path

import nbformat
import pandas as pd

from wna_utils.analysis.estimates import Estimate
from wna_utils.report import claims
from wna_utils.report.audit import Finding
from wna_utils.report.profiles import JUDGED, notice
from wna_utils.report.rules import NOT_JUDGED, NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED, Claim, ledger
from wna_utils.support import paths, recorded

RECORDS = {
    "networks": "Networks",
    "tallies": "Tallies",
    "courses": "Courses of training",
    "noise": "Models of noise",
}
BADGES = {
    REPRODUCED: "success",
    PARTLY: "warning",
    NOT_REPRODUCED: "danger",
    NOT_TESTABLE: "light",
    NOT_JUDGED: "light",
}


def write_scorecard(chapters: list[Path], folder: Path) -> list[str]:
    """Write `scorecard.md`, the table of all claims, and `summary.md`, that of verdicts by section.

    Where a chapter has sizes for trying things out, nothing is judged. Returns what no chapter recorded, though it has
    a rule.
    """
    ours, noise, judged = {}, {}, True
    for chapter in chapters:
        notebook = nbformat.read(chapter, as_version=4)
        judged &= _profile(notebook) in JUDGED
        ours |= claims.recorded(notebook)
        noise |= claims.noise_shown(notebook)
    listed = ledger().values()
    verdicts = {claim.id: _verdict(claim, ours.get(claim.id), judged) for claim in listed}
    rows = [_row(claim, verdicts[claim.id], ours.get(claim.id), noise.get(claim.id)) for claim in listed]
    head = "* - Section\n  - Claim\n  - Paper\n  - Southampton\n  - Ours\n  - Verdict\n"
    options = ":header-rows: 1\n:class: scorecard\n:widths: 8 34 14 14 22 8\n"
    _write(folder / "scorecard.md", f":::{{list-table}}\n{options}\n{head}{''.join(rows)}:::\n")

    sections = dict.fromkeys(claim.section for claim in listed)
    counted = Counter((claim.section, verdicts[claim.id]) for claim in listed)
    table = pd.DataFrame(
        {
            verdict: [counted[section, verdict] for section in sections]
            for verdict in BADGES
            if verdict in verdicts.values()
        },
        index=[_section(section) for section in sections],
    )
    total = ", ".join(f"**{n}** {verdict}" for verdict, n in table.sum().items() if n)
    _write(
        folder / "summary.md", f"Of {len(listed)} claims: {total}.\n\n{_markdown(table.reset_index(names='section'))}\n"
    )
    return [f"no notebook records the claim {claim.id}" for claim in listed if claim.rule and claim.id not in ours]


def _profile(chapter: nbformat.NotebookNode) -> str:
    return chapter.metadata.get("wna", {}).get("profile", "book")


def _verdict(claim: Claim, estimate: Estimate | None, judged: bool) -> str:
    if not (claim.rule and estimate):
        return NOT_TESTABLE
    return claim.rule.verdict(estimate) if judged else NOT_JUDGED


def write_notice(chapters: list[Path], folder: Path) -> None:
    """Write `notice.txt`, the text of a banner for every page: empty if all chapters show results."""
    profiles = [_profile(nbformat.read(chapter, as_version=4)) for chapter in chapters]
    _write(folder / "notice.txt", next((text for text in map(notice, profiles) if text), ""))


def _row(claim: Claim, verdict: str, ours: Estimate | None, noise: str | None) -> str:
    where = claim.where.replace("*", r"\*")
    shown = f"; here {{numref}}`{claim.figure}`" if claim.figure else ""
    cells = (
        _section(claim.section),
        f"{claim.statement}\n\n    {where}{shown}",
        claim.paper,
        claim.southampton,
        claims.in_words(ours, claim.unit) + (f"\n\n    {noise}" if noise else "") if ours else claim.reason,
        f"{{bdg-{BADGES[verdict]}}}`{verdict}`",
    )
    return "* - " + "\n  - ".join(map(str, cells)) + "\n"


def _section(section: str) -> str:
    return f"§{section}" if section[0].isdigit() else section


def write_status(chapters: list[Path], folder: Path) -> None:
    """Write `status.md`: when, where, by which commit and in what time each chapter was executed."""
    rows = []
    for chapter in chapters:
        notebook = nbformat.read(chapter, as_version=4)
        run, wna = notebook.metadata.papermill, notebook.metadata.wna
        minutes, seconds = divmod(round(run.duration), 60)
        rows.append(
            {
                "chapter": f"{{doc}}`{chapter.stem} <chapters/{chapter.stem}>`",
                "executed (UTC)": run.end_time[:16].replace("T", " "),
                "duration": f"{minutes} min {seconds} s",
                "commit": wna.commit,
                "device": wna.device,
                "versions": wna.versions,
            }
        )
    total = sum(nbformat.read(chapter, as_version=4).metadata.papermill.duration for chapter in chapters) / 60
    _write(folder / "status.md", f"{_markdown(pd.DataFrame(rows))}\n\nAll chapters together: {total:.0f} minutes.\n")


def write_records(findings: list[Finding], folder: Path) -> None:
    """Write `records.md`: what is recorded, when and by what it was made, and what this build's audit found of it."""
    differences = {each.name: f"{each.difference:.2%}" for each in findings if each.difference is not None}
    parts = []
    for kind, title in RECORDS.items():
        files = [path for path in recorded.files() if path.parent.name == kind]
        if files:
            size = sum(path.stat().st_size for path in files) / 1e6
            files_in_words = f"{len(files)} file{'s' if len(files) > 1 else ''}"
            table = pd.DataFrame([_made(path, differences.get(path.stem, "")) for path in files])
            parts.append(f"### {title}\n\n{_markdown(table)}\n\n{files_in_words}, {size:.1f} MB.\n")
    _write(folder / "records.md", "\n".join(parts))


def unread_records(chapters: list[Path]) -> list[str]:
    """What is recorded, but taken by no chapter: evidence that the book does not show. None where results are none."""
    notebooks = [nbformat.read(chapter, as_version=4) for chapter in chapters]
    if not recorded.used() or any(_profile(notebook) not in JUDGED for notebook in notebooks):
        return []
    outputs = [output for notebook in notebooks for cell in notebook.cells for output in cell.get("outputs", [])]
    taken = {name for output in outputs for name in output.get("metadata", {}).get("records", [])}
    unread = sorted({recorded.title(path) for path in recorded.files()} - taken)
    return [f"no chapter reads the record {name}: ask for it in a notebook, or delete it" for name in unread]


def _made(path: Path, difference: str) -> dict[str, str]:
    """The row of a record."""
    about = recorded.about(path)
    made = about["made"]
    accuracy = {"test accuracy": f"{about['accuracy']:.2%}"} if "accuracy" in about else {}
    found = {"differs now": difference} if difference else {}
    return (
        {"record": path.stem}
        | accuracy
        | found
        | {
            "made in": "–" if made["seconds"] is None else f"{made['seconds'] / 60:.1f} min",
            "on": made["date"],
            "commit": made["commit"],
            "device": made["device"],
            "versions": made["versions"],
        }
    )


def _markdown(table: pd.DataFrame) -> str:
    lines = [table.columns, ["---"] * table.shape[1], *table.to_numpy()]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def write_cover(chapter: Path, figure: str, folder: Path) -> None:
    """Write `cover.png`, the picture of the first page: the figure of this label, from an executed chapter."""
    [cell] = [
        cell
        for cell in nbformat.read(chapter, as_version=4).cells
        if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") == figure
    ]
    [picture] = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
    with paths.replacing(folder / "cover.png") as temporary:
        temporary.write_bytes(base64.b64decode(picture))


def _write(target: Path, text: str) -> None:
    with paths.replacing(target) as temporary:
        temporary.write_text(text)
