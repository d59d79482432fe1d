/**
 * A chunk: up to CHUNK_ROWS changes in columns, the form in which rows move between operators.
 *
 * Contract
 * - columns[i] is a Float64Array or Int32Array by physicalOf(schema.fields[i].type); refs are dictionary ids (i32).
 * - nulls[i] is null for a column that is never null, else one byte per row, 1 = null. A null's value is 0, always, so
 *   that loops may copy and hash values without looking.
 * - weights[i] is never 0; +n adds the row n times, -n takes it away n times.
 * - commits[i] is the index of the row's commit within the step, ascending in what a source delivers. Operators carry it
 *   on as far as an as-of join may need it (filter, project, mapFunction); others may write 0.
 * - late[i], where it is there, has the texts of column i, whose ids are not in columns[i]: they are not interned yet. So it comes only to an
 *   operator that says that it takes the column late (Node.interest), who interns those of the rows it keeps.
 * - The producer owns the arrays and may reuse them as soon as its consumers have returned from push(): whoever keeps rows copies them.
 */
import { type Physical, physicalOf, type SqlType } from "../batch/types.ts";

export const CHUNK_ROWS = 4096;

export type Values = Float64Array | Int32Array;

export interface Chunk {
  length: number;
  readonly columns: readonly Values[];
  readonly nulls: readonly (Uint8Array | null)[];
  readonly weights: Int32Array;
  readonly commits: Int32Array;
  /** null: no column is late. */
  readonly late: readonly (LateTexts | null)[] | null;
}

/** Texts of a column that the dictionary does not know yet. */
export interface LateTexts {
  /** Gives the ids for chunk rows rows[0] .. rows[count - 1], which ascend, to ids[0] .. */
  intern(rows: Int32Array, count: number, ids: Int32Array): void;
}

export interface ChunkColumnSpec {
  readonly type: SqlType;
  readonly nullable: boolean;
}

export function createChunk(columns: readonly ChunkColumnSpec[], capacity: number = CHUNK_ROWS): Chunk {
  return {
    length: 0,
    columns: columns.map((c) =>
      physical(c) === "f64" ? new Float64Array(capacity) : new Int32Array(capacity),
    ),
    nulls: columns.map((c) => (c.nullable ? new Uint8Array(capacity) : null)),
    weights: new Int32Array(capacity),
    commits: new Int32Array(capacity),
    late: null,
  };
}

function physical(c: ChunkColumnSpec): Physical {
  return physicalOf(c.type);
}
