/**
 * The aggregates there are, and which of them a call means: names, argument types, result types, as in PostgreSQL's catalog.
 *
 * - by type: a list of signatures. The one whose types are given is taken; else the only one that all arguments can be implicitly
 *   cast to, or among several the one of preferred types.
 * - any: takes a value of any type (`ordered`: that has an order).
 *
 * What the engine adds up is sometimes the next larger type (`takes`), and the sum of float4 is rounded at the end (`rounded`).
 */
import { EvertError } from "../base/errors.ts";
import {
  arrayOf,
  bool,
  bytea,
  float4,
  float8,
  int2,
  int4,
  int8,
  interval,
  json,
  jsonb,
  numeric,
  type SqlType,
  type TypeName,
  text,
  withoutModifiers,
} from "../batch/types.ts";
import { canCast, preferred, sameKind, sqlTypeName } from "./function-casts.ts";
import type { AggregateFunction } from "./plan.ts";

export interface AggregateResolution {
  readonly fn: AggregateFunction;
  /** What each argument becomes by PostgreSQL's rules; null: it stays what it is. */
  readonly args: readonly (SqlType | null)[];
  /** What the engine takes in place of the first. */
  readonly takes: SqlType | null;
  readonly type: SqlType;
  /** What its result is cast to at the end. */
  readonly rounded: SqlType | null;
}

interface Signature {
  readonly args: readonly SqlType[];
  readonly takes?: SqlType;
  readonly type: SqlType;
  readonly rounded?: SqlType;
}

type Entry =
  | { readonly kind: "typed"; readonly fn: AggregateFunction; readonly of: readonly Signature[] }
  | {
      readonly kind: "any";
      readonly fn: AggregateFunction;
      readonly arity: number;
      readonly type: (arg: SqlType) => SqlType;
    }
  | { readonly kind: "extreme"; readonly fn: "min" | "max" };

const of = (args: SqlType, type: SqlType, takes?: SqlType, rounded?: SqlType): Signature => ({
  args: [args],
  type,
  ...(takes === undefined ? {} : { takes }),
  ...(rounded === undefined ? {} : { rounded }),
});

const typed = (fn: AggregateFunction, ...signatures: Signature[]): Entry => ({
  kind: "typed",
  fn,
  of: signatures,
});
const any = (fn: AggregateFunction, arity: number, type: (arg: SqlType) => SqlType): Entry => ({
  kind: "any",
  fn,
  arity,
  type,
});

const truth = (fn: AggregateFunction) => typed(fn, of(bool, bool));
const bits = (fn: AggregateFunction) => typed(fn, of(int2, int2), of(int4, int4), of(int8, int8));
const spread = (fn: AggregateFunction) =>
  typed(
    fn,
    of(int2, numeric, int4),
    of(int4, numeric),
    of(int8, numeric),
    of(numeric, numeric),
    of(float4, float8, float8),
    of(float8, float8),
  );
const pairs = (fn: AggregateFunction, type: SqlType = float8) => typed(fn, { args: [float8, float8], type });
const object = (fn: AggregateFunction) => any(fn, 2, () => (fn.startsWith("jsonb") ? jsonb : json));
const list = (fn: AggregateFunction) => any(fn, 1, () => (fn.startsWith("jsonb") ? jsonb : json));

const table: Readonly<Record<string, Entry>> = {
  count: any("count", 1, () => int8),
  sum: typed(
    "sum",
    of(int2, int8, int4),
    of(int4, int8),
    of(int8, numeric),
    of(numeric, numeric),
    of(float4, float8, float8, float4),
    of(float8, float8),
    of(interval, interval),
  ),
  avg: typed(
    "avg",
    of(int2, numeric, int4),
    of(int4, numeric),
    of(int8, numeric),
    of(numeric, numeric),
    of(float4, float8, float8),
    of(float8, float8),
    of(interval, interval),
  ),
  min: { kind: "extreme", fn: "min" },
  max: { kind: "extreme", fn: "max" },
  bool_and: truth("bool_and"),
  every: truth("bool_and"),
  bool_or: truth("bool_or"),
  bit_and: bits("bit_and"),
  bit_or: bits("bit_or"),
  bit_xor: bits("bit_xor"),
  var_pop: spread("var_pop"),
  var_samp: spread("var_samp"),
  variance: spread("var_samp"),
  stddev_pop: spread("stddev_pop"),
  stddev_samp: spread("stddev_samp"),
  stddev: spread("stddev_samp"),
  corr: pairs("corr"),
  covar_pop: pairs("covar_pop"),
  covar_samp: pairs("covar_samp"),
  regr_avgx: pairs("regr_avgx"),
  regr_avgy: pairs("regr_avgy"),
  regr_count: pairs("regr_count", int8),
  regr_intercept: pairs("regr_intercept"),
  regr_r2: pairs("regr_r2"),
  regr_slope: pairs("regr_slope"),
  regr_sxx: pairs("regr_sxx"),
  regr_sxy: pairs("regr_sxy"),
  regr_syy: pairs("regr_syy"),
  any_value: any("any_value", 1, (t) => t),
  string_agg: typed("string_agg", { args: [text, text], type: text }, { args: [bytea, bytea], type: bytea }),
  array_agg: any("array_agg", 1, (t) => (t.name === "array" ? t : arrayOf(withoutModifiers(t)))),
  json_agg: list("json_agg"),
  json_agg_strict: list("json_agg_strict"),
  jsonb_agg: list("jsonb_agg"),
  jsonb_agg_strict: list("jsonb_agg_strict"),
  json_object_agg: object("json_object_agg"),
  json_object_agg_strict: object("json_object_agg_strict"),
  json_object_agg_unique: object("json_object_agg_unique"),
  json_object_agg_unique_strict: object("json_object_agg_unique_strict"),
  jsonb_object_agg: object("jsonb_object_agg"),
  jsonb_object_agg_strict: object("jsonb_object_agg_strict"),
  jsonb_object_agg_unique: object("jsonb_object_agg_unique"),
  jsonb_object_agg_unique_strict: object("jsonb_object_agg_unique_strict"),
};

/** Those with WITHIN GROUP (ORDER BY x). */
const orderedSets: ReadonlySet<string> = new Set(["mode", "percentile_cont", "percentile_disc"]);

/** PostgreSQL has them, we do not. */
const absent: ReadonlySet<string> = new Set("range_agg range_intersect_agg xmlagg".split(" "));

/** What min and max are not defined for, though most of it has an order. */
const unordered: ReadonlySet<TypeName> = new Set(["bool", "uuid", "json", "jsonb", "jsonpath"]);

export const aggregateNames: readonly string[] = Object.freeze([...Object.keys(table), ...orderedSets]);

export function isAggregate(name: string): boolean {
  return Object.hasOwn(table, name) || orderedSets.has(name);
}

export function isOrderedSet(name: string): boolean {
  return orderedSets.has(name);
}

/** PostgreSQL has it, we do not. */
export function isAbsentAggregate(name: string): boolean {
  return absent.has(name);
}

/** The aggregate `name` for these argument types (null: a bare literal). REQUIRES isAggregate, and no ordered set. */
export function resolveAggregate(
  name: string,
  given: readonly (SqlType | null)[],
  position?: number,
): AggregateResolution {
  const entry = table[name]!;
  if (entry.kind === "typed") return resolveTyped(name, entry.fn, entry.of, given, position);
  const first = given[0];
  if (entry.kind === "extreme") {
    if (first === undefined || given.length > 1) throw undefinedAggregate(name, given, position);
    const type = first ?? text;
    if (unordered.has(type.name)) throw undefinedAggregate(name, given, position);
    // Of varchars there is none: they are taken as texts.
    const as = type.name === "varchar" ? text : type;
    return { fn: entry.fn, args: [as === first ? null : as], takes: null, type: as, rounded: null };
  }
  if (given.length !== entry.arity) throw undefinedAggregate(name, given, position);
  if (first === null) refuseUndetermined(name, position);
  const type = entry.type(first ?? text);
  return {
    fn: entry.fn,
    args: given.map((t) => (t === null ? text : null)),
    takes: null,
    type,
    rounded: null,
  };
}

/** A bare literal has no type that would say what these collect. */
function refuseUndetermined(name: string, position: number | undefined): void {
  if (name === "array_agg") {
    throw new EvertError("ambiguous_function", "function array_agg(unknown) is not unique", {
      position,
      hint: "Could not choose a best candidate function. You might need to add explicit type casts.",
    });
  }
  if (/^jsonb?_agg(?:_strict)?$/.test(name)) {
    const message = "could not determine polymorphic type because input has type unknown";
    throw new EvertError("datatype_mismatch", message, { position });
  }
}

/** The ordered-set aggregate for what stands in its parentheses and what it orders by. */
export function resolveOrderedSet(
  name: string,
  direct: readonly (SqlType | null)[],
  ordered: readonly (SqlType | null)[],
  position?: number,
): AggregateResolution {
  const all = [...direct, ...ordered];
  const value = ordered[0];
  const wanted = name === "mode" ? 0 : 1;
  if (value === undefined || ordered.length > 1 || direct.length !== wanted)
    throw undefinedAggregate(name, all, position);
  if (name === "mode") {
    return {
      fn: "mode",
      args: [value === null ? text : null],
      takes: null,
      type: value ?? text,
      rounded: null,
    };
  }
  const fraction = direct[0] ?? null;
  const many = fraction?.element !== undefined;
  if (fraction !== null && !canCast(fraction, many ? arrayOf(float8) : float8))
    throw undefinedAggregate(name, all, position);
  const each = name === "percentile_cont" ? continuous(value) : (value ?? text);
  if (each === undefined) throw undefinedAggregate(name, all, position);
  return {
    fn: name === "percentile_cont" ? "percentile_cont" : "percentile_disc",
    args: [value !== null && sameKind(value, each) ? null : each, many ? arrayOf(float8) : float8],
    takes: null,
    type: many ? arrayOf(withoutModifiers(each)) : each,
    rounded: null,
  };
}

function continuous(value: SqlType | null): SqlType | undefined {
  if (value === null || canCast(value, float8)) return float8;
  return canCast(value, interval) ? interval : undefined;
}

function resolveTyped(
  name: string,
  fn: AggregateFunction,
  signatures: readonly Signature[],
  given: readonly (SqlType | null)[],
  position: number | undefined,
): AggregateResolution {
  const fitting = signatures.filter(
    (s) => s.args.length === given.length && given.every((t, i) => canCast(t, s.args[i]!)),
  );
  const matches = (s: Signature) => given.every((t, i) => t === null || sameKind(t, s.args[i]!));
  const exact = fitting.filter(matches);
  const close = exact.length > 0 ? exact : fitting;
  const best =
    close.length > 1 ? close.filter((s) => s.args.every((t) => preferred[t.name] === true)) : close;
  if (fitting.length === 0) throw undefinedAggregate(name, given, position);
  if (best.length !== 1) {
    const message = `function ${name}(${given.map(sqlTypeName).join(", ")}) is not unique`;
    const hint = "Could not choose a best candidate function. You might need to add explicit type casts.";
    throw new EvertError("ambiguous_function", message, { position, hint });
  }
  const chosen = best[0]!;
  return {
    fn,
    args: given.map((t, i) => (t !== null && sameKind(t, chosen.args[i]!) ? null : chosen.args[i]!)),
    takes: chosen.takes ?? null,
    type: chosen.type,
    rounded: chosen.rounded ?? null,
  };
}

export function undefinedAggregate(
  name: string,
  given: readonly (SqlType | null)[] | "*",
  position: number | undefined,
): EvertError {
  const said = given === "*" ? "*" : given.map(sqlTypeName).join(", ");
  return new EvertError("undefined_function", `function ${name}(${said}) does not exist`, {
    position,
    hint: "No function matches the given name and argument types. You might need to add explicit type casts.",
  });
}

/** Whether it is made of the rows themselves, in an order: no sum of what is added and taken away. */
export function isMadeOfRows(fn: AggregateFunction): boolean {
  switch (fn) {
    case "any_value":
    case "string_agg":
    case "array_agg":
    case "json_agg":
    case "json_agg_strict":
    case "jsonb_agg":
    case "jsonb_agg_strict":
    case "json_object_agg":
    case "json_object_agg_strict":
    case "json_object_agg_unique":
    case "json_object_agg_unique_strict":
    case "jsonb_object_agg":
    case "jsonb_object_agg_strict":
    case "jsonb_object_agg_unique":
    case "jsonb_object_agg_unique_strict":
    case "mode":
    case "percentile_cont":
    case "percentile_disc":
      return true;
    default:
      return false;
  }
}
