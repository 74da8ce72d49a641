"""Building the chapters: those that are out of date, several at a time."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from wna_utils.report import chapters
from wna_utils.report.chapters import ChapterFailed
from wna_utils.support import paths
from wna_utils.support.progress import bar
from wna_utils.support.workers import WORKER, as_they_finish, cluster


def build(
    notebooks: Sequence[Path], parameters: dict[str, Any], *, jobs: int = 1, force: bool = False
) -> Iterator[tuple[str, float]]:
    """Execute notebooks into chapters where something has changed; name and seconds of each, when it is done.

    With one job a chapter has all cores. With more, each has a process of its own with one thread, which keeps the
    cores busier, since not all that a notebook does can be shared among threads. Raises `ChapterFailed` for those that
    failed, when all others are done.
    """
    chapter = {notebook: paths.CHAPTERS / notebook.name for notebook in notebooks}
    stale = [each for each in notebooks if force or not chapters.is_current(each, chapter[each], parameters)]
    yield from ((each.stem, 0.0) for each in notebooks if each not in stale)
    if min(jobs, len(stale)) <= 1:
        for notebook in stale:
            yield notebook.stem, _execute(notebook, chapter[notebook], parameters)
        return
    failures = []
    failed = paths.ROOT / "_build" / "failed"
    with cluster(min(jobs, len(stale))) as client:
        futures = {
            client.submit(_on_one_core, each, chapter[each], parameters, failed, pure=False): each for each in stale
        }
        for future in bar(as_they_finish(list(futures)), total=len(stale), desc="executing", unit="chapter"):
            if failure := future.exception():
                failures.append(str(failure) or repr(failure))
            else:
                yield futures[future].stem, future.result()
    if failures:
        raise ChapterFailed("\n".join(failures))


def _execute(notebook: Path, chapter: Path, parameters: dict[str, Any], **how: Any) -> float:
    """Execute a notebook into its chapter; returns the seconds that took."""
    started = time.monotonic()
    chapters.execute(notebook, chapter, parameters, force=True, **how)
    return time.monotonic() - started


def _on_one_core(notebook: Path, chapter: Path, parameters: dict[str, Any], failed: Path) -> float:
    os.environ.update(WORKER)
    return _execute(notebook, chapter, parameters, failed=failed, progress=False)
