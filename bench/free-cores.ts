/** How many cores there are for who asks now: what some threads of bare arithmetic get done together, beside one of them. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";

const MS = 700;

/** Multiplies until the time is over; says how often. */
const arithmetic = `
  const began = performance.now();
  let [x, pieces] = [1, 0];
  for (; performance.now() - began < ${MS}; pieces++)
    for (let i = 0; i < 100000; i++) x = (Math.imul(x, 1664525) + 1013904223) | 0;
  require("node:worker_threads").parentPort.postMessage(pieces + (x & 0));
`;

async function piecesOf(threads: number): Promise<number> {
  const all = Array.from({ length: threads }, () => new Worker(arithmetic, { eval: true }));
  const pieces = await Promise.all(all.map(async (thread) => (await once(thread, "message"))[0] as number));
  return pieces.reduce((sum, each) => sum + each, 0);
}

/** So many threads do as much as this many that have a core each. */
export async function freeCores(threads: number): Promise<number> {
  const one = await piecesOf(1);
  return (await piecesOf(threads)) / one;
}
