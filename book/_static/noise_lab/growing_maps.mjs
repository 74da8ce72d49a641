// Maps that grow: noise is shown and averaged, by label or by score, while one looks on.

import { drawMap, tile } from "./drawing.mjs";
import { Instrument } from "./instrument.mjs";

const LEAST = 3; // standard errors at the ends of the scale of colours
const still = matchMedia("(prefers-reduced-motion: reduce)");
const SELDOM = 1000; // milliseconds between two pictures, for those who want less motion

export class GrowingMaps extends Instrument {
  #running = false;
  #run = null; // a promise, of the end of the last run
  #fresh = true; // nothing shown yet of this network and noise
  #drawn = 0;

  constructor(root, shared) {
    super(root, shared);
    this.tiles = this.lab.classes.map((name) => tile(this.find("tiles"), `Map of ${name}`));
    this.engine.onprogress = (progress) => this.show(progress);
    this.on("reset", "click", () => this.reset());
    this.on("noise", "change", () => this.reset());
    for (const name of ["by", "z"]) this.on(name, "change", () => this.#look());
  }

  async pressed() {
    if (this.#running) return this.engine.ask("pause");
    if (this.#fresh) await this.open();
    this.#run = this.#grow(Number(this.find("until").value));
    await this.#run;
  }

  async #grow(until) {
    const task = this.#fresh ? "grow" : "resume";
    this.#fresh = false;
    this.#mark(true);
    try {
      await this.engine.ask(task, { ...this.#asked(), until });
    } finally {
      this.#mark(false);
    }
  }

  async reset() {
    if (this.#fresh) return;
    await this.engine.ask("pause");
    await this.#run; // what is still on its way must not be taken for the next run's
    this.#fresh = true;
    this.said.textContent = "Nothing shown yet.";
    for (const { canvas, words } of this.tiles) {
      canvas.width = canvas.height = 1;
      canvas.className = words.textContent = "";
    }
  }

  networkChanged() {
    return this.guarded(() => this.reset());
  }

  async #look() {
    if (!this.#fresh) await this.engine.ask("view", { view: this.#view() });
  }

  #asked() {
    return { network: this.network().name, noise: this.find("noise").value, view: this.#view() };
  }

  #view() {
    return { by: this.find("by").value, z: this.find("z").checked };
  }

  #mark(running) {
    this.#running = running;
    this.button.textContent = running ? "Pause" : "Start";
    this.find("reset").disabled = false;
  }

  show({ n, counts, maps, reads, rate, running }) {
    if (this.#fresh) return; // of a run that was reset
    if (still.matches && running && performance.now() - this.#drawn < SELDOM) return;
    this.#drawn = performance.now();
    const { classes, colours } = this.lab;
    const pixels = maps.length / classes.length;
    const z = this.find("z").checked;
    this.said.textContent = `${n.toLocaleString("en")} images, ${Math.round(rate).toLocaleString("en")} a second`;
    this.said.dataset.counts = counts.join(" ");
    this.tiles.forEach(({ canvas, words }, k) => {
      const map = maps.subarray(k * pixels, (k + 1) * pixels);
      const limit = z ? Math.max(LEAST, map.reduce((most, value) => Math.max(most, Math.abs(value)), 0)) : null;
      drawMap(canvas, map, colours, limit);
      const read = reads[k] === null ? "no samples" : `read as ${classes[reads[k]]}`;
      const reach = z && reads[k] !== null ? `; |z| ≤ ${limit.toFixed(1)}` : "";
      words.textContent = `${classes[k]}: ${((100 * counts[k]) / n).toFixed(1)} %\n${read}${reach}`;
      canvas.className = reads[k] === k ? "itself" : "";
    });
  }
}
