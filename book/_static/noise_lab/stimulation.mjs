// Stimulate: biases of a layer raised or lowered for a digit, and the psychometric curve that follows (Fig. 9).

import { drawCurves } from "./drawing.mjs";
import { Instrument, latest } from "./instrument.mjs";
import { tensors } from "./tensors.mjs";

const COLOUR = "#c0392b";

export class Stimulation extends Instrument {
  #plain = null; // the curve without stimulation, and whose it is

  constructor(root, shared) {
    super(root, shared);
    this.lab.classes.forEach((each, k) => this.find("digit").add(new Option(each, k)));
    this.find("digit").value = 3;
    this.canvas = this.find("curve");
    this.curves = [];
    this.refresh = latest(() => this.#measure());
    for (const name of ["digit", "layer", "sign", "rule"]) this.on(name, "change", () => this.#again());
    this.on("k", "input", () => this.#again());
    new ResizeObserver(() => this.#draw()).observe(this.canvas);
    const scheme = { attributes: true, attributeFilter: ["data-theme"] };
    new MutationObserver(() => this.#draw()).observe(document.documentElement, scheme);
  }

  async pressed() {
    await this.open();
    this.testImages ??= await tensors(this.lab.images);
    this.amounts = await tensors(this.network().tensors);
    this.#plain = null;
    this.removeButton("digit");
    await this.refresh();
  }

  networkChanged() {
    if (this.started) return this.guarded(() => this.pressed());
  }

  #again() {
    this.find("k-said").textContent = this.find("k").value;
    return this.started ? this.refresh() : this.pressed();
  }

  // Test images of the digit, from 0 to 1.
  #images(digit) {
    const { images } = this.testImages;
    const length = images.length / this.lab.classes.length;
    return Float32Array.from(images.subarray(digit * length, (digit + 1) * length), (value) => value / 255);
  }

  #strength() {
    return Number(this.find("sign").value) * Number(this.find("k").value);
  }

  // What is added to the biases of a layer.
  #change(digit, layer) {
    const amounts = this.amounts[`${layer} ${this.find("rule").value}`];
    const maps = amounts.length / this.lab.classes.length;
    const strength = this.#strength();
    return { [layer]: amounts.slice(digit * maps, (digit + 1) * maps).map((amount) => strength * amount) };
  }

  async #curve(digit, change) {
    const images = this.#images(digit);
    const { levels } = this.lab;
    const asked = { network: this.network().name, images, target: digit, levels, change };
    const n = images.length / this.lab.shape.reduce((a, b) => a * b);
    return { n, values: (await this.engine.ask("curve", asked)).map((count) => count / n) };
  }

  async #measure() {
    const digit = Number(this.find("digit").value);
    const whose = `${this.network().name} ${digit}`;
    if (this.#plain?.whose !== whose) this.#plain = { whose, ...(await this.#curve(digit, {})) };
    const layer = this.find("layer").value;
    const asked = `${this.lab.classes[digit]} ${layer} ${this.find("rule").value} ${this.#strength()}`;
    const moved = await this.#curve(digit, this.#change(digit, layer));
    this.curves = [
      { values: this.#plain.values, line: 1 },
      { values: moved.values, line: 2.5, colour: COLOUR },
    ];
    Object.assign(this.canvas.dataset, { asked, values: moved.values.join(" ") });
    this.#draw();
    const { classes, levels } = this.lab;
    const [before, after] = [this.#plain.values, moved.values].map((values) => halfway(values, levels));
    this.said.textContent =
      `${classes[digit]}, ${moved.n} test images at each of ${levels.length} levels. ` +
      `Half of them are recognised from a share of signal of ${before} without, and ${after} with stimulation.`;
  }

  #draw() {
    if (!this.curves.length || !this.canvas.clientWidth) return;
    drawCurves(this.canvas, this.lab.levels, this.curves, ["share of signal", "share recognised"]);
  }
}

// The level from which on more than half are recognised, on the line between two levels, in words.
function halfway(values, levels) {
  const last = values.findLastIndex((value) => value <= 0.5);
  if (last === levels.length - 1) return "none";
  if (last < 0) return "0";
  const along = (0.5 - values[last]) / (values[last + 1] - values[last]);
  return (levels[last] + along * (levels[last + 1] - levels[last])).toFixed(2);
}
