/** A line of the registry of functions, and short ways to write one. */
import { bool, type SqlType, type TypeName } from "../../batch/types.ts";

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

export type Flag = "fallible" | "nonStrict" | "nullable" | "volatile" | "variadic";

export function entry(
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

export function operator(symbol: string, args: readonly SqlType[], result: SqlType, ...flags: Flag[]): Entry {
  return entry(symbol, [], args, result, flags);
}

/** `names`: one or several, separated by spaces. */
export function fn(names: string, args: readonly SqlType[], result: SqlType, ...flags: Flag[]): Entry {
  return entry(null, names.split(" "), args, result, flags);
}

export function both(
  symbol: string,
  names: string,
  args: readonly SqlType[],
  result: SqlType,
  ...flags: Flag[]
): Entry {
  return entry(symbol, names.split(" "), args, result, flags);
}

export function cast(from: SqlType, to: SqlType, ...flags: Flag[]): Entry {
  return entry(null, [], [from], to, flags);
}

export type Comparison = "eq" | "ne" | "lt" | "le" | "gt" | "ge";

export function comparisons<N extends TypeName>(
  type: SqlType & { name: N },
): Record<`${N}_${Comparison}`, Entry> {
  const made = { eq: "=", ne: "<>", lt: "<", le: "<=", gt: ">", ge: ">=" } as const;
  const out: Record<string, Entry> = {};
  for (const [suffix, symbol] of Object.entries(made)) {
    out[`${type.name}_${suffix}`] = operator(symbol, [type, type], bool);
  }
  return out as Record<`${N}_${Comparison}`, Entry>;
}

/** greatest / least: as many arguments as given, nulls ignored. */
export function extremes<N extends TypeName>(
  type: SqlType & { name: N },
): Record<`${N}_${"greatest" | "least"}`, Entry> {
  const of = (name: string) => fn(name, [type], type, "nonStrict", "variadic");
  return { [`${type.name}_greatest`]: of("greatest"), [`${type.name}_least`]: of("least") } as Record<
    `${N}_${"greatest" | "least"}`,
    Entry
  >;
}

/** A type with its name known to the compiler: what the ids of `comparisons` are made of. */
export type Named<N extends TypeName> = SqlType & { readonly name: N };

export function named<N extends TypeName>(name: N): Named<N> {
  return Object.freeze({ name });
}

/** Stands for any array, any enum or any row, in the arguments of a function that takes them all: in one call all are of one type. */
export const anyArray: SqlType = Object.freeze({ name: "array" });
export const anyEnum: SqlType = Object.freeze({ name: "enum" });
export const anyRecord: SqlType = Object.freeze({ name: "record" });

export function isAnyType(type: SqlType): boolean {
  return type === anyArray || type === anyEnum || type === anyRecord;
}

export const F = "fallible";
