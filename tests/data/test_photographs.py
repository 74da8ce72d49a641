"""The forty photographs are what they are said to be, and a user's own folder is read with care."""

import hashlib

import pandas as pd
import pytest
import torch
from PIL import Image

from wna_utils.data import fetch, imagenet, photographs


@pytest.fixture
def own(tmp_path):
    """A folder of four photographs in two groups."""
    for i, name in enumerate(("001_a", "002_b", "999_c", "003_d")):
        Image.new("RGB", (300, 260), (60 * i, 10, 200)).save(tmp_path / f"{name}.png")
    groups = "file,group\n999_c.png,first\n001_a.png,second\n002_b.png,first\n003_d.png,second\n"
    (tmp_path / photographs.GROUPS).write_text(groups)
    return tmp_path


def test_forty_photographs_stand_in_five_groups_of_eight():
    shown = photographs.load()
    assert shown.images.shape == (40, 3, 224, 224)
    assert 0 <= shown.images.min() < shown.images.max() <= 1
    assert len(set(shown.labels.tolist())) == 40
    assert [shown.groups.count(group) for group in dict.fromkeys(shown.groups)] == [8] * 5
    assert list(shown.groups) == [group for group in dict.fromkeys(shown.groups) for _ in range(8)]


def test_few_photographs_come_from_all_groups():
    shown = photographs.load()
    some = shown.few(10)
    assert len(some.labels) == len(some.images) == len(some.groups) == 10
    assert set(some.groups) == set(shown.groups)
    assert shown.few(40) is shown
    assert shown.few(99) is shown
    with pytest.raises(ValueError, match="the number of photographs must be 3 or more"):
        shown.few(2)


def test_every_photograph_has_an_author_a_licence_and_a_source():
    listed = pd.read_csv(photographs.FOLDER / photographs.GROUPS).set_index("file")
    assert sorted(listed.index) == [file.name for file in imagenet.pictures_in(photographs.FOLDER)]
    assert not listed.isna().any().any()
    assert set(listed.licence) <= {"CC0", "public domain"} | {
        f"CC {kind} {version}" for kind in ("BY", "BY-SA") for version in ("2.0", "3.0", "4.0")
    }
    assert listed.source.str.startswith("https://").all()
    for file in listed.index:
        name = imagenet.classes()[int(file[:3])].lower().replace(" ", "_")
        assert file == f"{file[:3]}_{name}.jpg"


def test_own_photographs_are_read_in_the_order_of_their_groups(own):
    shown = photographs.load(own)
    assert shown.groups == ("first", "first", "second", "second")
    assert shown.labels.tolist() == [2, 999, 1, 3]
    assert torch.allclose(shown.images[:, 0].mean((1, 2)), torch.tensor([60.0, 120, 0, 180]) / 255)
    (own / photographs.GROUPS).unlink()
    assert photographs.load(own).groups == ("all",) * 4


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "1000_e.png").touch(), "0 to 999"),
        (lambda folder: (folder / "004_e.png").write_bytes(b"GIF89a"), "no picture that can be read"),
        (lambda folder: Image.new("L", (9, 9)).save(folder / "004_e.png"), r"groups.csv has no group for 004_e.png"),
        (lambda folder: (folder / photographs.GROUPS).write_text("a,b\n1,2\n"), "columns file and group"),
        (lambda folder: [(folder / f"{n}.png").unlink() for n in ("001_a", "002_b")], "2 photographs, and 3 or more"),
        (lambda folder: [file.unlink() for file in folder.glob("*.png")], "has no photographs"),
    ],
)
def test_folders_that_will_not_do_are_told(own, spoil, words):
    spoil(own)
    with pytest.raises(ValueError, match=words):
        photographs.load(own)


def test_own_photographs_may_be_named_by_the_environment(own, monkeypatch):
    monkeypatch.setenv("WNA_IMAGES", str(own))
    assert photographs.load("own").labels.tolist() == [2, 999, 1, 3]
    assert len(photographs.load().labels) == 40  # it is taken only where it is asked for
    monkeypatch.setenv("WNA_IMAGES", str(own / "nowhere"))
    with pytest.raises(ValueError, match=r"set WNA_IMAGES to the folder that they are in: .*/nowhere is none"):
        photographs.load("own")
    monkeypatch.delenv("WNA_IMAGES")
    with pytest.raises(ValueError, match="it is not set"):
        photographs.load("own")


def test_folder_that_is_not_there_is_told():
    with pytest.raises(ValueError, match='nowhere is no folder: photographs are "sample", "own", or a folder'):
        photographs.load("nowhere")


def test_sample_is_forty_in_the_papers_groups():
    listed = pd.read_csv(photographs.SAMPLED)
    assert listed.group.value_counts().to_dict() == dict.fromkeys(
        ("dogs", "birds", "cars", "fruits", "aquatic animals"), 8
    )
    assert listed.file.is_unique
    assert listed.sha256.str.fullmatch("[0-9a-f]{64}").all()
    for row in listed.itertuples():
        name = row.file[4:].removesuffix(".jpg")
        assert row.original.partition("_")[2].removesuffix(".JPEG") == name
        assert imagenet.classes()[int(row.file[:3])].lower() == name.lower().replace("_", " ")


@pytest.fixture
def collection(own, tmp_path, monkeypatch):
    """A collection of four photographs that stands in for the sample's, on a site that can be reached."""
    site, listed = {}, ["file,group,original,sha256"]
    for i, path in enumerate(imagenet.pictures_in(own)):
        content = path.read_bytes()
        site[f"n0{i}.JPEG"] = content
        listed.append(f"{path.name},{'ab'[i % 2]},n0{i}.JPEG,{hashlib.sha256(content).hexdigest()}")
    (tmp_path / "sample.csv").write_text("\n".join(listed))

    def download(url, archives, workspace):
        assert url == photographs.SAMPLE_URL
        for name in archives:
            (workspace / name).write_bytes(site[name])

    monkeypatch.setattr(photographs, "SAMPLED", tmp_path / "sample.csv")
    monkeypatch.setattr(photographs, "download", download)
    monkeypatch.setenv("WNA_DATA", str(tmp_path / "data"))
    return site


def test_sample_is_fetched_once_and_put_into_its_groups(collection, monkeypatch):
    shown = photographs.load("sample")
    assert shown.groups == ("a", "a", "b", "b")
    assert shown.labels.tolist() == [1, 3, 2, 999]
    monkeypatch.setattr(photographs, "download", lambda *_: pytest.fail("it was fetched again"))
    assert torch.equal(photographs.load("sample").images, shown.images)


def test_altered_sample_is_refused_and_nothing_is_left(collection):
    collection["n02.JPEG"] += b"!"
    with pytest.raises(fetch.DataUnavailable, match=r"sample of ImageNet's photographs .* is not on disk .*altered"):
        photographs.load("sample")
    assert not (fetch.data_dir() / "imagenet_sample").exists()
