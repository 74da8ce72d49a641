import math
from typing import get_origin

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_notebook
from pydantic import ValidationError

from wna_utils.report import chapters, params
from wna_utils.report.profiles import PROFILES
from wna_utils.support.paths import NOTEBOOKS

NOTEBOOK = "s31_classifier_biases"
DEFAULTS = {name: default for name, (_, default) in params.declaration(NOTEBOOK).items()}


def test_defaults_are_the_book_profile_and_frozen():
    checked = params.check(NOTEBOOK, DEFAULTS)
    assert checked.model_dump() == DEFAULTS
    assert checked.profile == "book"
    with pytest.raises(ValidationError):
        checked.seed = 1


def test_profile_changes_sizes_but_not_what_was_given_by_hand():
    given = {"profile": "smoke", "n_noise": 777}
    checked = params.check(NOTEBOOK, {**DEFAULTS, **given}, given)
    assert (checked.n_noise, checked.dataset, checked.n_networks) == (777, "digits", 2)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"n_nois": 5}, "s31_classifier_biases has no parameter 'n_nois'; it has profile, dataset"),
        ({"n_noise": "many"}, "n_noise: input should be a valid integer; got 'many'"),
        ({"n_noise": 1.5}, "n_noise: input should be a valid integer; got 1.5"),
        ({"seed": True}, "seed: input should be a valid integer; got True"),
        (
            {"contrasts": 0.5},
            r"contrasts: input should be a valid list; got 0.5 \(a list is -y '\{contrasts: \[1, 2\]\}' for papermill",
        ),
        ({"contrasts": [0.5, "x"]}, r"contrasts\[1\]: input should be a valid number; got 'x'"),
        ({"contrasts": []}, "contrasts: must not be empty"),
        ({"contrasts": [0.0]}, r"contrasts\[0\]: input should be greater than or equal to 0.01; got 0"),
        ({"n_noise": 0}, "n_noise: input should be greater than or equal to 1; got 0"),
        ({"seed": -1}, "seed: input should be greater than or equal to 0; got -1"),
        ({"dataset": "mnits"}, "dataset: input should be 'mnist', .*; got 'mnits'"),
        ({"distribution": "gauss"}, "distribution: input should be 'uniform', 'normal' or 'binary'; got 'gauss'"),
        ({"device": "tpu"}, r"device: device must be one of [^;]*; got 'tpu'$"),
        ({"precision": "half"}, "precision: input should be 'float32' or 'bf16'; got 'half'"),
        ({"profile": "fast"}, "profile: input should be 'book', 'smoke' or 'paper'; got 'fast'"),
    ],
)
def test_bad_parameter_is_named_in_one_sentence(given, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        params.check(NOTEBOOK, {**DEFAULTS, **given}, given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("notebook", "given", "sentence"),
    [
        (
            "s21_classification_images",
            {"gammas": [0.3, 1.5]},
            r"gammas\[1\]: input should be less than or equal",
        ),
        ("s21_classification_images", {"pairs": ["1 1"]}, "must be two different classes"),
        ("s21_classification_images", {"pairs": ["17"]}, "two different classes, such as \"1 7\"; got '17'"),
        (
            "s32_patch_detection",
            {"patches": ["C 8 9", "O 1 2"]},
            r"patches\[1\]: patch must be one of X, C, H; got 'O'",
        ),
        ("s32_patch_detection", {"patch_cifar": "H bird"}, "patch_cifar: a backdoor is a patch and two classes"),
        ("s32_patch_detection", {"poison_fraction": 0.0}, "poison_fraction: input should be greater than 0; got 0.0"),
        (
            "s32_patch_detection",
            {"poison_fractions": [2.0]},
            r"poison_fractions\[0\]: input should be less than or equal to 1; got 2",
        ),
        ("s31_sample_complexity", {"sizes": [100, 100]}, r"sizes: must rise from one to the next; got \[100, 100\]"),
        ("s31_sample_complexity", {"sizes": []}, "sizes: must not be empty"),
        ("s31_sample_complexity", {"sizes": [0, 10]}, r"sizes\[0\]: input should be greater than or equal to 1; got 0"),
        ("s31_sample_complexity", {"cifar": "cifar100"}, "cifar: input should be 'mnist', .*; got 'cifar100'"),
    ],
)
def test_bad_parameter_of_another_notebook_is_named(notebook, given, sentence):
    defaults = {name: default for name, (_, default) in params.declaration(notebook).items()}
    with pytest.raises(ValueError, match=sentence):
        params.check(notebook, {**defaults, **given}, given)


def test_whole_number_is_good_enough_for_a_fraction():
    assert params.check(NOTEBOOK, {**DEFAULTS, "contrasts": [1]}).contrasts == [1.0]


def test_injected_names_are_read_from_papermills_cell():
    source = '# Parameters\nprofile = "smoke"\ngammas = [0.5, 0.0]\nseed = -1\n'
    assert params.assigned(source) == {"profile": "smoke", "gammas": [0.5, 0.0], "seed": -1}


def test_sizes_name_only_notebooks_and_parameters_that_exist():
    sizes = yaml.safe_load((NOTEBOOKS / "profiles" / "sizes.yaml").read_text())
    assert set(sizes) == set(PROFILES) - {"book"}
    for profile, of_notebooks in sizes.items():
        assert yaml.safe_load((NOTEBOOKS / "profiles" / f"{profile}.yaml").read_text()) == {"profile": profile}
        for notebook, values in of_notebooks.items():
            assert set(values) <= set(params.declaration(notebook))


@pytest.mark.parametrize("notebook", [each.stem for each in chapters.notebooks()])
def test_every_parameter_has_a_type_that_its_default_fits(notebook):
    assert params.check(notebook, {}).model_dump() == params.check(notebook, {"profile": "book"}).model_dump()
    assert all(get_origin(kind) or kind is bool for kind, _ in params.declaration(notebook).values())


def test_new_notebook_declares_types_of_its_own(tmp_path, monkeypatch):
    types = "from typing import Annotated\nfrom pydantic import Field\nEven = Annotated[int, Field(multiple_of=2)]"
    cells = [new_code_cell(types), new_code_cell("n: Even = 4", metadata={"tags": ["parameters"]})]
    nbformat.write(new_notebook(cells=cells), tmp_path / "mine.ipynb")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "sizes.yaml").write_text("")
    monkeypatch.setattr("wna_utils.support.paths.NOTEBOOKS", tmp_path)
    assert params.check("mine", {"n": 6}).n == 6
    with pytest.raises(ValueError, match=r"^n: input should be a multiple of 2; got 5$"):
        params.check("mine", {"n": 5}, {"n": 5})


def test_file_that_is_not_there_is_told(tmp_path):
    (tmp_path / "own.npz").touch()
    own = str(tmp_path / "own.npz")
    assert params.check("zhang_planted_subjects", {"responses": own}).responses == own
    with pytest.raises(ValueError, match="responses: must be a file that is there; got '/nowhere'"):
        params.check("zhang_planted_subjects", {"responses": "/nowhere"}, {"responses": "/nowhere"})


def test_folder_that_is_not_there_is_told(tmp_path):
    assert params.check("imagenet_white_noise", {"photographs": str(tmp_path)}).photographs == str(tmp_path)
    with pytest.raises(ValueError, match="photographs: /nowhere is no folder: photographs are"):
        params.check("imagenet_white_noise", {"photographs": "/nowhere"}, {"photographs": "/nowhere"})


def test_photographs_may_be_a_sample_or_ones_own(tmp_path, monkeypatch):
    assert (
        params.check("zhang_representations", {"photographs": "sample"}).photographs == "sample"
    )  # nothing is fetched
    monkeypatch.setenv("WNA_IMAGES", str(tmp_path))
    assert params.check("zhang_representations", {"photographs": "own"}).photographs == "own"
    monkeypatch.delenv("WNA_IMAGES")
    with pytest.raises(ValueError, match='photographs: for "own" photographs, set WNA_IMAGES to the folder'):
        params.check("zhang_representations", {"photographs": "own"}, {"photographs": "own"})


def test_class_that_is_called_by_a_number_may_be_given_as_one():
    assert params.check("southampton", {"target_class": 3}, {"target_class": 3}).target_class == "3"


def test_numbers_that_have_no_literal_are_told_apart_by_the_rules():
    injected = params.assigned('# Parameters\nn_noise = 5\npoison_fraction = float("nan")\ncontrast = float("-inf")')
    assert injected["contrast"] == -math.inf
    assert math.isnan(params.assigned('# Parameters\nx = [0.5, float("nan")]')["x"][1])
    with pytest.raises(ValueError, match="poison_fraction: input should be"):
        params.check("s32_patch_detection", {**injected}, {"poison_fraction": injected["poison_fraction"]})
