// Pictures: maps over their own range or in standard errors, images in grey, and curves.

const MARGINS = { left: 44, right: 12, top: 10, bottom: 36 };

function paint(canvas, values, colour) {
  const side = Math.sqrt(values.length);
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(side, side);
  values.forEach((value, p) => picture.data.set([...colour(value), 255], 4 * p));
  context.putImageData(picture, 0, 0);
}

const step = (share) => Math.max(0, Math.min(255, Math.round(255 * share)));

// An empty frame.
export function clear(canvas) {
  canvas.width = canvas.height = 1;
  canvas.classList.remove("itself", "target");
}

// A map: over its own range, or from −limit to limit where one is given. One without samples is an empty frame.
export function drawMap(canvas, map, colours, limit = null) {
  if (map.includes(NaN)) return clear(canvas);
  const [low, high] = limit === null ? [Math.min(...map), Math.max(...map)] : [-limit, limit];
  const scale = limit === null ? colours.own : colours.signed;
  paint(canvas, map, (value) => scale[step((value - low) / (high - low || 1))]);
}

// An image as a network gets it: 0 is black, 1 white.
export function drawImage(canvas, image) {
  paint(canvas, image, (value) => Array(3).fill(step(value)));
}

// Curves of shares from 0 to 1 against levels from 0 to 1: [{values, colour, line}], on a canvas as large as it stands.
export function drawCurves(canvas, levels, curves, [across, up]) {
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  [canvas.width, canvas.height] = [width * scale, height * scale];
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  const style = getComputedStyle(canvas);
  const x = (level) => MARGINS.left + level * (width - MARGINS.left - MARGINS.right);
  const y = (share) => height - MARGINS.bottom - share * (height - MARGINS.top - MARGINS.bottom);
  drawAxes(context, style, { x, y, width, height, across, up });
  for (const { values, colour, line } of curves) {
    context.strokeStyle = context.fillStyle = colour ?? style.color;
    context.lineWidth = line;
    context.beginPath();
    values.forEach((value, i) => context.lineTo(x(levels[i]), y(value)));
    context.stroke();
    values.forEach((value, i) => context.fillRect(x(levels[i]) - 2, y(value) - 2, 4, 4));
  }
}

function drawAxes(context, style, { x, y, width, height, across, up }) {
  context.font = `13px ${style.fontFamily}`;
  context.fillStyle = context.strokeStyle = style.color;
  context.globalAlpha = 0.75;
  context.textAlign = "center";
  context.beginPath();
  context.moveTo(x(0), y(1));
  context.lineTo(x(0), y(0));
  context.lineTo(x(1), y(0));
  context.stroke();
  for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
    context.fillText(tick, x(tick), y(0) + 16);
    context.textAlign = "right";
    context.fillText(tick, x(0) - 6, y(tick) + 4);
    context.textAlign = "center";
  }
  context.fillText(across, (x(0) + x(1)) / 2, height - 4);
  context.save();
  context.translate(12, (y(0) + y(1)) / 2);
  context.rotate(-Math.PI / 2);
  context.fillText(up, 0, 0);
  context.restore();
  context.globalAlpha = 1;
}

// A picture with words below it, added to a place; the canvas and the words.
export function tile(place, label) {
  const figure = document.createElement("figure");
  const canvas = document.createElement("canvas");
  const words = document.createElement("figcaption");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  clear(canvas);
  figure.append(canvas, words);
  place.append(figure);
  return { canvas, words };
}
