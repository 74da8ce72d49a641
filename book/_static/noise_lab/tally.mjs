// What noise and answers add up to: averages of the noise by label, as in the paper, and noise graded by every score
// (wna_utils/observe/tally.py and graded.py). Both are kept of the same images, so that they can be compared.

const GREY = 0.5;
const ROUNDED = 1e-6; // of a square, and
const LEAST = 2 ** -24; // of a variance: less is taken for rounding

export class Tally {
  constructor(classes, pixels) {
    Object.assign(this, { classes, pixels, n: 0 });
    const room = (length) => new Float64Array(length);
    this.counts = room(classes);
    this.sums = room(classes * pixels); // of the noise called each class
    this.total = room(pixels);
    this.squares = room(pixels);
    this.scores = room(classes);
    this.scoreSquares = room(classes);
    this.weighted = room(classes * pixels); // of the noise, weighted by each class's score
  }

  // Add images (n · pixels) and the scores (n · classes) that they got.
  add(images, scores) {
    const { classes, pixels } = this;
    const n = scores.length / classes;
    for (let i = 0; i < n; i++) {
      const image = images.subarray(i * pixels, (i + 1) * pixels);
      const own = scores.subarray(i * classes, (i + 1) * classes);
      this.#addByLabel(image, highest(own));
      this.#addByScore(image, own);
    }
    this.n += n;
  }

  #addByLabel(image, label) {
    const { pixels, sums, total, squares } = this;
    this.counts[label]++;
    const row = label * pixels;
    for (let p = 0; p < pixels; p++) {
      const x = image[p] - GREY;
      sums[row + p] += x;
      total[p] += x;
      squares[p] += x * x;
    }
  }

  #addByScore(image, scores) {
    const { classes, pixels, weighted } = this;
    for (let k = 0; k < classes; k++) {
      const score = scores[k];
      this.scores[k] += score;
      this.scoreSquares[k] += score * score;
      const row = k * pixels;
      for (let p = 0; p < pixels; p++) weighted[row + p] += score * (image[p] - GREY);
    }
  }

  // A map of every class (classes · pixels): the mean noise called it, or the noise's covariance with its score over the
  // score's standard deviation. In standard errors, if z is asked for. A class that has none is NaN.
  maps(by, z = false) {
    const maps = new Float32Array(this.classes * this.pixels);
    for (let k = 0; k < this.classes; k++) {
      const row = maps.subarray(k * this.pixels, (k + 1) * this.pixels);
      if (by === "label") this.#mapByLabel(k, z, row);
      else this.#mapByScore(k, z, row);
    }
    return maps;
  }

  #mapByLabel(k, z, row) {
    const { n, counts, sums, total, pixels } = this;
    for (let p = 0; p < pixels; p++) {
      const mean = sums[k * pixels + p] / counts[k];
      if (z) {
        const error = Math.sqrt((this.#variance(p) / counts[k]) * ((n - counts[k]) / (n - 1)));
        row[p] = (mean - total[p] / n) / error;
      } else row[p] = mean + GREY;
    }
  }

  #mapByScore(k, z, row) {
    const { n, total, pixels, weighted } = this;
    const mean = this.scores[k] / n;
    const variance = this.scoreSquares[k] / n - mean * mean;
    const spread = variance > ROUNDED * mean * mean + LEAST ? Math.sqrt(variance) : NaN;
    for (let p = 0; p < pixels; p++) {
      const covariance = (weighted[k * pixels + p] - mean * total[p]) / n;
      row[p] = covariance / spread;
      if (z) row[p] *= Math.sqrt((n - 1) / this.#variance(p));
    }
  }

  // Variance of a pixel over all images.
  #variance(p) {
    return Math.max(0, this.squares[p] / this.n - (this.total[p] / this.n) ** 2);
  }
}

// Place of the highest of some numbers; of equal ones, the first.
export function highest(numbers) {
  let best = 0;
  for (let i = 1; i < numbers.length; i++) if (numbers[i] > numbers[best]) best = i;
  return best;
}

// Every map (pixels each) stretched to the range from 0 to 1, as it is shown to a network; one without samples is grey.
export function stretched(maps, pixels) {
  const pictures = new Float32Array(maps.length);
  for (let start = 0; start < maps.length; start += pixels) {
    const map = maps.subarray(start, start + pixels);
    const low = Math.min(...map);
    const span = Math.max(...map) - low;
    for (let p = 0; p < pixels; p++) pictures[start + p] = span > 0 ? (map[p] - low) / span : GREY;
  }
  return pictures;
}
