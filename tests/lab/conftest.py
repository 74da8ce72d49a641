"""A noise lab of two networks, made once, and a browser that visits its page."""

import os
import re
import shutil
import threading
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from filelock import FileLock

from tests.lab.browsing import HEARD
from wna_utils.data import datasets
from wna_utils.data.fetch import DataUnavailable
from wna_utils.lab import contents, page, runtime
from wna_utils.report import browser
from wna_utils.support.paths import ROOT


@pytest.fixture(scope="session")
def small_lab(tmp_path_factory):
    """Folder of what the lab loads: two networks, and digits that need no download."""
    try:
        runtime.runtime_files()
    except DataUnavailable as error:
        pytest.skip(str(error))
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # of all workers of this run
    digits = replace(datasets.load("digits"), name="mnist")
    with FileLock(shared / "lab.lock"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(contents.datasets, "load", lambda name: digits)
        patch.setattr(contents, "SUBJECTS", contents.SUBJECTS[:2])
        patch.setattr(contents, "CHECKED", 500)
        contents.write_contents(shared / "lab")
        assert not contents.write_contents(shared / "lab")  # nothing has changed
    return shared / "lab"


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def address(small_lab, tmp_path_factory):
    """Where the page is served by this machine, as it is built, without the theme."""
    site = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "book" / "_static" / "noise_lab", site / "_static" / "noise_lab")
    shutil.copytree(small_lab, site / "_static" / "noise_lab" / "files")
    source = (ROOT / "book" / "noise_lab.md").read_text() + page.READY
    parts = re.findall(r"```\{raw\} html\n(.*?)```", source, re.DOTALL)
    (site / "book").mkdir()
    head = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>lab</title><link rel="icon" href="data:,">'
    (site / "book" / "noise_lab.html").write_text(head + "".join(parts))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=site))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/book/noise_lab.html"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def chrome():
    """A browser that runs."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser.find(), args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def opened(chrome, address):
    """Opens the page in a tab, once its instruments stand there: `with opened() as tab`.

    At the end nothing was `wrong`, or what was expected: whatever else the page says, or writes to the console, fails,
    and so does a request to anybody else.
    """

    @contextmanager
    def visit(wrong=(), **options):
        context = chrome.new_context(**options)
        context.set_default_timeout(90_000)  # milliseconds: other tests may run beside
        tab = context.new_page()
        tab.add_init_script(HEARD)
        complaints, asked = [], []
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(address)
        tab.wait_for_selector("#lab-stimulate:not([hidden])")
        try:
            yield tab
            heard = tab.evaluate("heard")
        finally:
            context.close()
        assert [text for text in heard if not any(each in text for each in wrong)] == []
        assert all(any(each in text for text in heard) for each in wrong)
        assert wrong or complaints == []  # a request that is made to fail is complained of
        origin = address.split("/book/")[0]
        assert all(url.startswith((origin, "data:", "blob:")) for url in asked)

    return visit
