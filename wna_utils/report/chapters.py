"""Executing the notebooks into chapters of the book, only where something they depend on has changed."""

import os
import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat

from wna_utils.report import prose
from wna_utils.report.kernels import own_kernel
from wna_utils.report.provenance import device_in_words, versions
from wna_utils.report.stamps import stamp
from wna_utils.support import paths
from wna_utils.support.checkout import commit

# What a library or the system notes on standard error does no harm to a page; a warning of Python's does.
WARNING = re.compile(r":\d+: \w+: |Warning\b|^Traceback ")


class ChapterFailed(RuntimeError):
    """A notebook did not run to its end."""


def notebooks() -> list[Path]:
    """The notebooks of the book, in order."""
    return sorted(paths.NOTEBOOKS.glob("*.ipynb"))


def is_current(notebook: Path, chapter: Path, parameters: dict[str, Any]) -> bool:
    """Whether a chapter is there, complete, and made from what its notebook and all that it depends on are now."""
    if not chapter.exists():
        return False
    existing = nbformat.read(chapter, as_version=4)
    return existing.metadata.get("wna", {}).get("stamp") == stamp(notebook, parameters) and not problems(existing)


def execute(
    notebook: Path,
    chapter: Path,
    parameters: dict[str, Any],
    *,
    force: bool = False,
    failed: Path | None = None,
    progress: bool = True,
) -> Path:
    """Run a notebook through papermill into the file `chapter`, unless what is there was made from the same things.

    Where only its prose is another, the chapter gets that, and keeps what its code gave. The result replaces the old
    chapter only when it is complete (see `problems`); one that failed is left in the folder `failed`
    (`_build/failed/`). On a terminal a bar shows the `progress`. Raises `ChapterFailed`, with the notebook's own error,
    otherwise.
    """
    if not force and (is_current(notebook, chapter, parameters) or renewed(notebook, chapter, parameters)):
        return chapter
    made_from, of_code = stamp(notebook, parameters), stamp(notebook, parameters, prose=False)
    paths.data_dir(), paths.cache_dir(), paths.own_images_dir()  # made absolute: the kernel works in another folder
    os.environ["WNA_PROGRESS"] = "off"  # a page shows no progress bars; papermill shows its own here
    with TemporaryDirectory() as own:
        attempt = Path(own) / notebook.name
        try:
            _attempt(notebook, attempt, parameters, progress)
        except ChapterFailed as error:
            kept = (failed or paths.ROOT / "_build" / "failed") / chapter.name
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(attempt, kept)
            raise ChapterFailed(f"{error} (all of it is in {kept})") from None
        executed = nbformat.read(attempt, as_version=4)
    device = device_in_words(parameters.get("device", "auto"))
    executed.metadata["wna"] = {
        "stamp": made_from,
        "stamp of the code": of_code,
        "profile": parameters.get("profile", "book"),
        "commit": commit(),
        "device": device,
        "versions": versions(),
    }
    with paths.replacing(chapter) as temporary:
        nbformat.write(executed, temporary)
    return chapter


def renewed(notebook: Path, chapter: Path, parameters: dict[str, Any]) -> bool:
    """Put a notebook's new prose into its chapter if its code, and all that this uses, is the same; whether it is."""
    if not chapter.exists():
        return False
    existing = nbformat.read(chapter, as_version=4)
    of_code = existing.metadata.get("wna", {}).get("stamp of the code")
    if of_code != stamp(notebook, parameters, prose=False) or problems(existing):
        return False
    again = prose.renewed(nbformat.read(notebook, as_version=4), existing)
    again.metadata["wna"]["stamp"] = stamp(notebook, parameters)
    if problems(again):
        return False
    with paths.replacing(chapter) as temporary:
        nbformat.write(again, temporary)
    return True


def _attempt(notebook: Path, attempt: Path, parameters: dict[str, Any], progress: bool) -> None:
    """Run the notebook into the file `attempt`; raises `ChapterFailed` if it fails or is not complete."""
    import papermill
    from nbclient.exceptions import DeadKernelError

    try:
        papermill.execute_notebook(
            notebook,
            attempt,
            parameters,
            cwd=paths.ROOT,
            kernel_name=own_kernel(),
            progress_bar=progress and sys.stderr.isatty(),
            request_save_on_cell_execute=False,  # all figures, written again after every cell, take time
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],  # notes on transport and interrupts, otherwise
        )
    except papermill.PapermillExecutionError as error:
        raise ChapterFailed(f"{notebook.name}: {error.ename}: {error.evalue}") from None
    except DeadKernelError:
        raise ChapterFailed(f"{notebook.name}: its Python died, perhaps for lack of memory; run it again") from None
    if found := problems(nbformat.read(attempt, as_version=4)):
        raise ChapterFailed(f"{notebook.name}: {'; '.join(found)}")


def problems(executed: nbformat.NotebookNode) -> list[str]:
    """Why an executed notebook must not be published; empty if it may.

    The book builds without a word from notebooks that failed, were killed half-way, or show warnings.
    """
    found = []
    run = executed.metadata.get("papermill", {})
    if run.get("exception"):
        found.append("it ended with an exception")
    if not run.get("end_time"):
        found.append("it was not run to the end")
    code = [cell for cell in executed.cells if cell.cell_type == "code" and cell.source.strip()]
    if any(cell.execution_count is None for cell in code):
        found.append("it has cells that were not executed")
    outputs = [output for cell in code for output in cell.outputs]
    if any(output.output_type == "error" for output in outputs):
        found.append("a cell shows an error")
    stderr = [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    if warned := [line for text in stderr for line in text.splitlines() if WARNING.search(line)]:
        found.append(f"a cell printed to standard error: {warned[0].strip()}")
    return found + [f"{name} shows no picture" for cell in code if (name := _figure(cell)) and not _pictured(cell)]


def _figure(cell: nbformat.NotebookNode) -> str:
    """Name of the figure that a cell should show; empty if it should not show one."""
    name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name", "")
    return name if name.startswith("fig-") else ""


def _pictured(cell: nbformat.NotebookNode) -> bool:
    return any(kind.startswith("image/png") for output in cell.outputs for kind in output.get("data", {}))
