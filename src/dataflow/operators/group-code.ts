/** Generated loops of a group-by. See group.ts for what they compute. */
import { carrierOf } from "../../batch/types.ts";
import { identicalDouble } from "../../state/equality.ts";
import type { RowLayout } from "../../state/layout.ts";
import { LIVE } from "../../state/store.ts";
import type { Accumulator, Place } from "../aggregates/accumulator.ts";
import type { TypedColumn } from "../js-rows.ts";
import { declareColumns, findArguments, readers } from "./row-code.ts";
import { touchLoop } from "./touch-code.ts";

/** An aggregate over columns of an input's chunk. */
export interface GroupAggregate {
  readonly accumulator: Accumulator;
  /** Chunk column of the argument; -1: every row counts. */
  readonly arg: number;
  /** Of further arguments. */
  readonly rest?: readonly number[];
  /** The input it is over, if it is not the first. */
  readonly port?: number;
}

/** An argument whose values that are not null have a counter. */
export interface Counted {
  readonly port: number;
  readonly arg: number;
}

export interface GroupSpec {
  readonly identity: string;
  /** Whether each row of the input is a group of its own. */
  readonly isRowForRow: boolean;
  readonly label: string;
  /** By port, columns of the input's chunk: the keys first. null: a store, from which nothing is pushed. */
  readonly inputs: readonly (readonly TypedColumn[] | null)[];
  readonly keys: number;
  readonly output: readonly TypedColumn[];
  /** Whether a result, or a function of the user that makes it, may fail. */
  readonly fallible: boolean;
  /** Whether rows only ever come. */
  readonly grows: boolean;
}

/**
 * Whether a row often changes nothing, and can tell: rows only come, and nothing but the rows' values counts, not their number. Such a row makes no
 * new version of its group.
 */
function isSettling(spec: GroupSpec, aggregates: readonly GroupAggregate[]): boolean {
  return spec.grows && aggregates.every(({ accumulator, port = 0 }) => port === 0 && accumulator.keeps);
}

/** Where functions of the user are called, `guard` is in sight. */
function lateCode(aggregates: readonly GroupAggregate[], began: string): string {
  return aggregates.some((a) => a.accumulator.mayHang) ? `if (${began} && guard.late()) break;` : "";
}

export function groupSource(
  layout: RowLayout,
  spec: GroupSpec,
  aggregates: readonly GroupAggregate[],
  places: readonly Place[],
  counted: readonly Counted[],
): string {
  const takes = spec.inputs.map((input, port) =>
    input === null ? "null" : takeSource(layout, spec, port, aggregates, places, counted),
  );
  return `"use strict";
const recent = new Int32Array(${RECENT});
// Whether many rows of the last chunk were of groups that were not met lately: only then are their buckets read ahead.
let mostNew = false;
// Of each of store.born the version that it takes the place of; -1: none lived.
let olds = new Int32Array(64);
function before(old) {
  const at = store.born.length - 1;
  if (at >= olds.length) { const larger = new Int32Array(olds.length * 2); larger.set(olds); olds = larger; }
  olds[at] = old;
}
const take = [${takes.join(", ")}];
${finishSource(layout, spec, aggregates, places)}
${emitSource(layout, spec, aggregates, places)}
return { take, emit };`;
}

/** Takes a chunk of one input in. Only the first counts the group's rows. */
function takeSource(
  layout: RowLayout,
  spec: GroupSpec,
  port: number,
  aggregates: readonly GroupAggregate[],
  places: readonly Place[],
  counted: readonly Counted[],
): string {
  const input = spec.inputs[port]!;
  const { strideWords: stride, birthWord, deathWord, weightWord } = layout;
  const f64 = (column: number) => `F[(b >> 1) + ${layout.words[column]! >> 1}]`;
  const rowsColumn = spec.keys;
  const keys = Array.from({ length: spec.keys }, (_, i) => i);
  const byArgument = new Map<number, string[]>();
  for (const [i, { port: p, arg }] of counted.entries())
    if (p === port) byArgument.set(arg, [`${f64(rowsColumn + 1 + i)} += w;`]);
  const settling = isSettling(spec, aggregates);
  const always: string[] =
    port !== 0 ? [] : [settling ? `${f64(rowsColumn)} = 1;` : `${f64(rowsColumn)} += w;`];
  aggregates.forEach(({ accumulator, arg, port: p = 0 }, i) => {
    if (p === port) (byArgument.get(arg) ?? always).push(accumulator.add(places[i]!));
  });
  const perArgument = [...byArgument].map(([arg, lines]) =>
    input[arg]!.nullable ? `if (n${arg}[r] === 0) { ${lines.join("\n      ")} }` : lines.join("\n      "),
  );
  return `function take${port}(chunk, from) {
    const rows = chunk.length;
    let news = 0;
    store.reserve(rows);
    const I = store.I, F = store.F, W = chunk.weights, epoch = store.epoch;
    ${declareColumns("chunk", input)}
    if (mostNew) { ${touchLoop(findArguments(input, keys, "r"), "from", "rows")} }
    let r = from;
    for (; r < rows; r++) {
      ${lateCode(aggregates, "r > from")}
      const w = W[r], at = ${recentCode(spec)};
      let g = recent[at], b = g * ${stride};
      if (I[b + ${deathWord}] !== ${LIVE} || I[b + ${birthWord}] > epoch || !(${sameKey(layout, spec, input)})) {
        g = find(${findArguments(input, keys, "r")}), b = g * ${stride}, news++;
      }
      ${settling ? settledCode(layout, input, aggregates, places) : ""}
      if (g < 0 || I[b + ${birthWord}] !== epoch) {
        const old = g >= 0 && I[b + ${deathWord}] === ${LIVE} ? g : -1;
        if (old >= 0) {
          const a = b;
          g = store.alloc(); b = g * ${stride};
          for (let i = 0; i < ${weightWord}; i++) I[b + i] = I[a + i];
          store.kill(old);
        } else {
          g = store.alloc(); b = g * ${stride};
          ${freshCode(layout, spec, input)}
        }
        store.insert(g);
        ${spec.keys === 0 ? "" : "before(old);"}
      }
      recent[at] = g;
      ${perArgument.join("\n      ")}
      ${always.join("\n      ")}
    }
    mostNew = news * 4 > r - from;
    return r;
  }`;
}

/** Goes on with the next row where this one leaves its group as it is. */
function settledCode(
  layout: RowLayout,
  input: readonly TypedColumn[],
  aggregates: readonly GroupAggregate[],
  places: readonly Place[],
): string {
  const kept = aggregates.map(({ accumulator, arg }, i) => {
    const keeps = `(${accumulator.keeps!(places[i]!)})`;
    return arg >= 0 && input[arg]!.nullable ? `(n${arg}[r] === 1 || ${keeps})` : keeps;
  });
  const lives = `g >= 0 && I[b + ${layout.deathWord}] === ${LIVE}`;
  return `if (w < 0) throw lost();
      if (${[lives, ...kept].join(" && ")}) { recent[at] = g; continue; }`;
}

/** Rows that come out at a time: an average is a division of decimals, and thousands of them would hold up the event loop. */
const EMITTED_MAX = 1_024;

/**
 * Groups lately met, by their slots. The row in the slot says itself whether it is the one: one that lives is the newest version of its
 * group, and a free slot is born never. So nothing has to be cleared.
 */
const RECENT = 256;

/** Where `recent` keeps the group of chunk row `r`: any function of the key will do. */
function recentCode(spec: GroupSpec): string {
  const parts = Array.from({ length: spec.keys }, (_, i) =>
    i === 0 ? `c${i}[r]` : `Math.imul(c${i}[r], ${2 * i + 1})`,
  );
  return parts.length === 0 ? "0" : `(${parts.join(" ^ ")}) & ${RECENT - 1}`;
}

/** Whether the row at `b` has the key of chunk row `r`, to the bit. */
function sameKey(layout: RowLayout, spec: GroupSpec, input: readonly TypedColumn[]): string {
  const { read, isNull } = readers(layout, "I", "F");
  const parts = input.slice(0, spec.keys).map((c, i) => {
    const nulls = layout.columns[i]!.nullable
      ? ` && ${isNull(i, "b")} === ${c.nullable ? `n${i}[r]` : 0}`
      : "";
    return `${read(i, "b")} === c${i}[r]${nulls}`;
  });
  return parts.length === 0 ? "true" : parts.join(" && ");
}

/** A group nobody saw before: its key, zeros, nulls. */
function freshCode(layout: RowLayout, spec: GroupSpec, input: readonly TypedColumn[]): string {
  const nullBits: string[][] = Array.from({ length: layout.nullWords.count }, () => []);
  const lines = [`for (let i = 0; i < ${layout.weightWord}; i++) I[b + i] = 0;`];
  const { read } = readers(layout, "I", "F");
  layout.columns.forEach((column, i) => {
    const isKey = i < spec.keys;
    if (isKey) lines.push(`${read(i, "b")} = c${i}[r];`);
    if (!column.nullable) return;
    const bit = layout.nullBit[i]!;
    nullBits[layout.nullWord[i]! - layout.nullWords.first]!.push(
      // A key that may be null in one input need not be so in another.
      !isKey ? `${1 << bit}` : input[i]!.nullable ? `(n${i}[r] << ${bit})` : "0",
    );
  });
  nullBits.forEach((bits, w) => {
    lines.push(`I[b + ${layout.nullWords.first + w}] = ${bits.join(" | ")};`);
  });
  return lines.join(" ");
}

/** Writes the result of group g to row o of the output; the error if it has none. */
function finishSource(
  layout: RowLayout,
  spec: GroupSpec,
  aggregates: readonly GroupAggregate[],
  places: readonly Place[],
): string {
  const { read, isNull } = readers(layout, "I", "F");
  const declare = spec.output
    .map((c, i) => `const o${i} = out.columns[${i}]${c.nullable ? `, z${i} = out.nulls[${i}]` : ""};`)
    .join(" ");
  const keys = spec.output
    .slice(0, spec.keys)
    .map((c, i) => `o${i}[o] = ${read(i, "b")};${c.nullable ? ` z${i}[o] = ${isNull(i, "b")};` : ""}`)
    .join(" ");
  const results = aggregates.map(({ accumulator }, i) => {
    const to = spec.keys + i;
    const nulls = spec.output[to]!.nullable ? ` z${to}[o] = isNull;` : "";
    return `${accumulator.result(places[i]!)}
    if (error !== null) return error;
    o${to}[o] = value;${nulls}`;
  });
  return `function finish(g, out, o) {
    const I = store.I, F = store.F, b = g * ${layout.strideWords};
    let value = 0, isNull = 0, error = null;
    ${declare}
    ${keys}
    ${results.join("\n    ")}
    return null;
  }`;
}

function emitSource(
  layout: RowLayout,
  spec: GroupSpec,
  aggregates: readonly GroupAggregate[],
  places: readonly Place[],
): string {
  const { strideWords: stride, birthWord, deathWord } = layout;
  const rows = `F[(b >> 1) + ${layout.words[spec.keys]! >> 1}]`;
  const settle = aggregates.flatMap(({ accumulator }, i) =>
    accumulator.boxed === undefined ? [] : [`${places[i]!.bind(accumulator.boxed)}.settle(g);`],
  );
  const same = spec.output
    .map((c, i) => {
      const a = `out.columns[${i}][x]`;
      const b = `out.columns[${i}][y]`;
      const equal = carrierOf(c.type) === "double" ? identicalDouble(a, b) : `${a} === ${b}`;
      return c.nullable ? `${equal} && out.nulls[${i}][x] === out.nulls[${i}][y]` : equal;
    })
    .join(" && ");
  const exists = spec.keys === 0 ? "true" : `${rows} > 0`;
  return `function same(out, x, y) { return ${same === "" ? "true" : same}; }
  function emit(touched, i, end, from, out) {
    const W = out.weights;
    let o = 0;
    for (; i < end && o + 2 <= ${EMITTED_MAX}; i++) {
      ${lateCode(aggregates, "o > 0")}
      const g = touched[i], b = g * ${stride};
      const I = store.I, F = store.F;
      if (I[b + ${birthWord}] === ${LIVE}) continue;
      if (${rows} < 0) throw lost();
      ${settle.join("\n      ")}
      let old = ${spec.keys === 0 ? "next(g)" : "olds[i]"}, had = false, has = false;
      if (old >= 0) {
        const a = old * ${stride};
        if (I[a + ${birthWord}] > from || I[a + ${deathWord}] <= from) old = -1;
      }
      if (old >= 0) {
        const error = finish(old, out, o);
        if (error === null) { W[o++] = -1; had = true; } else report(error, -1);
      }
      if (${exists}) {
        const error = finish(g, out, o);
        if (error === null) { W[o++] = 1; has = true; } else report(error, 1);
      } else store.kill(g);
      if (had && has && same(out, o - 2, o - 1)) o -= 2;
    }
    out.length = o;
    return i;
  }`;
}
