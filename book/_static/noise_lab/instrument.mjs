// What the instruments have in common: their controls, and a start that loads what the lab needs.

export class Instrument {
  started = false;

  constructor(root, { engine, lab, say, network }) {
    Object.assign(this, { root, engine, lab, say, network });
    this.button = this.find("start");
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

  // Do something that may fail; what goes wrong is said in one sentence.
  async guarded(task) {
    try {
      await task();
      this.say("");
    } catch (error) {
      this.say(`That did not work: ${error.message}. Reload the page to start again.`);
    }
  }

  // Load the network, and before it what runs networks.
  async open() {
    this.said.textContent = "Loading …";
    this.root.setAttribute("aria-busy", "true"); // a button that was disabled would lose the keyboard's focus
    try {
      await this.engine.open(this.network().name);
      this.started = true;
    } finally {
      this.root.removeAttribute("aria-busy");
      this.said.textContent = "";
    }
  }

  // The button has done its work; whoever used it goes on at the next control.
  removeButton(next) {
    if (document.activeElement === this.button) this.find(next).focus();
    this.button.hidden = true;
  }
}

// Runs a task again and again while it is asked for, never twice at a time: the last request is the one that counts.
export function latest(task) {
  let running = false;
  let again = false;
  return async () => {
    again = true;
    if (running) return;
    running = true;
    try {
      while (again) {
        again = false;
        await task();
      }
    } finally {
      running = false;
    }
  };
}
