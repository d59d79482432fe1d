/** In which order the stepper makes steps and frees what they left, by a clock that only the steps move. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, expect, test, vi } from "vitest";
import type { Circuit } from "../../src/dataflow/circuit.ts";
import type { EngineCatalog } from "../../src/engine/catalog/catalog.ts";
import { Stepper } from "../../src/engine/stepper.ts";
import type { Group } from "../../src/log/log.ts";
import type { Dictionary } from "../../src/state/dictionary.ts";

afterEach(() => vi.restoreAllMocks());

function groupAt(position: number): Group {
  const commits = [{ position, timeUs: position, idempotencyKey: null, requestDigest: null }];
  return { commits, firstPosition: position, lastPosition: position, batches: [] };
}

/** The first step takes so long, and another group comes in its midst; a slice of freeing takes 4 ms, of which there are 15. What happened, in order. */
async function orderAfter(firstStepMs: number): Promise<string[]> {
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  const events: string[] = [];
  let dead = 0;
  let step = 0;
  const circuit = {
    cooling: null,
    begin: () => {
      events.push(`step ${++step}`);
    },
    end: () => {
      if (step !== 1) return;
      now += firstStepMs;
      dead = 15;
      stepper.enqueue(groupAt(2));
    },
    memory: { bytes: Number.POSITIVE_INFINITY },
    parts: { mayGoAhead: false },
    run: () => true,
    vacuum: () => {
      if (dead === 0) return true;
      events.push("free");
      now += 4;
      return --dead === 0;
    },
  };
  const stepper: Stepper = new Stepper(
    circuit as unknown as Circuit,
    {} as EngineCatalog,
    { uncollected: 0 } as Dictionary,
    {
      wants: () => () => false,
      placed: (_entry, batch) => batch,
      onCatalog: () => undefined,
      mayPart: () => false,
      onPart: () => {},
      onStepped: (epoch) => stepper.vacuum(epoch),
      isDurable: () => true,
      onPublished: () => null,
      onBroken: (error) => {
        throw error;
      },
    },
    { ends: (ms) => now + ms, turn: nextTurn },
  );
  stepper.startAt(0, 0, 0);
  stepper.enqueue(groupAt(1));
  for (let i = 0; i < 100; i++) await new Promise(setImmediate);
  expect(stepper.position).toBe(2);
  expect(dead).toBe(0);
  return events;
}

const free = (slices: number): string[] => Array.from({ length: slices }, () => "free");

test("what came during a step is stepped before that step's rows are freed", async () => {
  expect(await orderAfter(30)).toEqual(["step 1", "step 2", ...free(15)]);
});

test("after one of medium length there is a slice of freeing in between", async () => {
  expect(await orderAfter(60)).toEqual(["step 1", "free", "step 2", ...free(14)]);
});

test("where much is owed, as many slices as bring it down", async () => {
  expect(await orderAfter(115)).toEqual(["step 1", ...free(4), "step 2", ...free(11)]);
});
