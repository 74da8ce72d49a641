"""The built pages in a real browser, Chromium or Chrome, where one is installed: what it complains of, and a PDF."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from wna_utils.support.paths import replacing

NAMES = (
    "chromium",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "chromium-browser",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
SETTLED = 5_000  # milliseconds of its own clock that a page has for its scripts
CONSOLE = re.compile(r"CONSOLE[:(]\d+\)?\] (.*)")
NOTE = re.compile(r'"\[\w+\]: ')  # how libraries sign what they only note
TITLE = "all pages"


def find() -> str | None:
    """The command of a browser of this machine; None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def complaints(pages: Sequence[Path]) -> list[str]:
    """What pages write to the browser's console when they are opened, each in a frame: nothing, if all is well.

    Notes that libraries sign, such as "[PST]: …", are left out. Raises `ValueError` if there is no browser, or it does
    not work.
    """
    frames = "".join(f'<iframe src="{escape(page.resolve().as_uri())}"></iframe>' for page in pages)
    with TemporaryDirectory() as folder:
        together = Path(folder) / "together.html"
        together.write_text(f"<!DOCTYPE html><title>{TITLE}</title>{frames}")
        run = _run(together, "--enable-logging=stderr", "--dump-dom")
    if run.returncode or TITLE not in run.stdout:
        raise ValueError(f"{find()} shows no page; it says: {run.stderr.strip()[-300:]}")
    found = [match[1] for match in map(CONSOLE.search, run.stderr.splitlines()) if match]
    return [each for each in found if not NOTE.match(each)]


def print_pdf(page: Path, target: Path) -> None:
    """Print a page to a PDF file, whole or not at all. Raises `ValueError` as `complaints` does."""
    with replacing(target) as temporary:
        _run(page, "--no-pdf-header-footer", f"--print-to-pdf={temporary}", seconds=600, settled=12 * SETTLED)
        if not temporary.read_bytes().startswith(b"%PDF"):
            raise ValueError(f"the browser printed nothing: open file://{page} and see")


def _run(page: Path, *options: str, seconds: float = 60, settled: int = SETTLED) -> subprocess.CompletedProcess:
    browser = find()
    if browser is None:
        raise ValueError(f"no browser is installed: one of {', '.join(NAMES[:3])} is needed")
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:  # helpers of the browser may still write there
        usual = ["--headless", "--disable-gpu", f"--user-data-dir={profile}"]
        usual += ["--no-sandbox"] if os.geteuid() == 0 else []  # there is none for root
        command = [browser, *usual, f"--virtual-time-budget={settled}", *options, page.resolve().as_uri()]
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise ValueError(f"{browser} did not finish with {page} within {seconds:.0f} seconds") from None
