import dataclasses
import math

import pytest
import yaml

from wna_utils.report import chapters, params
from wna_utils.support.paths import NOTEBOOKS

NOTEBOOK = "s31_classifier_biases"
DEFAULTS = {name: default for name, (_, default) in params.declaration(NOTEBOOK).items()}


def test_defaults_are_the_book_profile_and_frozen():
    checked = params.check(NOTEBOOK, DEFAULTS)
    assert dataclasses.asdict(checked) == DEFAULTS
    assert checked.profile == "book"
    with pytest.raises(dataclasses.FrozenInstanceError):
        checked.seed = 1


def test_profile_changes_sizes_but_not_what_was_given_by_hand():
    given = {"profile": "smoke", "n_noise": 777}
    checked = params.check(NOTEBOOK, {**DEFAULTS, **given}, given)
    assert (checked.n_noise, checked.dataset, checked.n_networks) == (777, "digits", 2)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"n_nois": 5}, "s31_classifier_biases has no parameter 'n_nois'; it has profile, dataset"),
        ({"n_noise": "many"}, "n_noise must be of type int; got 'many'"),
        ({"n_noise": 1.5}, "n_noise must be of type int; got 1.5"),
        ({"seed": True}, "seed must be of type int; got True"),
        ({"contrasts": 0.5}, r"contrasts must be of type list\[float\]; got 0.5"),
        ({"contrasts": [0.5, "x"]}, r"contrasts must be of type list\[float\]"),
        ({"contrasts": []}, "number of contrasts must be 1 or more"),
        ({"contrasts": [0.0]}, "each of contrasts must be 0.01 or more; got 0"),
        ({"n_noise": 0}, "n_noise must be 1 or more; got 0"),
        ({"seed": -1}, "seed must be 0 or more; got -1"),
        ({"dataset": "mnits"}, "dataset must be one of mnist, .*; got 'mnits'"),
        ({"distribution": "gauss"}, "distribution must be one of uniform, normal, binary; got 'gauss'"),
        ({"device": "tpu"}, "device must be one of"),
        ({"precision": "half"}, "precision must be one of float32, bf16; got 'half'"),
        ({"profile": "fast"}, "profile must be one of book, smoke, paper; got 'fast'"),
    ],
)
def test_bad_parameter_is_named_in_one_sentence(given, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        params.check(NOTEBOOK, {**DEFAULTS, **given}, given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("notebook", "given", "sentence"),
    [
        ("s21_classification_images", {"gammas": [0.3, 1.5]}, "each of gammas must lie between 0 and 1; got 1.5"),
        ("s21_classification_images", {"pairs": ["1 1"]}, "must be two different classes"),
        ("s21_classification_images", {"pairs": ["17"]}, "two different classes, such as \"1 7\"; got '17'"),
        (
            "s32_patch_detection",
            {"patches": ["C 8 9", "O 1 2"]},
            "each of patches: patch must be one of X, C, H; got 'O'",
        ),
        ("s32_patch_detection", {"patch_cifar": "H bird"}, "patch_cifar: a backdoor is a patch and two classes"),
        ("s32_patch_detection", {"poison_fraction": 0.0}, "poison_fraction must be greater than 0; got 0.0"),
        (
            "s32_patch_detection",
            {"poison_fractions": [2.0]},
            "each of poison_fractions must lie between 0 and 1; got 2",
        ),
        ("s31_sample_complexity", {"sizes": [100, 100]}, r"sizes must rise from one to the next; got \[100, 100\]"),
        ("s31_sample_complexity", {"sizes": []}, "number of sizes must be 1 or more"),
        ("s31_sample_complexity", {"sizes": [0, 10]}, "each of sizes must be 1 or more; got 0"),
        ("s31_sample_complexity", {"cifar": "cifar100"}, "cifar must be one of mnist, .*; got 'cifar100'"),
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
    assert set(sizes) == set(params.PROFILES) - {"book"}
    for profile, of_notebooks in sizes.items():
        assert yaml.safe_load((NOTEBOOKS / "profiles" / f"{profile}.yaml").read_text()) == {"profile": profile}
        for notebook, values in of_notebooks.items():
            assert set(values) <= set(params.declaration(notebook))


@pytest.mark.parametrize("notebook", [each.stem for each in chapters.notebooks()])
def test_every_parameter_has_a_type_and_a_rule(notebook):
    for name, (annotation, default) in params.declaration(notebook).items():
        assert annotation in params.TYPES
        assert name in params.RULES
        params.TYPES[annotation].validate_python(default, strict=True)


def test_class_that_is_called_by_a_number_may_be_given_as_one():
    assert params.check("southampton", {"target_class": 3}, {"target_class": 3}).target_class == "3"


def test_numbers_that_have_no_literal_are_told_apart_by_the_rules():
    injected = params.assigned('# Parameters\nn_noise = 5\npoison_fraction = float("nan")\ncontrast = float("-inf")')
    assert injected["contrast"] == -math.inf
    assert math.isnan(params.assigned('# Parameters\nx = [0.5, float("nan")]')["x"][1])
    with pytest.raises(ValueError, match="poison_fraction must"):
        params.check("s32_patch_detection", {**injected}, {"poison_fraction": injected["poison_fraction"]})
