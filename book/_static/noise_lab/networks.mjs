// Networks in the browser: exported by the build (wna_utils/lab/), run by ONNX Runtime Web in one thread.

import { stretched } from "./tally.mjs";

export const FILES = new URL("./files/", import.meta.url);
export const BATCH = 250; // images; it divides a block of noise

// A file of the lab, whole and as the build made it, or an error.
export async function fetched(file) {
  const address = new URL(file.name, FILES);
  address.searchParams.set("v", file.sha256); // a browser must not take an older one from its cache
  const response = await fetch(address, { integrity: `sha256-${file.sha256}` });
  if (!response.ok) throw new Error(`${file.name} could not be loaded (${response.status} ${response.statusText})`);
  return response.arrayBuffer();
}

let starting = null;

function runtime(files) {
  starting ??= (async () => {
    const ort = await import(new URL(files.script.name, FILES));
    ort.env.wasm.numThreads = 1; // more need headers that a static site does not send
    ort.env.wasm.wasmPaths = { mjs: new URL(files.module.name, FILES).href };
    ort.env.wasm.wasmBinary = await fetched(files.binary);
    return ort;
  })();
  return starting;
}

let turn = Promise.resolve(); // one run at a time

async function run(session, feeds) {
  const own = turn.then(() => session.run(feeds));
  turn = own.catch(() => {});
  return own;
}

// A network that answers images with a score for each class, the biases of its layers changed at will.
export class Network {
  static async load(about, lab) {
    const ort = await runtime(lab.runtime);
    const session = await ort.InferenceSession.create(new Uint8Array(await fetched(about.file)));
    return new Network(ort, session, about, lab);
  }

  constructor(ort, session, about, lab) {
    Object.assign(this, { ort, session, about, layers: lab.layers, shape: lab.shape });
    this.pixels = lab.shape.reduce((a, b) => a * b);
    this.classes = lab.classes.length;
  }

  // Scores (n · classes) of images (n · pixels), with what is added to the biases of one layer, if anything is.
  async scores(images, change = {}) {
    const n = images.length / this.pixels;
    const scores = new Float32Array(n * this.classes);
    for (let first = 0; first < n; first += BATCH) {
      const batch = images.subarray(first * this.pixels, Math.min(n, first + BATCH) * this.pixels);
      const { scores: answer } = await run(this.session, this.#feeds(batch, change));
      scores.set(answer.data, first * this.classes);
    }
    return scores;
  }

  #feeds(images, change) {
    const feeds = { images: new this.ort.Tensor("float32", images, [images.length / this.pixels, ...this.shape]) };
    for (const { name, maps } of this.layers) {
      feeds[name] = new this.ort.Tensor("float32", change[name] ?? new Float32Array(maps), [maps]);
    }
    return feeds;
  }

  // What the network calls each map, as a picture that is stretched from 0 to 1.
  async reads(maps) {
    return this.scores(stretched(maps, this.pixels));
  }

  async release() {
    await this.session.release();
  }
}

// What makes images of the places of Gabor–PCA components within their ranges.
export async function gaborMixer(lab) {
  const ort = await runtime(lab.runtime);
  const session = await ort.InferenceSession.create(new Uint8Array(await fetched(lab.gabor.file)));
  return async (places, count) => {
    const feeds = { places: new ort.Tensor("float32", places, [count, lab.gabor.components]) };
    return (await run(session, feeds)).images.data;
  };
}
