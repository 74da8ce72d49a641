"""The site: pages of HTML from the book's prose and its executed chapters, made anew where one of them has changed."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from wna_utils.report import browser, site_checks
from wna_utils.report.stamps import library_versions
from wna_utils.support import paths
from wna_utils.support.fingerprint import code_digest

SITE = paths.ROOT / "_build" / "html"
MADE_FROM = paths.ROOT / "_build" / "site-made-from"  # a digest, written when the pages have been built and checked
COMMAND = ("build", ".", "--all", "-n", "-W", "--keep-going", "--quiet")  # of jupyter-book: warnings are errors


class SiteFailed(RuntimeError):
    """The pages were not built, or something is wrong with them."""


def build() -> bool:
    """Build and check the pages, unless they were made from what there is now; whether they had to be built.

    Raises `SiteFailed`, with what is wrong, if they cannot be built or must not be published, and `ValueError` if a
    browser that is installed does not work.
    """
    digest = _digest()
    if MADE_FROM.exists() and MADE_FROM.read_text() == digest and (SITE / "index.html").exists():
        return False
    MADE_FROM.unlink(missing_ok=True)  # first, so that no half of the pages is taken for all
    if SITE.exists():
        shutil.rmtree(SITE)
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    if subprocess.run([jupyter_book, *COMMAND], cwd=paths.ROOT).returncode:
        raise SiteFailed("the pages were not built: the lines above say why")
    if found := site_checks.page_problems(SITE):
        raise SiteFailed("\n".join(found))
    with paths.replacing(MADE_FROM) as temporary:
        temporary.write_text(digest)
    return True


def _digest() -> str:
    """Hash of all that the pages depend on: what lies in `book/`, the settings, the libraries, and the checks."""
    book = paths.ROOT / "book"
    files = [each for each in book.rglob("*") if each.is_file() and "recorded" not in each.relative_to(book).parts]
    files += [paths.ROOT / "_config.yml", paths.ROOT / "_toc.yml"]
    hashes = {str(each.relative_to(paths.ROOT)): hashlib.sha256(each.read_bytes()).hexdigest() for each in files}
    kept = {name: value for name, value in hashes.items() if "__pycache__" not in name}
    checks = [code_digest(site_checks, browser), COMMAND, browser.find()]
    parts = [kept, library_versions("constraints.txt"), checks]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
