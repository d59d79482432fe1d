import type { SqlType } from "./types.ts";

export interface Field {
  readonly name: string;
  readonly type: SqlType;
  readonly nullable: boolean;
}

/** Columns of a topic, a view or a plan node, in order. Frozen once made. */
export interface Schema {
  readonly fields: readonly Field[];
  /** Names that columns had before: rows given as objects may still use them. Absent: none. */
  readonly aliases?: readonly { readonly name: string; readonly column: string }[];
}

export function schemaOf(fields: readonly Field[], aliases: Schema["aliases"] = []): Schema {
  // A join of 256 tables is made of hundreds of schemas of thousands of fields: what is frozen already is shared.
  const own = fields.map((f) => (Object.isFrozen(f) ? f : Object.freeze({ ...f })));
  return Object.freeze({ fields: Object.freeze(own), ...(aliases.length === 0 ? {} : { aliases }) });
}

/** Position of a column by name, or -1. */
export function fieldIndex(schema: Schema, name: string): number {
  return schema.fields.findIndex((f) => f.name === name);
}
