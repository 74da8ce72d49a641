"""The read-only tier of the cache: results that took hours, kept in `book/recorded/` as part of the repository.

Networks lie there in `networks/`, models of noise in `noise/`, tallies in `tallies/`, what noise is called in
`labels/`, courses of training in `courses/`, activations at its stages in `stages/`, thumbnails in `photographs/`, what
layers hold alike in `representations/`, maps of hidden activations in `introspections/`, estimators of error on outputs
in `estimators/`, and what else chapters compute in minutes in `results/`; `SHA256SUMS` holds their hashes.
"""

import hashlib
import json
import lzma
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from wna_utils.support import paths
from wna_utils.support.checks import one_of
from wna_utils.support.fingerprint import digest, tensor_digest
from wna_utils.support.paths import replacing

# Kinds whose files are packed, without loss: it halves them, but not those of networks.
PACKED = ("tallies", "noise", "labels", "results")
XZ = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 0, "lp": 2, "pb": 2}]  # for numbers of four bytes
LONGEST_HEAD = 10_000_000  # bytes
LARGE = 1_000_000  # weights of a matrix, from which on it is kept in 8 bits
SCALE = ".scale"  # suffix of the names of the per-row scales
WAYS = ("on", "off")
LIST = "SHA256SUMS"

_taken: set[Path] = set()  # by this process


def folder() -> Path:
    """Where the records lie."""
    return paths.ROOT / "book" / "recorded"


def used() -> bool:
    """Whether results are taken from the records: unless `WNA_RECORDED` is "off".

    Raises `ValueError` if that is neither "on" nor "off".
    """
    way = os.environ.get("WNA_RECORDED") or "on"
    one_of("WNA_RECORDED", way, WAYS)
    return way == "on"


def note(path: Path) -> None:
    """Note that this record is used as if it had been computed, so that `taken` can tell."""
    _taken.add(path)


def taken() -> list[str]:
    """The records that this process has taken, such as "networks/cnn-mnist-15-epochs-seed-0", in order."""
    return sorted(map(title, _taken))


def path_of(kind: str, name: str) -> Path:
    """The file of the record of this kind ("networks", "tallies", "courses", "noise", …) and name."""
    return folder() / kind / f"{name}.safetensors{'.xz' if kind in PACKED else ''}"


def name_of(path: Path) -> str:
    """The name of the record in this file."""
    return path.name.removesuffix(".xz").removesuffix(".safetensors")


def title(path: Path) -> str:
    """What a record is called among all: its kind and its name."""
    return f"{path.parent.name}/{name_of(path)}"


def write(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Write tensors and their metadata to a safetensors file, atomically."""
    held = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    content = save(held, {"about": json.dumps(about, sort_keys=True)})
    packed = lzma.compress(content, filters=XZ) if path.suffix == ".xz" else content
    with replacing(path) as temporary:
        temporary.write_bytes(packed)


def about(path: Path) -> dict[str, Any]:
    """The metadata of the record in a file; raises `ValueError` if it is missing or damaged."""
    with _opened(path) as file:
        return _about(file)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a record, and what is to be known about them.

    Raises `ValueError` if the file is missing or damaged.
    """
    with _opened(path) as file:
        content = file.read()
        return load(content), _about(BytesIO(content))


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The safetensors file at `path`, unpacked; what goes wrong with it is told in one sentence."""
    try:
        with lzma.open(path) if path.suffix == ".xz" else path.open("rb") as file:
            yield file
    except (OSError, EOFError, lzma.LZMAError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the record {path} is missing or damaged: {remedy(path)}") from error


def _about(file: IO[bytes]) -> dict[str, Any]:
    """The metadata from the header of a safetensors file (8-byte length, then JSON); the tensors are not read."""
    length = int.from_bytes(file.read(8), "little")
    head = json.loads(file.read(min(length, LONGEST_HEAD)))
    return json.loads(head["__metadata__"]["about"])


def remedy(path: Path) -> str:
    """How to get a file of the records again."""
    if path.parent.name == "photographs":  # which are not made here
        return f"fetch it again with `git checkout {path}`"
    anew = f", or delete it and make it anew with `python -m wna_utils record {name_of(path)}`"
    return f"fetch it again with `git checkout {path}`{anew}"


def rounded(tensors: dict[str, Tensor], large: int = LARGE) -> dict[str, Tensor]:
    """Tensors in half precision; matrices of so many weights or more quantised to 8 bits with per-row scales."""
    small: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.ndim == 2 and tensor.numel() >= large:
            scale = tensor.abs().amax(1) / 127
            small |= {name: (tensor / scale[:, None].clamp(min=1e-30)).round().to(torch.int8), name + SCALE: scale}
        else:
            small[name] = tensor.half() if tensor.is_floating_point() else tensor
    return small


def restored(small: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors dequantised to float32, given the output of `rounded`."""
    scales = {name.removesuffix(SCALE): scale for name, scale in small.items() if name.endswith(SCALE)}
    return {
        name: tensor.float() * scales[name][:, None]
        if name in scales
        else tensor.float()
        if tensor.is_floating_point()
        else tensor
        for name, tensor in small.items()
        if not name.endswith(SCALE)
    }


def fingerprint(tensors: dict[str, Tensor]) -> str:
    """Hash of names and values of tensors."""
    return digest(*(f"{name} {tensor_digest(tensor)}" for name, tensor in sorted(tensors.items())))


def files() -> list[Path]:
    """All files of the records that there are, by name."""
    return sorted({*folder().glob("*/*.safetensors"), *folder().glob("*/*.safetensors.xz")})


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def checksums() -> dict[str, str]:
    """The hash that each file of the records must have, by its path in their folder; empty if there is no list."""
    path = folder() / LIST
    lines = path.read_text().splitlines() if path.exists() else []
    pairs = (line.partition("  ") for line in lines if line)
    return {name: value for value, _, name in pairs}


def list_file(path: Path) -> None:
    """Put the hash of one file into the list, as `sha256sum` does; the others stay as they are."""
    expected = checksums() | {str(path.relative_to(folder())): checksum(path)}
    with replacing(folder() / LIST) as temporary:
        temporary.write_text("".join(f"{value}  {name}\n" for name, value in sorted(expected.items())))


def is_listed(path: Path) -> bool:
    """Whether the list has a hash for this file."""
    return str(path.relative_to(folder())) in checksums()
