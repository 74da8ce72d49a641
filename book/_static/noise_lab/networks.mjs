// Networks in the browser: exported by the build (wna_utils/lab/), run by ONNX Runtime Web in one thread.

import { stretched } from "./tally.mjs";

export const FILES = new URL("./files/", import.meta.url);
export const BATCH = 250; // images; it divides a block of noise

// Where a file of the lab lies. Its hash is part of the address, so that no browser takes an older one from its cache.
function address(file) {
  const place = new URL(file.name, FILES);
  place.searchParams.set("v", file.sha256);
  return place;
}

// A file of the lab, whole and as the build made it, or an error.
export async function fetched(file) {
  const response = await fetch(address(file), { integrity: `sha256-${file.sha256}` });
  if (!response.ok) throw new Error(`${file.name} could not be loaded (${response.status} ${response.statusText})`);
  return response.arrayBuffer();
}

// What `make` gives for a name, made once; what failed is tried again.
export class Once {
  #made = new Map();

  get(name, make) {
    if (!this.#made.has(name)) {
      const making = make();
      this.#made.set(name, making);
      making.catch(() => this.#made.delete(name));
    }
    return this.#made.get(name);
  }
}

const once = new Once();

function runtime(files) {
  return once.get("runtime", async () => {
    const ort = await import(address(files.script));
    ort.env.wasm.numThreads = 1; // more need headers that a static site does not send
    ort.env.wasm.wasmPaths = { mjs: address(files.module).href };
    ort.env.wasm.wasmBinary = await fetched(files.binary);
    return ort;
  });
}

async function session(file, lab) {
  const ort = await runtime(lab.runtime);
  return ort.InferenceSession.create(new Uint8Array(await fetched(file)));
}

let turn = Promise.resolve(); // one run at a time

async function run(session, feeds) {
  const own = turn.then(() => session.run(feeds));
  turn = own.catch(() => {});
  return own;
}

// A network that answers images with a score for each class, the biases of its layers changed at will.
export class Network {
  // The network of this name; it is loaded once.
  static load(name, lab) {
    return once.get(name, async () => {
      const about = lab.networks.find((each) => each.name === name);
      const own = await session(about.file, lab);
      return new Network(await runtime(lab.runtime), own, lab);
    });
  }

  constructor(ort, session, lab) {
    Object.assign(this, { ort, session, layers: lab.layers, shape: lab.shape, pixels: lab.pixels });
    this.classes = lab.classes.length;
  }

  // Scores (n · classes) of images (n · pixels), with what is added to the biases of some layers, if anything is.
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

  // Scores of maps, each as a picture that is stretched from 0 to 1.
  async reads(maps) {
    return this.scores(stretched(maps, this.pixels));
  }
}

// What makes images of the places of Gabor–PCA components within their ranges; it is loaded once.
export function gaborMixer(lab) {
  return once.get("gabor", async () => {
    const own = await session(lab.gabor.file, lab);
    const ort = await runtime(lab.runtime);
    return async (places, count) => {
      const feeds = { places: new ort.Tensor("float32", places, [count, lab.gabor.components]) };
      return (await run(own, feeds)).images.data;
    };
  });
}
