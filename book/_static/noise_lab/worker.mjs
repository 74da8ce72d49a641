// The work, away from the page: it answers requests {id, task, …} by {id, result} or {id, error}, and tells of maps that
// grow by {progress}.

import { BLOCK, GaborNoise, WhiteNoise } from "./noise.mjs";
import { BATCH, Network, gaborMixer } from "./networks.mjs";
import { Tally, highest } from "./tally.mjs";

const NOISE_OF_CURVES = 0; // seed, as the chapter on microstimulation has it for its first network
const OFTEN = 100; // milliseconds between two pictures of maps that grow

let lab = null;
let growing = null;
const networks = new Map();

async function network(name) {
  if (!networks.has(name)) {
    const about = lab.networks.find((each) => each.name === name);
    networks.set(name, Network.load(about, lab));
  }
  try {
    return await networks.get(name);
  } catch (error) {
    networks.delete(name); // so that it can be tried again
    throw error;
  }
}

async function source(noise, seed) {
  const pixels = lab.shape.reduce((a, b) => a * b);
  return noise === "gabor"
    ? new GaborNoise(seed, lab.gabor.components, await gaborMixer(lab))
    : new WhiteNoise(seed, pixels);
}

// Lets messages in between two batches: a promise alone would not.
const pause = new MessageChannel();
const breath = () =>
  new Promise((resolve) => {
    pause.port1.onmessage = resolve;
    pause.port2.postMessage(null);
  });

// Noise that is shown to a network and tallied, batch by batch, until it is told to stop or enough is shown.
class Growing {
  constructor(observer, noise, view) {
    Object.assign(this, { observer, noise, view, running: false, seconds: 0 });
    this.tally = new Tally(observer.classes, observer.pixels);
  }

  async run(until) {
    if (this.running) return;
    this.running = true;
    let told = 0;
    try {
      while (this.running && this.tally.n < until) {
        const start = performance.now();
        const images = await this.noise.images(this.tally.n, BATCH);
        this.tally.add(images, await this.observer.scores(images));
        this.seconds += (performance.now() - start) / 1000;
        if (performance.now() - told > OFTEN) {
          await this.tell();
          told = performance.now();
        }
        await breath();
      }
    } finally {
      this.running = false;
    }
    await this.tell();
  }

  async tell() {
    const { tally, view, observer } = this;
    const maps = tally.maps(view.by, view.z);
    const scores = await observer.reads(view.z ? tally.maps(view.by) : maps);
    const reads = Array.from(tally.counts, (_, k) => {
      const empty = Number.isNaN(maps[k * tally.pixels]);
      return empty ? null : highest(scores.subarray(k * tally.classes, (k + 1) * tally.classes));
    });
    const { n, counts } = tally;
    postMessage({
      progress: { n, counts: Array.from(counts), maps, reads, rate: n / this.seconds, running: this.running },
    });
  }
}

const tasks = {
  async open(request) {
    lab = request.lab;
    await network(request.network);
  },

  // Grow maps of a network and a noise from nothing.
  async grow({ network: name, noise, view, until }) {
    if (growing) growing.running = false;
    growing = new Growing(await network(name), await source(noise, 0), view);
    await growing.run(until);
  },

  async resume({ until }) {
    await growing?.run(until);
  },

  pause() {
    if (growing) growing.running = false;
  },

  async view({ view }) {
    if (!growing) return;
    growing.view = view;
    if (growing.tally.n) await growing.tell();
  },

  // Scores of images, such as mixtures.
  async scores({ network: name, images }) {
    return (await network(name)).scores(images);
  },

  // How many of n images are called `target` at every level of the signal, with a change of one layer's biases.
  async curve({ network: name, images, target, levels, change }) {
    const observer = await network(name);
    const { pixels, classes } = observer;
    const n = images.length / pixels;
    const white = await source("white", NOISE_OF_CURVES);
    const counts = [];
    for (const [i, level] of levels.entries()) {
      const stimuli = await white.images(i * BLOCK, n);
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
