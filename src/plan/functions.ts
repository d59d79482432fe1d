/**
 * The registry of scalar functions, operators and casts, and PostgreSQL's rules for choosing among them.
 *
 * Pure data and resolution; what a function computes is in dataflow/kernels. To add one: a line in the table below,
 * then the compiler of TypeScript names every place that must learn it.
 *
 * Resolution (PostgreSQL, "Type Conversion"), with `null` for the type of a bare literal:
 * 1. A candidate whose argument types are exactly the given ones wins. For a binary operator a literal beside a typed
 *    argument is first taken to be of that argument's type.
 * 2. Else keep candidates every argument can be implicitly cast to; of these the ones with most exact matches; of these
 *    the ones with most exact or preferred types.
 * 3. Where literals remain: per literal, text if any candidate takes text there, else the one type category all share;
 *    keep candidates of that category, and of these the preferred type where one takes it.
 * 4. Else, if all typed arguments have one type, try that type for the literals.
 * 5. Else the call is ambiguous.
 *
 * A numeric argument or result here is unconstrained. A call whose CallExpr.type is numeric(p,s) rounds its result to s
 * digits and checks p; that is how every cast to numeric(p,s) is said. Nobody converts numeric(p,s) arguments by hand:
 * kernels read both forms.
 */

import { EvertError, notSupported } from "../base/errors.ts";
import {
  bool,
  float8,
  int4,
  int8,
  jsonb,
  numeric,
  type SqlType,
  sameType,
  type TypeName,
  text,
  timestamptz,
} from "../batch/types.ts";

interface Entry {
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

// ---- casts ----------------------------------------------------------------------------------------------------

export type CastContext = "implicit" | "assignment" | "explicit";

export interface CastResolution {
  /** null: the value is already right. Else a CallExpr of `fn` whose `type` is the target type. */
  readonly fn: FunctionId | null;
}

const contextRank: Record<CastContext, number> = { implicit: 0, assignment: 1, explicit: 2 };

/** from -> to -> how freely it may be applied, as in pg_cast; text forms as PostgreSQL's I/O casts. */
const casts: Record<TypeName, Partial<Record<TypeName, readonly [FunctionId | null, CastContext]>>> = {
  int4: {
    int8: ["int4_to_int8", "implicit"],
    float8: ["int4_to_float8", "implicit"],
    numeric: ["int4_to_numeric", "implicit"],
    bool: ["int4_to_bool", "explicit"],
    text: ["int4_to_text", "assignment"],
  },
  int8: {
    int4: ["int8_to_int4", "assignment"],
    float8: ["int8_to_float8", "implicit"],
    numeric: ["int8_to_numeric", "implicit"],
    text: ["int8_to_text", "assignment"],
  },
  float8: {
    int4: ["float8_to_int4", "assignment"],
    int8: ["float8_to_int8", "assignment"],
    numeric: ["float8_to_numeric", "assignment"],
    text: ["float8_to_text", "assignment"],
  },
  numeric: {
    int4: ["numeric_to_int4", "assignment"],
    int8: ["numeric_to_int8", "assignment"],
    float8: ["numeric_to_float8", "implicit"],
    numeric: ["numeric_to_numeric", "implicit"],
    text: ["numeric_to_text", "assignment"],
  },
  bool: {
    int4: ["bool_to_int4", "explicit"],
    text: ["bool_to_text", "assignment"],
  },
  text: {
    int4: ["text_to_int4", "explicit"],
    int8: ["text_to_int8", "explicit"],
    float8: ["text_to_float8", "explicit"],
    numeric: ["text_to_numeric", "explicit"],
    bool: ["text_to_bool", "explicit"],
    timestamptz: ["text_to_timestamptz", "explicit"],
  },
  timestamptz: { text: ["timestamptz_to_text", "assignment"] },
  jsonb: { text: ["jsonb_to_text", "assignment"] },
};

/**
 * How a value of type `from` becomes one of type `to`, or undefined when PostgreSQL does not allow it in this context.
 * `from` null is a bare literal: the function that reads it from text, in every context.
 */
export function resolveCast(
  from: SqlType | null,
  to: SqlType,
  context: CastContext,
): CastResolution | undefined {
  if (from === null) return castOf("text", to, "explicit");
  if (sameType(from, to)) return { fn: null };
  return castOf(from.name, to, context);
}

function castOf(from: TypeName, to: SqlType, context: CastContext): CastResolution | undefined {
  const found = casts[from][to.name];
  if (found !== undefined)
    return contextRank[found[1]] <= contextRank[context] ? { fn: found[0] } : undefined;
  return from === to.name ? { fn: null } : undefined;
}

function canCast(from: SqlType | null, to: SqlType): boolean {
  return from === null || from.name === to.name || castOf(from.name, to, "implicit") !== undefined;
}

// ---- type categories ------------------------------------------------------------------------------------------

type Category = "N" | "B" | "S" | "D" | "U";

const categories: Record<TypeName, Category> = {
  int4: "N",
  int8: "N",
  float8: "N",
  numeric: "N",
  bool: "B",
  text: "S",
  timestamptz: "D",
  jsonb: "U",
};

const preferred: Record<TypeName, boolean> = {
  int4: false,
  int8: false,
  float8: true,
  numeric: false,
  bool: true,
  text: true,
  timestamptz: true,
  jsonb: false,
};

const sqlNames: Record<TypeName, string> = {
  int4: "integer",
  int8: "bigint",
  float8: "double precision",
  numeric: "numeric",
  bool: "boolean",
  text: "text",
  timestamptz: "timestamp with time zone",
  jsonb: "jsonb",
};

/** A type as PostgreSQL's messages write it: `timestamp with time zone`, `unknown` for a bare literal. */
export function sqlTypeName(type: SqlType | null): string {
  return type === null ? "unknown" : sqlNames[type.name];
}

/**
 * The one type of CASE branches, COALESCE, GREATEST, VALUES and UNION columns (PostgreSQL's select_common_type), or undefined
 * when they have none. A numeric keeps its precision only when all agree on it. Only literals: text.
 */
export function commonType(types: readonly (SqlType | null)[]): SqlType | undefined {
  const known = types.filter((t) => t !== null);
  const first = known[0];
  if (first === undefined) return text;
  if (known.length === types.length && known.every((t) => sameType(t, first))) return first;
  let best = first;
  for (const t of known) {
    if (t.name === best.name) continue;
    if (categories[t.name] !== categories[best.name]) return undefined;
    if (!preferred[best.name] && canCast(best, t) && !canCast(t, best)) best = t;
  }
  if (!known.every((t) => canCast(t, best))) return undefined;
  if (best.name !== "numeric") return best;
  return known.every((t) => sameType(t, best)) ? best : numeric;
}

// ---- resolution -----------------------------------------------------------------------------------------------

export interface Resolution {
  readonly fn: FunctionId;
  /** One per argument given, also for a variadic function. */
  readonly argTypes: readonly SqlType[];
  /** Per argument the cast it needs (CallExpr of that function with argTypes[i]); null: none, or a bare literal, to be read as argTypes[i]. */
  readonly argCasts: readonly (FunctionId | null)[];
  readonly resultType: SqlType;
}

interface Candidate {
  /** null: PostgreSQL has it, we do not yet. It takes part, so that nothing else is chosen in its place. */
  readonly fn: FunctionId | null;
  readonly args: readonly SqlType[];
}

/** Overloads PostgreSQL has beside ours: "name" or "op" -> argument types. */
const absent: Readonly<Record<string, readonly (readonly SqlType[])[]>> = {
  substring: [
    [text, text],
    [text, text, text],
  ],
  date_trunc: [[text, timestamptz, text]],
  to_timestamp: [[text, text]],
  "~": [[text, text], [int4], [int8]],
  "!~": [[text, text]],
  "~*": [[text, text]],
  "!~*": [[text, text]],
  // timestamptz +- a literal reads it as an interval.
  "+": [[timestamptz, timestamptz]],
  "-": [
    [timestamptz, timestamptz],
    [jsonb, text],
    [jsonb, int4],
  ],
  "&": [
    [int4, int4],
    [int8, int8],
  ],
  "|": [
    [int4, int4],
    [int8, int8],
  ],
  "#": [
    [int4, int4],
    [int8, int8],
  ],
  "<<": [
    [int4, int4],
    [int8, int4],
  ],
  ">>": [
    [int4, int4],
    [int8, int4],
  ],
  "||/": [[float8]],
  "~>~": [[text, text]],
  "~<~": [[text, text]],
  "<": [[jsonb, jsonb]],
  "<=": [[jsonb, jsonb]],
  ">": [[jsonb, jsonb]],
  ">=": [[jsonb, jsonb]],
  "||": [[jsonb, jsonb]],
  "->": [
    [jsonb, text],
    [jsonb, int4],
  ],
  "->>": [
    [jsonb, text],
    [jsonb, int4],
  ],
  "#>": [[jsonb, text]],
  "#>>": [[jsonb, text]],
  "@>": [[jsonb, jsonb]],
  "<@": [[jsonb, jsonb]],
  "?": [[jsonb, text]],
};

/** Functions PostgreSQL has and we do not yet: 0A000, not "does not exist". */
const absentNames: ReadonlySet<string> = new Set(
  (
    "acos acosd acosh age array_agg array_append array_cat array_length array_position array_remove array_to_string ascii asin asind " +
    "asinh atan atan2 atan2d atand atanh bit_count bit_length casefold cbrt chr clock_timestamp convert_from convert_to cos cosd cosh cot " +
    "cotd crc32 crc32c current_database current_schema current_setting date_add date_bin date_subtract decode degrees div encode erf " +
    "erfc factorial format gamma gcd gen_random_uuid generate_series generate_subscripts get_bit get_byte isfinite json_build_array " +
    "json_build_object json_object jsonb_agg jsonb_array_elements jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each " +
    "jsonb_extract_path jsonb_extract_path_text jsonb_object jsonb_object_keys jsonb_path_exists jsonb_path_query jsonb_pretty jsonb_set " +
    "jsonb_strip_nulls jsonb_typeof json_typeof justify_days justify_hours justify_interval lcm lgamma make_date make_interval make_time " +
    "make_timestamp make_timestamptz md5 min_scale normalize num_nonnulls num_nulls overlay parse_ident pg_sleep pg_typeof pi " +
    "quote_ident quote_literal quote_nullable radians random random_normal regexp_count regexp_instr regexp_like regexp_match " +
    "regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr row_to_json scale set_bit set_byte setseed " +
    "sha224 sha256 sha384 sha512 similar_to_escape similar_escape sin sind sinh string_to_array string_to_table tan tand tanh timezone " +
    "to_ascii to_bin to_char to_date to_hex to_json to_jsonb to_number to_oct translate trim_array trim_scale unicode_assigned unistr " +
    "unnest uuidv4 uuidv7 version width_bucket xmlelement"
  ).split(" "),
);

function buildCandidates(key: (e: Entry) => readonly string[]): ReadonlyMap<string, readonly FunctionInfo[]> {
  const out = new Map<string, FunctionInfo[]>();
  for (const info of infos.values()) {
    for (const name of key(info)) {
      const list = out.get(name);
      if (list === undefined) out.set(name, [info]);
      else list.push(info);
    }
  }
  return out;
}

const byOperator = buildCandidates((e) => (e.op === null ? [] : [e.op]));
const byName = buildCandidates((e) => e.names);

/** Names PostgreSQL gives types when they are called like functions: float8(x). */
const typesByName: Readonly<Record<string, SqlType>> = {
  int4,
  int8,
  float8,
  numeric,
  bool,
  text,
  timestamptz,
};

/**
 * The operator `op` for these argument types (one: prefix), or an error: undefined_function, ambiguous_function,
 * feature_not_supported. `position` is where in the SQL text it stands.
 */
export function resolveOperator(
  op: string,
  argTypes: readonly (SqlType | null)[],
  position?: number,
): Resolution {
  const symbol = op === "!=" ? "<>" : op;
  const binary = argTypes.length === 2;
  const given = argTypes.map(withoutPrecision);
  if (symbol === "||" && binary) {
    const joined = resolveConcatenation(given);
    if (joined !== undefined) return joined;
  }
  const candidates = candidatesOf(byOperator.get(symbol), symbol, argTypes.length);
  const said = binary
    ? `${sqlTypeName(argTypes[0]!)} ${op} ${sqlTypeName(argTypes[1]!)}`
    : `${op} ${sqlTypeName(argTypes[0] ?? null)}`;
  const found = isAmbiguousLiteral(symbol, given) ? "many" : choose(candidates, given, binary);
  if (found === "none") {
    throw new EvertError("undefined_function", `operator does not exist: ${said}`, {
      hint: "No operator matches the given name and argument types. You might need to add explicit type casts.",
      position,
    });
  }
  if (found === "many") {
    throw new EvertError("ambiguous_function", `operator is not unique: ${said}`, {
      hint: "Could not choose a best candidate operator. You might need to add explicit type casts.",
      position,
    });
  }
  if (found.fn === null) throw notSupported(`operator ${said}`, position);
  return resolutionOf(found.fn, found.args, given);
}

/** The function `name` (as PostgreSQL folds it, without pg_catalog) for these argument types, or an error as above. */
export function resolveFunction(
  name: string,
  argTypes: readonly (SqlType | null)[],
  position?: number,
): Resolution {
  const given = argTypes.map(withoutPrecision);
  const infosOfName = byName.get(name);
  const said = `${name}(${argTypes.map(sqlTypeName).join(", ")})`;
  if (infosOfName === undefined && absentNames.has(name)) throw notSupported(`function ${said}`, position);
  if (name === "greatest" || name === "least") return resolveExtreme(name, argTypes, position);
  if (name === "concat" || name === "concat_ws") {
    const joined = resolveConcat(name, given);
    if (joined !== undefined) return joined;
  }
  const target = argTypes.length === 1 ? typesByName[name] : undefined;
  if (target !== undefined) {
    const found = resolveCast(argTypes[0]!, target, "explicit");
    if (found?.fn != null) return resolutionOf(found.fn, functionInfo(found.fn).args, given);
  }
  const found = isAmbiguousLiteral(name, given)
    ? "many"
    : choose(candidatesOf(infosOfName, name, argTypes.length), given, false);
  if (found === "none") {
    throw new EvertError("undefined_function", `function ${said} does not exist`, {
      hint: "No function matches the given name and argument types. You might need to add explicit type casts.",
      position,
    });
  }
  if (found === "many") {
    throw new EvertError("ambiguous_function", `function ${said} is not unique`, {
      hint: "Could not choose a best candidate function. You might need to add explicit type casts.",
      position,
    });
  }
  if (found.fn === null) throw notSupported(`function ${said}`, position);
  return resolutionOf(found.fn, found.args, given);
}

/** Whether any scalar function has this name; for telling a function from an aggregate or a misspelling. */
export function isFunctionName(name: string): boolean {
  return byName.has(name) || absentNames.has(name);
}

/** Names of all scalar functions, for hints. */
export function functionNames(): readonly string[] {
  return [...byName.keys()];
}

/** Where PostgreSQL's types that we do not have yet (intervals, dates, points) make a call with a bare literal ambiguous. */
function isAmbiguousLiteral(name: string, given: readonly (SqlType | null)[]): boolean {
  const operand = given[given.length - 1];
  if (operand !== null) return false;
  switch (name) {
    case "+":
    case "*":
    case "/":
      return given.length === 2 && given[0] === null;
    case "-":
      return given[0] === null;
    case "trunc":
      return given.length === 1;
    case "date_trunc":
    case "extract":
    case "date_part":
      return given.length === 2 && (given[0] === null || given[0]!.name === "text");
    default:
      return false;
  }
}

function withoutPrecision(type: SqlType | null): SqlType | null {
  return type !== null && type.precision !== undefined ? numeric : type;
}

function candidatesOf(found: readonly FunctionInfo[] | undefined, key: string, count: number): Candidate[] {
  const out: Candidate[] = [];
  for (const info of found ?? []) {
    if (info.args.length === count) out.push({ fn: info.id, args: info.args });
  }
  for (const args of absent[key] ?? []) {
    if (args.length === count) out.push({ fn: null, args });
  }
  return out;
}

function resolutionOf(
  id: FunctionId,
  args: readonly SqlType[],
  given: readonly (SqlType | null)[],
): Resolution {
  const argCasts = given.map((t, i) =>
    t === null || t.name === args[i]!.name ? null : castOf(t.name, args[i]!, "explicit")!.fn,
  );
  return { fn: id, argTypes: args, argCasts, resultType: functionInfo(id).result };
}

/** text || anything and anything || text: the other side is written as a cast to text writes it. */
function resolveConcatenation(given: readonly (SqlType | null)[]): Resolution | undefined {
  const [left, right] = given as [SqlType | null, SqlType | null];
  const isText = (t: SqlType | null) => t?.name === "text";
  const writable = (t: SqlType | null) =>
    t !== null && (t.name === "text" || casts[t.name].text !== undefined);
  const joins =
    (isText(left) && (right === null || writable(right))) ||
    (isText(right) && (left === null || writable(left))) ||
    (left === null && writable(right)) ||
    (right === null && writable(left));
  return joins ? resolutionOf("text_concat", [text, text], given) : undefined;
}

function resolveConcat(
  name: "concat" | "concat_ws",
  given: readonly (SqlType | null)[],
): Resolution | undefined {
  const id: FunctionId = name === "concat" ? "text_concat_all" : "text_concat_ws";
  const fixed = name === "concat" ? 0 : 1;
  if (given.length <= fixed) return undefined;
  if (fixed === 1 && !canCast(given[0]!, text)) return undefined;
  if (given.some((t) => t !== null && t.name !== "text" && casts[t.name].text === undefined))
    return undefined;
  const resolution = resolutionOf(
    id,
    given.map(() => text),
    given,
  );
  const argCasts = resolution.argCasts.map((c) => (c === "bool_to_text" ? "bool_out" : c));
  return { ...resolution, argCasts };
}

function resolveExtreme(
  name: "greatest" | "least",
  argTypes: readonly (SqlType | null)[],
  position?: number,
): Resolution {
  const common = commonType(argTypes);
  if (common === undefined) {
    const known = argTypes.filter((t) => t !== null);
    const other = known.find((t) => categories[t.name] !== categories[known[0]!.name]) ?? known[0]!;
    const said = `${name.toUpperCase()} types ${sqlTypeName(known[0]!)} and ${sqlTypeName(other)} cannot be matched`;
    throw new EvertError("datatype_mismatch", said, { position });
  }
  if (common.name === "jsonb") throw notSupported(`${name.toUpperCase()} of jsonb`, position);
  const type = withoutPrecision(common)!;
  const args = argTypes.map(() => type);
  return resolutionOf(`${common.name}_${name}`, args, argTypes.map(withoutPrecision));
}

function choose(
  candidates: readonly Candidate[],
  given: readonly (SqlType | null)[],
  binary: boolean,
): Candidate | "none" | "many" {
  const exact = exactMatch(candidates, given, binary);
  if (exact !== undefined) return exact;
  let left = candidates.filter((c) => given.every((t, i) => canCast(t, c.args[i]!)));
  if (left.length === 0) return "none";
  if (left.length === 1) return left[0]!;
  left = mostMatches(left, given, (arg, t) => arg.name === t.name);
  if (left.length === 1) return left[0]!;
  left = mostMatches(left, given, (arg, t) => arg.name === t.name || preferredIn(arg, categories[t.name]));
  if (left.length === 1) return left[0]!;
  if (!given.includes(null)) return "many";
  return chooseForLiterals(left, given);
}

function exactMatch(
  candidates: readonly Candidate[],
  given: readonly (SqlType | null)[],
  binary: boolean,
): Candidate | undefined {
  const assumed = binary ? [given[0] ?? given[1], given[1] ?? given[0]] : given;
  return candidates.find((c) => c.args.every((arg, i) => assumed[i]?.name === arg.name));
}

function preferredIn(arg: SqlType, category: Category): boolean {
  return preferred[arg.name] && categories[arg.name] === category;
}

function mostMatches(
  candidates: readonly Candidate[],
  given: readonly (SqlType | null)[],
  matches: (arg: SqlType, t: SqlType) => boolean,
): Candidate[] {
  const counts = candidates.map(
    (c) => c.args.filter((arg, i) => given[i] != null && matches(arg, given[i]!)).length,
  );
  const most = Math.max(...counts);
  return candidates.filter((_, i) => counts[i] === most);
}

function chooseForLiterals(
  candidates: readonly Candidate[],
  given: readonly (SqlType | null)[],
): Candidate | "many" {
  let left: readonly Candidate[] = candidates;
  const wanted = new Map<number, { category: Category; preferredOnly: boolean }>();
  let resolved = true;
  for (let i = 0; i < given.length && resolved; i++) {
    if (given[i] !== null) continue;
    const here = candidates.map((c) => c.args[i]!);
    const category = here.some((a) => categories[a.name] === "S") ? "S" : categories[here[0]!.name];
    if (category !== "S" && here.some((a) => categories[a.name] !== category)) resolved = false;
    else wanted.set(i, { category, preferredOnly: here.some((a) => preferredIn(a, category)) });
  }
  if (resolved) {
    const kept = candidates.filter((c) =>
      [...wanted].every(
        ([i, w]) =>
          categories[c.args[i]!.name] === w.category && (!w.preferredOnly || preferred[c.args[i]!.name]),
      ),
    );
    if (kept.length > 0) left = kept;
    if (left.length === 1) return left[0]!;
  }
  const known = given.filter((t) => t !== null);
  const one = known[0];
  if (one !== undefined && known.every((t) => t.name === one.name)) {
    const fit = left.filter((c) => c.args.every((arg) => canCast(one, arg)));
    if (fit.length === 1) return fit[0]!;
  }
  return "many";
}
