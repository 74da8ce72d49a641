import pytest
import torch
from safetensors.torch import save_file

from wna_utils.support import tensor_files

TENSORS = {"weights": torch.arange(6.0).reshape(2, 3), "counts": torch.tensor([3, 4])}


@pytest.fixture
def path(tmp_path):
    tensor_files.write(tmp_path / "some.safetensors", TENSORS, {"images": "7"})
    return tmp_path / "some.safetensors"


def test_what_was_written_is_read(path):
    tensors, about = tensor_files.read(path)
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    assert about == {"images": "7"}


def test_every_flipped_byte_is_noticed(path):
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        assert tensor_files.read(path) is None, place


def test_part_of_a_file_and_no_file_are_none(path):
    path.write_bytes(path.read_bytes()[:-3])
    assert tensor_files.read(path) is None
    path.unlink()
    assert tensor_files.read(path) is None


def test_file_without_a_hash_is_not_believed(path):
    save_file(TENSORS, path)
    assert tensor_files.read(path) is None
