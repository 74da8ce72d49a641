"""Tensors in the cache: safetensors files that carry a hash of what they hold, so that no damaged file is believed."""

from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from wna_utils.support.fingerprint import digest, tensor_digest
from wna_utils.support.paths import alone, replacing

HASH = "hash"  # of names, values and metadata, in the file's own metadata


def write(path: Path, tensors: dict[str, Tensor], about: dict[str, str] | None = None) -> None:
    """Write tensors and metadata to a file, whole or not at all."""
    held = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    about = about or {}
    with replacing(path) as temporary:
        temporary.write_bytes(save(held, about | {HASH: _hash(held, about)}))


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    """The tensors of a file that `write` wrote, and their metadata; None if it is missing or damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            about = dict(file.metadata() or {})
    except (FileNotFoundError, SafetensorError):
        return None
    return (tensors, about) if about.pop(HASH, None) == _hash(tensors, about) else None


def made_once(path: Path, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors of a file; if there is none, what `make` returns, once it is written.

    Processes that need the same file at the same time wait for the first of them.
    """
    if found := read(path):
        return found[0]
    with alone(path):
        if found := read(path):
            return found[0]
        tensors = make()
        write(path, tensors)
    return tensors


def _hash(tensors: dict[str, Tensor], about: dict[str, str]) -> str:
    return digest(*(f"{name} {tensor_digest(tensors[name])}" for name in sorted(tensors)), sorted(about.items()))
