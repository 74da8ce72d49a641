// Maps of a network's activations: points that say what they are under the pointer, a finger, or the arrow keys.
// The data stand beside each canvas as JSON (wna_utils/report/interactive_map.py); without this script, the static
// figure of the chapter shows the same.
(() => {
  const REACH = 14; // pixels within which a point is taken to be meant
  const MARGIN = 12;
  const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

  const decoded = (text, Type) => new Type(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

  class ActivationMap {
    constructor(root) {
      const data = JSON.parse(root.querySelector("script").textContent);
      Object.assign(this, { root, names: data.names, colours: data.colours, overlays: data.overlays, side: data.side });
      this.x = decoded(data.x, Int16Array);
      this.y = decoded(data.y, Int16Array);
      this.labels = decoded(data.labels, Uint8Array);
      this.calls = decoded(data.calls, Uint8Array);
      this.expected = decoded(data.expected, Int16Array); // hundredths of log10
      this.canvas = root.querySelector("canvas.points");
      this.thumbnail = root.querySelector("canvas.thumbnail");
      this.output = root.querySelector("output");
      this.shown = new Set();
      this.chosen = -1;
      this.sprite = new Image();
      this.sprite.onload = () => this.describe();
      this.sprite.src = data.sprite;
      this.makeSwitches();
      this.listen();
      this.draw();
      root.hidden = false;
    }

    makeSwitches() {
      this.overlays.forEach((overlay, i) => {
        const label = document.createElement("label");
        const box = document.createElement("input");
        box.type = "checkbox";
        box.addEventListener("change", () => {
          if (box.checked) this.shown.add(i);
          else this.shown.delete(i);
          this.draw();
        });
        label.append(box, ` ${overlay.name}`);
        this.root.querySelector(".switches").append(label);
      });
    }

    listen() {
      const near = (event) => this.choose(this.nearest(event.offsetX, event.offsetY));
      this.canvas.addEventListener("pointermove", near);
      this.canvas.addEventListener("pointerdown", near);
      this.canvas.addEventListener("keydown", (event) => {
        if (!(event.key in DIRECTIONS)) return;
        event.preventDefault();
        this.choose(this.next(...DIRECTIONS[event.key]));
      });
      this.canvas.addEventListener("focus", () => this.chosen < 0 && this.choose(0));
      new ResizeObserver(() => this.draw()).observe(this.canvas);
      const scheme = { attributes: true, attributeFilter: ["data-theme"] };
      new MutationObserver(() => this.draw()).observe(document.documentElement, scheme);
    }

    place(x, y) {
      const { clientWidth: width, clientHeight: height } = this.canvas;
      const span = 65534;
      return [
        MARGIN + ((x + 32767) / span) * (width - 2 * MARGIN),
        height - MARGIN - ((y + 32767) / span) * (height - 2 * MARGIN),
      ];
    }

    nearest(left, top) {
      let best = -1;
      let least = REACH ** 2;
      for (let i = 0; i < this.x.length; i++) {
        const [px, py] = this.place(this.x[i], this.y[i]);
        const distance = (px - left) ** 2 + (py - top) ** 2;
        if (distance < least) [best, least] = [i, distance];
      }
      return best;
    }

    // The nearest point within 45 degrees of a direction.
    next(dx, dy) {
      if (this.chosen < 0) return 0;
      let best = this.chosen;
      let least = Infinity;
      for (let i = 0; i < this.x.length; i++) {
        const [ax, ay] = [this.x[i] - this.x[this.chosen], this.y[i] - this.y[this.chosen]];
        const along = ax * dx + ay * dy;
        const across = Math.abs(ax * dy) + Math.abs(ay * dx);
        const distance = ax ** 2 + ay ** 2;
        if (along > 0 && along >= across && distance < least) [best, least] = [i, distance];
      }
      return best;
    }

    choose(i) {
      if (i < 0 || i === this.chosen) return;
      this.chosen = i;
      this.describe();
      this.draw();
    }

    describe() {
      const i = this.chosen;
      if (i < 0) return;
      const [own, called] = [this.names[this.labels[i]], this.names[this.calls[i]]];
      const error = (10 ** (this.expected[i] / 100)).toExponential(1);
      this.output.textContent = `${own}, called ${called}${own === called ? "" : " (wrong)"}; expected error ${error}`;
      const context = this.thumbnail.getContext("2d");
      const columns = this.sprite.width / this.side;
      const [column, row] = [i % columns, Math.floor(i / columns)];
      const { width, height } = this.thumbnail;
      context.imageSmoothingEnabled = false;
      context.drawImage(this.sprite, column * this.side, row * this.side, this.side, this.side, 0, 0, width, height);
    }

    draw() {
      const { clientWidth: width, clientHeight: height } = this.canvas;
      const scale = window.devicePixelRatio || 1;
      this.canvas.width = width * scale;
      this.canvas.height = height * scale;
      const context = this.canvas.getContext("2d");
      context.scale(scale, scale);
      const ink = getComputedStyle(this.root).color;
      for (let i = 0; i < this.x.length; i++) {
        const [px, py] = this.place(this.x[i], this.y[i]);
        const wrong = this.labels[i] !== this.calls[i];
        context.globalAlpha = wrong ? 1 : 0.5;
        context.fillStyle = this.colours[this.labels[i]];
        context.beginPath();
        context.arc(px, py, wrong ? 3.5 : 2, 0, 7);
        context.fill();
        if (wrong) this.ring(context, px, py, 3.5, ink);
      }
      context.globalAlpha = 1;
      for (const i of this.shown) this.drawOverlay(context, this.overlays[i], ink);
      if (this.chosen >= 0) {
        const [px, py] = this.place(this.x[this.chosen], this.y[this.chosen]);
        context.lineWidth = 2;
        this.ring(context, px, py, 8, ink);
      }
    }

    drawOverlay(context, overlay, ink) {
      context.lineWidth = 1.5;
      overlay.paths.forEach((path, k) => {
        const places = path.map(([x, y]) => this.place(x, y));
        context.strokeStyle = context.fillStyle = overlay.colours[k] ?? ink;
        if (overlay.lines) {
          context.beginPath();
          places.forEach(([px, py], i) => (i ? context.lineTo(px, py) : context.moveTo(px, py)));
          context.stroke();
        } else {
          for (const [px, py] of places) context.fillRect(px - 1.5, py - 1.5, 3, 3);
        }
      });
    }

    ring(context, px, py, radius, colour) {
      context.strokeStyle = colour;
      context.beginPath();
      context.arc(px, py, radius, 0, 7);
      context.stroke();
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(".activation-map").forEach((root) => new ActivationMap(root));
  });
})();
