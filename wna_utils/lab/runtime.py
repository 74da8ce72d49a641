"""What runs networks in a browser: ONNX Runtime Web, fetched as the data are and served from the book itself."""

from pathlib import Path

from wna_utils.data.fetch import ensured, npm_package

PACKAGE = ("onnxruntime-web", "1.30.0", "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71")
ROLES = {
    "script": "ort.wasm.min.mjs",
    "module": "ort-wasm-simd-threaded.mjs",
    "binary": "ort-wasm-simd-threaded.wasm",
}
FILES = {
    ROLES["script"]: "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    ROLES["module"]: "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    ROLES["binary"]: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}


def runtime_files() -> Path:
    """Folder that holds the runtime's files, each with the right SHA-256; they are fetched if they are not there.

    Raises `DataUnavailable`, naming the files, the folder and the remedies, if they cannot be had.
    """
    return ensured(PACKAGE[0], PACKAGE[0], FILES, {"npm package": _from_npm})


def _from_npm(workspace: Path) -> Path:
    return npm_package(PACKAGE, workspace) / "dist"
