// The work, away from the page: it answers requests {id, task, …} by {id, result} or {id, error}, and tells of maps that
// grow by {progress}.

import { BLOCK, GaborNoise, WhiteNoise } from "./noise.mjs";
import { BATCH, Network, gaborMixer } from "./networks.mjs";
import { Tally, highest } from "./tally.mjs";

const SEED = 0; // of all noise, as the chapters have it for their first network
const OFTEN = 100; // milliseconds between two pictures of maps that grow

let lab = null;
let growing = null;

const white = () => new WhiteNoise(SEED, lab.pixels);
const gabor = async () => new GaborNoise(SEED, lab.gabor.components, await gaborMixer(lab));
const source = (noise) => (noise === "gabor" ? gabor() : white());

// Lets messages in between two batches: a promise alone would not.
const channel = new MessageChannel();
channel.port1.start();
const breath = () =>
  new Promise((resolve) => {
    channel.port1.addEventListener("message", resolve, { once: true });
    channel.port2.postMessage(null);
  });

// Noise that is shown to a network and tallied, batch by batch, until it is stopped or enough is shown.
class Growing {
  tally = null;
  running = false;
  seconds = 0;

  constructor({ network, noise, view, until }) {
    Object.assign(this, { network, noise, view, until });
  }

  async run() {
    if (this.running) return;
    [this.running, this.stopped] = [true, false];
    try {
      const observer = await Network.load(this.network, lab);
      const noise = await source(this.noise);
      this.tally ??= new Tally(observer.classes, observer.pixels);
      await this.#show(observer, noise);
    } finally {
      this.running = false;
    }
    if (this.tally.n) await this.tell();
  }

  async #show(observer, noise) {
    const [start, before] = [performance.now(), this.seconds];
    let told = start;
    while (!this.stopped && this.tally.n < this.until) {
      const images = await noise.images(this.tally.n, BATCH);
      this.tally.add(images, await observer.scores(images));
      this.seconds = before + (performance.now() - start) / 1000;
      if (performance.now() - told > OFTEN) {
        await this.tell();
        told = performance.now();
      }
      await breath();
    }
  }

  // What the maps look like now, what the network calls each, and how fast it went.
  async tell() {
    const { tally, view, running } = this;
    const observer = await Network.load(this.network, lab);
    const means = tally.maps(view.by);
    const maps = view.z ? tally.maps(view.by, true) : means;
    const scores = await observer.reads(means);
    const reads = Array.from(tally.counts, (_, k) => {
      const empty = Number.isNaN(means[k * tally.pixels]);
      return empty ? null : highest(scores.subarray(k * tally.classes, (k + 1) * tally.classes));
    });
    const { n, counts } = tally;
    postMessage({ progress: { n, counts: Array.from(counts), maps, reads, view, running, rate: n / this.seconds } });
  }
}

const tasks = {
  async open({ lab: known, network, noise }) {
    lab = known;
    await Promise.all([Network.load(network, lab), source(noise)]);
  },

  // Grow maps of a network and a noise from nothing.
  async grow(request) {
    if (growing) growing.stopped = true;
    growing = new Growing(request);
    await growing.run();
  },

  async resume({ until }) {
    growing.until = until;
    await growing.run();
  },

  pause() {
    if (growing) growing.stopped = true;
  },

  // Change what is shown of the maps, or how many images are enough.
  async look({ view, until }) {
    if (!growing) return;
    Object.assign(growing, { view, until });
    if (growing.tally?.n && !growing.running) await growing.tell();
  },

  // Scores of images, such as mixtures.
  async scores({ network, images }) {
    return (await Network.load(network, lab)).scores(images);
  },

  // How many of n images are called `target` at every level of the signal, with a change of one layer's biases.
  async curve({ network, images, target, levels, change }) {
    const observer = await Network.load(network, lab);
    const { pixels, classes } = observer;
    const n = images.length / pixels;
    const counts = [];
    for (const [i, level] of levels.entries()) {
      const stimuli = await white().images(i * BLOCK, n); // a block of its own for every level, as in the chapter
      for (let p = 0; p < stimuli.length; p++) stimuli[p] = level * images[p] + (1 - level) * stimuli[p];
      const scores = await observer.scores(stimuli, change);
      let called = 0;
      for (let j = 0; j < n; j++) called += highest(scores.subarray(j * classes, (j + 1) * classes)) === target;
      counts.push(called);
    }
    return counts;
  },
};

onmessage = async ({ data: { id, task, ...request } }) => {
  try {
    postMessage({ id, result: await tasks[task](request) });
  } catch (error) {
    postMessage({ id, error: error.message });
  }
};
