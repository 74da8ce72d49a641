// What the instruments have in common: their controls, a start that loads what they need, and words for what goes wrong.

export class Instrument {
  constructor(root, { engine, lab, network }) {
    Object.assign(this, { root, engine, lab, network });
    this.button = this.find("start");
    this.status = this.find("status");
    this.said = this.find("said");
    this.button.addEventListener("click", () => {
      if (!this.root.hasAttribute("aria-busy")) this.guarded(() => this.pressed());
    });
  }

  find(name) {
    return this.root.querySelector(`.lab-${name}`);
  }

  on(name, event, task) {
    this.find(name).addEventListener(event, () => this.guarded(task));
  }

  // Do something that may fail, and say what went wrong; whether it was done.
  async guarded(task) {
    try {
      await task();
      this.status.textContent = "";
      return true;
    } catch (error) {
      this.status.textContent = `That did not work: ${error.message}. Is the connection there? Try again, or reload the page.`;
      return false;
    }
  }

  // Do something that takes a while. The button stays enabled, since it would lose the keyboard's focus.
  async loading(task) {
    this.status.textContent = "Loading …";
    this.root.setAttribute("aria-busy", "true");
    this.button.setAttribute("aria-disabled", "true");
    try {
      return await task();
    } finally {
      this.root.removeAttribute("aria-busy");
      this.button.removeAttribute("aria-disabled");
    }
  }
}

// An instrument that answers anew whenever something is changed, once it has started: `update` does.
export class Answering extends Instrument {
  started = false;

  constructor(root, shared) {
    super(root, shared);
    this.answer = latest(() => this.guarded(() => this.update()));
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
    return this.refresh();
  }

  // Test images, and the tensors of a network, which is ready to answer then.
  async loaded({ name, tensors }) {
    const files = [this.lab.images, tensors].map((file) => this.engine.tensors(file));
    await this.engine.open(name);
    return Promise.all(files);
  }
}

// Runs a task again while it is asked for, never twice at a time: of many requests, the last one counts.
function latest(task) {
  let running = null;
  let again = false;
  const loop = async () => {
    while (again) {
      again = false;
      await task();
    }
    running = null;
  };
  return () => {
    again = true;
    running ??= loop();
    return running;
  };
}
