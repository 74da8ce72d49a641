"""The site: pages of HTML from the book's prose and its executed chapters, made anew where one of them has changed."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from wna_utils.report import site_checks
from wna_utils.report.stamps import library_versions
from wna_utils.support import paths

SITE = paths.ROOT / "_build" / "html"
MADE_FROM = SITE / ".made-from"  # the digest of what the pages were made from, once they have been checked
COMMAND = ("build", ".", "--all", "-n", "-W", "--keep-going", "--quiet")  # of jupyter-book: warnings are errors


class SiteFailed(RuntimeError):
    """The pages were not built, or something is wrong with them."""


def build() -> bool:
    """Build and check the pages, unless they were made from what there is now; whether they had to be built.

    Raises `SiteFailed`, with what is wrong, if they cannot be built or must not be published.
    """
    digest = _digest()
    if MADE_FROM.exists() and MADE_FROM.read_text() == digest:
        return False
    shutil.rmtree(SITE, ignore_errors=True)
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    if subprocess.run([jupyter_book, *COMMAND], cwd=paths.ROOT).returncode:
        raise SiteFailed("the pages were not built: the lines above say why")
    if found := site_checks.page_problems(SITE):
        raise SiteFailed("\n".join(found))
    with paths.replacing(MADE_FROM) as temporary:
        temporary.write_text(digest)
    return True


def _digest() -> str:
    """Hash of all that the pages depend on: what lies in `book/`, the settings, and the libraries."""
    book = paths.ROOT / "book"
    files = [each for each in book.rglob("*") if each.is_file() and "recorded" not in each.relative_to(book).parts]
    files += [paths.ROOT / "_config.yml", paths.ROOT / "_toc.yml"]
    hashes = {str(each.relative_to(paths.ROOT)): hashlib.sha256(each.read_bytes()).hexdigest() for each in files}
    kept = {name: value for name, value in hashes.items() if "__pycache__" not in name}
    return hashlib.sha256(json.dumps([kept, library_versions()], sort_keys=True).encode()).hexdigest()
