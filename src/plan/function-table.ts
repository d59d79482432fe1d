/**
 * The registry of scalar functions, operators and casts: pure data. What a function computes is in dataflow/kernels. To add one: a
 * line in the table, then the compiler of TypeScript names every place that must learn it.
 *
 * A numeric argument or result here is unconstrained. A call whose CallExpr.type is numeric(p,s) rounds its result to s
 * digits and checks p; that is how every cast to numeric(p,s) is said. Nobody converts numeric(p,s) arguments by hand:
 * kernels read both forms.
 */
import {
  bool,
  float8,
  int4,
  int8,
  jsonb,
  numeric,
  type SqlType,
  type TypeName,
  text,
  timestamptz,
} from "../batch/types.ts";

export interface Entry {
  /** Operator symbol, or null. Symbols and names are how SQL calls it; an entry with neither is only reached by a cast. */
  readonly op: string | null;
  readonly names: readonly string[];
  readonly args: readonly SqlType[];
  /** The last argument's type may repeat, any number of times. */
  readonly variadic: boolean;
  readonly result: SqlType;
  /** Null for a null argument, without being called. */
  readonly strict: boolean;
  /** May end in an error for some arguments. */
  readonly fallible: boolean;
  /** May answer null though no argument is null. */
  readonly nullable: boolean;
  /** Depends on something beside its arguments: never part of a view. */
  readonly volatile: boolean;
}

type Flag = "fallible" | "nonStrict" | "nullable" | "volatile" | "variadic";

function entry(
  op: string | null,
  names: readonly string[],
  args: readonly SqlType[],
  result: SqlType,
  flags: readonly Flag[],
): Entry {
  return Object.freeze({
    op,
    names,
    args,
    result,
    variadic: flags.includes("variadic"),
    strict: !flags.includes("nonStrict"),
    fallible: flags.includes("fallible"),
    nullable: flags.includes("nullable"),
    volatile: flags.includes("volatile"),
  });
}

function operator(symbol: string, args: readonly SqlType[], result: SqlType, ...flags: Flag[]): Entry {
  return entry(symbol, [], args, result, flags);
}

/** `names`: one or several, separated by spaces. */
function fn(names: string, args: readonly SqlType[], result: SqlType, ...flags: Flag[]): Entry {
  return entry(null, names.split(" "), args, result, flags);
}

function both(
  symbol: string,
  names: string,
  args: readonly SqlType[],
  result: SqlType,
  ...flags: Flag[]
): Entry {
  return entry(symbol, names.split(" "), args, result, flags);
}

function cast(from: SqlType, to: SqlType, ...flags: Flag[]): Entry {
  return entry(null, [], [from], to, flags);
}

type Comparison = "eq" | "ne" | "lt" | "le" | "gt" | "ge";

function comparisons<N extends TypeName>(type: SqlType & { name: N }): Record<`${N}_${Comparison}`, Entry> {
  const of = (symbol: string) => operator(symbol, [type], bool);
  const made = { eq: "=", ne: "<>", lt: "<", le: "<=", gt: ">", ge: ">=" } as const;
  const out: Record<string, Entry> = {};
  for (const [suffix, symbol] of Object.entries(made)) {
    out[`${type.name}_${suffix}`] = { ...of(symbol), args: [type, type] };
  }
  return out as Record<`${N}_${Comparison}`, Entry>;
}

/** greatest / least: as many arguments as given, nulls ignored. */
function extremes<N extends TypeName>(
  type: SqlType & { name: N },
): Record<`${N}_${"greatest" | "least"}`, Entry> {
  const of = (name: string) => fn(name, [type], type, "nonStrict", "variadic");
  return { [`${type.name}_greatest`]: of("greatest"), [`${type.name}_least`]: of("least") } as Record<
    `${N}_${"greatest" | "least"}`,
    Entry
  >;
}

const Int4 = int4 as SqlType & { name: "int4" };
const Int8 = int8 as SqlType & { name: "int8" };
const Float8 = float8 as SqlType & { name: "float8" };
const Numeric = numeric as SqlType & { name: "numeric" };
const Bool = bool as SqlType & { name: "bool" };
const Text = text as SqlType & { name: "text" };
const Timestamptz = timestamptz as SqlType & { name: "timestamptz" };
const F = "fallible";

const table = {
  ...comparisons(Int4),
  ...comparisons(Int8),
  ...comparisons(Float8),
  ...comparisons(Numeric),
  ...comparisons(Bool),
  ...comparisons(Text),
  ...comparisons(Timestamptz),
  jsonb_eq: operator("=", [jsonb, jsonb], bool),
  jsonb_ne: operator("<>", [jsonb, jsonb], bool),

  ...extremes(Int4),
  ...extremes(Int8),
  ...extremes(Float8),
  ...extremes(Numeric),
  ...extremes(Bool),
  ...extremes(Text),
  ...extremes(Timestamptz),

  // int4
  int4_add: operator("+", [int4, int4], int4, F),
  int4_sub: operator("-", [int4, int4], int4, F),
  int4_mul: operator("*", [int4, int4], int4, F),
  int4_div: operator("/", [int4, int4], int4, F),
  int4_mod: both("%", "mod", [int4, int4], int4, F),
  int4_neg: operator("-", [int4], int4, F),
  int4_plus: operator("+", [int4], int4),
  int4_abs: both("@", "abs", [int4], int4, F),
  // int8
  int8_add: operator("+", [int8, int8], int8, F),
  int8_sub: operator("-", [int8, int8], int8, F),
  int8_mul: operator("*", [int8, int8], int8, F),
  int8_div: operator("/", [int8, int8], int8, F),
  int8_mod: both("%", "mod", [int8, int8], int8, F),
  int8_neg: operator("-", [int8], int8, F),
  int8_plus: operator("+", [int8], int8),
  int8_abs: both("@", "abs", [int8], int8, F),
  // float8
  float8_add: operator("+", [float8, float8], float8, F),
  float8_sub: operator("-", [float8, float8], float8, F),
  float8_mul: operator("*", [float8, float8], float8, F),
  float8_div: operator("/", [float8, float8], float8, F),
  float8_pow: both("^", "power pow", [float8, float8], float8, F),
  float8_neg: operator("-", [float8], float8),
  float8_plus: operator("+", [float8], float8),
  float8_abs: both("@", "abs", [float8], float8),
  float8_ceil: fn("ceil ceiling", [float8], float8),
  float8_floor: fn("floor", [float8], float8),
  float8_round: fn("round", [float8], float8),
  float8_trunc: fn("trunc", [float8], float8),
  float8_sign: fn("sign", [float8], float8),
  float8_sqrt: both("|/", "sqrt", [float8], float8, F),
  float8_exp: fn("exp", [float8], float8, F),
  float8_ln: fn("ln", [float8], float8, F),
  float8_log: fn("log log10", [float8], float8, F),
  // numeric
  numeric_add: operator("+", [numeric, numeric], numeric, F),
  numeric_sub: operator("-", [numeric, numeric], numeric, F),
  numeric_mul: operator("*", [numeric, numeric], numeric, F),
  numeric_div: operator("/", [numeric, numeric], numeric, F),
  numeric_mod: both("%", "mod", [numeric, numeric], numeric, F),
  numeric_pow: both("^", "power pow", [numeric, numeric], numeric, F),
  numeric_neg: operator("-", [numeric], numeric),
  numeric_plus: operator("+", [numeric], numeric),
  numeric_abs: both("@", "abs", [numeric], numeric),
  numeric_ceil: fn("ceil ceiling", [numeric], numeric),
  numeric_floor: fn("floor", [numeric], numeric),
  numeric_round: fn("round", [numeric], numeric, F),
  numeric_round_to: fn("round", [numeric, int4], numeric, F),
  numeric_trunc: fn("trunc", [numeric], numeric),
  numeric_trunc_to: fn("trunc", [numeric, int4], numeric),
  numeric_sign: fn("sign", [numeric], numeric),
  numeric_sqrt: fn("sqrt", [numeric], numeric, F),
  numeric_exp: fn("exp", [numeric], numeric, F),
  numeric_ln: fn("ln", [numeric], numeric, F),
  numeric_log: fn("log log10", [numeric], numeric, F),
  numeric_log_base: fn("log", [numeric, numeric], numeric, F),

  // text
  text_concat: operator("||", [text, text], text, F),
  /** Whether a subquery used as a value has at most one row. Not to be called by name. */
  at_most_one_row: entry(null, [], [int8], bool, ["fallible"]),
  text_length: fn("length char_length character_length", [text], int4),
  text_octet_length: fn("octet_length", [text], int4),
  text_lower: fn("lower", [text], text),
  text_upper: fn("upper", [text], text),
  text_initcap: fn("initcap", [text], text),
  text_btrim: fn("btrim", [text], text),
  text_btrim_of: fn("btrim", [text, text], text),
  text_ltrim: fn("ltrim", [text], text),
  text_ltrim_of: fn("ltrim", [text, text], text),
  text_rtrim: fn("rtrim", [text], text),
  text_rtrim_of: fn("rtrim", [text, text], text),
  text_substring: fn("substring substr", [text, int4], text),
  text_substring_for: fn("substring substr", [text, int4, int4], text, F),
  text_left: fn("left", [text, int4], text),
  text_right: fn("right", [text, int4], text),
  text_replace: fn("replace", [text, text, text], text, F),
  text_position: fn("strpos position", [text, text], int4),
  text_starts_with: both("^@", "starts_with", [text, text], bool),
  text_split_part: fn("split_part", [text, text, int4], text, F),
  text_repeat: fn("repeat", [text, int4], text, F),
  text_reverse: fn("reverse", [text], text),
  text_lpad: fn("lpad", [text, int4], text, F),
  text_lpad_with: fn("lpad", [text, int4, text], text, F),
  text_rpad: fn("rpad", [text, int4], text, F),
  text_rpad_with: fn("rpad", [text, int4, text], text, F),
  text_concat_all: fn("concat", [text], text, F, "nonStrict", "variadic"),
  text_concat_ws: fn("concat_ws", [text, text], text, F, "nonStrict", "variadic"),
  text_like: both("~~", "like", [text, text], bool, F),
  text_not_like: both("!~~", "notlike", [text, text], bool, F),
  text_ilike: operator("~~*", [text, text], bool, F),
  text_not_ilike: operator("!~~*", [text, text], bool, F),
  /** LIKE ... ESCAPE: the pattern, rewritten to the default escape. */
  text_like_escape: fn("like_escape", [text, text], text, F),

  // timestamptz (parts of an infinite time that go round and round, such as the hour, are null)
  timestamptz_extract: fn("extract", [text, timestamptz], numeric, F, "nullable"),
  timestamptz_date_part: fn("date_part", [text, timestamptz], float8, F, "nullable"),
  timestamptz_trunc: fn("date_trunc", [text, timestamptz], timestamptz, F),
  float8_to_timestamptz: fn("to_timestamp", [float8], timestamptz, F),
  timestamptz_now: fn("now transaction_timestamp statement_timestamp", [], timestamptz, "volatile"),

  // casts
  int4_to_int8: cast(int4, int8),
  int4_to_float8: cast(int4, float8),
  int4_to_numeric: cast(int4, numeric),
  int4_to_bool: cast(int4, bool),
  int4_to_text: cast(int4, text),
  int8_to_int4: cast(int8, int4, F),
  int8_to_float8: cast(int8, float8),
  int8_to_numeric: cast(int8, numeric),
  int8_to_text: cast(int8, text),
  float8_to_int4: cast(float8, int4, F),
  float8_to_int8: cast(float8, int8, F),
  float8_to_numeric: cast(float8, numeric),
  float8_to_text: cast(float8, text),
  numeric_to_int4: cast(numeric, int4, F),
  numeric_to_int8: cast(numeric, int8, F),
  numeric_to_float8: cast(numeric, float8, F),
  /** numeric to numeric: to numeric(p,s) it rounds and checks, to numeric it only drops the constraint. */
  numeric_to_numeric: cast(numeric, numeric),
  numeric_to_text: cast(numeric, text),
  bool_to_int4: cast(bool, int4),
  bool_to_text: cast(bool, text),
  /** t or f: how concat() writes a bool, which is not how a cast does. */
  bool_out: cast(bool, text),
  timestamptz_to_text: cast(timestamptz, text),
  jsonb_to_text: cast(jsonb, text),
  text_to_int4: cast(text, int4, F),
  text_to_int8: cast(text, int8, F),
  text_to_float8: cast(text, float8, F),
  text_to_numeric: cast(text, numeric, F),
  text_to_bool: cast(text, bool, F),
  text_to_timestamptz: cast(text, timestamptz, F),
} as const satisfies Record<string, Entry>;

export type FunctionId = keyof typeof table;

export interface FunctionInfo extends Entry {
  readonly id: FunctionId;
  /** How PostgreSQL's messages and EXPLAIN call it: operator symbol, first name, or id of a cast. */
  readonly name: string;
}

function buildInfos(): ReadonlyMap<FunctionId, FunctionInfo> {
  const out = new Map<FunctionId, FunctionInfo>();
  for (const id of Object.keys(table) as FunctionId[]) {
    const e: Entry = table[id];
    out.set(id, Object.freeze({ ...e, id, name: e.op ?? e.names[0] ?? id }));
  }
  return out;
}

const infos = buildInfos();

export const functionIds: readonly FunctionId[] = Object.freeze([...infos.keys()]);

export function functionInfo(id: FunctionId): FunctionInfo {
  return infos.get(id)!;
}

/** Whether a call of `fn` with this CallExpr.type can end in an error: a numeric(p,s) result may always overflow. */
export function callIsFallible(fn: FunctionId, type: SqlType): boolean {
  const info = functionInfo(fn);
  return info.fallible || (info.result.name === "numeric" && type.precision !== undefined);
}
