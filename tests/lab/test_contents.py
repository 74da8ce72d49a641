"""The lab holds what the chapters have: patterns, amounts of stimulation, test images; and it is made once."""

import json

import numpy as np
import pytest
import torch

from wna_utils.data.fetch import DataUnavailable
from wna_utils.interventions.stimulation import RULES, Experiment
from wna_utils.lab import contents, page, runtime
from wna_utils.observe import observe
from wna_utils.stimuli import WhiteNoise
from wna_utils.support import tensor_files


def test_list_names_every_file_with_its_hash(small_lab):
    listed = {each["name"] for each in contents.files(small_lab)}
    assert listed | {contents.LIST} == {path.name for path in small_lab.iterdir()}
    assert all(contents._file(small_lab / each["name"]) == each for each in contents.files(small_lab))
    lab = json.loads((small_lab / contents.LIST).read_text())
    assert sum(lab["networks"][0]["counts"]) == lab["networks"][0]["n"] == 10_000_000
    assert (lab["shape"], len(lab["classes"]), len(lab["levels"])) == ([1, 28, 28], 10, 21)


def test_first_start_loads_at_most_sixteen_megabytes(small_lab):
    sizes = {path.name: path.stat().st_size for path in small_lab.iterdir()}
    later = {"gabor.onnx", "other.onnx", "other.safetensors"}  # loaded when they are asked for
    assert sum(size for name, size in sizes.items() if name not in later) < 16_000_000


def test_patterns_are_the_recorded_maps(small_lab):
    tensors, _ = tensor_files.read(small_lab / "first.safetensors")
    tally = observe(contents.SUBJECTS[0].network, WhiteNoise((1, 28, 28)), 10_000_000)  # which finds the record
    assert (
        tensors["map"].isnan().all((1, 2, 3)).tolist()
        == np.isin(range(10), tally.counts.nonzero()[0], invert=True).tolist()
    )
    for k in tally.counts.nonzero()[0]:
        assert np.corrcoef(tensors["map"][k].flatten(), tally.means[k].ravel())[0, 1] > 0.999
        assert (tensors["map"][k].min(), tensors["map"][k].max()) == (0, 1)
        assert 0.39 < tensors["picture"][k].min() < tensors["picture"][k].max() < 0.77


@pytest.mark.parametrize("layer", contents.LAYERS)
@pytest.mark.parametrize("rule", RULES)
def test_amounts_are_those_of_the_chapter(small_lab, layer, rule):
    tensors, _ = tensor_files.read(small_lab / "first.safetensors")
    digits = contents.datasets.load("digits")
    typical = [digits.x_train[digits.y_train == k] for k in range(10)]
    experiment = Experiment([contents.SUBJECTS[0].network], typical, [], [], [], "cpu")
    for k in (0, 7):
        assert torch.allclose(tensors[f"{layer} {rule}"][k], experiment.change(0, layer, k, 1.0, rule), atol=1e-6)


def test_images_are_test_images(small_lab):
    images, _ = tensor_files.read(small_lab / "images.safetensors")
    digits = contents.datasets.load("digits")
    for k in range(10):
        own = digits.x_test[digits.y_test == k][:: contents.SHOWN_BY]
        assert abs(images["images"][k].float() / 255 - own[: contents.PER_CLASS]).max() < 0.5 / 255 + 1e-6
        assert images["means"][k].max() == 1


def test_without_the_runtime_the_page_says_so(tmp_path, monkeypatch):
    def unavailable():
        raise DataUnavailable("onnxruntime-web is not on disk and could not be fetched (npm is not installed)")

    monkeypatch.setattr(runtime, "runtime_files", unavailable)
    monkeypatch.setattr(contents.datasets, "load", lambda name: None)
    assert "npm is not installed" in page.write_lab(tmp_path)
    text = (tmp_path / "noise_lab.md").read_text()
    assert "could not be fetched when this book was built" in text
    assert "npm" not in text  # whoever reads the page can do nothing about it
    assert "lab-says" not in text
    assert (tmp_path / "static" / "noise_lab" / "files").is_dir()


def test_damaged_file_is_made_again(small_lab, tmp_path, monkeypatch):
    for path in small_lab.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    made_from = json.loads((tmp_path / contents.LIST).read_text())["made_from"]
    assert contents._is_made(tmp_path, made_from)
    (tmp_path / "gabor.onnx").write_bytes((tmp_path / "gabor.onnx").read_bytes()[:-1])
    assert not contents._is_made(tmp_path, made_from)
    (tmp_path / "gabor.onnx").unlink()
    assert not contents._is_made(tmp_path, made_from)


@pytest.mark.parametrize("listed", contents.SUBJECTS, ids=lambda subject: subject.name)
def test_networks_of_the_lab_are_recorded(listed):
    assert listed.shown.path.exists()
    assert len(listed.network.conv1.bias) == 20
