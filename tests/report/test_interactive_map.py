"""The map's data are what was put in; in a browser its points answer to keys and to the pointer."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from wna_utils.report import browser
from wna_utils.report.interactive_map import COLUMNS, Overlay, interactive_map
from wna_utils.support.paths import ROOT

SCRIPT = ROOT / "book" / "_static" / "interactive_map.js"
CODES = np.array([[0.0, 0], [2, 0], [2, 4]])


def made(n=3, names=("zero", "one", "<two>"), **change):
    rng = np.random.default_rng(0)
    given = {
        "codes": np.resize(CODES, (n, 2)),
        "labels": np.arange(n) % 3,
        "calls": np.array([0, 1, 0] * (n // 3 + 1))[:n],
        "expected": -np.arange(n) / 100,
        "images": rng.random((n, 1, 28, 28)),
        "names": list(names),
        "overlays": [Overlay("noise", [np.array([[-2.0, 0]])]), Overlay("paths", [CODES], lines=True, classes=[1])],
    } | change
    return interactive_map(**given).data, given


def data_of(html):
    return json.loads(re.search(r'<script type="application/json">(.*)</script>', html)[1])


def decoded(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


def test_data_come_back():
    html, given = made()
    data = data_of(html)
    assert data["names"] == given["names"]
    assert decoded(data["labels"], "u1").tolist() == [0, 1, 2]
    assert decoded(data["calls"], "u1").tolist() == [0, 1, 0]
    assert decoded(data["expected"], "<i2").tolist() == [0, -1, -2]
    assert decoded(data["x"], "<i2").tolist() == [0, 32_767, 32_767]  # from −2, where the noise is, to 2
    assert decoded(data["y"], "<i2").tolist() == [-32_767, -32_767, 32_767]
    noise, paths = data["overlays"]
    assert noise["paths"] == [[[-32_767, -32_767]]]
    assert (paths["lines"], len(paths["colours"]), len(paths["paths"][0])) == (True, 1, 3)


def test_thumbnails_are_the_images_in_few_greys():
    html, given = made(n=COLUMNS + 1)
    picture = Image.open(io.BytesIO(base64.b64decode(data_of(html)["sprite"].split(",")[1]))).convert("L")
    assert picture.size == (COLUMNS * 28, 2 * 28)
    last = np.asarray(picture)[28:, :28] / 255
    assert abs(last - given["images"][-1, 0]).max() <= 0.5 / 15 + 1e-6


def test_names_cannot_end_the_script():
    html, _ = made(names=("a", "b", "</script><b>"))
    assert html.count("</script>") == 1
    assert data_of(html)["names"][2] == "</script><b>"


def test_three_thousand_digits_stay_below_a_megabyte(digits):
    images = digits.x_test.numpy()[:120]  # as blank around its strokes as a digit of another set
    noise = [Overlay("noise", [np.random.default_rng(0).normal(size=(4_000, 2))])]
    paths = [Overlay("paths", [CODES[:1].repeat(101, 0)] * 54, lines=True, classes=[0] * 54)]
    html, _ = made(n=3_000, images=np.resize(images, (3_000, 1, 28, 28)), overlays=noise + paths)
    assert len(html) < 1_000_000


def test_places_must_be_in_the_plane():
    for codes in (np.zeros((3, 3)), np.full((3, 2), np.nan)):
        with pytest.raises(ValueError, match="codes must be pairs of finite numbers"):
            made(codes=codes)
    assert decoded(data_of(made(codes=np.ones((3, 2)), overlays=[])[0])["x"], "<i2").tolist() == [-32_767] * 3


@pytest.mark.slow
@pytest.mark.skipif(browser.find() is None, reason="no browser is installed")
def test_points_answer_in_a_browser(tmp_path):
    """From the first point, right is the second and up from there the third; the pointer finds the first again."""
    html, _ = made()
    asks = """
    addEventListener("load", () => setTimeout(() => {
      const canvas = document.querySelector("canvas.points"), output = document.querySelector("output");
      const said = [], note = () => said.push(output.textContent);
      const press = (key) => { canvas.dispatchEvent(new KeyboardEvent("keydown", {key})); note(); };
      press("ArrowDown"); press("ArrowRight"); press("ArrowUp"); press("ArrowUp");
      const at = {offsetX: 200, offsetY: 388}; // the first point: in the middle, at the bottom
      const move = new MouseEvent("pointermove");
      Object.defineProperties(move, {offsetX: {value: at.offsetX}, offsetY: {value: at.offsetY}});
      canvas.dispatchEvent(move); note();
      const look = () => canvas.toDataURL(), drawn = [look()];
      for (const k of [0, 1, 0, 1]) { document.querySelectorAll("input")[k].click(); drawn.push(look()); }
      throw new Error("SAID " + said.join(" | ") + " DRAWN " + drawn.map((each) => drawn.indexOf(each)).join(" "));
    }, 300));
    """
    at_once = "window.requestAnimationFrame = (what) => void what();"
    style = "canvas.points { width: 400px; height: 400px; display: block; }"
    (tmp_path / "page.html").write_text(
        f"<!DOCTYPE html><html><head><title>t</title><style>{style}</style>"
        f"<script>{at_once}{SCRIPT.read_text()}</script></head>"
        f"<body>{html}<script>{asks}</script></body></html>"
    )
    [found] = browser.complaints([tmp_path / "page.html"])
    first = "zero, called zero; expected error 1.0e+0"
    third = "<two>, called zero (wrong); expected error 9.5e-1"
    assert (
        f"SAID {first} | one, called one; expected error 9.8e-1 | {third} | {third} | {first} DRAWN 0 1 2 3 0" in found
    )
