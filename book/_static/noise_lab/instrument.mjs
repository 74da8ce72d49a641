// What the instruments have in common: their controls, a start that loads what they need, and words for what goes wrong.

export class Instrument {
  #busy = false;

  constructor(root, { engine, lab, network }) {
    Object.assign(this, { root, engine, lab, network });
    this.button = this.find("start");
    this.status = this.find("status");
    this.said = this.find("said");
    this.button.addEventListener("click", () => {
      if (!this.#busy) this.guarded(() => this.pressed());
    });
  }

  find(name) {
    return this.root.querySelector(`.lab-${name}`);
  }

  on(name, event, task) {
    this.find(name).addEventListener(event, () => this.guarded(task));
  }

  // Do something that may fail, and say what went wrong until the next thing is done.
  async guarded(task) {
    if (!this.#busy) this.status.textContent = "";
    try {
      await task();
    } catch (error) {
      this.status.textContent = `That did not work: ${error.message}. Is the connection there? Try again, or reload the page.`;
    }
  }

  // Do something that takes a while. The button stays enabled, since it would lose the keyboard's focus.
  async loading(task) {
    this.#busy = true;
    this.status.textContent = "Loading …";
    this.button.setAttribute("aria-disabled", "true");
    try {
      return await task();
    } finally {
      this.#busy = false;
      this.status.textContent = "";
      this.button.removeAttribute("aria-disabled");
    }
  }

  // Fill a choice of a class, and choose one.
  offerClasses(name, chosen) {
    this.lab.classes.forEach((each, k) => this.find(name).add(new Option(each, k)));
    this.find(name).value = chosen;
  }

  // Say what a slider stands at, beside it.
  sayValue(name, digits) {
    const say = () => (this.find(`${name}-said`).textContent = Number(this.find(name).value).toFixed(digits));
    this.find(name).addEventListener("input", say);
    say();
  }
}

// An instrument that answers anew whenever something is changed, once it has started: `update` does.
export class Answering extends Instrument {
  started = false;

  constructor(root, shared) {
    super(root, shared);
    this.answer = latest(() => this.update());
  }

  async pressed() {
    await this.loading(() => this.loaded(this.network()));
    this.started = true;
    if (document.activeElement === this.button) this.find("digit").focus(); // the button has done its work
    this.button.hidden = true;
    await this.answer();
  }

  // Answer anew, if it has started.
  async refresh() {
    if (this.started) await this.answer();
  }

  networkChanged() {
    return this.guarded(() => this.refresh());
  }

  // Test images, and the tensors of a network, which is ready to answer then.
  async loaded({ name, tensors }) {
    const files = [this.lab.images, tensors].map((file) => this.engine.tensors(file));
    await this.engine.open(name);
    return Promise.all(files);
  }
}

// Runs a task again while it is asked for, never twice at a time: of many requests, the last one counts. What goes wrong
// is told to all who asked meanwhile.
function latest(task) {
  let running = null;
  let again = false;
  const loop = async () => {
    try {
      while (again) {
        again = false;
        await task().catch((error) => {
          if (!again) throw error; // else it was about something that is not wanted any more
        });
      }
    } finally {
      running = null;
    }
  };
  return () => {
    again = true;
    running ??= loop();
    return running;
  };
}
