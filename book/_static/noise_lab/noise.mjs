// Sources of noise, as the book has them: image i of a noise is always the same, in batches of any size.

import { uniform } from "./philox.mjs";

export const BLOCK = 2000; // images, as in wna_utils/stimuli/blocks.py: each block has random numbers of its own

// Uniform white noise (wna_utils/stimuli/white.py).
export class WhiteNoise {
  constructor(seed, pixels) {
    Object.assign(this, { seed, pixels });
  }

  // Images (count · pixels) from number `first` on; a batch must not reach beyond its block.
  async images(first, count) {
    const noise = new Float32Array(count * this.pixels);
    uniform(this.seed, Math.floor(first / BLOCK), (first % BLOCK) * this.pixels, noise);
    return noise;
  }
}

// Gabor–PCA noise (wna_utils/stimuli/gabor.py): `mixer` makes images of the components' places within their ranges.
export class GaborNoise {
  constructor(seed, components, mixer) {
    Object.assign(this, { seed, components, mixer });
  }

  async images(first, count) {
    // Random numbers come by fours, and a batch may begin within four: it is read from the last multiple before it.
    const start = (first % BLOCK) * this.components;
    const early = start % 4;
    const places = new Float32Array(early + count * this.components);
    uniform(this.seed, Math.floor(first / BLOCK), start - early, places);
    return this.mixer(places.subarray(early), count);
  }
}
