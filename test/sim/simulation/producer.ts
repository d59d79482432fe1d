/** A producer: its requests are stored once and in their order, however often they are sent; who comes after it under its name takes its place. */
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { Violation } from "./commits.ts";
import type { Life } from "./life.ts";
import type { Attempt } from "./oracle.ts";
import type { Event } from "./topics.ts";

export const ID = "producer";

/** What it knows of itself; a new process would ask. */
export class ProducerState {
  busy = false;
  epoch: number | null = null;
  /** Of the request that is sent next, or again. */
  seq = 0;
  pending: { readonly attempt: Attempt; readonly rows: readonly Event[] } | null = null;

  /** What it was told is lost: a new process takes its place. */
  forget(): void {
    Object.assign(this, { epoch: null, seq: 0, pending: null });
  }
}

/** Sends its next request, or the last one again where no answer came. */
export async function produce(life: Life, random: SeededRandom): Promise<void> {
  const state = life.run.producer;
  if (state.busy) return;
  state.busy = true;
  try {
    if (state.epoch === null || random.oneIn(6)) await register(life, state);
    if (state.epoch !== null) await send(life, state, random);
  } finally {
    state.busy = false;
  }
}

async function register(life: Life, state: ProducerState): Promise<void> {
  const before = state.epoch;
  state.epoch = null;
  life.run.trace("register a producer");
  try {
    const { epoch, position } = await life.db.registerProducer(ID);
    life.run.oracle.reached(Number(position));
    if (before !== null && epoch <= before)
      throw new Violation(`epoch ${epoch} of a producer comes after ${before}`);
    Object.assign(state, { epoch, seq: 0, pending: null });
    life.told(`producer has epoch ${epoch} at ${position}`);
    if (before !== null) await isFenced(life, before);
  } catch (error) {
    life.refused("register a producer", error);
  }
}

/** The one before it stores nothing more. */
async function isFenced(life: Life, epoch: number): Promise<void> {
  const rows = [{ op: -1, part: 0, w: 0, note: "of a fenced producer" }];
  try {
    await life.db.append("ev", rows, { producer: { id: ID, epoch, seq: 1_000_000 } });
    throw new Violation("a fenced producer was not refused");
  } catch (error) {
    if ((error as { code?: string }).code !== "fenced") life.refused("append of a fenced producer", error);
  }
}

async function send(life: Life, state: ProducerState, random: SeededRandom): Promise<void> {
  const { epoch, seq } = state;
  if (state.pending === null) {
    const made = Array.from({ length: 1 + random.below(3) }, (_, part) => ({
      part,
      w: random.below(8),
      note: null,
    }));
    const rowsOf = (op: number): Event[] => made.map((row) => ({ op, ...row }));
    const attempt = life.run.oracle.begin(
      `request ${epoch}/${seq} of a producer`,
      null,
      (op) => () => rowsOf(op).map((value) => ({ topic: "ev", key: null, value })),
    );
    state.pending = { attempt, rows: rowsOf(attempt.id) };
  }
  const { attempt, rows } = state.pending;
  const name = `#${attempt.id} ${attempt.what}`;
  life.run.trace(`${name} begins`);
  const sendOnce = async (): Promise<void> => {
    const { position, firstOffset } = await life.db.append("ev", rows, {
      producer: { id: ID, epoch: epoch as number, seq },
    });
    life.run.oracle.told(attempt, position, { topic: "ev", firstOffset });
    life.told(`${name} is at ${position}`);
  };
  try {
    // Now and then twice at once, as by a network that repeats.
    await Promise.all(random.oneIn(4) ? [sendOnce(), sendOnce()] : [sendOnce()]);
    Object.assign(state, { seq: seq + 1, pending: null });
  } catch (error) {
    life.refused(name, error);
  }
}
