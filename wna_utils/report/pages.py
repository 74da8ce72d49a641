"""What pages include that is made anew in every build: status, banner, records, photographs, cover."""

import base64
from pathlib import Path

import nbformat
import pandas as pd

from wna_utils.data import imagenet, photographs
from wna_utils.report.audit_kinds import Finding
from wna_utils.report.profiles import notice
from wna_utils.report.provenance import taken_by
from wna_utils.support import paths, recorded

PICTURES = {  # of other pages than the chapters: chapter and figure
    "cover": ("s31_classifier_biases", "fig-s31-cnn-maps"),
    "lab_mix": ("s32_adversarial_attack", "fig-s32-digit-examples"),
    "lab_curves": ("s34_microstimulation", "fig-s34-fc1-increase"),
}
RECORDS = {
    "networks": "Networks",
    "tallies": "Tallies",
    "labels": "Labels of noise",
    "courses": "Courses of training",
    "stages": "Stages of training",
    "noise": "Models of noise",
    "representations": "What layers hold alike",
    "introspections": "Maps of hidden activations",
    "estimators": "Estimators of error on outputs",
    "results": "Results of chapters",
}


def profile(chapter: nbformat.NotebookNode) -> str:
    """The profile that a chapter was executed in."""
    return chapter.metadata.get("wna", {}).get("profile", "book")


def write_notice(chapters: list[Path], folder: Path) -> None:
    """Write `notice.txt`, the text of a banner for every page: empty if all chapters show results."""
    profiles = [profile(nbformat.read(chapter, as_version=4)) for chapter in chapters]
    write(folder / "notice.txt", next((text for text in map(notice, profiles) if text), ""))


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
    said = f"{total:.0f} minutes of work; several chapters may have been executed at a time."
    write(folder / "status.md", f"{markdown(pd.DataFrame(rows))}\n\n{said}\n")


def write_records(findings: list[Finding], folder: Path) -> None:
    """Write `records.md`: what is recorded, when and by what it was made, and what this build's audit found of it."""
    differences = {each.name: f"{each.difference:.2%}" for each in findings if each.difference is not None}
    parts = []
    for kind, title in RECORDS.items():
        files = [path for path in recorded.files() if path.parent.name == kind]
        if files:
            size = sum(path.stat().st_size for path in files) / 1e6
            files_in_words = f"{len(files)} file{'s' if len(files) > 1 else ''}"
            rows = [_made(path, differences.get(recorded.name_of(path), "")) for path in files]
            table = pd.DataFrame(rows).fillna("–")
            folded = f":::{{dropdown}} Each of them\n{markdown(table)}\n:::"  # hundreds of rows, in all
            parts.append(f"### {title}\n\n{files_in_words}, {size:.1f} MB.\n\n{folded}\n")
    write(folder / "records.md", "\n".join(parts))


def write_photographs(folder: Path) -> None:
    """Write `photographs.md`: every photograph of the book's own, what it shows, and who made it, group by group."""
    parts = []
    for group, rows in pd.read_csv(photographs.FOLDER / photographs.GROUPS).groupby("group", sort=False):
        cards = "\n".join(_card(row) for _, row in rows.iterrows())
        parts.append(f"## {group.capitalize()}\n\n::::{{grid}} 2 3 4 4\n:gutter: 2\n\n{cards}\n::::\n")
    write(folder / "photographs.md", "\n".join(parts))


def _card(row: pd.Series) -> str:
    """A photograph with its class, what else is known of it, and its author, licence and source."""
    named = imagenet.classes()[int(row.file[:3])]
    shows = "" if row.shows == named else f": {row.shows}"
    lines = [
        ":::{grid-item-card}",
        f":img-top: photographs/{row.file}",
        f":img-alt: {row.shows}",
        f"**{named}**{shows}",
        f"{row.author}, [{row.licence}]({row.source})",
        ":::",
    ]
    return "\n\n".join(["\n".join(lines[:3]), lines[3], "\n".join(lines[4:])])


def unread_records(chapters: list[Path]) -> list[str]:
    """Records that no chapter has taken: evidence that the book does not show. With the book's own sizes only."""
    notebooks = [nbformat.read(chapter, as_version=4) for chapter in chapters]
    if not recorded.used() or any(profile(notebook) != "book" for notebook in notebooks):
        return []
    taken = set().union(*map(taken_by, notebooks))
    return sorted({recorded.title(path) for path in recorded.files()} - taken)


def _made(path: Path, difference: str) -> dict[str, str]:
    """The row of a record."""
    about = recorded.about(path)
    made = about["made"]
    accuracy = {"test accuracy": f"{about['accuracy']:.2%}"} if "accuracy" in about else {}
    found = {"differs now": difference} if difference else {}
    return (
        {"record": recorded.name_of(path)}
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


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown."""
    lines = [table.columns, ["---"] * table.shape[1], *table.to_numpy()]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def write_picture(chapter: Path, figure: str, target: Path) -> None:
    """Write the figure of this label, from an executed chapter, to a PNG file."""
    [cell] = [
        cell
        for cell in nbformat.read(chapter, as_version=4).cells
        if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") == figure
    ]
    [picture] = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
    with paths.replacing(target) as temporary:
        temporary.write_bytes(base64.b64decode(picture))


def write(target: Path, text: str) -> None:
    """Write a page, whole or not at all."""
    with paths.replacing(target) as temporary:
        temporary.write_text(text)
