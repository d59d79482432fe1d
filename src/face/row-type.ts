/**
 * The row type of sql<T>`…` held against the columns of its query.
 *
 * Types are gone when a program runs, but Node runs a program from its TypeScript, where blanks stand in their place: what the tag knows of its
 * caller is where the template begins in the file, and the type stands before it. Of a program that was compiled to JavaScript, and of a type that is
 * imported or computed, nothing is known, and nothing is said.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { EvertError } from "../base/errors.ts";
import type { Field } from "../batch/schema.ts";
import { type SqlType, typeToString } from "../batch/types.ts";
import type { View } from "./handles.ts";
import type { ProgramPlace } from "./sql-text.ts";
import { type PropertyType, propertiesOf, typeArgumentBefore } from "./type-text.ts";

/** @throws EvertError when the view's row type has a property that the query's columns do not have, or have otherwise. */
export function checkRowType(view: View<unknown>, fields: readonly Field[]): void {
  const { definition, name } = view;
  if (definition.kind !== "sql" || definition.at === null) return;
  const { at } = definition;
  const properties = rowTypeAt(at);
  for (const [property, type] of properties ?? []) {
    const field = fields.find((one) => one.name === property);
    if (field === undefined) {
      if (type.optional) continue;
      throw new EvertError(
        "undefined_column",
        `view "${name}": its row type has "${property}", and its query gives no such column`,
        {
          detail: `The type stands at ${placeText(at)}.`,
          hint: `The columns are ${fields.map((one) => one.name).join(", ")}.`,
        },
      );
    }
    refuseOtherType(name, field, type, at);
  }
}

function refuseOtherType(view: string, field: Field, { kinds }: PropertyType, at: ProgramPlace): void {
  const given = kindsOf(field.type);
  if (kinds === null || given === null || given.some((kind) => kinds.has(kind))) return;
  const column = `"${field.name}"`;
  throw new EvertError(
    "datatype_mismatch",
    `view "${view}": its row type has ${column} as ${[...kinds].join(" | ")}, and its query gives ${typeToString(field.type)}`,
    {
      detail: `The type stands at ${placeText(at)}.`,
      hint: `Declare ${column} as ${given[0]}${field.nullable ? " | null" : ""}, or cast it in the query.`,
    },
  );
}

/** What `typeof` gives for values of the type, the usual one first; null: any. */
function kindsOf({ name }: SqlType): readonly [string, ...string[]] | null {
  switch (name) {
    case "int2":
    case "int4":
    case "float4":
    case "float8":
      return ["number"];
    case "int8":
      return ["number", "bigint"];
    case "bool":
      return ["boolean"];
    case "numeric":
    case "text":
    case "varchar":
    case "bpchar":
    case "bytea":
    case "uuid":
    case "date":
    case "time":
    case "timestamp":
    case "timestamptz":
    case "interval":
    case "jsonpath":
    case "enum":
      return ["string"];
    case "array":
    case "record":
      return ["object"];
    case "json":
    case "jsonb":
      return null;
  }
}

function rowTypeAt({ url, line, column }: ProgramPlace): ReadonlyMap<string, PropertyType> | null {
  if (!/\.[mc]?tsx?$/.test(url)) return null;
  const program = readProgram(url);
  if (program === null) return null;
  let start = 0;
  for (let lines = 1; lines < line; lines++) {
    start = program.indexOf("\n", start) + 1;
    if (start === 0) return null;
  }
  const type = typeArgumentBefore(program, start + column - 1);
  return type === null ? null : propertiesOf(type, program);
}

/** Null where it is not at hand: what runs may have been made somewhere else. */
function readProgram(url: string): string | null {
  try {
    return readFileSync(url.startsWith("file:") ? fileURLToPath(url) : url, "utf8");
  } catch {
    return null;
  }
}

function placeText({ url, line }: ProgramPlace): string {
  return `${url.startsWith("file:") ? fileURLToPath(url) : url}:${line}`;
}
