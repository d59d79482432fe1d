/** Generated access to the rows of a window's stored input, by slot. */

import { compiled } from "../../base/compiled.ts";
import { carrierOf } from "../../batch/types.ts";
import { compareCode, orderHelpers, sameDouble } from "../../state/equality.ts";
import { nullCode, readCode } from "../../state/layout.ts";
import type { Store } from "../../state/store.ts";

export interface ColumnReader {
  readonly value: (slot: number) => number;
  readonly isNull: (slot: number) => boolean;
}

export function columnReader(store: Store, column: number): ColumnReader {
  const { layout } = store;
  const base = `const I = store.I, F = store.F, b = slot * ${layout.strideWords};`;
  const source = `"use strict"; return {
    value(slot) { ${base} return ${readCode(layout, column, "b")}; },
    isNull(slot) { ${base} return ${nullCode(layout, column, "b")} === 1; },
  };`;
  return compiled("store", source)(store) as ColumnReader;
}

export type SameRows = (a: number, b: number) => boolean;

/** Whether two rows are peers: the order does not tell them apart. */
export function peersOf(store: Store, order: readonly number[]): SameRows {
  const { layout, dictionary } = store;
  const tests = order.map((c) => {
    const [x, y] = [readCode(layout, c, "b"), readCode(layout, c, "c")];
    const differ = `(${compareCode(dictionary, "dictionary", layout.columns[c]!.type, x, y)}) !== 0`;
    if (!layout.columns[c]!.nullable) return `if (${differ}) return false;`;
    const [m, n] = [nullCode(layout, c, "b"), nullCode(layout, c, "c")];
    return `if (${m} !== ${n}) return false; if (${m} === 0 && ${differ}) return false;`;
  });
  return compare(store, tests.join("\n"));
}

/** Whether two rows are the same in these columns, down to how they print. */
export function sameRows(store: Store, columns: readonly number[]): SameRows {
  const { layout } = store;
  const tests = columns.map((c) => {
    const [x, y] = [readCode(layout, c, "b"), readCode(layout, c, "c")];
    const same = carrierOf(layout.columns[c]!.type) === "double" ? sameDouble(x, y) : `${x} === ${y}`;
    const nulls = layout.columns[c]!.nullable
      ? ` || ${nullCode(layout, c, "b")} !== ${nullCode(layout, c, "c")}`
      : "";
    return `if (!(${same})${nulls}) return false;`;
  });
  return compare(store, tests.join("\n"));
}

function compare(store: Store, body: string): SameRows {
  const source = `"use strict"; const dictionary = store.dictionary; return function same(x, y) {
    const I = store.I, F = store.F, b = x * ${store.layout.strideWords}, c = y * ${store.layout.strideWords};
    ${body}
    return true;
  };`;
  const make = compiled("store", ...Object.keys(orderHelpers), source);
  return make(store, ...Object.values(orderHelpers)) as SameRows;
}
