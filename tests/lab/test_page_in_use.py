"""The page of the noise lab in use: by keyboard, on a phone, for long, impatiently, and when something fails."""

import json
import shutil

import psutil
import pytest

from tests.lab.browsing import FEW, button_says, counts_of, differ, grow, says
from wna_utils.report import browser
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
    """The run stops before its first image; after a reset, the next is of what is chosen then."""
    with opened() as tab:
        tab.route("**/gabor.onnx*", lambda route: (tab.wait_for_timeout(1_500), route.continue_()))
        expected = grow(tab)
        tab.select_option("#lab-maps .lab-noise", "gabor")
        says(tab, "maps", "Nothing shown yet")
        tab.click("#lab-maps .lab-start")
        button_says(tab, "Pause")
        tab.click("#lab-maps .lab-reset")
        button_says(tab, "Start")
        assert tab.text_content("#lab-maps .lab-said").startswith("Nothing shown yet")
        assert grow(tab, noise="white") == expected


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
        tab.wait_for_selector("#lab-maps .lab-status:not(:empty)")
        button_says(tab, "Start")
        tab.unroute("**/gabor.onnx*")
        assert differ(grow(tab, noise="gabor"), expected) > FEW  # the other noise, not what there was before


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


def test_who_wants_less_motion_gets_fewer_pictures(opened):
    pictures = {}
    for motion in ("no-preference", "reduce"):
        with opened(reduced_motion=motion) as tab:
            tab.select_option("#lab-maps .lab-until", "1000000")
            tab.click("#lab-maps .lab-start")
            tab.wait_for_selector("#lab-maps .lab-said[data-counts]")
            tab.evaluate("""() => {
              window.drawn = 0;
              const said = document.querySelector("#lab-maps .lab-said");
              new MutationObserver(() => drawn++).observe(said, { childList: true });
            }""")
            tab.wait_for_timeout(3_000)
            pictures[motion] = tab.evaluate("drawn")
            tab.click("#lab-maps .lab-start")
    assert 1 <= pictures["reduce"] <= 4 < pictures["no-preference"]


def test_memory_does_not_grow(opened):
    """Batches of noise and answers, 0.8 MB each, are given back, and so is what a reset leaves."""

    def size():
        own = [each for each in psutil.Process().children(recursive=True) if "renderer" in " ".join(each.cmdline())]
        assert own
        return sum(each.memory_info().rss for each in own) / 1e6

    def show(tab, seconds, noise):
        tab.select_option("#lab-maps .lab-noise", noise)
        says(tab, "maps", "Nothing shown yet")
        tab.click("#lab-maps .lab-start")
        tab.wait_for_selector("#lab-maps .lab-said[data-counts]")
        tab.wait_for_timeout(1_000 * seconds)
        tab.click("#lab-maps .lab-start")
        button_says(tab, "Start")
        return sum(counts_of(tab))

    with opened() as tab:
        tab.select_option("#lab-maps .lab-until", "1000000")
        for noise in ("gabor", "white"):
            show(tab, 2, noise)
        before, images = size(), 0
        for noise in ("gabor", "white"):
            images += show(tab, 4, noise)
        assert images > 3_000  # 9 MB of noise
        assert size() < before + 30


def test_without_scripts_or_webassembly_the_page_says_so(chrome, address):
    tab = chrome.new_page(java_script_enabled=False)
    tab.goto(address)
    assert tab.get_by_text("The instruments need JavaScript").is_visible()
    assert not tab.locator("#lab-maps").is_visible()
    tab = chrome.new_page()
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
