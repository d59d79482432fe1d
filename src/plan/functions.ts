/**
 * Scalar functions, operators and casts: the registry, and PostgreSQL's rules for choosing among them.
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
 */
import { EvertError, notSupported } from "../base/errors.ts";
import { baseTypes, float4, float8, type SqlType, sameType, text, withoutModifiers } from "../batch/types.ts";
import { absentNames } from "./absent-functions.ts";
import { absentOverloads } from "./function-absent.ts";
import {
  type Category,
  canCast,
  castOf,
  categories,
  commonType,
  preferred,
  resolveCast,
  sameKind,
  sqlTypeName,
} from "./function-casts.ts";
import {
  type Entry,
  type FunctionId,
  type FunctionInfo,
  functionIds,
  functionInfo,
  isTyped,
} from "./function-table.ts";
import { isAnyType } from "./functions-of/entry.ts";
import {
  isPolymorphicName,
  polymorphicNames,
  resolveArrayOperator,
  resolvePolymorphic,
} from "./polymorphic.ts";
import type { Resolution } from "./resolution.ts";

export {
  type CastContext,
  type CastResolution,
  commonType,
  resolveCast,
  sameKind,
  sqlTypeName,
  wantedType,
} from "./function-casts.ts";
export {
  callIsFallible,
  type FunctionId,
  type FunctionInfo,
  functionIds,
  functionInfo,
  isTyped,
  type TypedFunctionId,
} from "./function-table.ts";
export { type Comparable, isComparable } from "./functions-of/comparisons.ts";
export type { Resolution } from "./resolution.ts";

interface Candidate {
  /** null: PostgreSQL has it, we do not yet. It takes part, so that nothing else is chosen in its place. */
  readonly fn: FunctionId | null;
  readonly args: readonly SqlType[];
  /** What the function itself takes, where `args` are cast to it: float4 + float8 adds doubles. */
  readonly calls?: readonly SqlType[];
}

function buildCandidates(key: (e: Entry) => readonly string[]): ReadonlyMap<string, readonly FunctionInfo[]> {
  const out = new Map<string, FunctionInfo[]>();
  for (const info of functionIds.map(functionInfo)) {
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
const typesByName: ReadonlyMap<string, SqlType> = new Map(baseTypes.map((type) => [type.name, type]));

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
  const given = argTypes.map(plainType);
  const ofArrays = binary ? resolveArrayOperator(symbol, given) : undefined;
  if (ofArrays !== undefined) return ofArrays;
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
    refuseUnlikeRows(symbol, argTypes, position);
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
  return resolutionOf(found.fn, found.calls ?? found.args, given);
}

const comparing: ReadonlySet<string> = new Set(["=", "<>", "<", "<=", ">", ">="]);

/** Rows are compared with rows, field by field of one type each. */
function refuseUnlikeRows(
  symbol: string,
  given: readonly (SqlType | null)[],
  position: number | undefined,
): void {
  const [left, right] = given.map((t) => t?.fields);
  if (!comparing.has(symbol) || left === undefined || right === undefined) return;
  const at = left.findIndex(({ type }, i) => right[i] !== undefined && !sameKind(type, right[i].type));
  const message =
    at < 0
      ? "cannot compare record types with different numbers of columns"
      : `cannot compare dissimilar column types ${sqlTypeName(left[at]!.type)} and ${sqlTypeName(right[at]!.type)} at record column ${at + 1}`;
  throw new EvertError("datatype_mismatch", message, { position });
}

/** The function `name` (as PostgreSQL folds it, without pg_catalog) for these argument types, or an error as above. */
export function resolveFunction(
  name: string,
  argTypes: readonly (SqlType | null)[],
  position?: number,
): Resolution {
  const given = argTypes.map(plainType);
  const infosOfName = byName.get(name);
  const said = `${name}(${argTypes.map(sqlTypeName).join(", ")})`;
  if (infosOfName === undefined && absentNames.has(name)) throw notSupported(`function ${said}`, position);
  if (name === "greatest" || name === "least") return resolveExtreme(name, argTypes, position);
  if (name === "concat" || name === "concat_ws") {
    const joined = resolveConcat(name, given);
    if (joined !== undefined) return joined;
  }
  const polymorphic = resolvePolymorphic(name, given, position);
  if (polymorphic !== undefined) return polymorphic;
  const target = argTypes.length === 1 ? typesByName.get(name) : undefined;
  if (target !== undefined) {
    const found = resolveCast(argTypes[0]!, target, "explicit");
    if (found?.fn != null) {
      const [from] = isTyped(found.fn) ? [given[0] ?? text] : functionInfo(found.fn).args;
      return { ...resolutionOf(found.fn, [from!], given), resultType: target };
    }
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

/** Names that scalar functions are called by. */
export function functionNames(): string[] {
  return [...byName.keys(), ...polymorphicNames];
}

/** Whether any scalar function has this name; for telling a function from an aggregate or a misspelling. */
export function isFunctionName(name: string): boolean {
  return byName.has(name) || isPolymorphicName(name) || absentNames.has(name);
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

function plainType(type: SqlType | null): SqlType | null {
  return type === null ? null : withoutModifiers(type);
}

function candidatesOf(found: readonly FunctionInfo[] | undefined, key: string, count: number): Candidate[] {
  const out: Candidate[] = [];
  for (const info of found ?? []) {
    if (info.args.length === count) out.push({ fn: info.id, args: info.args });
  }
  for (const args of absentOverloads[key] ?? []) {
    if (args.length === count) out.push({ fn: null, args });
  }
  const mixed = count === 2 ? out.find((c) => c.fn?.startsWith("float8_")) : undefined;
  if (mixed !== undefined && mixedFloats.has(key)) {
    out.push({ fn: mixed.fn, args: [float4, float8], calls: mixed.args });
    out.push({ fn: mixed.fn, args: [float8, float4], calls: mixed.args });
  }
  return out;
}

/** Operators PostgreSQL also has for a float4 beside a float8. */
const mixedFloats: ReadonlySet<string> = new Set(["+", "-", "*", "/", "=", "<>", "<", "<=", ">", ">="]);

/** What takes any array or enum takes arrays or enums of one type. */
function isConsistent(candidate: Candidate, given: readonly (SqlType | null)[]): boolean {
  const any = given.filter((t, i) => t !== null && isAnyType(candidate.args[i]!)) as SqlType[];
  return any.every((t) => sameKind(t, any[0]!));
}

function resolutionOf(
  id: FunctionId,
  args: readonly SqlType[],
  given: readonly (SqlType | null)[],
): Resolution {
  // What takes any array or enum takes one type of them, and gives it back.
  const any = given.find((t, i) => t !== null && isAnyType(args[i]!)) ?? null;
  const settledType = (type: SqlType): SqlType => (isAnyType(type) && any !== null ? any : type);
  const argTypes = args.map(settledType);
  const argCasts = given.map((t, i) =>
    t === null || sameKind(t, argTypes[i]!) ? null : castOf(t, argTypes[i]!, "explicit")!.fn,
  );
  return { fn: id, argTypes, argCasts, resultType: settledType(functionInfo(id).result) };
}

/** text || anything and anything || text: the other side is written as a cast to text writes it. */
function resolveConcatenation(given: readonly (SqlType | null)[]): Resolution | undefined {
  const [left, right] = given as [SqlType | null, SqlType | null];
  const isText = (t: SqlType | null) => t !== null && categories[t.name] === "S";
  const writable = (t: SqlType | null) => t !== null && t.name !== "array" && t.name !== "bytea";
  const joins =
    (isText(left) && (right === null || writable(right))) ||
    (isText(right) && (left === null || writable(left))) ||
    (left === null && writable(right) && right?.name !== "jsonb") ||
    (right === null && writable(left) && left?.name !== "jsonb");
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
  const resolution = resolutionOf(
    id,
    given.map(() => text),
    given,
  );
  const argCasts = resolution.argCasts.map((c, i) => {
    if (i < fixed) return c;
    return c === "bool_to_text" ? "bool_out" : c === "bpchar_to_text" ? "bpchar_out" : c;
  });
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
  const type = common.name === "varchar" ? text : withoutModifiers(common);
  if (type.name === "json" || type.name === "jsonpath" || type.name === "varchar") {
    throw new EvertError(
      "undefined_function",
      `could not identify a comparison function for type ${type.name}`,
      {
        position,
      },
    );
  }
  const args = argTypes.map(() => type);
  return { ...resolutionOf(`${type.name}_${name}`, args, argTypes.map(plainType)), resultType: type };
}

/** Which of several lists of argument types PostgreSQL would choose. */
export function chooseSignature(
  signatures: readonly (readonly SqlType[])[],
  given: readonly (SqlType | null)[],
): number | "none" | "many" {
  const plain = given.map(plainType);
  const candidates = signatures.map((args): Candidate => ({ fn: null, args }));
  const chosen = choose(
    candidates.filter((c) => c.args.length === given.length),
    plain,
    false,
  );
  return typeof chosen === "string" ? chosen : candidates.indexOf(chosen);
}

function choose(
  all: readonly Candidate[],
  given: readonly (SqlType | null)[],
  binary: boolean,
): Candidate | "none" | "many" {
  const candidates = all.filter((c) => isConsistent(c, given));
  const exact = exactMatch(candidates, given, binary);
  if (exact !== undefined) return exact;
  let left = candidates.filter((c) => given.every((t, i) => canCast(t, c.args[i]!)));
  if (left.length === 0) return "none";
  if (left.length === 1) return left[0]!;
  left = mostMatches(left, given, (arg, t) => sameKind(arg, t));
  if (left.length === 1) return left[0]!;
  left = mostMatches(left, given, (arg, t) => sameKind(arg, t) || preferredIn(arg, categories[t.name]));
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
  return candidates.find((c) => c.args.every((arg, i) => assumed[i] != null && sameKind(arg, assumed[i])));
}

function preferredIn(arg: SqlType, category: Category): boolean {
  return preferred[arg.name] === true && categories[arg.name] === category;
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
          categories[c.args[i]!.name] === w.category &&
          (!w.preferredOnly || preferred[c.args[i]!.name] === true),
      ),
    );
    if (kept.length > 0) left = kept;
    if (left.length === 1) return left[0]!;
  }
  const known = given.filter((t) => t !== null);
  const one = known[0];
  if (one !== undefined && known.every((t) => sameType(t, one))) {
    const fit = left.filter((c) => c.args.every((arg) => canCast(one, arg)));
    if (fit.length === 1) return fit[0]!;
  }
  return "many";
}
