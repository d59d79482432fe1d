/**
 * The ways of a row into a Store's indexes and journal, and out again: generated for the indexes that there are, made anew when one comes
 * or goes. Loops over an array of indexes would call what changes from call to call; here each call has one target, which V8 takes into the
 * loop around it (a sixth of the time of the whole join bench).
 */
import { compiled } from "../base/compiled.ts";
import type { HashIndex } from "./hash-index.ts";
import type { IndexGrowth } from "./index-growth.ts";
import type { Marks } from "./marks.ts";
import type { Int32List, Int32Queue } from "./memory.ts";
import type { OrderedIndex } from "./ordered-index.ts";
import { LIVE, type Rows } from "./rows.ts";

/** What entering a row, and ending it, changes beside the indexes. */
interface Entered extends Rows {
  live: number;
  readonly epoch: number;
  readonly born: Int32List;
  readonly died: Int32List;
}

/** Where slots wait whose rows have ended. */
export interface Ended {
  /** Rows that may be freed when nobody reads that far back. */
  readonly dead: Int32Queue;
  /** Freed within this step. */
  readonly limbo: Int32List;
}

/** Slots born or killed since the last checkpoint took them; null until someone asks for them. */
export interface Touched {
  slots: Marks | null;
}

export interface EntryCode {
  /** Enters the row into all indexes, counts its references, journals it. */
  readonly insert: (slot: number) => void;
  /** The same for the first `count` slots of a list. */
  readonly insertAll: (slots: Int32Array, count: number) => void;
  /** The same for slots that are in the first index already. */
  readonly insertEntered: (slots: Int32Array, count: number) => void;
  /** Takes it out of all indexes, gives its references back, and marks the slot as free. */
  readonly leave: (slot: number) => void;
  /**
   * Ends the rows of the first `count` slots of a list at this step, and uses the list up. False: one of them is not alive, or stands there twice;
   * what is done then is not to be used.
   */
  readonly killAll: (slots: Int32Array, count: number) => boolean;
}

export function entryCode(
  store: Entered,
  touched: Touched,
  ended: Ended,
  references: {
    readonly retain: (slot: number) => void;
    readonly release: (slot: number) => void;
    readonly hasReferences: boolean;
  },
  indexes: readonly (HashIndex | OrderedIndex)[],
  growths: readonly IndexGrowth[],
): EntryCode {
  const { birthWord, deathWord, strideWords } = store.layout;
  const calls = (names: readonly string[], method: string) =>
    names.map((name) => `${name}.${method}(slot);`).join(" ");
  const indexNames = indexes.map((_, i) => `index${i}`);
  const growthNames = growths.map((_, i) => `growth${i}`);
  const each = (body: string) => (body === "" ? "" : `for (let i = 0; i < count; i++) { ${body} }`);
  const whole = indexes.map((index, i) =>
    "insertAll" in index ? `index${i}.insertAll(slots, count);` : each(`index${i}.insert(slots[i]);`),
  );
  const all = (entries: readonly string[]) => `${references.hasReferences ? each("retain(slots[i]);") : ""}
      ${entries.join("\n      ")}
      ${each(growthNames.map((name) => `${name}.inserted(slots[i]);`).join(" "))}
      store.live += count;
      born.pushAll(slots, count);
      if (touched.slots !== null) for (let i = 0; i < count; i++) touched.slots.add(slots[i]);`;
  const source = `"use strict"; const { retain, release } = references, { born, died } = store, { dead, limbo } = ended; const code = {
    insert(slot) {
      retain(slot);
      ${calls(indexNames, "insert")}
      ${calls(growthNames, "inserted")}
      store.live++;
      born.push(slot);
      if (touched.slots !== null) touched.slots.add(slot);
    },
    insertAll(slots, count) {
      ${all(whole)}
    },
    insertEntered(slots, count) {
      ${all(whole.slice(1))}
    },
    leave(slot) {
      ${calls(indexNames, "remove")}
      ${calls(growthNames, "left")}
      release(slot);
      store.I[slot * ${strideWords} + ${birthWord}] = ${LIVE};
    },
    killAll(slots, count) {
      const I = store.I, epoch = store.epoch;
      let kept = 0;
      for (let i = 0; i < count; i++) {
        const slot = slots[i], b = slot * ${strideWords}, birth = I[b + ${birthWord}];
        if (I[b + ${deathWord}] !== ${LIVE} || birth === ${LIVE}) return false;
        if (birth === epoch) {
          code.leave(slot);
          limbo.push(slot);
          continue;
        }
        I[b + ${deathWord}] = epoch;
        slots[kept++] = slot;
      }
      store.live -= count;
      dead.pushAll(slots, kept);
      died.pushAll(slots, kept);
      if (touched.slots !== null) for (let i = 0; i < kept; i++) touched.slots.add(slots[i]);
      return true;
    },
  }; return code;`;
  const make = compiled("store", "touched", "ended", "references", ...indexNames, ...growthNames, source);
  return make(store, touched, ended, references, ...indexes, ...growths) as EntryCode;
}
