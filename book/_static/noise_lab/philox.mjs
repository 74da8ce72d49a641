// The book's random numbers (wna_utils/stimuli/philox.py): Philox4x32-10, so that block i of a noise is the same here.

const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57];
const STEPS = [0x9e3779b9, 0xbb67ae85]; // of the key, from round to round
const ROUNDS = 10;
const WORD = 2 ** 32;
const SCALE = 2 ** -24; // a float32 holds 24 bits exactly

// High 32 bits of the product of two words, from halves of 16 bits whose products a double holds.
function high(a, b) {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const other = a0 * b1 + (middle & 0xffff);
  return (a1 * b1 + (middle >>> 16) + (other >>> 16)) >>> 0;
}

// Four words that follow from a key of two words and a counter of two, written to `target`.
function philox(key0, key1, counter0, counter1, target) {
  let [c0, c1, c2, c3] = [counter0, counter1, 0, 0];
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = high(c0, MULTIPLIERS[0]);
    const high2 = high(c2, MULTIPLIERS[1]);
    const low0 = Math.imul(c0, MULTIPLIERS[0]) >>> 0;
    const low2 = Math.imul(c2, MULTIPLIERS[1]) >>> 0;
    c0 = (high2 ^ c1 ^ key0) >>> 0;
    c2 = (high0 ^ c3 ^ key1) >>> 0;
    c1 = low2;
    c3 = low0;
    key0 = (key0 + STEPS[0]) >>> 0;
    key1 = (key1 + STEPS[1]) >>> 0;
  }
  target[0] = c0;
  target[1] = c1;
  target[2] = c2;
  target[3] = c3;
}

const words = (number) => [number % WORD, Math.floor(number / WORD)];

// Numbers in [0, 1) that belong to a seed and a number, both whole and below 2^53: those from place `first` on, which
// must be a multiple of four. They fill `target`, a Float32Array.
export function uniform(seed, number, first, target) {
  const four = new Uint32Array(4);
  philox(...words(seed), ...words(number), four);
  const [key0, key1, start0, start1] = four;
  for (let place = 0; place < target.length; place += 4) {
    const counter = start0 + (first + place) / 4;
    philox(key0, key1, counter % WORD, (start1 + Math.floor(counter / WORD)) % WORD, four);
    const count = Math.min(4, target.length - place);
    for (let i = 0; i < count; i++) target[place + i] = (four[i] & 0xffffff) * SCALE;
  }
}
