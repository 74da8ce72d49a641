"""Every test works in a cache of its own, without progress bars; workers that run side by side have a thread each."""

import os

from wna_utils.support.workers import WORKER

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.update(WORKER)  # before torch counts the cores; notebooks' kernels inherit it

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook, new_output

from wna_utils.data import datasets
from wna_utils.stimuli.white import WhiteNoise
from wna_utils.support import recorded, recorded_results, tensor_files
from wna_utils.support.devices import cores


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """One more than there are cores: some tests wait for processes that they have started."""
    return cores() + 1


def pytest_collection_modifyitems(items):
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("cuda"):
                item.add_marker(pytest.mark.skip(reason="no NVIDIA GPU"))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WNA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("WNA_PROGRESS", "off")


@pytest.fixture(scope="session")
def digits():
    return datasets.load("digits")


@pytest.fixture
def noise():
    return WhiteNoise((1, 8, 8), seed=3)


@pytest.fixture
def records_folder(tmp_path, monkeypatch):
    """An empty folder of records of this test's own."""
    folder = tmp_path / "recorded"
    folder.mkdir()
    monkeypatch.setattr(recorded, "folder", lambda: folder)
    return folder


@pytest.fixture(scope="module")
def shared_records(tmp_path_factory):
    """A folder of records, and a cache, for what a module's tests make once and copy."""
    folder = tmp_path_factory.mktemp("recorded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorded, "folder", lambda: folder)
        patch.setenv("WNA_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield folder


@pytest.fixture
def in_records(records_folder, tmp_path, monkeypatch):
    """Has something computed, and its results recorded; returns what was computed, and the names of its parts."""
    monkeypatch.setattr(recorded_results, "WORTH", 0.0)

    def record(compute):
        into = tmp_path / "results.safetensors"
        into.unlink(missing_ok=True)
        monkeypatch.setenv(recorded_results.INTO, str(into))
        found = compute()
        monkeypatch.delenv(recorded_results.INTO)
        parts, _ = tensor_files.read(into)
        recorded.write(recorded_results.path_of("a-chapter"), parts, {"rests on": {}})
        return found, set(parts)

    return record


class Linear(torch.nn.Module):
    """An observer whose templates are known: scores are dot products with planted templates (K, h·w)."""

    def __init__(self, templates):
        super().__init__()
        self.register_buffer("templates", templates)

    def forward(self, x):
        return (x.flatten(1) - 0.5) @ self.templates.T


@pytest.fixture
def planted():
    """Two opposite templates on 8×8 pixels, so that class 0 gets about half of the noise."""
    template = torch.randn(64, generator=torch.Generator().manual_seed(0))
    return Linear(torch.stack([template, -template]))


def chapter_of(profile, folder):
    """An executed chapter of this profile, with one estimate recorded."""
    metric = '{"value": 0.99, "low": 0.98, "high": 1, "n": 5, "of": "networks"}'
    output = new_output(
        "display_data",
        data={"application/papermill.record/text/plain": metric},
        metadata={"scrapbook": {"name": "metric: s31_cnn_accuracy"}},
    )
    chapter = new_notebook(cells=[new_code_cell("", outputs=[output])], metadata={"wna": {"profile": profile}})
    nbformat.write(chapter, folder / f"{profile}.ipynb")
    return folder / f"{profile}.ipynb"
