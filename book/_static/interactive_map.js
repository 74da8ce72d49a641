// Maps of a network's activations: points that say what they are under the pointer, a finger, or the arrow keys.
// The data stand beside each canvas as JSON (wna_utils/report/interactive_map.py); without this script it stays hidden,
// and the chapter's static figures stand.
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
      root.hidden = false;
      this.makeSwitches();
      this.arrange();
      this.listen();
    }

    makeSwitches() {
      this.overlays.forEach((overlay, i) => {
        const label = document.createElement("label");
        const box = document.createElement("input");
        box.type = "checkbox";
        box.addEventListener("change", () => {
          if (box.checked) this.shown.add(i);
          else this.shown.delete(i);
          this.redraw();
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
      new ResizeObserver(() => this.arrange()).observe(this.canvas);
      const scheme = { attributes: true, attributeFilter: ["data-theme"] };
      new MutationObserver(() => this.redraw()).observe(document.documentElement, scheme);
    }

    // Where the points are on a canvas of this size.
    arrange() {
      const { clientWidth: width, clientHeight: height } = this.canvas;
      [this.width, this.height] = [width, height];
      const scale = window.devicePixelRatio || 1;
      [this.canvas.width, this.canvas.height] = [width * scale, height * scale];
      this.left = Float32Array.from(this.x, (x) => this.across(x));
      this.top = Float32Array.from(this.y, (y) => this.down(y));
      this.redraw();
    }

    across(x) {
      return MARGIN + ((x + 32767) / 65534) * (this.width - 2 * MARGIN);
    }

    down(y) {
      return this.height - MARGIN - ((y + 32767) / 65534) * (this.height - 2 * MARGIN);
    }

    nearest(left, top) {
      let best = -1;
      let least = REACH ** 2;
      for (let i = 0; i < this.left.length; i++) {
        const distance = (this.left[i] - left) ** 2 + (this.top[i] - top) ** 2;
        if (distance < least) [best, least] = [i, distance];
      }
      return best;
    }

    // The nearest point within 45 degrees of a direction; points in the same place follow one another.
    next(dx, dy) {
      if (this.chosen < 0) return 0;
      const [x, y] = [this.x[this.chosen], this.y[this.chosen]];
      let best = this.chosen;
      let least = Infinity;
      for (let i = 0; i < this.x.length; i++) {
        const [ax, ay] = [this.x[i] - x, this.y[i] - y];
        const along = ax * dx + ay * dy;
        const aside = Math.abs(ax * dy) + Math.abs(ay * dx);
        const distance = ax ** 2 + ay ** 2;
        if (distance === 0 && i > this.chosen) return i;
        if (along > 0 && along >= aside && distance < least) [best, least] = [i, distance];
      }
      return best;
    }

    choose(i) {
      if (i < 0 || i === this.chosen) return;
      this.chosen = i;
      this.describe();
      this.redraw();
    }

    describe() {
      const i = this.chosen;
      if (i < 0) return;
      const [own, called] = [this.names[this.labels[i]], this.names[this.calls[i]]];
      const error = (10 ** (this.expected[i] / 100)).toExponential(1);
      this.output.textContent = `${own}, called ${called}${own === called ? "" : " (wrong)"}; expected error ${error}`;
      const context = this.thumbnail.getContext("2d");
      const [h, w] = this.side;
      const columns = this.sprite.width / w;
      const [column, row] = [i % columns, Math.floor(i / columns)];
      const { width, height } = this.thumbnail;
      context.imageSmoothingEnabled = false;
      context.drawImage(this.sprite, column * w, row * h, w, h, 0, 0, width, height);
    }

    redraw() {
      this.waiting ??= requestAnimationFrame(() => {
        this.waiting = null;
        this.draw();
      });
    }

    draw() {
      const context = this.canvas.getContext("2d");
      const scale = window.devicePixelRatio || 1;
      context.setTransform(scale, 0, 0, scale, 0, 0);
      context.clearRect(0, 0, this.width, this.height);
      const ink = getComputedStyle(this.root).color;
      this.drawPoints(context, false, ink);
      this.drawPoints(context, true, ink); // over the others
      for (const i of this.shown) this.drawOverlay(context, this.overlays[i], ink);
      if (this.chosen >= 0) {
        context.lineWidth = 2;
        this.ring(context, this.left[this.chosen], this.top[this.chosen], 8, ink);
      }
    }

    drawPoints(context, wrong, ink) {
      context.globalAlpha = wrong ? 1 : 0.5;
      context.lineWidth = 1;
      for (let i = 0; i < this.left.length; i++) {
        if ((this.labels[i] !== this.calls[i]) !== wrong) continue;
        context.fillStyle = this.colours[this.labels[i]];
        context.beginPath();
        context.arc(this.left[i], this.top[i], wrong ? 3.5 : 2, 0, 7);
        context.fill();
        if (wrong) this.ring(context, this.left[i], this.top[i], 3.5, ink);
      }
      context.globalAlpha = 1;
    }

    drawOverlay(context, overlay, ink) {
      context.lineWidth = 1.5;
      overlay.paths.forEach((path, k) => {
        const places = path.map(([x, y]) => [this.across(x), this.down(y)]);
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
