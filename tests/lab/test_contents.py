"""The lab holds what the chapters have: patterns, amounts of stimulation, test images; and it is made once."""

import json

import pytest
import torch

from wna_utils.data.fetch import DataUnavailable
from wna_utils.interventions.stimulation import RULES
from wna_utils.lab import contents, page, runtime
from wna_utils.support import tensor_files


def test_list_names_every_file_with_its_hash(small_lab):
    listed = {each["name"] for each in contents.files(small_lab)}
    assert listed | {contents.LIST} == {path.name for path in small_lab.iterdir()}
    assert all(contents._file(small_lab / each["name"]) == each for each in contents.files(small_lab))
    lab = json.loads((small_lab / contents.LIST).read_text())
    assert lab["networks"][0]["differ"] <= 5 / 1000
    assert (lab["shape"], len(lab["classes"]), len(lab["levels"])) == ([1, 28, 28], 10, 21)


def test_first_start_loads_at_most_sixteen_megabytes(small_lab):
    sizes = {path.name: path.stat().st_size for path in small_lab.iterdir()}
    assert sum(sizes.values()) - sizes["gabor.onnx"] < 16_000_000  # which is loaded when it is asked for


def test_tensors_are_those_of_the_chapters(small_lab):
    tensors, _ = tensor_files.read(small_lab / "first.safetensors")
    assert tensors["map"].shape == tensors["picture"].shape == (10, 1, 28, 28)
    empty = tensors["map"].isnan().all((1, 2, 3))
    assert empty.nonzero().flatten().tolist() == [1]  # of ten million images
    assert set(tensors["map"][~empty].amin((1, 2, 3)).tolist()) == {0}
    assert set(tensors["map"][~empty].amax((1, 2, 3)).tolist()) == {1}
    assert {tensors[f"{layer} {rule}"].shape for layer in ("conv1",) for rule in RULES} == {(10, 20)}
    assert tensors["fc1 code"].shape == (10, 500)
    images, _ = tensor_files.read(small_lab / "images.safetensors")
    assert images["images"].dtype == torch.uint8
    assert images["images"].shape[0] == 10


def test_patterns_are_recorded_maps():
    for subject in contents.SUBJECTS:
        patterns = contents._patterns(subject)
        there = ~patterns["map"].isnan()
        assert there.flatten(1).all(1).sum() >= 8
        assert patterns["picture"][there].min() >= 0.39


def test_without_the_runtime_the_page_says_so(tmp_path, monkeypatch):
    def unavailable():
        raise DataUnavailable("onnxruntime-web is not on disk and could not be fetched (npm is not installed)")

    monkeypatch.setattr(runtime, "runtime_files", unavailable)
    monkeypatch.setattr(contents.datasets, "load", lambda name: None)
    assert "npm is not installed" in page.write_lab(tmp_path)
    text = (tmp_path / "noise_lab.md").read_text()
    assert "onnxruntime-web is not on disk and could not be fetched (npm is not installed)." in text
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
