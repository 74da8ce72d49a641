"""The noise lab in a browser shows what the package shows: counts, maps, mixtures and curves."""

import numpy as np
import pytest
import torch

from tests.lab.browsing import FEWER, counts_of, differ, grow, says
from wna_utils.interventions.stimulation import Experiment, noise_for
from wna_utils.lab import contents
from wna_utils.observe import GradedTally, observe
from wna_utils.report import browser
from wna_utils.report.audit_kinds import LABELS
from wna_utils.stimuli import WhiteNoise
from wna_utils.stimuli.gabor import GaborNoise, recorded_model
from wna_utils.support import tensor_files

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.find() is None, reason="no browser is installed"),
]

SHAPE, N = (1, 28, 28), 5_000


def test_counts_are_those_of_the_package(opened):
    """White noise, then Gabor–PCA noise after a reset by the choice of the other noise."""
    network = contents.SUBJECTS[0].network
    with opened() as tab:
        assert differ(grow(tab, N), observe(network, WhiteNoise(SHAPE), N).counts) <= LABELS
        expected = observe(network, GaborNoise(recorded_model("mnist")), FEWER).counts
        assert differ(grow(tab, noise="gabor"), expected) <= LABELS


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
def test_maps_and_images_are_those_of_the_package(opened, name):
    network = contents.SUBJECTS[0].network
    source = WhiteNoise(SHAPE) if name == "white" else GaborNoise(recorded_model("mnist"))
    by_label, by_score = observe(network, source, 2_000), observe(network, source, 2_000, into=GradedTally())
    with opened() as tab:
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


def test_curves_are_those_of_the_chapter(opened, small_lab):
    network = contents.SUBJECTS[0].network
    images = tensor_files.read(small_lab / "images.safetensors")[0]["images"].float() / 255
    levels, n = np.linspace(0, 1, contents.LEVELS), images.shape[1]
    digits = contents.datasets.load("digits")
    typical = [digits.x_train[digits.y_train == k] for k in range(10)]
    noise = noise_for(levels, n, WhiteNoise(SHAPE))
    experiment = Experiment([network], typical, [list(images)], [noise], levels, "cpu")
    with opened() as tab:
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


def test_mixtures_tip_over_and_a_class_without_noise_has_no_map(opened):
    with opened() as tab:
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


def test_digits_can_be_drawn(opened):
    with opened() as tab:
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


def test_averages_and_standard_errors_are_shown_of_the_same_images(opened):
    with opened() as tab:
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


def test_more_is_shown_only_if_more_is_asked_for(opened):
    with opened(wrong=["2,000 images are shown already"]) as tab:
        grow(tab)
        tab.click("#lab-maps .lab-start")
        tab.wait_for_function("heard.length")
        tab.select_option("#lab-maps .lab-until", "5000")
        tab.click("#lab-maps .lab-start")
        says(tab, "maps", "5,000 images")
