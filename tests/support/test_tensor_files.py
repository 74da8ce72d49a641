import subprocess
import sys

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


HOLDER = """
import sys, time
from pathlib import Path
import torch
from wna_utils.support.tensor_files import made_once
def make():
    print("making", flush=True)
    time.sleep(float(sys.argv[2]))
    return {"x": torch.ones(1)}
made_once(Path(sys.argv[1]), make)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that is making the tensors of a file, for so many seconds."""

    def start(seconds):
        command = [sys.executable, "-c", HOLDER, str(tmp_path / "x.safetensors"), str(seconds)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "making\n"
        return process

    return start


@pytest.mark.slow
def test_what_another_process_is_making_is_waited_for_and_found(holder, tmp_path):
    with holder(0.5) as process:
        found = tensor_files.made_once(tmp_path / "x.safetensors", lambda: pytest.fail("made twice"))
        assert found["x"].tolist() == [1]
    assert process.returncode == 0


@pytest.mark.slow
def test_killed_process_holds_up_no_other(holder, tmp_path):
    with holder(600) as process:
        process.kill()
        process.wait()
        made = tensor_files.made_once(tmp_path / "x.safetensors", lambda: {"x": torch.zeros(2)})
    assert made["x"].tolist() == [0, 0]
    assert tensor_files.read(tmp_path / "x.safetensors")[0]["x"].tolist() == [0, 0]
