// Reads safetensors files: 8 bytes of length, a head in JSON, and the numbers.

import { fetched } from "./networks.mjs";

const KINDS = { F32: Float32Array, U8: Uint8Array };

// The tensors of a file of the lab, by name, flat.
export async function tensors(file) {
  const content = await fetched(file);
  const length = Number(new DataView(content).getBigUint64(0, true));
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(content, 8, length)));
  delete head.__metadata__;
  return Object.fromEntries(
    Object.entries(head).map(([name, { dtype, data_offsets: [start, end] }]) => {
      const bytes = content.slice(8 + length + start, 8 + length + end); // a copy begins where numbers may begin
      return [name, new KINDS[dtype](bytes)];
    }),
  );
}
