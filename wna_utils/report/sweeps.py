"""Sweeps: a notebook run over all combinations of some parameters' values, and one table of what came out."""

import os
import re
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import yaml

from wna_utils.report import chapters, params
from wna_utils.report.claims import recorded
from wna_utils.report.forked_kernels import start_server
from wna_utils.support import paths, yaml12
from wna_utils.support.fingerprint import digest
from wna_utils.support.progress import bar
from wna_utils.support.workers import WORKER, as_they_finish, cluster


def grid(options: Iterable[str]) -> list[dict[str, Any]]:
    """All combinations of `NAME=VALUES` options: values as YAML with commas between them, or a range `0:5`.

    Raises `ValueError` for an option of another form, or a name given twice.
    """
    axes: dict[str, list[Any]] = {}
    for option in options:
        name, _, text = option.partition("=")
        if not name.isidentifier() or not text:
            raise ValueError(f"a swept parameter must look like n_noise=1000,2000 or seed=0:5; got {option!r}")
        if name in axes:
            raise ValueError(f"{name} is given twice: put all its values into one -p")
        axes[name] = _values(option, text)
    return [dict(zip(axes, combination, strict=True)) for combination in product(*axes.values())]


def _values(option: str, text: str) -> list[Any]:
    if ends := re.fullmatch(r"(-?\d+):(-?\d+)", text):
        values = list(range(int(ends[1]), int(ends[2])))
    else:
        try:
            values = yaml12.load(f"[{text}]")
        except yaml.YAMLError as error:
            raise ValueError(f"the values of {option!r} are not YAML: separate them by commas") from error
    if not values:
        raise ValueError(f"{option!r} has no values: the end of a range is not part of it, so that 0:5 is 0 to 4")
    return values


def file_name(parameters: dict[str, Any]) -> str:
    """Name of the executed notebook of a run, from its parameters: readable, and different for different ones."""
    readable = ",".join(f"{name}={value}" for name, value in parameters.items())
    readable = re.sub(r"[^\w.,=+-]+", "_", readable)[:120]
    return f"{readable or 'defaults'},{digest(sorted(parameters.items()))[:6]}.ipynb"


def run_one(notebook: Path, parameters: dict[str, Any], target: Path) -> dict[str, Any]:
    """Run the notebook into `target` with one thread, unless that was done before; returns its row of the table."""
    os.environ.update(WORKER)
    try:
        chapters.execute(notebook, target, parameters, failed=target.parent / "failed", progress=False)
    except (chapters.ChapterFailed, OSError) as error:
        return {**parameters, "status": "failed", "error": str(error)}
    executed = nbformat.read(target, as_version=4)
    metrics = {}
    for claim, estimate in recorded(executed).items():
        metrics |= {claim: estimate.value, f"{claim} low": estimate.low, f"{claim} high": estimate.high}
    duration = executed.metadata.papermill.duration
    return {**parameters, "status": "done", "duration": round(duration, 1), "notebook": target.name, **metrics}


def sweep(
    notebook: Path, options: Iterable[str], folder: Path, *, jobs: int = 2, scheduler: str | None = None
) -> pd.DataFrame:
    """Run the notebook with all combinations of the options (see `grid`) into `folder`; the table of all runs.

    The table is also in `folder/summary.csv`, written anew after every run: a row for each with its parameters, status,
    duration in seconds, and the value and interval of every recorded metric. Runs already done are not repeated, a
    failed one does not stop the others. `scheduler` is the address of a Dask scheduler whose workers share this
    machine's files; without one, `jobs` processes of this machine do the work.

    Raises `ValueError` before any run if a combination of parameters is not valid for the notebook.
    """
    combinations = grid(options)
    for parameters in combinations:
        params.check(notebook.stem, parameters, parameters)
    folder = folder.absolute()
    paths.require_writable(folder / "summary.csv")
    rows: dict[int, dict[str, Any]] = {}
    start_server()
    with cluster(min(jobs, len(combinations)), scheduler) as client:
        futures = {
            client.submit(run_one, notebook, parameters, folder / file_name(parameters), pure=False): i
            for i, parameters in enumerate(combinations)
        }
        for future in bar(as_they_finish(list(futures)), total=len(futures), desc=notebook.stem, unit="run"):
            i = futures[future]
            lost = future.exception()  # of the worker itself, not of the notebook
            rows[i] = {**combinations[i], "status": "failed", "error": repr(lost)} if lost else future.result()
            table = pd.DataFrame([rows[i] for i in sorted(rows)])
            with paths.replacing(folder / "summary.csv") as temporary:
                table.to_csv(temporary, index=False)
    return table
