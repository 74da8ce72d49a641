"""Files of records: what is written is read, rounding stays within its bounds, damage is told."""

import lzma
import subprocess

import pytest
import torch

from wna_utils.support import recorded


def head(text):
    """A file with this head, and nothing after it."""
    return len(text).to_bytes(8, "little") + text.encode()


DAMAGED = [None, b"", b"half a record", b"\xff" * 40, b"\0" * 40]
DAMAGED += [head(text) for text in ("[1]", "5", '{"__metadata__": null}')]


@pytest.fixture
def weights():
    generator = torch.Generator().manual_seed(0)
    return {
        "fc.weight": torch.randn(1000, 1000, generator=generator),
        "conv.weight": torch.randn(20, 3, 5, 5, generator=generator),
        "bias": torch.randn(1000, generator=generator),
        "batches": torch.tensor(70_001),
    }


def test_rounding_keeps_weights_within_a_step(weights):
    restored = recorded.restored(recorded.rounded(weights))
    assert restored.keys() == weights.keys()
    step = weights["fc.weight"].abs().amax(1, keepdim=True) / 127
    assert ((restored["fc.weight"] - weights["fc.weight"]).abs() <= step / 2 * 1.0001).all()
    for name in ("conv.weight", "bias"):
        torch.testing.assert_close(restored[name], weights[name], rtol=2**-11, atol=1e-7)
        assert restored[name].dtype == torch.float32
    assert restored["batches"] == 70_001


def test_rounding_twice_changes_nothing_more(weights):
    once = recorded.restored(recorded.rounded(weights))
    twice = recorded.restored(recorded.rounded(once))
    for name, each in once.items():
        torch.testing.assert_close(twice[name], each, rtol=1e-6, atol=0)


def test_row_of_zeros_stays_zero():
    weights = {"fc.weight": torch.zeros(1000, 1000)}
    assert not recorded.restored(recorded.rounded(weights))["fc.weight"].any()


@pytest.mark.parametrize("kind", ["networks", "tallies", "courses", "noise"])
def test_what_is_written_is_read(records_folder, weights, kind):
    path = recorded.path_of(kind, "a-1.5")
    recorded.write(path, weights, {"seed": 3, "made": {"date": "2026-01-02"}})
    tensors, about = recorded.read(path)
    assert all(torch.equal(tensors[name], each) for name, each in weights.items())
    assert about == recorded.about(path) == {"seed": 3, "made": {"date": "2026-01-02"}}
    assert recorded.files() == [path]
    assert (recorded.name_of(path), recorded.title(path)) == ("a-1.5", f"{kind}/a-1.5")


def test_packing_sums_pays():
    path = recorded.path_of("tallies", "cnn-mnist-15-epochs-seed-0-white-10000000")
    with lzma.open(path) as file:
        assert path.stat().st_size < 0.75 * len(file.read())


@pytest.mark.parametrize(
    "content",
    DAMAGED,
)
@pytest.mark.parametrize("kind", ["networks", "tallies"])
def test_missing_or_damaged_file_is_told_with_a_remedy(records_folder, kind, content):
    path = recorded.path_of(kind, "a")
    path.parent.mkdir()
    if content is not None:
        path.write_bytes(content if kind == "networks" else lzma.compress(content))
    for read in (recorded.about, recorded.read):
        with pytest.raises(ValueError, match=r"is missing or damaged: fetch it again .* or delete it and make it anew"):
            read(path)


@pytest.mark.parametrize("kind", ["networks", "tallies"])
@pytest.mark.parametrize("share", [0.2, 0.9])
def test_half_a_file_is_told(records_folder, weights, kind, share):
    path = recorded.path_of(kind, "a")
    recorded.write(path, weights, {})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="is missing or damaged"):
        recorded.read(path)


def test_file_of_something_else_is_told(records_folder, weights):
    from safetensors.torch import save_file

    save_file(weights, records_folder / "a.safetensors")
    with pytest.raises(ValueError, match="is missing or damaged"):
        recorded.about(records_folder / "a.safetensors")


def test_checksums_are_those_of_sha256sum(records_folder, weights):
    for name in ("tallies/b", "networks/a"):
        path = records_folder / f"{name}.safetensors"
        recorded.write(path, weights, {})
        assert not recorded.is_listed(path)
        recorded.list_file(path)
        assert recorded.is_listed(path)
    assert list(recorded.checksums()) == ["networks/a.safetensors", "tallies/b.safetensors"]
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=records_folder, check=True)


def test_listing_a_file_leaves_the_hashes_of_others_alone(records_folder, weights):
    first, second = records_folder / "networks/a.safetensors", records_folder / "networks/b.safetensors"
    recorded.write(first, weights, {})
    recorded.list_file(first)
    first.write_bytes(b"damaged")
    recorded.write(second, weights, {})
    recorded.list_file(second)
    assert recorded.checksums()["networks/a.safetensors"] != recorded.checksum(first)


def test_records_can_be_switched_off(monkeypatch):
    assert recorded.used()
    monkeypatch.setenv("WNA_RECORDED", "off")
    assert not recorded.used()
    monkeypatch.setenv("WNA_RECORDED", "of")
    with pytest.raises(ValueError, match="WNA_RECORDED must be one of on, off; got 'of'"):
        recorded.used()
