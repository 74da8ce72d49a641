"""The page of the noise lab in use: by keyboard, on a phone, for long, impatiently, and when something fails."""

import json
import shutil
from contextlib import suppress

import psutil
import pytest

from tests.lab.browsing import button_says, differ, grow, says
from wna_utils.report import browser
from wna_utils.report.audit_kinds import LABELS
from wna_utils.support.paths import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.find() is None, reason="no browser is installed"),
]


def test_keyboard_alone_starts_pauses_and_resets(opened):
    with opened() as tab:
        tab.focus("#lab-network")
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.className") == "lab-start"
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#lab-maps .lab-said[data-counts]")
        assert tab.text_content("#lab-maps .lab-start") == "Pause"
        tab.keyboard.press("Enter")
        button_says(tab, "Start")
        before = tab.text_content("#lab-maps .lab-said")
        tab.keyboard.press("Enter")  # goes on from there
        tab.wait_for_function(f"document.querySelector('#lab-maps .lab-said').textContent !== {json.dumps(before)}")
        tab.keyboard.press("Tab")
        tab.keyboard.press("Enter")
        says(tab, "maps", "Nothing shown yet")


def test_pause_and_reset_while_something_loads(opened):
    """The run does not begin; after a reset, the next is of what is chosen then."""
    with opened() as tab:
        tab.route("**/gabor.onnx*", lambda route: (tab.wait_for_timeout(1_500), route.continue_()))
        expected = grow(tab)
        tab.select_option("#lab-maps .lab-until", "1000000")
        tab.select_option("#lab-maps .lab-noise", "gabor")
        says(tab, "maps", "Nothing shown yet")
        tab.click("#lab-maps .lab-start")
        assert tab.text_content("#lab-maps .lab-status") == "Loading …"
        tab.click("#lab-maps .lab-reset")
        tab.wait_for_selector("#lab-maps .lab-status:empty", state="attached")
        tab.wait_for_timeout(500)
        assert tab.text_content("#lab-maps .lab-said").startswith("Nothing shown yet")
        assert tab.text_content("#lab-maps .lab-start") == "Start"
        assert grow(tab, noise="white") == expected


def test_change_of_noise_while_images_are_shown_begins_anew(opened):
    with opened() as tab:
        expected = grow(tab)
        tab.select_option("#lab-maps .lab-until", "1000000")
        before = tab.text_content("#lab-maps .lab-said")
        tab.click("#lab-maps .lab-start")
        tab.wait_for_function(f"document.querySelector('#lab-maps .lab-said').textContent !== {json.dumps(before)}")
        assert tab.text_content("#lab-maps .lab-status") == ""  # nothing loads any more
        tab.select_option("#lab-maps .lab-noise", "gabor")
        assert differ(grow(tab, noise="gabor"), expected) > LABELS
        tab.wait_for_function("document.querySelector('#lab-maps .lab-status').textContent === 'Done: 2,000 images.'")


def test_failed_download_is_tried_again(opened):
    with opened(wrong=["That did not work"]) as tab:
        for files in ("**/gabor.onnx*", "**/*.wasm*", "**/first.onnx*"):
            tab.route(files, lambda route: route.abort())
        tab.click("#lab-maps .lab-start")  # what runs networks
        tab.wait_for_function("heard.length")
        tab.unroute("**/*.wasm*")
        tab.unroute("**/first.onnx*")
        expected = grow(tab)
        tab.select_option("#lab-maps .lab-noise", "gabor")
        says(tab, "maps", "Nothing shown yet")
        tab.click("#lab-maps .lab-start")
        tab.wait_for_function("document.querySelector('#lab-maps .lab-status').textContent.startsWith('That did not')")
        tab.unroute("**/gabor.onnx*")
        assert differ(grow(tab, noise="gabor"), expected) > LABELS  # the other noise, not what there was before


def test_dead_worker_is_replaced(opened):
    with opened(wrong=["what does the work could not be loaded"]) as tab:
        tab.route("**/worker.mjs", lambda route: route.abort())
        tab.click("#lab-stimulate .lab-start")
        tab.wait_for_function("heard.length")
        tab.unroute("**/worker.mjs")
        tab.click("#lab-stimulate .lab-start")
        says(tab, "stimulate", "3, ")


def test_controls_may_be_used_at_any_time(opened):
    """Before the start, while it loads, and while the network is changed and changed back: the last choice counts."""
    with opened() as tab:
        tab.fill("#lab-mix .lab-gamma", "0.5")
        tab.select_option("#lab-mix .lab-target", "2")
        tab.click("#lab-mix .lab-another")
        tab.fill("#lab-stimulate .lab-k", "10")
        tab.click("#lab-mix .lab-start")
        tab.select_option("#lab-mix .lab-pattern", "means")
        tab.click("#lab-stimulate .lab-start")
        says(tab, "mix", "At γ = 0.50")
        says(tab, "stimulate", "3, ")
        first = tab.get_attribute("#lab-stimulate .lab-curve", "data-values")
        tab.evaluate("delete document.querySelector('#lab-stimulate .lab-curve').dataset.asked")
        tab.fill("#lab-stimulate .lab-k", "9")
        tab.select_option("#lab-network", "other")
        tab.select_option("#lab-network", "first")
        tab.fill("#lab-stimulate .lab-k", "10")
        tab.wait_for_selector('#lab-stimulate .lab-curve[data-asked="first 3 fc1 code 10"]')
        assert tab.get_attribute("#lab-stimulate .lab-curve", "data-values") == first
        tab.select_option("#lab-network", "other")
        tab.wait_for_selector('#lab-stimulate .lab-curve[data-asked="other 3 fc1 code 10"]')
        assert tab.get_attribute("#lab-stimulate .lab-curve", "data-values") != first


def test_page_fits_a_phone(opened):
    with opened(viewport={"width": 400, "height": 800}, has_touch=True) as tab:
        tab.check("#lab-maps .lab-z")
        grow(tab)
        tab.click("#lab-mix .lab-start")
        tab.wait_for_selector("#lab-mix .lab-strip canvas.target")
        assert tab.evaluate("document.documentElement.scrollWidth") <= 400


def test_failed_network_is_told_until_another_is_chosen(opened):
    with opened(wrong=["That did not work"]) as tab:
        tab.click("#lab-mix .lab-start")
        tab.wait_for_selector("#lab-mix .lab-strip canvas.target")
        tab.route("**/other.onnx*", lambda route: route.abort())
        tab.select_option("#lab-network", "other")
        told = "document.querySelector('#lab-mix .lab-status').textContent.startsWith('That did not')"
        tab.wait_for_function(told)
        tab.select_option("#lab-mix .lab-target", "2")
        tab.wait_for_timeout(500)
        assert tab.evaluate(told)
        tab.select_option("#lab-network", "first")
        tab.wait_for_selector("#lab-mix .lab-status:empty", state="attached")


GAPS = """() => {
  window.gaps = [];
  let last = performance.now();
  const note = () => { gaps.push(performance.now() - last); last = performance.now(); };
  new MutationObserver(note).observe(document.querySelector("#lab-maps .lab-said"), { childList: true });
}"""


def test_who_wants_less_motion_gets_fewer_pictures(opened):
    gaps = {}
    for motion in ("no-preference", "reduce"):
        with opened(reduced_motion=motion) as tab:
            tab.select_option("#lab-maps .lab-until", "1000000")
            tab.click("#lab-maps .lab-start")
            tab.wait_for_selector("#lab-maps .lab-said[data-counts]")
            tab.evaluate(GAPS)
            tab.wait_for_function("gaps.length > 3")
            gaps[motion] = tab.evaluate("gaps")[1:]  # milliseconds; the first was not watched from its beginning
    assert min(gaps["no-preference"]) < 900 < min(gaps["reduce"])


def renderers():
    """Memory of the browser's pages, in MB."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # one that is just ending
            if "--type=renderer" in process.cmdline():
                found.append(process.memory_info().rss / 1e6)
    return found


def test_memory_does_not_grow(opened):
    """Batches of noise and answers are given back, and so is what a reset leaves."""
    with opened() as tab:
        for noise in ("gabor", "white"):
            grow(tab, noise=noise)
        before = sum(renderers())
        grow(tab, noise="gabor")
        grow(tab, n=20_000)  # 63 MB of noise
        assert before > 0
        assert sum(renderers()) < before + 40


def test_without_scripts_or_webassembly_the_page_says_so(chrome, address):
    with chrome.new_context(java_script_enabled=False) as context:
        tab = context.new_page()
        tab.goto(address)
        assert tab.get_by_text("The instruments need JavaScript").is_visible()
        assert not tab.locator("#lab-maps").is_visible()
    with chrome.new_context() as context:
        tab = context.new_page()
        tab.add_init_script("delete window.WebAssembly")
        tab.goto(address)
        tab.wait_for_selector("#lab-says:not(:empty)")
        assert "lacks WebAssembly" in tab.text_content("#lab-says")


def test_page_opened_as_a_file_says_what_to_do(tmp_path):
    shutil.copytree(ROOT / "book" / "_static" / "noise_lab", tmp_path / "_static" / "noise_lab")
    (tmp_path / "book").mkdir()
    file = tmp_path / "book" / "page.html"
    file.write_text(
        '<!DOCTYPE html><title>t</title><p id="lab-says"></p><script src="../_static/noise_lab/start.js"></script>'
        "<script>addEventListener('load', () => setTimeout(() => "
        "console.log(document.getElementById('lab-says').textContent), 500))</script>"
    )
    [said] = browser.complaints([file])
    assert "Serve the book by" in said
