/**
 * Functions of any array, made for the types of a call. An array lies as its text; its items are compared as their type compares them, by the
 * functions that `=` and `<` of that type are.
 */
import {
  ARRAY_DIMENSIONS_MAX,
  type ArrayParts,
  EMPTY_ARRAY,
  formatArray,
  listOf,
  parseArray,
} from "../../batch/format/array.ts";
import { arrayOf, bool, type SqlType } from "../../batch/types.ts";
import { resolveOperator, type TypedFunctionId } from "../../plan/functions.ts";
import { type Quantified, quantified } from "../../plan/functions-of/arrays.ts";
import { fail, fault, scalarError } from "./errors.ts";
import type { Lookup, Maker } from "./maker.ts";
import { textOfValue, valueOfText } from "./typed-text.ts";
import type { Value } from "./value.ts";

type Item = string | null;

function subscriptError(message: string) {
  return scalarError("invalid_value", message, { sqlstate: "2202E" });
}

const tooManyDimensions = scalarError(
  "statement_too_complex",
  `number of array dimensions exceeds the maximum allowed (${ARRAY_DIMENSIONS_MAX})`,
  { sqlstate: "54000" },
);
const notOneDimension = scalarError("invalid_value", "argument must be empty or one-dimensional array");
const unlike = (detail: string) =>
  scalarError("invalid_value", "cannot concatenate incompatible arrays", { sqlstate: "2202E", detail });
const otherShape = unlike("Arrays with differing dimensions are not compatible for concatenation.");
const otherElements = unlike(
  "Arrays with differing element dimensions are not compatible for concatenation.",
);

function itemOf(type: SqlType, value: Value): Item {
  return value === null ? null : textOfValue(type, value);
}

/** Whether two items are equal; null equals nothing. */
function equality(type: SqlType, lookup: Lookup): (a: Item, b: Item) => boolean {
  const equal = binary(type, "=", lookup);
  return (a, b) =>
    a !== null && b !== null && (a === b || equal(valueOfText(type, a), valueOfText(type, b)) === true);
}

function binary(type: SqlType, symbol: string, lookup: Lookup): (a: Value, b: Value) => Value {
  const { fn, argTypes, argCasts } = resolveOperator(symbol, [type, type]);
  const call = lookup(fn, argTypes, bool) as (a: Value, b: Value) => Value;
  const cast = argCasts[0] ?? null;
  if (cast === null) return call;
  const convert = lookup(cast, [type], argTypes[0]!) as (x: Value) => Value;
  return (a, b) => call(convert(a), convert(b));
}

// ---- ANY and ALL ------------------------------------------------------------------------------------------------

/** x op ANY (array): true if true for an item, else null if it is for one. ALL the other way round. */
function quantifier(symbol: string, decisive: boolean): Maker {
  return ([type], _, lookup) => {
    const call = binary(type!, symbol, lookup);
    return (x: Value, array: string): Value => {
      let unknown = false;
      for (const item of parseArray(array).items) {
        const found = item === null ? null : call(x, valueOfText(type!, item));
        if (fault.error !== null) return null;
        if (found === decisive) return decisive;
        if (found === null) unknown = true;
      }
      return unknown ? null : !decisive;
    };
  };
}

function quantifiers<P extends "any" | "all">(prefix: P) {
  const made = (Object.keys(quantified) as Quantified[]).map((k) => [
    `${prefix}_${k}`,
    quantifier(quantified[k], prefix === "any"),
  ]);
  return Object.fromEntries(made) as { [K in Quantified as `${P}_${K}`]: Maker };
}

// ---- subscripts -------------------------------------------------------------------------------------------------

const subscript: Maker = ([array]) => {
  const element = array!.element!;
  return (written: string, ...at: number[]): Value => {
    const { dims, lower, items } = parseArray(written);
    if (at.length !== dims.length) return null;
    let index = 0;
    for (const [d, i] of at.entries()) {
      const offset = i - lower[d]!;
      if (offset < 0 || offset >= dims[d]!) return null;
      index = index * dims[d]! + offset;
    }
    const item = items[index]!;
    return item === null ? null : valueOfText(element, item);
  };
};

/** Bounds not written reach to the end; dimensions without bounds are taken whole; the answer counts from 1. */
const slice: Maker = () => {
  return (written: string, forms: string, ...bounds: number[]): string => {
    const parts = parseArray(written);
    const { dims, lower, items } = parts;
    const asked = forms.split(",");
    if (dims.length < asked.length) return "{}";
    let given = 0;
    const from: number[] = [];
    const to: number[] = [];
    for (const [d, size] of dims.entries()) {
      const form = asked[d] ?? "--";
      const first = lower[d]!;
      const low = form[0] === "x" ? bounds[given++]! : form[0] === "1" ? 1 : first;
      const high = form[1] === "x" ? bounds[given++]! : first + size - 1;
      from.push(Math.max(low, first) - first);
      to.push(Math.min(high, first + size - 1) - first);
      if (from[d]! > to[d]!) return "{}";
    }
    const kept: Item[] = [];
    const walk = (d: number, base: number): void => {
      for (let i = from[d]!; i <= to[d]!; i++) {
        const index = base * dims[d]! + i;
        if (d === dims.length - 1) kept.push(items[index]!);
        else walk(d + 1, index);
      }
    };
    walk(0, 0);
    const sizes = from.map((f, d) => to[d]! - f + 1);
    return formatArray({ dims: sizes, lower: sizes.map(() => 1), items: kept });
  };
};

// ---- putting together -------------------------------------------------------------------------------------------

function appended(parts: ArrayParts, item: Item, atStart: boolean): string {
  if (parts.dims.length > 1) return fail(notOneDimension, "{}");
  if (parts.items.length === 0) return formatArray(listOf([item]));
  const items = atStart ? [item, ...parts.items] : [...parts.items, item];
  return formatArray({ dims: [items.length], lower: parts.lower, items });
}

function joined(a: ArrayParts, b: ArrayParts): string {
  if (a.items.length === 0) return formatArray(b);
  if (b.items.length === 0) return formatArray(a);
  const [long, short] = a.dims.length >= b.dims.length ? [a, b] : [b, a];
  const items = [...a.items, ...b.items];
  const inner = long.dims.slice(1);
  if (long.dims.length === short.dims.length) {
    const alike = inner.every((n, d) => n === short.dims[d + 1] && long.lower[d + 1] === short.lower[d + 1]);
    if (!alike) return fail(otherElements, "{}");
    return formatArray({ dims: [a.dims[0]! + b.dims[0]!, ...inner], lower: a.lower, items });
  }
  if (long.dims.length !== short.dims.length + 1) {
    const detail = `Arrays of ${a.dims.length} and ${b.dims.length} dimensions are not compatible for concatenation.`;
    return fail(unlike(detail), "{}");
  }
  const fits = inner.every((n, d) => n === short.dims[d] && long.lower[d + 1] === short.lower[d]);
  if (!fits) return fail(otherShape, "{}");
  return formatArray({ dims: [long.dims[0]! + 1, ...inner], lower: long.lower, items });
}

const concat: Maker = () => (a: string | null, b: string | null) =>
  a === null ? b : b === null ? a : joined(parseArray(a), parseArray(b));

const append: Maker =
  ([, element]) =>
  (array: string | null, value: Value) =>
    appended(array === null ? EMPTY_ARRAY : parseArray(array), itemOf(element!, value), false);

const prepend: Maker =
  ([element]) =>
  (value: Value, array: string | null) =>
    appended(array === null ? EMPTY_ARRAY : parseArray(array), itemOf(element!, value), true);

/** Of the arrays' items, whatever their shapes. */
function comparing(
  test: (a: readonly Item[], b: readonly Item[], equal: (x: Item, y: Item) => boolean) => boolean,
): Maker {
  return ([array], _, lookup) => {
    const equal = equality(array!.element!, lookup);
    return (a: string, b: string) => test(parseArray(a).items, parseArray(b).items, equal);
  };
}

const contains = comparing((a, b, equal) => b.every((y) => a.some((x) => equal(x, y))));
const contained = comparing((a, b, equal) => a.every((x) => b.some((y) => equal(x, y))));
const overlaps = comparing((a, b, equal) => a.some((x) => b.some((y) => equal(x, y))));

// ---- shape ------------------------------------------------------------------------------------------------------

function dimension(of: (parts: ArrayParts, d: number) => number): Maker {
  return () => (array: string, d: number) => {
    const parts = parseArray(array);
    return d >= 1 && d <= parts.dims.length ? of(parts, d - 1) : null;
  };
}

function dimsText({ dims, lower }: ArrayParts): string | null {
  if (dims.length === 0) return null;
  return dims.map((n, d) => `[${lower[d]}:${lower[d]! + n - 1}]`).join("");
}

// ---- searching --------------------------------------------------------------------------------------------------

const noSearch = scalarError(
  "feature_not_supported",
  "searching for elements in multidimensional arrays is not supported",
);
const noRemoval = scalarError(
  "feature_not_supported",
  "removing elements from multidimensional arrays is not supported",
);
const nullStart = scalarError("invalid_value", "initial position must not be null", { sqlstate: "22004" });

/** Nulls are found by null, here and in what follows. */
function sought(type: SqlType, lookup: Lookup): (item: Item, wanted: Item) => boolean {
  const equal = equality(type, lookup);
  return (item, wanted) => (item === null || wanted === null ? item === wanted : equal(item, wanted));
}

const position: Maker = ([array, element, from], _, lookup) => {
  const same = sought(array!.element!, lookup);
  return (written: string | null, value: Value, start?: number | null): Value => {
    if (written === null) return null;
    const { dims, lower, items } = parseArray(written);
    if (dims.length > 1) return fail(noSearch, 0);
    if (items.length === 0) return null;
    if (from !== undefined && start === null) return fail(nullStart, 0);
    const first = lower[0] ?? 1;
    const skip = Math.max(0, (start ?? first) - first);
    const wanted = itemOf(element!, value);
    const at = items.findIndex((item, i) => i >= skip && same(item, wanted));
    return at < 0 ? null : at + first;
  };
};

const positions: Maker = ([array, element], _, lookup) => {
  const same = sought(array!.element!, lookup);
  return (written: string | null, value: Value): Value => {
    if (written === null) return null;
    const { dims, lower, items } = parseArray(written);
    if (dims.length > 1) return fail(noSearch, "{}");
    const wanted = itemOf(element!, value);
    const found = items.flatMap((item, i) => (same(item, wanted) ? [String(i + (lower[0] ?? 1))] : []));
    return formatArray(listOf(found));
  };
};

const removal: Maker = ([array, element], _, lookup) => {
  const same = sought(array!.element!, lookup);
  return (written: string | null, value: Value): Value => {
    if (written === null) return null;
    const { dims, lower, items } = parseArray(written);
    if (dims.length > 1) return fail(noRemoval, "{}");
    const wanted = itemOf(element!, value);
    const kept = items.filter((item) => !same(item, wanted));
    return formatArray({ dims: [kept.length], lower, items: kept });
  };
};

const replacement: Maker = ([array, element], _, lookup) => {
  const same = sought(array!.element!, lookup);
  return (written: string | null, value: Value, by: Value): Value => {
    if (written === null) return null;
    const parts = parseArray(written);
    const [wanted, put] = [itemOf(element!, value), itemOf(element!, by)];
    return formatArray({ ...parts, items: parts.items.map((item) => (same(item, wanted) ? put : item)) });
  };
};

// ---- making and showing -----------------------------------------------------------------------------------------

const toText: Maker =
  ([, , nulls]) =>
  (written: string | null, delimiter: string | null, nullText?: string | null): string | null => {
    if (written === null || delimiter === null) return null;
    const { items } = parseArray(written);
    const shown = nulls === undefined || nullText === null ? items.filter((i) => i !== null) : items;
    return shown.map((item) => item ?? nullText).join(delimiter);
  };

const nullDimension = scalarError("invalid_value", "dimension values cannot be null", { sqlstate: "22004" });
const nullDimensions = scalarError("invalid_value", "dimension array or low bound array cannot be null", {
  sqlstate: "22004",
});
const fillMismatch = scalarError("invalid_value", "wrong number of array subscripts", {
  sqlstate: "2202E",
  detail: "Dimension array must be one dimensional.",
});
const tooManyItems = scalarError("record_too_large", "array size exceeds the maximum allowed (134217727)");
const ITEMS_MAX = 10_000_000;

const fill: Maker =
  ([element, , bounds]) =>
  (value: Value, sizes: string | null, starts?: string | null): string => {
    if (sizes === null || (bounds !== undefined && starts === null)) return fail(nullDimensions, "{}");
    const dims = parseArray(sizes);
    const lower = starts == null ? null : parseArray(starts);
    if (dims.dims.length > 1) return fail(fillMismatch, "{}");
    if (dims.items.includes(null) || lower?.items.includes(null)) return fail(nullDimension, "{}");
    if (lower !== null && lower.items.length !== dims.items.length) return fail(fillMismatch, "{}");
    if (dims.items.length > ARRAY_DIMENSIONS_MAX) return fail(tooManyDimensions, "{}");
    const counts = dims.items.map(Number);
    const total = counts.reduce((n, m) => n * m, counts.length === 0 ? 0 : 1);
    if (counts.some((n) => n < 0) || total > ITEMS_MAX) return fail(tooManyItems, "{}");
    if (total === 0) return "{}";
    const items = new Array<Item>(total).fill(itemOf(element!, value));
    return formatArray({ dims: counts, lower: lower?.items.map(Number) ?? counts.map(() => 1), items });
  };

const trimmed: Maker = () => (written: string, count: number) => {
  const parts = parseArray(written);
  const size = parts.dims[0] ?? 0;
  if (count < 0 || count > size) {
    return fail(subscriptError(`number of elements to trim must be between 0 and ${size}`), "{}");
  }
  const width = size === 0 ? 0 : parts.items.length / size;
  const kept = size - count;
  return formatArray({
    dims: [kept, ...parts.dims.slice(1)],
    lower: parts.lower.map(() => 1),
    items: parts.items.slice(0, kept * width),
  });
};

/** The outermost dimension's parts, in another order. */
function rearranged(parts: ArrayParts, order: (rows: Item[][]) => Item[][]): string {
  const size = parts.dims[0] ?? 0;
  const width = size === 0 ? 0 : parts.items.length / size;
  const rows = Array.from({ length: size }, (_, i) => parts.items.slice(i * width, (i + 1) * width));
  return formatArray({ ...parts, items: order(rows).flat() });
}

const reversed: Maker = () => (written: string) => rearranged(parseArray(written), (rows) => rows.reverse());

const sorted: Maker = ([array], _, lookup) => {
  const type = array!.element!;
  return (written: string, descending = false, nullsFirst = descending) => {
    const parts = parseArray(written);
    // Parts of more than one dimension are arrays, and ordered as such.
    const rowType = parts.dims.length > 1 ? arrayOf(type) : type;
    const less = binary(rowType, "<", lookup);
    const keyOf = (row: Item[]): Value => {
      if (parts.dims.length > 1)
        return formatArray({ dims: parts.dims.slice(1), lower: parts.lower.slice(1), items: row });
      return row[0] == null ? null : valueOfText(type, row[0]);
    };
    const sign = descending ? -1 : 1;
    return rearranged(parts, (rows) =>
      rows
        .map((row) => ({ row, key: keyOf(row) }))
        .sort((a, b) => {
          if (a.key === null || b.key === null) {
            if (a.key === b.key) return 0;
            return (a.key === null) === nullsFirst ? -1 : 1;
          }
          return less(a.key, b.key) === true ? -sign : less(b.key, a.key) === true ? sign : 0;
        })
        .map(({ row }) => row),
    );
  };
};

const nullThreshold = scalarError("invalid_value", "thresholds array must not contain NULLs", {
  sqlstate: "22004",
});
const flatThresholds = subscriptError("thresholds must be one-dimensional array");

/** How many of the thresholds, which rise, are not above the value. */
const bucket: Maker = ([element, array], _, lookup) => {
  const below = binary(array!.element!, "<", lookup);
  return (value: Value, thresholds: string) => {
    const { dims, items } = parseArray(thresholds);
    if (dims.length > 1) return fail(flatThresholds, 0);
    if (items.includes(null)) return fail(nullThreshold, 0);
    const x = valueOfText(array!.element!, itemOf(element!, value)!);
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (below(x, valueOfText(array!.element!, items[middle]!)) === true) high = middle;
      else low = middle + 1;
    }
    return low;
  };
};

export const typedArrays = {
  ...quantifiers("any"),
  ...quantifiers("all"),
  array_subscript: subscript,
  array_slice: slice,
  array_append: append,
  array_prepend: prepend,
  array_cat: concat,
  array_contains: contains,
  array_contained: contained,
  array_overlaps: overlaps,
  array_length: dimension(({ dims }, d) => dims[d]!),
  array_upper: dimension(({ dims, lower }, d) => lower[d]! + dims[d]! - 1),
  array_lower: dimension(({ lower }, d) => lower[d]!),
  array_ndims: () => (array: string) => parseArray(array).dims.length || null,
  array_dims: () => (array: string) => dimsText(parseArray(array)),
  array_cardinality: () => (array: string) => parseArray(array).items.length,
  array_position: position,
  array_positions: positions,
  array_remove: removal,
  array_replace: replacement,
  array_to_string: toText,
  array_fill: fill,
  array_trim: trimmed,
  array_reverse: reversed,
  array_sort: sorted,
  array_bucket: bucket,
} satisfies Partial<Record<TypedFunctionId, Maker>>;
