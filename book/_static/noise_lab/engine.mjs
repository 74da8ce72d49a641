// What the page asks of the worker. It starts when an instrument does; until then nothing large is loaded.

import { Once } from "./networks.mjs";
import { tensors } from "./tensors.mjs";

export class Engine {
  #worker = null;
  #ready = false; // whether it has run a network
  #asked = new Map();
  #next = 0;
  #files = new Once();
  onprogress = () => {};

  constructor(lab) {
    this.lab = lab;
  }

  // Load a network and what makes the noise, and before the first one what runs networks.
  async open(network, noise = "white") {
    this.#worker ??= this.#started();
    try {
      await this.ask("open", { lab: this.lab, network, noise });
      this.#ready = true;
    } catch (error) {
      if (!this.#ready) this.#stop(error.message); // a worker does not load again a module that it could not load
      throw error;
    }
  }

  // The tensors of a file, loaded once.
  tensors(file) {
    return this.#files.get(file.name, () => tensors(file));
  }

  ask(task, request = {}) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#worker.postMessage({ id, task, ...request });
    });
  }

  #started() {
    const worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => {
      if (data.progress) return this.onprogress(data.progress);
      const { resolve, reject } = this.#asked.get(data.id);
      this.#asked.delete(data.id);
      if ("error" in data) reject(new Error(data.error));
      else resolve(data.result);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#stop(event.message || "what does the work could not be loaded");
    };
    return worker;
  }

  // Give the worker up, so that the next start makes another.
  #stop(reason) {
    this.#worker?.terminate();
    [this.#worker, this.#ready] = [null, false];
    for (const { reject } of this.#asked.values()) reject(new Error(reason));
    this.#asked.clear();
  }
}
