"""Every notebook runs at smoke size, is built like the others, and stops at a bad parameter."""

import contextlib

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from traitlets.config import Config

from wna_utils.report import chapters, claims
from wna_utils.report.rules import ledger
from wna_utils.support import paths

NOTEBOOKS = chapters.notebooks()
SMOKE = {"profile": "smoke"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory, worker_id):
    run = tmp_path_factory.getbasetemp()
    return (run if worker_id == "master" else run.parent) / "cache"  # of all workers


@pytest.fixture(autouse=True)
def _one_cache_for_all_notebooks(_own_cache, cache, monkeypatch):
    """As in the book, a network is trained by the notebook that needs it first."""
    monkeypatch.setenv("WNA_CACHE", str(cache))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param


def test_notebook_is_built_like_the_others(notebook):
    cells = nbformat.read(notebook, as_version=4).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    assert "What the paper claims" in cells[0].source
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert code[0].source.startswith("from wna_utils.report.parameter_types import")
    assert code[1].metadata.tags == ["parameters"]
    assert f'parameters("{notebook.stem}")' in code[2].source
    assert code[-1].source == "provenance(p)"
    assert any("## What we find" in cell.source for cell in cells)
    for cell in code:
        assert not cell.outputs
        assert cell.execution_count is None
        assert len(cell.source.splitlines()) <= 40
        assert not any(line.startswith("class ") for line in cell.source.splitlines())


def test_every_figure_has_caption_label_and_alt_text(notebook):
    for cell in nbformat.read(notebook, as_version=4).cells:
        if figure := cell.metadata.get("mystnb", {}).get("figure"):
            assert figure["name"].startswith(("fig-", "tab-"))
            assert len(figure["caption"]) > 20
            assert len(cell.metadata["mystnb"]["image"]["alt"]) > 20


@pytest.mark.notebook
def test_smoke_run_is_complete_and_records_its_claims(notebook, tmp_path):
    chapter = nbformat.read(chapters.execute(notebook, tmp_path / notebook.name, SMOKE), as_version=4)
    assert chapters.problems(chapter) == []
    figures = {cell.metadata.get("mystnb", {}).get("figure", {}).get("name") for cell in chapter.cells}
    expected = {claim.id for claim in ledger().values() if claim.rule and claim.figure in figures}
    assert set(claims.recorded(chapter)) == expected
    for cell in chapter.cells:
        if figure := cell.metadata.get("mystnb", {}).get("figure"):
            drawn = [output for output in cell.outputs if not output.metadata.get("scrapbook")]
            assert len(drawn) == 1, f"{figure['name']} would appear {len(drawn)} times: the cell shows a value, too?"
    text = str(chapter.cells[-1].outputs)
    assert "Profile **smoke**" in text
    assert "not results" in text


ODD = {
    "s21_classification_images": {"n_networks": 1, "pairs": ["3 8"], "gammas": [1.0], "precision": "float32"},
    "s22_spike_triggered_analysis": {"units": [3], "layers": ["conv2", "fc1"], "n_neuron": 500, "sizes": [1]},
    "s31_classifier_biases": {
        "dataset": "colour_digits",
        "cifar": "digits",
        "n_networks": 1,
        "n_networks_fashion": 1,
        "distribution": "binary",
        "contrasts": [2.0],
        "n_noise": 1,
        "n_noise_others": 50,
    },
    "s32_adversarial_attack": {"n_networks": 1, "legacy_png": True, "gammas": [0.33], "n_noise": 1, "n_images": 1},
    "s32_patch_detection": {
        "n_networks": 1,
        "cifar": "digits",
        "n_poisoned": 20,
        "patches": ["H 3 8"],
        "n_noise_others": 1,
    },
    "s34_microstimulation": {"rule": "paper", "ks": [3], "pairs": ["7 1"], "n_levels": 2, "n_images": 1},
    "s33_filters": {
        "n_networks": 1,
        "distribution": "binary",
        "layers": ["conv1"],
        "cifar": "digits",
        "layers_cifar": ["conv1", "conv2"],
    },
    "s33_activations": {
        "dataset": "digits",
        "layers": ["conv1", "fc1"],
        "gammas": [0.0],
        "n_noise": 1,
        "source_class": "7",
    },
    "southampton": {
        "n_networks": 1,
        "n_noise": 1,
        "target_class": "0",
        "pair": "3 8",
        "gammas": [0.5],
        "ks": [1],
    },
    "s31_sample_complexity": {
        "n_networks": 1,
        "cifar": "digits",
        "n_networks_fashion": 1,
        "sizes": [1, 2],
        "n_noise": 1,
        "n_gabor": 3,
    },
    "graded_maps": {
        "n_networks": 1,
        "cifar": "digits",
        "sizes": [2, 3],
        "n_few": 1,
        "n_graded": 4_000,
        "n_temperature": 2,
        "n_gradients": 1,
        "n_patched": 1,
        "n_patched_noise": 1,
    },
    "pardo_31_maps": {
        "n_networks": 1,
        "cifar": "digits",
        "bottleneck": 1,
        "bottlenecks": [1],
        "mmd_weights": [0.0],
        "n_stages": 1,
        "n_stages_cifar": 1,
        "n_shown": 60,
    },
    "pardo_32_reordering": {"n_networks": 1, "n_examples": 1, "mmd_weight": 0.0},
    "pardo_34_noise_and_attacks": {
        "n_networks": 1,
        "cifar": "digits",
        "sigmas": [0.2, 0.3],
        "n_copies": 1,
        "n_attacked": 1,
        "n_attacked_digits": 1,
        "steps": 1,
    },
    "pardo_36_error_estimates": {"n_networks": 1, "cifar": "digits", "bottleneck": 3},
    "zhang_representations": {"networks": ["untrained"], "stops": [0.9], "pull": 0.0, "most_steps": 2},
    "zhang_ideas": {"dataset": "digits", "n_networks": 1, "n_sets": 1, "most_steps": 1},
    "zhang_planted_subjects": {"noise": 0.0, "mixed": 1, "n_encoded": 1, "n_areas": 1, "most_steps": 1},
}


@pytest.fixture
def shell():
    """An interactive Python in this process: a kernel of its own would import everything anew."""
    with mpl.rc_context({"backend": "agg"}), contextlib.chdir(paths.ROOT):
        yield InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
        plt.close("all")
        InteractiveShell.clear_instance()


@pytest.mark.notebook
@pytest.mark.parametrize("name", ODD)
def test_odd_parameters_are_no_trouble(name, shell):
    notebook = load_notebook_node(str(paths.NOTEBOOKS / f"{name}.ipynb"))
    for cell in parameterize_notebook(notebook, {**SMOKE, **ODD[name]}, "python3", "python").cells:
        if cell.cell_type == "code":
            shell.run_cell(cell.source, store_history=True).raise_error()


@pytest.mark.notebook
def test_bad_parameter_stops_the_notebook(tmp_path):
    """Which ones are bad, and what is said of them, is tested with the parameters."""
    notebook = paths.NOTEBOOKS / "s21_classification_images.ipynb"
    with pytest.raises(chapters.ChapterFailed, match="has no parameter 'n_nois'"):
        chapters.execute(notebook, tmp_path / "x.ipynb", {**SMOKE, "n_nois": 5}, failed=tmp_path / "failed")
    assert not list(tmp_path.glob("*.ipynb"))
