"""Building the chapters: those that are out of date, several at a time."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat

from wna_utils.report import chapters
from wna_utils.report.chapters import ChapterFailed
from wna_utils.report.forked_kernels import start_server
from wna_utils.support import paths, recorded
from wna_utils.support.devices import cores, resolve_device
from wna_utils.support.progress import bar
from wna_utils.support.workers import WORKER, as_they_finish, cluster

MEMORY = 4 << 30  # bytes that a chapter may need


def usual_jobs() -> int:
    """How many chapters are executed at a time: one for each core that has memory for it.

    One alone with an accelerator, which has to be shared, and without records: chapters then train the same networks,
    which the first one leaves in the cache for the others.
    """
    if not recorded.used() or resolve_device().type != "cpu":
        return 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(cores(), memory // MEMORY))


def build(
    notebooks: Sequence[Path], parameters: dict[str, Any], *, jobs: int = 1, force: bool = False
) -> Iterator[tuple[str, float]]:
    """Execute notebooks into chapters where something has changed; name and seconds of each, when it is done.

    Where a notebook's prose alone has changed, its chapter gets that, and nothing is executed.
    With one job a chapter has all cores. With more, each has a process of its own with one thread, also if only one is
    left to do, since what is trained depends on the number of threads; that keeps the cores busier, since not all that
    a notebook does can be shared among threads. Chapters of one section are never executed at the same time. Raises
    `ChapterFailed` for those that failed, when all others are done.
    """
    chapter = {notebook: paths.CHAPTERS / notebook.name for notebook in notebooks}
    stale = {of: each for of, each in chapter.items() if force or not chapters.is_current(of, each, parameters)}
    yield from ((notebook.stem, 0.0) for notebook in notebooks if notebook not in stale)
    failures = []
    if not force:
        for notebook in [each for each in stale if chapters.renewed(each, stale[each], parameters)]:
            del stale[notebook]
            yield notebook.stem, 0.0
    for notebook, done in (_one_by_one if jobs == 1 else _side_by_side)(stale, parameters, jobs):
        if isinstance(done, float):
            yield notebook.stem, done
        else:
            failures.append(str(done) if isinstance(done, ChapterFailed) else f"{notebook.name}: {done!r}")
    if failures:
        raise ChapterFailed("\n".join(failures))


Stale = dict[Path, Path]  # notebooks and their chapters
Done = tuple[Path, float | BaseException]  # a notebook, and how many seconds it took or why it failed


def _one_by_one(stale: Stale, parameters: dict[str, Any], _: int) -> Iterator[Done]:
    for notebook, chapter in stale.items():
        try:
            yield notebook, _execute(notebook, chapter, parameters)
        except ChapterFailed as error:
            yield notebook, error


def _side_by_side(stale: Stale, parameters: dict[str, Any], jobs: int) -> Iterator[Done]:
    if not stale:
        return
    failed = paths.ROOT / "_build" / "failed"
    sections = _by_section(stale)
    start_server()
    with cluster(min(jobs, len(sections))) as client:
        futures = {}
        for section in sections:
            before = None
            for each in section:
                how = {"pure": False, "priority": -len(futures)}
                before = client.submit(_on_one_core, *each, parameters, failed, before, **how)
                futures[before] = each[0]
        for future in bar(as_they_finish(list(futures)), total=len(stale), desc="executing", unit="chapter"):
            yield futures[future], future.exception() or future.result()


def _by_section(stale: Stale) -> list[list[tuple[Path, Path]]]:
    """Notebooks whose names begin alike, with their chapters; the section with most code first, the last are short.

    The chapters of a section use the same networks and noise, which the first leaves in the cache for the next. Side by
    side, each would wait for the other.
    """
    sections: dict[str, list[tuple[Path, Path]]] = {}
    for notebook, chapter in stale.items():
        sections.setdefault(notebook.stem.split("_")[0], []).append((notebook, chapter))
    return sorted(sections.values(), key=lambda section: sum(_lines(each) for each, _ in section), reverse=True)


def _lines(notebook: Path) -> int:
    """Lines of a notebook's code, which tell roughly how long it takes."""
    cells = nbformat.read(notebook, as_version=4).cells
    return sum(len(cell.source.splitlines()) for cell in cells if cell.cell_type == "code")


def _execute(notebook: Path, chapter: Path, parameters: dict[str, Any], **how: Any) -> float:
    """Execute a notebook into its chapter; returns the seconds that took."""
    started = time.monotonic()
    chapters.execute(notebook, chapter, parameters, force=True, **how)
    return time.monotonic() - started


def _on_one_core(
    notebook: Path, chapter: Path, parameters: dict[str, Any], failed: Path, _: object
) -> float | Exception:
    """The seconds that it took, or why it failed: as a result, since another chapter may be waiting for this one."""
    os.environ.update(WORKER)
    try:
        return _execute(notebook, chapter, parameters, failed=failed, progress=False)
    except Exception as error:  # whatever goes wrong with this one concerns no other
        return error
