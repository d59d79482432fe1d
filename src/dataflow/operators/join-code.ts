/** Generated loops of a join. See join.ts for what they compute. */

import type { RowLayout } from "../../state/layout.ts";
import { maskArguments } from "../../state/null-masks.ts";
import { LIVE } from "../../state/store.ts";
import { CHUNK_ROWS } from "../chunk.ts";
import type { TypedColumn } from "../js-rows.ts";
import type { RowReader } from "../kernels/compiler.ts";
import { changeFunction } from "./change-code.ts";
import { ASKED_MAX } from "./cold-matches.ts";
import { readers } from "./row-code.ts";
import { LARGE } from "./touch-code.ts";

/** A column that comes out. */
export interface JoinOutput {
  readonly side: "left" | "right";
  readonly column: number;
}

export interface SideShape {
  readonly layout: RowLayout;
  readonly weighted: boolean;
  readonly versioned: boolean;
  readonly keys: readonly number[];
  readonly index: JoinIndex;
}

export interface JoinIndex {
  readonly columns: readonly number[];
  /** Column j of the index is the join's key order[j]. */
  readonly order: readonly number[];
  readonly unique: boolean;
}

export interface JoinShape {
  readonly left: SideShape;
  readonly right: SideShape;
  /** Whose rows come out, with nulls beside them, when they have no match. */
  readonly pads: Readonly<Record<SideName, boolean>>;
  /** By key: whether null meets null. */
  readonly nullSafe: readonly boolean[];
  readonly outputs: readonly JoinOutput[];
  /** What a pair of rows goes through before it comes out (pairReader, stageFragment), in the block `pair`; null: nothing. */
  readonly stages: { readonly lines: readonly string[]; readonly columns: readonly TypedColumn[] } | null;
}

/** Rows looked at in one pass: one that finds nothing ends, too, before the event loop has waited long. A chunk's where stages look at each. */
export const PROBED_MAX = 32_768;

export type SideName = "left" | "right";

/** Names of a side's variables: store, arrays, first word of its row. */
const names = {
  left: { store: "L", I: "LI", F: "LF", b: "lb", index: "leftIndex" },
  right: { store: "R", I: "RI", F: "RF", b: "rb", index: "rightIndex" },
} as const;

function other(side: SideName): SideName {
  return side === "left" ? "right" : "left";
}

/**
 * The rows of `side`'s delta against the rows of the other side visible at `epoch`. `inParts`: against some of them, of which those are left out that
 * are marked in state.back; state.met notes which rows of the delta have met any, and aloneSource has the others.
 */
export function passSource(shape: JoinShape, side: SideName, inParts = false): string {
  const probed = other(side);
  const D = names[side];
  const P = names[probed];
  const { strideWords: stride, birthWord } = shape[side].layout;
  const padded = shape.pads[side] && !inParts;
  const lately = latelyCode(shape, side);
  return `"use strict"; ${indexFunctions(shape, probed)}${inParts ? UNMARKED : ""}
  ${changeFunction("change", shape[side], "rowIndex")}
  ${lately.declare}
  return function pass(delta, epoch, sign, from, to, out, state) {
    ${arrays()}
    ${declareOutputs(shape)}
    const slots = delta.slots, end = delta.length;${inParts ? " const B = state.back.B, met = state.met;" : ""}
    let i = delta.index, m = state.match, matched = state.matched, o = 0, left = ${shape.stages === null ? PROBED_MAX : CHUNK_ROWS};
    ${lately.begin}
    ${touchDelta(shape, side)}
    for (; i < end; i++) {
      if (--left < 0) { delta.index = i; state.match = m; state.matched = matched; out.length = o; return true; }
      const slot = slots[i], ${D.b} = slot * ${stride};
      if (${D.I}[${D.b} + ${birthWord}] === ${LIVE}) continue;
      const w = change(slot, ${D.b}, sign, from, to, ${D.I}, ${D.F});
      if (w === 0) continue;
      if (m === -2) {
        matched = false;
        ${nullKey(shape, side, padded ? "m = -1; else " : "continue;")}${padded ? "" : "\n        "}${lately.find}
      }
      while (m >= 0) {
        const ${P.b} = m * ${shape[probed].layout.strideWords};
        if (${visible(shape, probed, "epoch")}${inParts ? " && isUnmarked(B, m)" : ""}) {
          if (o === ${CHUNK_ROWS}) { delta.index = i; state.match = m; state.matched = matched; out.length = o; return true; }
          ${times(weight(shape, side), weight(shape, probed))}${writePair(shape, weight(shape, probed) === null ? "w" : "paired")}
          ${padded ? "matched = true;" : inParts ? "met[i] = 1;" : ""}
          ${shape[probed].index.unique ? "m = -1; break;" : ""}
        }
        m = ${probed}Next(m);
        if (--left < 0) { delta.index = i; state.match = m < 0 ? -1 : m; state.matched = matched; out.length = o; return true; }
      }
      ${
        padded
          ? `if (!matched) {
        if (o === ${CHUNK_ROWS}) { delta.index = i; state.match = -1; state.matched = false; out.length = o; return true; }
        ${writePadded(shape, side)}
        W[o++] = w;
      }`
          : ""
      }
      m = -2;
    }
    delta.index = i; state.match = -2; state.matched = false; out.length = o;
    return false;
  };`;
}

/** Rows of `side`'s delta that have met none (state.met), with nulls beside them. */
export function aloneSource(shape: JoinShape, side: SideName): string {
  const D = names[side];
  const { strideWords: stride, birthWord } = shape[side].layout;
  return `"use strict"; ${changeFunction("change", shape[side], "rowIndex")}
  return function alone(delta, epoch, sign, from, to, out, state) {
    ${arrays()}
    ${declareOutputs(shape)}
    const slots = delta.slots, end = delta.length, met = state.met;
    let i = delta.index, o = 0;
    for (; i < end && o < ${CHUNK_ROWS}; i++) {
      const slot = slots[i], ${D.b} = slot * ${stride};
      if (met[i] === 1 || ${D.I}[${D.b} + ${birthWord}] === ${LIVE}) continue;
      const w = change(slot, ${D.b}, sign, from, to, ${D.I}, ${D.F});
      if (w === 0) continue;
      ${writePadded(shape, side)}
      W[o++] = w;
    }
    delta.index = i; out.length = o;
    return i < end;
  };`;
}

const UNMARKED = "\n  function isUnmarked(B, n) { return ((B[n >>> 5] >>> (n & 31)) & 1) === 0; }";

/** Rows in memory that are marked as asked for at once, about: as many as some passes give. */
const MARKED_MAX = 4 * CHUNK_ROWS;

/** Keys that a pass remembers, by any function of them. */
const LATELY = 256;
/** Deltas with fewer rows do without. */
const LATELY_ROWS_MIN = 64;
/** Passes that do without, after one in which most keys were met for the first time. */
const PASSES_WITHOUT = 15;

/**
 * What keys met lately have found: rows that come together often share their keys, and a look-up costs as much as the rest of a pair. Within a pass
 * alone, for between two of them rows come and go.
 */
function latelyCode(shape: JoinShape, side: SideName): { declare: string; begin: string; find: string } {
  const probed = other(side);
  const { keys, index } = shape[probed];
  const find = `m = ${findCode(shape, side, probed)};`;
  if (keys.length === 0 || index.order.some((k) => nullMeetsNull(shape, k)))
    return { declare: "", begin: "const lately = false;", find };
  const { read } = sideReaders(shape, side);
  const values = index.order.map((k) => read(shape[side].keys[k]!, names[side].b));
  const place = values.map((value, i) => (i === 0 ? value : `Math.imul(${value}, ${2 * i + 1})`)).join(" ^ ");
  const known = values.map((value, i) => `K${i}[k] === ${value}`).join(" && ");
  return {
    declare: `const found = new Int32Array(${LATELY}); let without = 0;
  ${values.map((_, i) => `const K${i} = new Float64Array(${LATELY});`).join(" ")}`,
    begin: `let lately = end - i >= ${LATELY_ROWS_MIN} && --without < 0, news = 0; const first = i;
    if (lately) found.fill(-2);`,
    find: `{
          const k = (${place}) & ${LATELY - 1};
          if (lately && found[k] !== -2 && ${known}) m = found[k];
          else {
            ${find}
            if (lately) {
              ${values.map((value, i) => `K${i}[k] = ${value};`).join(" ")} found[k] = m;
              if (++news > ${LATELY_ROWS_MIN} && news * 2 > i - first) { lately = false; without = ${PASSES_WITHOUT}; }
            }
          }
        }`,
  };
}

/** touch-code.ts, over the delta rows that the pass is about to take. */
function touchDelta(shape: JoinShape, side: SideName): string {
  const probed = other(side);
  if (shape[probed].keys.length === 0) return "";
  const { store } = names[probed];
  const { b } = names[side];
  const rows = `const ahead = end < i + ${CHUNK_ROWS} ? end : i + ${CHUNK_ROWS};`;
  const key = `${probed}Touch(${keyCode(shape, side, probed)})`;
  return `if (!lately && ${store}.live > ${LARGE}) {
      ${rows} let x = 0;
      for (let r = i; r < ahead; r++) { const ${b} = slots[r] * ${shape[side].layout.strideWords}; x ^= ${key}; }
      sink.value = x;
    }`;
}

/**
 * For each key of `side`'s delta that had no match and has some now, or the reverse: the other side's rows with nulls. The left
 * delta meets the right rows as they were, the right delta the left rows as they are. `inParts`: see passSource.
 */
export function turnSource(shape: JoinShape, side: SideName, inParts = false): string {
  const padded = other(side);
  const D = names[side];
  const P = names[padded];
  const epoch = side === "left" ? "from" : "to";
  const { strideWords: stride, birthWord, deathWord } = shape[side].layout;
  const seen = (at: string) => `(${D.I}[vb + ${birthWord}] <= ${at} && ${at} < ${D.I}[vb + ${deathWord}])`;
  return `"use strict"; ${indexFunctions(shape, padded)} ${indexFunctions(shape, side)}${inParts ? UNMARKED : ""}
  // -1: the key gets its first match and null rows go; 1: it lost its last one and they come; 0: neither, or not this row's turn.
  function direction(slot, ${D.b}, from, to) {
    const ${D.I} = ${D.store}.I, ${D.F} = ${D.store}.F;
    let had = false, has = false, first = true;
    for (let v = ${findCode(shape, side, side)}; v >= 0; v = ${side}Next(v)) {
      const vb = v * ${stride}, old = ${seen("from")}, now = ${seen("to")};
      if (old && now) return 0;
      if (!old && !now) continue;
      if (first) { if (v !== slot) return 0; first = false; }
      if (old) had = true; else has = true;
      if (had && has) return 0;
    }
    return had ? 1 : has ? -1 : 0;
  }
  return function turn(delta, from, to, out, state) {
    ${arrays()}
    ${declareOutputs(shape)}
    const slots = delta.slots, end = delta.length;${inParts ? " const B = state.back.B;" : ""}
    let i = delta.index, m = state.match, o = 0, left = ${shape.stages === null ? PROBED_MAX : CHUNK_ROWS};
    for (; i < end; i++) {
      if (--left < 0) { delta.index = i; state.match = m; out.length = o; return true; }
      const slot = slots[i], ${D.b} = slot * ${stride};
      if (${D.I}[${D.b} + ${birthWord}] === ${LIVE}) continue;
      ${nullKey(shape, side, "continue;")}
      const sign = direction(slot, ${D.b}, from, to);
      if (sign === 0) continue;
      if (m === -2) m = ${findCode(shape, side, padded)};
      while (m >= 0) {
        const ${P.b} = m * ${shape[padded].layout.strideWords};
        if (${visible(shape, padded, epoch)}${inParts ? " && isUnmarked(B, m)" : ""}) {
          if (o === ${CHUNK_ROWS}) { delta.index = i; state.match = m; out.length = o; return true; }
          ${writePadded(shape, padded)}
          W[o++] = ${shape[padded].weighted ? `sign * ${weight(shape, padded)}` : "sign"};
          ${shape[padded].index.unique ? "m = -1; break;" : ""}
        }
        m = ${padded}Next(m);
        if (--left < 0) { delta.index = i; state.match = m < 0 ? -1 : m; out.length = o; return true; }
      }
      m = -2;
    }
    delta.index = i; state.match = -2; out.length = o;
    return false;
  };`;
}

/** Places for the keys' lists that a want() has looked at: half of them stay free. A power of two. */
const LISTS = 2 * ASKED_MAX;
/** Places for rows that have settled a key. */
const SETTLERS = 1_024;

/**
 * Asks for rows of `probed` that may be on disk: those with the keys of the rows of `side`'s delta, before a pass or a turn looks them up. Those that
 * are there are marked as asked for: they are looked up as well. Of the same side it is asked whether a key has a row that the step has not touched:
 * then no more are wanted once one is there (ownCode).
 */
export function wantSource(shape: JoinShape, side: SideName, probed: SideName): string {
  const D = names[side];
  const P = names[probed];
  const { strideWords: stride, birthWord } = shape[side].layout;
  const { strideWords: probedStride, deathWord } = shape[probed].layout;
  const own = side === probed ? ownCode(shape, side) : null;
  const { read } = sideReaders(shape, side);
  const { order } = shape[probed].index;
  const codes = order.map((k, i) => `codes[${i}] = ${read(shape[side].keys[k]!, D.b)};`).join(" ");
  return `"use strict"; ${indexFunctions(shape, probed)}
  const codes = new Float64Array(${order.length});
  ${own?.declare ?? ""}
  return function want(slots, from, to, cold, links, before, now) {
    ${arrays()}
    ${own?.begin ?? `let left = ${MARKED_MAX};`}
    for (let i = from; i < to; i++) {
      const slot = slots[i], ${D.b} = slot * ${stride};
      if (${D.I}[${D.b} + ${birthWord}] === ${LIVE}) continue;
      ${nullKey(shape, side, "continue;")}
      let m = ${findCode(shape, side, probed)};
      if (links === null) {
        if (m >= 0 && ${P.I}[m * ${probedStride} + ${deathWord}] === ${LIVE}) cold.asked(m);
        else { ${codes} cold.want(codes); }
        continue;
      }
      ${own?.isKnown ?? ""}
      ${codes}
      const hash = links.key.ofCodes(codes);
      ${own?.walk ?? `for (; m >= 0 && left > 0; m = ${probed}Next(m), left--) cold.asked(m);`}
      links.wantHash(hash);
    }
  };`;
}

/**
 * Whether a key has a row that the step has not touched. Where a step touches all of a key's rows, each of them asks, and nothing but the whole list
 * tells: so it is walked once for all rows that ask together, and not at all where the key is whole. Of a key that has such a row, that one is looked
 * at first when others ask; it may be another row by then, or of another key.
 */
function ownCode(
  shape: JoinShape,
  side: SideName,
): { declare: string; begin: string; isKnown: string; walk: string } {
  const { b, index } = names[side];
  const { strideWords: stride } = shape[side].layout;
  return {
    declare: `const lists = new Int32Array(${LISTS}), settlers = new Int32Array(${SETTLERS}).fill(-1), ${side}Like = ${index}.like;
  function isUntouched(m, before, now) {
    ${arrays()} const ${b} = m * ${stride};
    return ${visible(shape, side, "before")} && ${visible(shape, side, "now")};
  }`,
    begin: "if (links !== null) lists.fill(0);",
    // A key is its list's first row: nothing comes or goes meanwhile.
    isKnown: `if (m >= 0) {
        let l = Math.imul(m, 0x9e3779b1) >>> ${Math.clz32(LISTS) + 1};
        while (lists[l] !== 0 && lists[l] !== m + 1) l = (l + 1) & ${LISTS - 1};
        if (lists[l] !== 0) continue;
        lists[l] = m + 1;
      }`,
    walk: `if (links.whole.has(hash)) continue;
      const k = hash & ${SETTLERS - 1}, known = settlers[k];
      if (known >= 0 && isUntouched(known, before, now) && ${side}Like(known) === m) { cold.asked(known); continue; }
      while (m >= 0 && !isUntouched(m, before, now)) m = ${side}Next(m);
      if (m >= 0) { settlers[k] = m; cold.asked(m); continue; }`,
  };
}

function arrays(): string {
  return "const LI = L.I, LF = L.F, RI = R.I, RF = R.F;";
}

/** A cross join has no index: it walks all slots. */
function indexFunctions(shape: JoinShape, side: SideName): string {
  if (shape[side].keys.length === 0) {
    const { store } = names[side];
    return `const ${side}Next = (m) => (m + 1 < ${store}.highWater ? m + 1 : -1);`;
  }
  return `const ${side}Find = ${names[side].index}.find, ${side}Next = ${names[side].index}.next, ${side}Touch = ${names[side].index}.touch;`;
}

/** First row of \`probed\` with the keys of the row of \`from\`. */
function findCode(shape: JoinShape, from: SideName, probed: SideName): string {
  if (shape[probed].keys.length === 0) return `${probed}Next(-1)`;
  return `${probed}Find(${keyCode(shape, from, probed)})`;
}

/** The keys of the row of `from`, as the index of `probed` takes them; the masks have the null-safe keys that are null. */
function keyCode(shape: JoinShape, from: SideName, probed: SideName): string {
  const { read, isNull } = sideReaders(shape, from);
  const { b } = names[from];
  const { order } = shape[probed].index;
  const values = order.map((k) => read(shape[from].keys[k]!, b));
  const nulls = order.map((k) => (nullMeetsNull(shape, k) ? isNull(shape[from].keys[k]!, b) : null));
  return [...values, ...maskArguments(nulls)].join(", ");
}

/** Where one of the sides is never null, null meets nothing. */
function nullMeetsNull(shape: JoinShape, key: number): boolean {
  const nullable = (side: SideName) => shape[side].layout.columns[shape[side].keys[key]!]!.nullable;
  return shape.nullSafe[key]! && nullable("left") && nullable("right");
}

function visible(shape: JoinShape, side: SideName, epoch: string): string {
  const { I, b } = names[side];
  const { birthWord, deathWord } = shape[side].layout;
  return `${I}[${b} + ${birthWord}] <= ${epoch} && ${epoch} < ${I}[${b} + ${deathWord}]`;
}

/** A null key matches nothing, unless it is null-safe. */
function nullKey(shape: JoinShape, side: SideName, then: string): string {
  const { layout, keys } = shape[side];
  const { isNull } = sideReaders(shape, side);
  const tests = keys
    .filter((k, i) => layout.columns[k]!.nullable && !nullMeetsNull(shape, i))
    .map((k) => `${isNull(k, names[side].b)} === 1`);
  if (tests.length === 0) return "";
  return `if (${tests.join(" || ")}) ${then}`;
}

function sideReaders(shape: Pick<JoinShape, SideName>, side: SideName) {
  return readers(shape[side].layout, names[side].I, names[side].F);
}

function weight(shape: JoinShape, side: SideName): string | null {
  return shape[side].weighted
    ? `${names[side].I}[${names[side].b} + ${shape[side].layout.weightWord}]`
    : null;
}

/** How often a pair is there, as `paired`. Each of its rows may be there two billion times, and no chunk can say more of a pair. */
function times(own: string | null, found: string | null): string {
  if (found === null) return "";
  const checked = own === null ? "" : " if (paired !== (paired | 0)) throw tooMany();";
  return `const paired = w * ${found};${checked} `;
}

function declareOutputs(shape: JoinShape): string {
  const nullable =
    shape.stages?.columns.map((column) => column.nullable) ??
    shape.outputs.map((output) => outputNullable(shape, output));
  const lines = nullable.map(
    (isNullable, i) => `const o${i} = out.columns[${i}]${isNullable ? `, z${i} = out.nulls[${i}]` : ""};`,
  );
  return ["const W = out.weights;", ...lines].join(" ");
}

function outputNullable(shape: JoinShape, { side, column }: JoinOutput): boolean {
  return shape[side].layout.columns[column]!.nullable || shape.pads[other(side)];
}

/** The columns of a pair of rows, for stages. REQUIRES an inner join. */
export function pairReader(
  shape: Pick<JoinShape, SideName | "outputs">,
  columns: readonly TypedColumn[],
): RowReader {
  const readersOf = { left: sideReaders(shape, "left"), right: sideReaders(shape, "right") };
  return {
    types: columns.map((c) => c.type),
    value(c) {
      const { side, column } = shape.outputs[c]!;
      return readersOf[side].read(column, names[side].b);
    },
    isNull(c) {
      const { side, column } = shape.outputs[c]!;
      return columns[c]!.nullable ? `(${readersOf[side].isNull(column, names[side].b)} === 1)` : "false";
    },
  };
}

function writePair(shape: JoinShape, change: string): string {
  if (shape.stages === null) return `${writeBoth(shape)} W[o++] = ${change};`;
  return `pair: {
${shape.stages.lines.map((line) => `          ${line}`).join("\n")}
            W[o++] = ${change};
          }`;
}

function writeBoth(shape: JoinShape): string {
  return shape.outputs
    .map((output, i) => {
      const { read, isNull } = sideReaders(shape, output.side);
      const b = names[output.side].b;
      const nulls = outputNullable(shape, output) ? ` z${i}[o] = ${isNull(output.column, b)};` : "";
      return `o${i}[o] = ${read(output.column, b)};${nulls}`;
    })
    .join(" ");
}

/** The row of `side` with nulls in the other's columns. */
function writePadded(shape: JoinShape, side: SideName): string {
  return shape.outputs
    .map((output, i) => {
      if (output.side !== side) return `o${i}[o] = 0; z${i}[o] = 1;`;
      const { read, isNull } = sideReaders(shape, side);
      const { b } = names[side];
      const nulls = outputNullable(shape, output) ? ` z${i}[o] = ${isNull(output.column, b)};` : "";
      return `o${i}[o] = ${read(output.column, b)};${nulls}`;
    })
    .join(" ");
}
