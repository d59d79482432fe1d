/** Rows of a chunk as frozen objects for functions of the user, by generated code, and values they return as values of a chunk. */
import { compiled } from "../base/compiled.ts";
import { isSmallNumeric, type SqlType } from "../batch/types.ts";
import type { RowShape } from "../plan/expression.ts";
import type { Chunk, Values } from "./chunk.ts";
import { type ScalarError, scalarError, takeFault } from "./kernels/errors.ts";
import type { Callee } from "./kernels/guard.ts";
import type { KernelRuntime } from "./kernels/runtime.ts";
import { fromJs, ofView } from "./kernels/user-function.ts";

export interface TypedColumn {
  readonly type: SqlType;
  readonly nullable: boolean;
}

/** Gives the rows a function is called with, one for each shape. */
export type RowReader = (chunk: Chunk, row: number) => unknown[];

export function rowReader(
  shapes: readonly RowShape[],
  columns: readonly TypedColumn[],
  runtime: KernelRuntime,
): RowReader {
  const value = (i: number): string => {
    const { type, nullable } = columns[i]!;
    const read = valueCode(type, `chunk.columns[${i}][r]`, i);
    return nullable ? `(chunk.nulls[${i}][r] === 1 ? null : ${read})` : read;
  };
  const rows = shapes.map(({ fields, presentColumn }) => {
    // A computed name, so that "__proto__" is a property like any other.
    const object = `Object.freeze({ ${fields.map((f) => `[${JSON.stringify(f.name)}]: ${value(f.column)}`).join(", ")} })`;
    if (presentColumn === null || !columns[presentColumn]!.nullable) return object;
    return `(chunk.nulls[${presentColumn}][r] === 1 ? null : ${object})`;
  });
  const source = `"use strict"; return (chunk, r) => [${rows.join(", ")}];`;
  const make = compiled("rt", "types", source) as (rt: KernelRuntime, types: readonly SqlType[]) => RowReader;
  return make(
    runtime,
    columns.map((c) => c.type),
  );
}

/** Reads a column's code as a function of the user sees the value; not for nulls. */
export function valueReader(type: SqlType, runtime: KernelRuntime): (code: number) => unknown {
  const source = `"use strict"; return (code) => ${valueCode(type, "code", 0)};`;
  const make = compiled("rt", "types", source) as (
    rt: KernelRuntime,
    types: readonly SqlType[],
  ) => (code: number) => unknown;
  return make(runtime, [type]);
}

/** `types`: where the code finds the type, by its place. */
function valueCode(type: SqlType, code: string, place: number): string {
  switch (type.name) {
    case "int2":
    case "int4":
    case "float4":
    case "float8":
      return code;
    case "bool":
      return `(${code} === 1)`;
    case "text":
      return `rt.text(${code})`;
    case "int8":
      return `rt.looseInteger(${code})`;
    case "numeric":
      return isSmallNumeric(type) ? `rt.scaledText(${code}, ${type.scale ?? 0})` : `rt.text(${code})`;
    case "timestamptz":
      return `rt.timestampJson(${code})`;
    case "jsonb":
      return `rt.json(${code})`;
    default:
      return `rt.jsValue(${code}, types[${place}])`;
  }
}

/** What a function returned, as the engine keeps it; NULL for null. A value that does not fit leaves an error for takeFault. */
export const NULL = undefined;

export function physicalFromJs(
  value: unknown,
  type: SqlType,
  runtime: KernelRuntime,
  callee: Callee = ofView,
): number | typeof NULL {
  if (value === null || value === undefined) return NULL;
  // Taking an object apart may call what the user has written, too.
  runtime.guard.running = callee;
  const converted = fromJs(value, type, callee);
  runtime.guard.running = null;
  switch (typeof converted) {
    case "number":
      return converted;
    case "bigint":
      return runtime.code(converted);
    case "boolean":
      return converted ? 1 : 0;
    case "string":
      return runtime.internText(converted);
  }
}

/** Writes one field of a row; the error if the value does not fit. */
export function writeJs(
  value: unknown,
  name: string,
  column: TypedColumn,
  runtime: KernelRuntime,
  values: Values,
  nulls: Uint8Array | null,
  row: number,
): ScalarError | null {
  const physical = physicalFromJs(value, column.type, runtime);
  const error = takeFault();
  if (error !== null) return { ...error, message: `column "${name}": ${error.message}` };
  if (physical === NULL) {
    if (nulls === null) {
      return scalarError(
        "not_null_violation",
        `a function of the view gave null for column "${name}", which is declared not null`,
      );
    }
    nulls[row] = 1;
    values[row] = 0;
    return null;
  }
  if (nulls !== null) nulls[row] = 0;
  values[row] = physical;
  return null;
}

/** A row as text, to recognise it again. */
export function rowText(rows: readonly unknown[]): string {
  return JSON.stringify(rows, (_, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
  });
}
