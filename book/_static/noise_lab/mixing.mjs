// Mix: a digit and a pattern, and what the network makes of every mixture (Eq. 3 and Table 1 of the paper).

import { clear, drawImage, drawMap, tile } from "./drawing.mjs";
import { Answering } from "./instrument.mjs";
import { highest } from "./tally.mjs";

const BRUSH = 1.1; // pixels
// Rows of Table 1, by pattern. What the paper calls the bias map was, in its code, the map's picture.
const PATTERNS = { map: "bias", picture: "bias", means: "mean" };

export class Mixing extends Answering {
  #place = 0; // of the test image among those of its class; null for a digit that was drawn
  #last = null; // place of the brush before

  constructor(root, shared) {
    super(root, shared);
    const { published, pixels } = this.lab;
    this.offerClasses("digit", 3);
    this.offerClasses("target", 8);
    this.sayValue("gamma", 2);
    this.gammas = published["signal + bias"].map((_, i, all) => i / (all.length - 1));
    this.strip = this.gammas.map((gamma) => tile(this.find("strip"), `Stimulus at γ = ${gamma}`));
    this.bars = this.#makeBars();
    this.image = new Float32Array(pixels);
    for (const name of ["target", "pattern"]) this.on(name, "change", () => this.refresh());
    this.on("gamma", "input", () => this.refresh());
    this.on("digit", "change", () => this.#take(0));
    this.on("another", "click", () => this.#take((this.#place ?? -1) + 1));
    this.on("draw", "click", () => this.#drawOwn());
    for (const name of ["image", "shown-pattern", "stimulus"]) clear(this.find(name));
    this.#listenToBrush();
  }

  async #take(place) {
    this.#place = place;
    await this.refresh();
  }

  // An empty canvas for a digit of the reader's own.
  async #drawOwn() {
    this.#place = null;
    this.image.fill(0);
    drawImage(this.find("image"), this.image);
    await this.refresh();
  }

  #listenToBrush() {
    const canvas = this.find("image");
    const side = Math.sqrt(this.image.length);
    const paint = (event) => {
      const { left, top, width, height } = canvas.getBoundingClientRect();
      this.#stroke(((event.clientX - left) / width) * side - 0.5, ((event.clientY - top) / height) * side - 0.5);
      this.#place = null;
      drawImage(canvas, this.image);
      this.guarded(() => this.refresh());
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId); // until the pointer is lifted, wherever it goes
      this.#last = null;
      paint(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) paint(event);
    });
  }

  // A line from where the brush was before: quick strokes tell of few places.
  #stroke(x, y) {
    const [fromX, fromY] = this.#last ?? [x, y];
    const steps = Math.max(1, Math.ceil(2 * Math.hypot(x - fromX, y - fromY)));
    for (let i = 1; i <= steps; i++) {
      this.#dab(fromX + ((x - fromX) * i) / steps, fromY + ((y - fromY) * i) / steps);
    }
    this.#last = [x, y];
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

  // Show the digit mixed with the pattern, at the chosen γ and at those of Table 1, and what the network says.
  async update() {
    const { classes, pixels } = this.lab;
    const about = this.network();
    const target = Number(this.find("target").value);
    const kind = this.find("pattern").value;
    const gamma = Number(this.find("gamma").value);
    const [{ images: all, means }, maps] = await this.loaded(about);
    if (this.#place !== null) this.#takeFrom(all);
    drawImage(this.find("image"), this.image);
    const pattern = { ...maps, means }[kind].subarray(target * pixels, (target + 1) * pixels);
    const behind = kind === "means" ? "" : `, from ${counted(about.counts[target])}`;
    this.find("pattern-said").textContent = `pattern${behind}`;
    if (pattern.includes(NaN)) return this.#nothingToMix(about, target);
    drawMap(this.find("shown-pattern"), pattern, this.lab.colours);
    const gammas = [gamma, ...this.gammas];
    const images = mixtures(this.image, pattern, gammas);
    const scores = await this.engine.ask("scores", { network: about.name, images });
    drawImage(this.find("stimulus"), images.subarray(0, pixels));
    const own = scores.subarray(0, classes.length);
    this.#showBars(softmax(own), target);
    this.#showStrip(images.subarray(pixels), scores.subarray(classes.length), target, kind);
    this.said.textContent = `At γ = ${gamma.toFixed(2)} the network says ${classes[highest(own)]}.`;
  }

  // The stimuli at the values of γ of Table 1, what the network says to each, and the paper's share.
  #showStrip(images, scores, target, kind) {
    const { classes, pixels } = this.lab;
    this.strip.forEach(({ canvas, words }, i) => {
      drawImage(canvas, images.subarray(i * pixels, (i + 1) * pixels));
      const called = highest(scores.subarray(i * classes.length, (i + 1) * classes.length));
      canvas.classList.toggle("target", called === target);
      words.textContent = `γ ${this.gammas[i].toFixed(1)}\n“${classes[called]}”\npaper: ${this.#inPaper(kind, i)}`;
    });
  }

  #takeFrom(all) {
    const { classes, pixels } = this.lab;
    const perClass = all.length / pixels / classes.length;
    const start = (Number(this.find("digit").value) * perClass + (this.#place % perClass)) * pixels;
    for (let p = 0; p < pixels; p++) this.image[p] = all[start + p] / 255;
  }

  // A class that got none of the noise has no map.
  #nothingToMix({ n }, target) {
    this.said.textContent =
      `None of ${counted(n)} is called ${this.lab.classes[target]} by this network, so that there is no map to mix in: ` +
      "choose another target or pattern.";
    for (const name of ["shown-pattern", "stimulus"]) clear(this.find(name));
    this.#showBars(new Float32Array(this.bars.length), target);
    for (const { canvas, words } of this.strip) {
      clear(canvas);
      words.textContent = "";
    }
  }

  // The paper's share of digits that are called the target at this γ.
  #inPaper(kind, i) {
    return `${(100 * this.lab.published[`signal + ${PATTERNS[kind]}`][i]).toFixed(0)} %`;
  }

  #makeBars() {
    return this.lab.classes.map((name) => {
      const [label, bar, number] = ["span", "span", "span"].map((kind) => document.createElement(kind));
      label.textContent = name;
      bar.className = "bar";
      bar.append(document.createElement("span"));
      bar.setAttribute("aria-hidden", "true"); // the number says as much
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
  }
}

const counted = (n) => `${n.toLocaleString("en")} noise image${n === 1 ? "" : "s"}`;

// An image and a pattern mixed at every γ: (1 − γ) · image + γ · pattern.
function mixtures(image, pattern, gammas) {
  const pixels = image.length;
  const images = new Float32Array(gammas.length * pixels);
  gammas.forEach((gamma, i) => {
    for (let p = 0; p < pixels; p++) images[i * pixels + p] = (1 - gamma) * image[p] + gamma * pattern[p];
  });
  return images;
}

function softmax(scores) {
  const most = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - most));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}
