// Stimulate: biases of a layer raised or lowered for a digit, and the psychometric curve that follows (Fig. 9).

import { drawCurves } from "./drawing.mjs";
import { Answering } from "./instrument.mjs";

const COLOUR = "#c0392b";

export class Stimulation extends Answering {
  #plain = { of: null }; // the curve without stimulation, and of which network and digit it is
  #curves = [];

  constructor(root, shared) {
    super(root, shared);
    this.offerClasses("digit", 3);
    this.sayValue("k", 1);
    this.canvas = this.find("curve");
    for (const name of ["digit", "layer", "sign", "rule"]) this.on(name, "change", () => this.refresh());
    this.on("k", "input", () => this.refresh());
    new ResizeObserver(() => this.#draw()).observe(this.canvas);
    const scheme = { attributes: true, attributeFilter: ["data-theme"] };
    new MutationObserver(() => this.#draw()).observe(document.documentElement, scheme);
  }

  async update() {
    const { classes, levels } = this.lab;
    const about = this.network();
    const digit = Number(this.find("digit").value);
    const [layer, rule] = [this.find("layer").value, this.find("rule").value];
    const strength = Number(this.find("sign").value) * Number(this.find("k").value);
    const [{ images: all }, amounts] = await this.loaded(about);
    const images = Float32Array.from(ofClass(all, digit, classes), (value) => value / 255);
    const plain = await this.#withoutStimulation(about, digit, images);
    const change = { [layer]: ofClass(amounts[`${layer} ${rule}`], digit, classes).map((amount) => strength * amount) };
    const moved = await this.#curve(about, digit, images, change);
    this.#curves = [
      { values: plain, line: 1 },
      { values: moved, line: 2.5, colour: COLOUR },
    ];
    const asked = `${about.name} ${classes[digit]} ${layer} ${rule} ${strength}`;
    Object.assign(this.canvas.dataset, { asked, values: moved.join(" ") }); // for tests
    this.#draw();
    const n = images.length / this.lab.pixels;
    this.said.textContent =
      `${classes[digit]}, ${n} test images at each of ${levels.length} levels of signal. Without stimulation, half of ` +
      `them are recognised ${halfway(plain, levels)}; with it, ${halfway(moved, levels)}.`;
  }

  async #withoutStimulation(about, digit, images) {
    const of = `${about.name} ${digit}`;
    if (this.#plain.of !== of) this.#plain = { of, values: await this.#curve(about, digit, images, {}) };
    return this.#plain.values;
  }

  // Shares of the images that are recognised, at every level of the signal.
  async #curve({ name }, target, images, change) {
    const { levels, pixels } = this.lab;
    const counts = await this.engine.ask("curve", { network: name, images, target, levels, change });
    return counts.map((count) => (count * pixels) / images.length);
  }

  #draw() {
    if (!this.#curves.length || !this.canvas.clientWidth) return;
    drawCurves(this.canvas, this.lab.levels, this.#curves, ["share of signal", "share recognised"]);
  }
}

// The part of some numbers that belongs to a class, if each has as many.
function ofClass(numbers, k, classes) {
  const length = numbers.length / classes.length;
  return numbers.slice(k * length, (k + 1) * length);
}

// From where on more than half are recognised, on the line between two levels, in words.
function halfway(values, levels) {
  const last = values.findLastIndex((value) => value <= 0.5);
  if (last === levels.length - 1) return values.some((value) => value > 0.5) ? "not at the highest" : "at no level";
  if (last < 0) return "at every level";
  const along = (0.5 - values[last]) / (values[last + 1] - values[last]);
  return `from ${(levels[last] + along * (levels[last + 1] - levels[last])).toFixed(2)} on`;
}
