// The noise lab: three instruments on one page, which share a network and a worker. Nothing large is loaded before the
// first of them starts.

import { Engine } from "./engine.mjs";
import { GrowingMaps } from "./growing_maps.mjs";
import { Mixing } from "./mixing.mjs";
import { FILES } from "./networks.mjs";
import { Stimulation } from "./stimulation.mjs";

// Show the instruments.
export async function start() {
  const response = await fetch(new URL("lab.json", FILES), { cache: "no-cache" });
  if (!response.ok) throw new Error(`what the build made for them is not there (${response.status})`);
  const lab = await response.json();
  lab.pixels = lab.shape.reduce((a, b) => a * b);
  const choice = document.getElementById("lab-network");
  for (const { name, title } of lab.networks) choice.add(new Option(title, name));
  const engine = new Engine(lab);
  const shared = { engine, lab, network: () => lab.networks.find(({ name }) => name === choice.value) };
  const instruments = [
    new GrowingMaps(document.getElementById("lab-maps"), shared),
    new Mixing(document.getElementById("lab-mix"), shared),
    new Stimulation(document.getElementById("lab-stimulate"), shared),
  ];
  choice.addEventListener("change", () => instruments.forEach((each) => each.networkChanged()));
  document.getElementById("lab-network-bar").hidden = false;
  for (const { root } of instruments) root.hidden = false;
}
