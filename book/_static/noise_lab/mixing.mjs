// Mix: a digit and a pattern, and what the network makes of every mixture (Eq. 3 and Table 1 of the paper).

import { drawImage, drawMap, tile } from "./drawing.mjs";
import { Instrument, latest } from "./instrument.mjs";
import { highest } from "./tally.mjs";
import { tensors } from "./tensors.mjs";

const BRUSH = 1.1; // pixels
const PATTERNS = { map: "bias", means: "mean" }; // as the rows of Table 1 call them

export class Mixing extends Instrument {
  #place = 0; // of the test image among those of its class

  constructor(root, shared) {
    super(root, shared);
    const { classes, published } = this.lab;
    for (const name of ["digit", "target"]) {
      classes.forEach((each, k) => this.find(name).add(new Option(each, k)));
    }
    this.find("digit").value = 3;
    this.find("target").value = 8;
    this.gammas = published["signal + bias"].map((_, i, all) => i / (all.length - 1));
    this.strip = this.gammas.map((gamma) => tile(this.find("strip"), `Stimulus at γ = ${gamma}`));
    this.bars = this.#makeBars();
    this.image = new Float32Array(this.lab.shape.reduce((a, b) => a * b));
    this.refresh = latest(() => this.#answer());
    for (const name of ["target", "pattern"]) this.on(name, "change", () => this.refresh());
    this.on("gamma", "input", () => this.refresh());
    this.on("digit", "change", () => this.#take(0));
    this.on("another", "click", () => this.#take(this.#place + 1));
    this.on("clear", "click", () => this.#blank());
    this.#listenToBrush();
  }

  async pressed() {
    await this.open();
    this.testImages ??= await tensors(this.lab.images);
    this.patterns = { ...(await tensors(this.network().tensors)), means: this.testImages.means };
    this.removeButton("digit");
    if (this.image.some((value) => value)) await this.refresh();
    else await this.#take(0);
  }

  networkChanged() {
    if (this.started) return this.guarded(() => this.pressed());
  }

  async #take(place) {
    if (!this.started) return this.pressed();
    const pixels = this.image.length;
    const perClass = this.testImages.images.length / pixels / this.lab.classes.length;
    this.#place = place % perClass;
    const start = (Number(this.find("digit").value) * perClass + this.#place) * pixels;
    this.image.set(this.testImages.images.subarray(start, start + pixels).map(Number));
    for (let p = 0; p < pixels; p++) this.image[p] /= 255;
    await this.refresh();
  }

  async #blank() {
    this.image.fill(0);
    drawImage(this.find("image"), this.image);
    if (this.started) await this.refresh();
  }

  #listenToBrush() {
    const canvas = this.find("image");
    drawImage(canvas, this.image);
    const paint = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      event.preventDefault();
      const { left, top, width } = canvas.getBoundingClientRect();
      this.#dab(((event.clientX - left) / width) * 28 - 0.5, ((event.clientY - top) / width) * 28 - 0.5);
      drawImage(canvas, this.image);
      if (this.started) this.guarded(() => this.refresh());
    };
    canvas.addEventListener("pointerdown", paint);
    canvas.addEventListener("pointermove", paint);
  }

  // A round spot of a soft brush, about as broad as the strokes of the training images.
  #dab(x, y) {
    const side = Math.sqrt(this.image.length);
    for (let p = 0; p < this.image.length; p++) {
      const distance = Math.hypot((p % side) - x, Math.floor(p / side) - y);
      const ink = Math.max(0, Math.min(1, BRUSH + 0.5 - distance));
      this.image[p] = Math.max(this.image[p], ink);
    }
  }

  #pattern() {
    const pixels = this.image.length;
    const start = Number(this.find("target").value) * pixels;
    return this.patterns[this.find("pattern").value].subarray(start, start + pixels);
  }

  // Show the digit mixed with the pattern, at the chosen γ and at those of Table 1, and what the network says.
  async #answer() {
    const { classes } = this.lab;
    const [pixels, target, pattern] = [this.image.length, Number(this.find("target").value), this.#pattern()];
    const gamma = Number(this.find("gamma").value);
    this.find("gamma-said").textContent = gamma.toFixed(2);
    if (Number.isNaN(pattern[0])) return this.#nothingToMix(target);
    const gammas = [gamma, ...this.gammas];
    const images = new Float32Array(gammas.length * pixels);
    gammas.forEach((g, i) => {
      for (let p = 0; p < pixels; p++) images[i * pixels + p] = (1 - g) * this.image[p] + g * pattern[p];
    });
    drawImage(this.find("image"), this.image);
    drawMap(this.find("shown-pattern"), pattern, this.lab.colours);
    drawImage(this.find("stimulus"), images.subarray(0, pixels));
    const scores = await this.engine.ask("scores", { network: this.network().name, images });
    const of = (i) => scores.subarray(i * classes.length, (i + 1) * classes.length);
    this.#showBars(softmax(of(0)), target);
    this.strip.forEach(({ canvas, words }, i) => {
      drawImage(canvas, images.subarray((i + 1) * pixels, (i + 2) * pixels));
      const called = highest(of(i + 1));
      canvas.className = called === target ? "target" : "";
      words.textContent = `γ ${this.gammas[i].toFixed(1)}\n“${classes[called]}”${this.#inPaper(i)}`;
    });
    this.said.textContent = `At γ = ${gamma.toFixed(2)} the network says ${classes[highest(of(0))]}.`;
  }

  // A class that got none of the noise has no map.
  #nothingToMix(target) {
    const { n } = this.network();
    this.said.textContent =
      `None of ${n.toLocaleString("en")} noise images is called ${this.lab.classes[target]} by this network, so that ` +
      "there is no map to mix in: choose another target or pattern.";
    drawImage(this.find("image"), this.image);
    const empty = [this.find("shown-pattern"), this.find("stimulus"), ...this.strip.map(({ canvas }) => canvas)];
    for (const canvas of empty) canvas.width = canvas.height = 1;
    for (const { canvas, words } of this.strip) [canvas.className, words.textContent] = ["", ""];
  }

  // The paper's share of digits that are called the target at this γ; it has none for some patterns.
  #inPaper(i) {
    const row = this.lab.published[`signal + ${PATTERNS[this.find("pattern").value]}`];
    return row ? `\npaper: ${(100 * row[i]).toFixed(0)} %` : "";
  }

  #makeBars() {
    return this.lab.classes.map((name) => {
      const [label, bar, number] = ["span", "span", "span"].map((kind) => document.createElement(kind));
      label.textContent = name;
      bar.className = "bar";
      bar.append(document.createElement("span"));
      number.className = "number";
      this.find("bars").append(label, bar, number);
      return { bar: bar.firstChild, number, label };
    });
  }

  #showBars(probabilities, target) {
    this.bars.forEach(({ bar, number, label }, k) => {
      bar.style.width = `${100 * probabilities[k]}%`;
      number.textContent = `${(100 * probabilities[k]).toFixed(0)} %`;
      label.style.fontWeight = k === target ? 700 : 400;
    });
    const best = highest(probabilities);
    const share = (100 * probabilities[best]).toFixed(0);
    this.find("bars").setAttribute("aria-label", `Most probable: ${this.lab.classes[best]}, ${share} %`);
  }
}

function softmax(scores) {
  const most = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - most));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}
