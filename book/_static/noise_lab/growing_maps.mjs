// Maps that grow: noise is shown and averaged, by label or by score, while one looks on.

import { clear, drawMap, tile } from "./drawing.mjs";
import { Instrument } from "./instrument.mjs";

const LEAST = 3; // standard errors at the ends of the scale of colours
const SELDOM = 1000; // milliseconds between two pictures, for those who want less motion
const lessMotion = matchMedia("(prefers-reduced-motion: reduce)");
const NOTHING = "Nothing shown yet.";

export class GrowingMaps extends Instrument {
  #fresh = true; // nothing shown yet of this network and noise
  #run = null; // the run that is going on, a promise
  #drawn = { at: 0, view: null }; // the last picture
  #n = 0;
  #resets = 0;

  constructor(root, shared) {
    super(root, shared);
    this.tiles = this.lab.classes.map((name) => tile(this.find("tiles"), `Map of ${name}`));
    this.engine.onprogress = (progress) => this.show(progress);
    this.on("reset", "click", () => this.reset());
    this.on("noise", "change", () => this.reset());
    for (const name of ["by", "z", "until"]) this.on(name, "change", () => this.#look());
  }

  async pressed() {
    if (this.#run) return this.engine.ask("pause");
    const shown = `${this.#n.toLocaleString("en")} images are shown`;
    if (this.#n >= this.#until()) return this.#tell(`${shown} already: let it stop at more, or reset it.`);
    const resets = this.#resets;
    if (this.#fresh) await this.loading(() => this.engine.open(this.network().name, this.find("noise").value));
    if (resets !== this.#resets) return; // something else is wanted by now
    this.#run = this.#grow();
    this.#mark();
    try {
      await this.#run;
    } finally {
      this.#run = null;
      this.#mark();
    }
    if (this.#n >= this.#until()) this.#tell(`Done: ${this.#n.toLocaleString("en")} images.`);
  }

  #tell(sentence) {
    this.status.textContent = sentence;
  }

  async #grow() {
    const asked = { network: this.network().name, noise: this.find("noise").value, ...this.#choice() };
    const task = this.#fresh ? "grow" : "resume";
    this.#fresh = false;
    try {
      await this.engine.ask(task, asked);
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  async reset() {
    this.#resets++;
    const run = this.#run;
    if (run) {
      await this.engine.ask("pause");
      await run.catch(() => {}); // what is still on its way must not be taken for the next run's
    }
    this.#forget();
  }

  #forget() {
    [this.#fresh, this.#n] = [true, 0];
    this.said.textContent = NOTHING;
    delete this.said.dataset.counts;
    for (const { canvas, words } of this.tiles) {
      clear(canvas);
      words.textContent = "";
    }
  }

  networkChanged() {
    return this.guarded(() => this.reset());
  }

  async #look() {
    if (!this.#fresh) await this.engine.ask("look", this.#choice());
  }

  #choice() {
    return { view: { by: this.find("by").value, z: this.find("z").checked }, until: this.#until() };
  }

  #until() {
    return Number(this.find("until").value);
  }

  #mark() {
    this.button.textContent = this.#run ? "Pause" : "Start";
  }

  show(progress) {
    if (this.#fresh) return; // of a run that was reset
    const { n, counts, rate, running, view } = progress;
    const same = view.by === this.#drawn.view?.by && view.z === this.#drawn.view.z;
    if (lessMotion.matches && running && same && performance.now() - this.#drawn.at < SELDOM) return;
    this.#drawn = { at: performance.now(), view };
    this.#n = n;
    this.said.textContent = `${n.toLocaleString("en")} images, ${Math.round(rate).toLocaleString("en")} a second`;
    this.said.dataset.counts = counts.join(" "); // for tests
    this.tiles.forEach((each, k) => this.#showMap(each, k, progress));
  }

  #showMap({ canvas, words }, k, { n, counts, maps, reads, view }) {
    const { classes, colours, pixels } = this.lab;
    const map = maps.subarray(k * pixels, (k + 1) * pixels);
    const limit = view.z ? map.reduce((most, value) => Math.max(most, Math.abs(value)), LEAST) : null;
    drawMap(canvas, map, colours, limit);
    const read = reads[k] === null ? "no map" : `read as ${classes[reads[k]]}`;
    const reach = view.z && reads[k] !== null ? `\n|z| ≤ ${limit.toFixed(1)}` : "";
    const share = ((100 * counts[k]) / n).toFixed(1);
    words.textContent = `${classes[k]}: ${share} %\nn = ${counts[k].toLocaleString("en")}\n${read}${reach}`;
    canvas.classList.toggle("itself", reads[k] === k);
  }
}
