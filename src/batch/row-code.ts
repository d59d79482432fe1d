/** What the loops that are generated for a schema have in common: how a value that was read off a row becomes one that can be written. */
import { compiled } from "../base/compiled.ts";
import { fromValue, toBool, toFloat8, toInt4, toInt8 } from "./convert.ts";
import type { SqlType } from "./types.ts";

/** The lines of column k; `v<k>` holds its value, which is not null. */
export interface ValueCode {
  /** In the code `convert<k>`; null: there is nothing to be converted. */
  readonly convert: ((value: unknown) => unknown) | null;
  /** What makes the value one that can be written. */
  readonly check: string;
}

/** `stop`: the statement for a value that is not to be taken here. */
export function valueCode(type: SqlType, k: number, stop: string): ValueCode {
  /** The usual form as it is, everything else converted. */
  const usually = (test: string): string => `if (!(${test})) v${k} = convert${k}(v${k});`;
  switch (type.name) {
    case "int4":
      return { convert: toInt4, check: usually(`typeof v${k} === "number" && (v${k} | 0) === v${k}`) };
    case "float8":
      return { convert: toFloat8, check: usually(`typeof v${k} === "number"`) };
    case "bool":
      return { convert: toBool, check: usually(`typeof v${k} === "boolean"`) };
    case "int8":
      return { convert: toInt8, check: usually(`typeof v${k} === "number" && Number.isSafeInteger(v${k})`) };
    case "text":
      return { convert: null, check: `if (typeof v${k} !== "string") ${stop}` };
  }
  return { convert: (value) => fromValue(type, value), check: usually("false") };
}

/** Stops at a row with a property that is no column: usually they come in the order of the columns, else a set is asked. */
export function unknownCode(stop: string): string {
  return `let next = 0;
      for (const name in row) {
        if (name === names[next]) next++;
        else if (!known.has(name)) ${stop}
      }`;
}

/** Stops at what is no object with properties. */
export function objectCode(stop: string): string {
  return `if (typeof row !== "object" || row === null || Array.isArray(row) || row instanceof Date) ${stop}`;
}

/** null: where code may not be generated. */
export function generated<T>(source: string, given: Readonly<Record<string, unknown>>): T | null {
  try {
    return compiled(...Object.keys(given), source)(...Object.values(given)) as T;
  } catch (error) {
    if (error instanceof EvalError) return null; // a content security policy forbids it
    throw error;
  }
}
