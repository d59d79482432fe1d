import type { SqlType } from "./types.ts";

export interface Field {
  readonly name: string;
  readonly type: SqlType;
  readonly nullable: boolean;
}

/** Columns of a topic, a view or a plan node, in order. Frozen once made. */
export interface Schema {
  readonly fields: readonly Field[];
}

export function schemaOf(fields: readonly Field[]): Schema {
  return Object.freeze({ fields: Object.freeze(fields.map((f) => Object.freeze({ ...f }))) });
}

/** Position of a column by name, or -1. */
export function fieldIndex(schema: Schema, name: string): number {
  return schema.fields.findIndex((f) => f.name === name);
}
