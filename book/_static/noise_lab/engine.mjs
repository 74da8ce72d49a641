// What the page asks of the worker. It starts when an instrument does; until then nothing large is loaded.

export class Engine {
  #worker = null;
  #asked = new Map();
  #next = 0;
  onprogress = () => {};

  constructor(lab) {
    this.lab = lab;
  }

  // Load a network, and before the first one what runs it.
  async open(network) {
    this.#worker ??= this.#started();
    await this.ask("open", { lab: this.lab, network });
  }

  ask(task, request = {}, transfer = []) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#worker.postMessage({ id, task, ...request }, transfer);
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
      this.#asked.forEach(({ reject }) => reject(new Error(event.message || "this browser cannot start it")));
      this.#asked.clear();
    };
    return worker;
  }
}
