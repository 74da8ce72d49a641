"""The read-only tier of the cache: results that took hours, kept in `book/recorded/` as part of the repository.

Networks lie there in `networks/`, models of noise in `noise/`, tallies in `tallies/`, courses of training in
`courses/`; `SHA256SUMS` holds their hashes.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from wna_utils.support import paths
from wna_utils.support.checks import one_of
from wna_utils.support.fingerprint import digest, tensor_digest
from wna_utils.support.paths import replacing

LARGE = 1_000_000  # weights of a matrix, from which on it is kept in 8 bits
SCALE = ".scale"  # ends the name of what a row in 8 bits is multiplied with
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


def title(path: Path) -> str:
    """What a record is called among all: its kind and its name."""
    return f"{path.parent.name}/{path.stem}"


def write(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Write tensors, and what is to be known about them, to a safetensors file, whole or not at all."""
    held = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        temporary.write_bytes(save(held, {"about": json.dumps(about, sort_keys=True)}))


def about(path: Path) -> dict[str, Any]:
    """What is to be known about the record in a file; raises `ValueError` if it is missing or damaged."""
    return _read(path, tensors=False)[1]


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a record, and what is to be known about them.

    Raises `ValueError` if the file is missing or damaged.
    """
    return _read(path, tensors=True)


def _read(path: Path, tensors: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys() if tensors else ()
            return {name: file.get_tensor(name) for name in names}, json.loads(file.metadata()["about"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the record {path} is missing or damaged: {remedy(path)}") from error


def remedy(path: Path) -> str:
    """How to get a file of the records again."""
    anew = f", or delete it and make it anew with `python -m wna_utils record {path.stem}`"
    return f"fetch it again with `git checkout {path}`{anew}"


def rounded(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors in half precision; matrices of a million weights and more in 8 bits, with a scale for each row."""
    small = {}
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.ndim == 2 and tensor.numel() >= LARGE:
            scale = tensor.abs().amax(1) / 127
            small |= {name: (tensor / scale[:, None].clamp(min=1e-30)).round().to(torch.int8), name + SCALE: scale}
        else:
            small[name] = tensor.half() if tensor.is_floating_point() else tensor
    return small


def restored(small: dict[str, Tensor]) -> dict[str, Tensor]:
    """What `rounded` left of tensors, in float32."""
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
    return sorted(folder().glob("*/*.safetensors"))


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
