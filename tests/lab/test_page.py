"""The noise lab in a browser: it shows what the package shows, answers to mouse and keyboard, and asks nobody else."""

import json
import re
import shutil
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import psutil
import pytest
import torch

from wna_utils.interventions.stimulation import Experiment, noise_for
from wna_utils.lab import contents, page
from wna_utils.observe import GradedTally, observe
from wna_utils.report import browser
from wna_utils.stimuli import WhiteNoise
from wna_utils.stimuli.gabor import GaborNoise, recorded_model
from wna_utils.support import tensor_files
from wna_utils.support.paths import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.find() is None, reason="no browser is installed"),
]

SHAPE = (1, 28, 28)
N, FEWER = 5_000, 2_000  # images: as many as there must be, and as many as will do
FEW = 5 / 1000  # labels that may differ: hardware rounds differently, as in the audit of records


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address(small_lab, tmp_path_factory):
    """The page as it is built, without the theme, served by this machine."""
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


HEARD = """
window.heard = [];
addEventListener("DOMContentLoaded", () => {
  const note = () => document.querySelectorAll(".lab-status, .lab-says").forEach(({ textContent: text }) => {
    if (text && text !== "Loading …" && heard.at(-1) !== text) heard.push(text);
  });
  new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true });
});
"""


@contextmanager
def opened(address, wrong=(), **options):
    """The page in a browser, once its instruments stand there. At the end nothing was `wrong`, or what was expected.

    Whatever else the page says, or writes to the console, fails, and so does a request to anybody else.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser.find(), args=["--no-sandbox"])
        tab = running.new_page(**options)
        tab.add_init_script(HEARD)
        complaints, asked = [], []
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(address)
        tab.wait_for_selector("#lab-stimulate:not([hidden])")
        yield tab
        heard = tab.evaluate("heard")
        running.close()
    assert [text for text in heard if not any(each in text for each in wrong)] == []
    assert all(any(each in text for text in heard) for each in wrong)
    assert wrong or complaints == []  # a request that is made to fail is complained of
    origin = address.split("/book/")[0]
    assert all(url.startswith((origin, "data:", "blob:")) for url in asked)


def says(tab, instrument, text):
    """Wait until an instrument says something that begins so."""
    place = f"document.querySelector('#lab-{instrument} .lab-said')"
    tab.wait_for_function(f"{place}.textContent.startsWith({json.dumps(text)})")


def counts_of(tab):
    return [int(count) for count in tab.get_attribute("#lab-maps .lab-said", "data-counts").split()]


def grow(tab, n=FEWER, noise="white"):
    """Let maps grow from nothing until n images are shown; counts by label."""
    tab.select_option("#lab-maps .lab-until", str(n))
    tab.select_option("#lab-maps .lab-noise", noise)
    says(tab, "maps", "Nothing shown yet")
    tab.click("#lab-maps .lab-start")
    says(tab, "maps", f"{n:,} images")
    return counts_of(tab)


def differ(counts, expected):
    return abs(np.array(counts) - np.asarray(expected)).sum() / 2 / sum(counts)


def test_counts_are_those_of_the_package(address):
    """White noise, then Gabor–PCA noise after a reset by the choice of the other noise."""
    network = contents.SUBJECTS[0].network
    with opened(address) as tab:
        assert differ(grow(tab, N), observe(network, WhiteNoise(SHAPE), N).counts) <= FEW
        expected = observe(network, GaborNoise(recorded_model("mnist")), FEWER).counts
        assert differ(grow(tab, noise="gabor"), expected) <= FEW


MAPS = """async ([noise, n]) => {
  const at = "/_static/noise_lab/";
  const [{ Network, gaborMixer }, { WhiteNoise, GaborNoise }, { Tally }] = await Promise.all(
    ["networks.mjs", "noise.mjs", "tally.mjs"].map((name) => import(at + name)));
  const lab = await (await fetch(at + "files/lab.json")).json();
  lab.pixels = 784;
  const network = await Network.load("first", lab);
  const gabor = async () => new GaborNoise(0, lab.gabor.components, await gaborMixer(lab));
  const source = noise === "white" ? new WhiteNoise(0, 784) : await gabor();
  const tally = new Tally(10, 784);
  for (let first = 0; first < n; first += 250) {
    const images = await source.images(first, 250);
    tally.add(images, await network.scores(images));
  }
  const maps = (by, z) => Array.from(tally.maps(by, z), (value) => Number.isNaN(value) ? null : value);
  const few = Array.from(await source.images(1_999, 1)).concat(Array.from(await source.images(2_001, 2)));
  return { few, label: maps("label"), labelZ: maps("label", true), score: maps("score"), scoreZ: maps("score", true) };
}"""


@pytest.mark.parametrize("name", ["white", "gabor"])
def test_maps_and_images_are_those_of_the_package(address, name):
    network = contents.SUBJECTS[0].network
    source = WhiteNoise(SHAPE) if name == "white" else GaborNoise(recorded_model("mnist"))
    by_label, by_score = observe(network, source, 2_000), observe(network, source, 2_000, into=GradedTally())
    with opened(address) as tab:
        found = {name: np.array(each, float) for name, each in tab.evaluate(MAPS, [name, 2_000]).items()}
    images = torch.cat([source.block(0).stimuli[1_999:], source.block(1).stimuli[1:3]]).flatten().numpy()
    assert abs(found["few"] - images).max() <= (0 if name == "white" else 1e-5)
    expected = {"label": by_label.means, "labelZ": by_label.z, "score": by_score.maps, "scoreZ": by_score.z}
    for which, maps in expected.items():
        own = found[which].reshape(10, 784)
        there = ~np.ma.getmaskarray(maps).reshape(10, 784)
        assert np.array_equal(np.isfinite(own), there)
        away = abs(own - np.ma.getdata(maps).reshape(10, 784))[there]
        assert away.max() < 2e-3 * np.ma.getdata(maps).reshape(10, 784)[there].max()


def test_curves_are_those_of_the_chapter(address, small_lab):
    network = contents.SUBJECTS[0].network
    images = tensor_files.read(small_lab / "images.safetensors")[0]["images"].float() / 255
    levels, n = np.linspace(0, 1, contents.LEVELS), images.shape[1]
    digits = contents.datasets.load("digits")
    typical = [digits.x_train[digits.y_train == k] for k in range(10)]
    noise = noise_for(levels, n, WhiteNoise(SHAPE))
    experiment = Experiment([network], typical, [list(images)], [noise], levels, "cpu")
    with opened(address) as tab:
        tab.click("#lab-stimulate .lab-start")
        for sign, rule, layer, k in ((1, "code", "fc1", 10), (-1, "code", "conv2", 5), (1, "paper", "conv1", 1)):
            tab.select_option("#lab-stimulate .lab-sign", str(sign))
            tab.select_option("#lab-stimulate .lab-rule", rule)
            tab.select_option("#lab-stimulate .lab-layer", layer)
            tab.fill("#lab-stimulate .lab-k", str(k))
            asked = f"first {digits.classes[3]} {layer} {rule} {sign * k}"
            curve = f'#lab-stimulate .lab-curve[data-asked="{asked}"]'
            tab.wait_for_selector(curve)
            values = [float(each) for each in tab.get_attribute(curve, "data-values").split()]
            expected = experiment.recognised(layer, [sign * k], rule, classes=[3])[0, 0, 0]
            assert abs(n * np.array(values) - expected).sum() <= 1


def test_mixtures_tip_over_and_a_class_without_noise_has_no_map(address):
    with opened(address) as tab:
        tab.click("#lab-mix .lab-start")
        tab.wait_for_selector("#lab-mix .lab-strip canvas.target")
        words = [each.text_content() for each in tab.query_selector_all("#lab-mix .lab-strip figcaption")]
        assert words[0] == "γ 0.0\n“3”\npaper: 10 %"
        assert words[-1] == "γ 1.0\n“8”\npaper: 90 %"
        tab.select_option("#lab-mix .lab-target", "1")
        says(tab, "mix", "None of 10,000,000 noise images is called 1")
        assert set(tab.locator("#lab-mix .number").all_text_contents()) == {"0 %"}
        tab.select_option("#lab-mix .lab-pattern", "means")
        tab.wait_for_selector("#lab-mix .lab-strip canvas.target")
        assert "paper: 100 %" in tab.text_content("#lab-mix .lab-strip")


def test_digits_can_be_drawn(address):
    with opened(address) as tab:
        tab.click("#lab-mix .lab-start")
        tab.wait_for_selector("#lab-mix .lab-strip canvas.target")
        tab.click("#lab-mix .lab-draw")
        tab.fill("#lab-mix .lab-gamma", "0")
        box = tab.locator("#lab-mix .lab-image").bounding_box()
        middle = box["x"] + box["width"] / 2
        tab.mouse.move(middle, box["y"] + 0.2 * box["height"])
        tab.mouse.down()
        tab.mouse.move(middle, box["y"] + 0.8 * box["height"], steps=3)  # quickly
        tab.mouse.up()
        says(tab, "mix", "At γ = 0.00 the network says 1.")


def test_keyboard_alone_starts_pauses_and_resets(address):
    with opened(address) as tab:
        tab.focus("#lab-network")
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.className") == "lab-start"
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#lab-maps .lab-said[data-counts]")
        assert tab.text_content("#lab-maps .lab-start") == "Pause"
        tab.keyboard.press("Enter")
        tab.wait_for_function("document.querySelector('#lab-maps .lab-start').textContent === 'Start'")
        before = tab.text_content("#lab-maps .lab-said")
        tab.keyboard.press("Enter")  # goes on from there
        tab.wait_for_function(f"document.querySelector('#lab-maps .lab-said').textContent !== {json.dumps(before)}")
        tab.keyboard.press("Tab")
        tab.keyboard.press("Enter")
        says(tab, "maps", "Nothing shown yet")


def test_averages_and_standard_errors_are_shown_of_the_same_images(address):
    with opened(address) as tab:
        counts = grow(tab)
        first = "document.querySelector('#lab-maps canvas').toDataURL()"
        for choose in (
            lambda: tab.select_option("#lab-maps .lab-by", "score"),
            lambda: tab.check("#lab-maps .lab-z"),
        ):
            before = tab.evaluate(first)
            choose()
            tab.wait_for_function(f"{first} !== '{before}'")
            assert counts_of(tab) == counts
        assert "|z| ≤" in tab.text_content("#lab-maps .lab-tiles")
        tab.click("#lab-maps .lab-reset")
        says(tab, "maps", "Nothing shown yet")


def test_more_is_shown_only_if_more_is_asked_for(address):
    with opened(address, wrong=["2,000 images are shown already"]) as tab:
        grow(tab)
        tab.click("#lab-maps .lab-start")
        tab.wait_for_function("heard.length")
        tab.select_option("#lab-maps .lab-until", "5000")
        tab.click("#lab-maps .lab-start")
        says(tab, "maps", "5,000 images")


def test_pause_and_reset_while_something_loads(address):
    """The run stops before its first image; after a reset, the next is of what is chosen then."""
    with opened(address) as tab:
        tab.route("**/gabor.onnx*", lambda route: (tab.wait_for_timeout(1_500), route.continue_()))
        expected = grow(tab)
        tab.select_option("#lab-maps .lab-noise", "gabor")
        says(tab, "maps", "Nothing shown yet")
        tab.click("#lab-maps .lab-start")
        tab.wait_for_function("document.querySelector('#lab-maps .lab-start').textContent === 'Pause'")
        tab.click("#lab-maps .lab-reset")
        tab.wait_for_function("document.querySelector('#lab-maps .lab-start').textContent === 'Start'")
        assert tab.text_content("#lab-maps .lab-said").startswith("Nothing shown yet")
        assert grow(tab, noise="white") == expected


def test_failed_download_is_tried_again(address):
    with opened(address, wrong=["That did not work"]) as tab:
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
        tab.wait_for_function("document.querySelector('#lab-maps .lab-start').textContent === 'Start'")
        tab.unroute("**/gabor.onnx*")
        assert differ(grow(tab, noise="gabor"), expected) > FEW  # the other noise, not what there was before


def test_dead_worker_is_replaced(address):
    with opened(address, wrong=["what does the work could not be loaded"]) as tab:
        tab.route("**/worker.mjs", lambda route: route.abort())
        tab.click("#lab-stimulate .lab-start")
        tab.wait_for_function("heard.length")
        tab.unroute("**/worker.mjs")
        tab.click("#lab-stimulate .lab-start")
        says(tab, "stimulate", "3, ")


def test_controls_may_be_used_at_any_time(address):
    """Before the start, while it loads, and while the network is changed and changed back: the last choice counts."""
    with opened(address) as tab:
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


def test_page_fits_a_phone(address):
    with opened(address, viewport={"width": 400, "height": 800}, has_touch=True) as tab:
        tab.check("#lab-maps .lab-z")
        grow(tab)
        tab.click("#lab-mix .lab-start")
        tab.wait_for_selector("#lab-mix .lab-strip canvas.target")
        assert tab.evaluate("document.documentElement.scrollWidth") <= 400


def test_who_wants_less_motion_gets_fewer_pictures(address):
    pictures = {}
    for motion in ("no-preference", "reduce"):
        with opened(address, reduced_motion=motion) as tab:
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


def test_memory_does_not_grow(address):
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
        tab.wait_for_function("document.querySelector('#lab-maps .lab-start').textContent === 'Start'")
        return sum(counts_of(tab))

    with opened(address) as tab:
        tab.select_option("#lab-maps .lab-until", "1000000")
        for noise in ("gabor", "white"):
            show(tab, 2, noise)
        before, images = size(), 0
        for noise in ("gabor", "white"):
            images += show(tab, 4, noise)
        assert images > 3_000  # 9 MB of noise
        assert size() < before + 30


def test_without_scripts_or_webassembly_the_page_says_so(address):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser.find(), args=["--no-sandbox"])
        tab = running.new_page(java_script_enabled=False)
        tab.goto(address)
        assert tab.get_by_text("The instruments need JavaScript").is_visible()
        assert not tab.locator("#lab-maps").is_visible()
        tab = running.new_page()
        tab.add_init_script("delete window.WebAssembly")
        tab.goto(address)
        tab.wait_for_selector("#lab-says:not(:empty)")
        assert "lacks WebAssembly" in tab.text_content("#lab-says")
        running.close()


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
