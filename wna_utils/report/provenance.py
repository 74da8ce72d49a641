"""Where a result comes from: the line at the foot of every chapter."""

import platform
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import nbformat
import torch

from wna_utils.report.profiles import JUDGED
from wna_utils.support import recorded
from wna_utils.support.checkout import commit
from wna_utils.support.devices import has_bf16, resolve_device

WORDS = {  # for one and for several records of a kind
    "networks": ("network", "networks"),
    "tallies": ("tally", "tallies"),
    "labels": ("set of labels of noise", "sets of labels of noise"),
    "courses": ("course of training", "courses of training"),
    "stages": ("record of stages of training", "records of stages of training"),
    "representations": ("study of adversarial images", "studies of adversarial images"),
    "introspections": ("map of hidden activations", "maps of hidden activations"),
    "estimators": ("estimator of error on outputs", "estimators of error on outputs"),
    "noise": ("model of noise", "models of noise"),
    "results": ("set of a chapter's results", "sets of chapters' results"),
    "photographs": ("set of thumbnails", "sets of thumbnails"),
}

_started = time.monotonic()


def versions() -> str:
    """The versions that matter to a result."""
    return f"Python {platform.python_version()}, torch {torch.__version__}"


def device_in_words(device: str) -> str:
    """The device a run used, and whether it does bfloat16."""
    resolved = resolve_device(device)
    if resolved.type == "cuda":
        return torch.cuda.get_device_name(resolved)
    threads = torch.get_num_threads()
    bf16 = "with" if has_bf16(resolved) else "without"
    return f"{resolved.type} ({threads} thread{'s' * (threads > 1)}, {bf16} bf16)"


def taken_by(chapter: nbformat.NotebookNode) -> set[str]:
    """The records that an executed chapter has taken, such as "networks/cnn-mnist-15-epochs-seed-0"."""
    outputs = [output for cell in chapter.cells for output in cell.get("outputs", [])]
    return {name for output in outputs for name in output.get("metadata", {}).get("records", [])}


def provenance(parameters: Any) -> None:
    """Display what made this page: profile, commit, time taken, device, versions and parameters."""
    from IPython.display import Markdown, display

    minutes, seconds = divmod(round(time.monotonic() - _started), 60)
    values = parameters.model_dump()
    taken = recorded.taken()
    kinds = Counter(name.split("/")[0] for name in taken)
    counted = ", ".join(f"{count} {WORDS[kind][count > 1]}" for kind, count in kinds.items())
    records = f" Taken from the records: {counted}." if taken else ""
    profile = values.pop("profile")
    warning = "" if profile in JUDGED else " These are sizes for trying things out, **not results**."
    display(
        Markdown(
            f"*Profile **{profile}**.{warning} Commit {commit()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, "
            f"in {minutes} min {seconds} s (less what the cache held) on {device_in_words(values['device'])}, "
            f"{versions()}.{records} "
            f"Parameters: {', '.join(f'`{name}={value!r}`' for name, value in values.items())}.*"
        ),
        metadata={"records": taken},
    )
