/**
 * What functions of any type compute, made for the types of a call (plan/functions-of/generic.ts). As in library.ts: on plain values, exactly, not
 * called with a null unless it is not strict, errors left in `fault`.
 */
import {
  ARRAY_DIMENSIONS_MAX,
  EMPTY_ARRAY,
  formatArray,
  listOf,
  parseArray,
} from "../../batch/format/array.ts";
import { bytesToHex, hexToBytes } from "../../batch/format/bytes.ts";
import { cutToFit, fitText } from "../../batch/format/characters.ts";
import { formatRecord, parseRecord } from "../../batch/format/record.ts";
import { JsonNumber, parseJson } from "../../batch/lossless-json.ts";
import { compareKeys, orderKeyOf } from "../../batch/order-key.ts";
import type { SqlType } from "../../batch/types.ts";
import { castOf, sqlTypeName } from "../../plan/function-casts.ts";
import type { FunctionId, TypedFunctionId } from "../../plan/functions.ts";
import { Decimal, decimalFromText } from "./decimal.ts";
import { attempt, fail, fault, scalarError } from "./errors.ts";
import type { Maker } from "./maker.ts";
import { sqlJsonLibrary } from "./sql-json.ts";
import { typedAny } from "./typed-any.ts";
import { typedArrays } from "./typed-arrays.ts";
import { castText, textOfValue, valueOfText } from "./typed-text.ts";
import { constrainDecimal, type ScalarFunction, type Value } from "./value.ts";

type Compare = (a: Value, b: Value) => number;

function compareOf(type: SqlType): Compare {
  const key = orderKeyOf(type);
  if (key === null) return (a, b) => (a as number) - (b as number);
  return (a, b) => (a === b ? 0 : compareKeys(key.of(a as string), key.of(b as string)));
}

function comparisonsOf<N extends string>(name: N) {
  const by = (test: (d: number) => boolean): Maker => {
    return ([type]) => {
      const compare = compareOf(type!);
      return (a: Value, b: Value) => test(compare(a, b));
    };
  };
  const first = (sign: 1 | -1): Maker => {
    return ([type]) => {
      const compare = compareOf(type!);
      return (...all: Value[]) => {
        let best: Value = null;
        for (const x of all) if (x !== null && (best === null || compare(x, best) * sign > 0)) best = x;
        return best;
      };
    };
  };
  const made = {
    eq: by((d) => d === 0),
    ne: by((d) => d !== 0),
    lt: by((d) => d < 0),
    le: by((d) => d <= 0),
    gt: by((d) => d > 0),
    ge: by((d) => d >= 0),
    greatest: first(1),
    least: first(-1),
  };
  return Object.fromEntries(Object.entries(made).map(([suffix, maker]) => [`${name}_${suffix}`, maker])) as {
    [K in keyof typeof made as `${N}_${K}`]: Maker;
  };
}

function characters(padded: boolean, cuts: boolean): Maker {
  return ([from], { length }) => {
    const keepsBlanks = padded && from!.name === "bpchar";
    const textOf = (value: Exclude<Value, null>) =>
      keepsBlanks ? (value as string) : castText(from!, value);
    if (cuts) return (value: Exclude<Value, null>) => cutToFit(textOf(value), length, padded);
    return (value: Exclude<Value, null>) =>
      attempt((text: string) => fitText(text, length, padded), textOf(value), "");
  };
}

/** A value no error hides behind: what a failed function returns is not read, but has to be of its type. */
function placeholder(type: SqlType): Exclude<Value, null> {
  switch (type.name) {
    case "numeric":
      return decimalFromText("0");
    case "bool":
      return false;
    case "int8":
    case "time":
    case "timestamp":
    case "timestamptz":
      return 0n;
    case "int2":
    case "int4":
    case "float4":
    case "float8":
    case "date":
    case "enum":
      return 0;
    default:
      return "";
  }
}

function reading(type: SqlType): ScalarFunction {
  const nothing = placeholder(type);
  return (text: string) => attempt((t: string) => valueOfText(type, t), text, nothing);
}

// ---- arrays -----------------------------------------------------------------------------------------------------

const unlikeArrays = scalarError(
  "invalid_value",
  "multidimensional arrays must have array expressions with matching dimensions",
  { sqlstate: "2202E" },
);
const tooManyDimensions = scalarError(
  "statement_too_complex",
  `number of array dimensions exceeds the maximum allowed (${ARRAY_DIMENSIONS_MAX})`,
  { sqlstate: "54000" },
);

/** Items become a list; arrays of one shape become the outermost dimension of a new one. */
const arrayOfItems: Maker = ([type]) => {
  if (type === undefined) return () => "{}";
  if (type.element === undefined) {
    return (...items: Value[]) =>
      formatArray(listOf(items.map((item) => (item === null ? null : textOfValue(type, item)))));
  }
  return (...arrays: (string | null)[]) => {
    const parts = arrays.map((text) => (text === null ? EMPTY_ARRAY : parseArray(text)));
    const first = parts[0]!;
    if (parts.every((p) => p.items.length === 0)) return "{}";
    const alike = parts.every(
      (p) =>
        p.dims.length === first.dims.length &&
        p.dims.every((n, d) => n === first.dims[d]) &&
        p.lower.every((n, d) => n === first.lower[d]),
    );
    if (!alike) return fail(unlikeArrays, "{}");
    if (first.dims.length === ARRAY_DIMENSIONS_MAX) return fail(tooManyDimensions, "{}");
    return formatArray({
      dims: [parts.length, ...first.dims],
      lower: [1, ...first.lower],
      items: parts.flatMap((p) => p.items),
    });
  };
};

const castArray: Maker = ([from], to, lookup) => {
  const [source, target] = [from!.element!, to.element!];
  const cast = castOf(source, target, "explicit")?.fn ?? null;
  const convert = cast === null ? null : lookup(cast, [source], target);
  return (text: string) => {
    const parts = parseArray(text);
    const items = parts.items.map((item) => {
      if (item === null || fault.error !== null) return null;
      const value = valueOfText(source, item);
      let made = convert === null ? value : (convert as (v: Value) => Value)(value);
      if (fault.error !== null || made === null) return null;
      if (made instanceof Decimal) made = constrainDecimal(made, target);
      return textOfValue(target, made);
    });
    return formatArray({ ...parts, items });
  };
};

// ---- jsonb ------------------------------------------------------------------------------------------------------

const jsonbScalar: Maker = (_, to, lookup) => {
  const numbers = to.name === "bool" ? null : lookup(`numeric_to_${to.name}` as FunctionId, [], to);
  const refuse = (kind: string) =>
    fail(
      scalarError("invalid_argument", `cannot cast jsonb ${kind} to type ${sqlTypeName(to)}`),
      placeholder(to),
    );
  return (text: string): Value => {
    const value = parseJson(text);
    if (value === null) return null;
    if (Array.isArray(value)) return refuse("array");
    if (typeof value === "boolean") return to.name === "bool" ? value : refuse("boolean");
    if (typeof value === "string") return refuse("string");
    if (typeof value === "object" && !(value instanceof JsonNumber)) return refuse("object");
    if (numbers === null) return refuse("numeric");
    return (numbers as (x: Decimal) => Value)(decimalFromText(text));
  };
};

// ---- integers as bytes ------------------------------------------------------------------------------------------

const widths: Readonly<Record<string, number>> = { int2: 2, int4: 4, int8: 8 };

const integerBytes: Maker = ([from]) => {
  const width = widths[from!.name]!;
  return (value: number | bigint) => {
    const bytes = new DataView(new ArrayBuffer(8));
    bytes.setBigInt64(0, BigInt(value));
    return bytesToHex(new Uint8Array(bytes.buffer, 8 - width));
  };
};

/** Fewer bytes than the type has leave its highest ones zero. */
const bytesInteger: Maker = (_, to) => {
  const width = widths[to.name]!;
  const outOfRange = scalarError("numeric_value_out_of_range", `${sqlTypeName(to)} out of range`);
  return (hex: string): Value => {
    const bytes = hexToBytes(hex);
    if (bytes.length > width) return fail(outOfRange, placeholder(to));
    let value = 0n;
    for (const byte of bytes) value = (value << 8n) | BigInt(byte);
    const signed = BigInt.asIntN(width * 8, value);
    return to.name === "int8" ? signed : Number(signed);
  };
};

export const typedLibrary: Record<TypedFunctionId, Maker> = {
  ...comparisonsOf("bpchar"),
  ...comparisonsOf("interval"),
  ...comparisonsOf("jsonb"),
  ...comparisonsOf("array"),
  ...comparisonsOf("enum"),
  ...comparisonsOf("record"),
  ...typedArrays,
  ...typedAny,
  ...sqlJsonLibrary,
  array_make: arrayOfItems,
  record_make:
    (types) =>
    (...items: Value[]) =>
      formatRecord(items.map((item, i) => (item === null ? null : textOfValue(types[i]!, item)))),
  record_field: ([row], to) => {
    const count = row!.fields!.length;
    return (text: string, index: number): Value => {
      const item = parseRecord(text, count)[index]!;
      return item === null ? null : valueOfText(to, item);
    };
  },
  io_out:
    ([from]) =>
    (value: Exclude<Value, null>) =>
      textOfValue(from!, value),
  io_in: (_, to) => reading(to),
  to_varchar: characters(false, true),
  assign_varchar: characters(false, false),
  to_bpchar: characters(true, true),
  assign_bpchar: characters(true, false),
  array_cast: castArray,
  jsonb_to_scalar: jsonbScalar,
  integer_to_bytea: integerBytes,
  bytea_to_integer: bytesInteger,
};
