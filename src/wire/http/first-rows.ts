/** The first rows of a view as they were told, and what has changed among them when they are read again. */
import { contentHash } from "../../batch/content-hash.ts";
import { membersOf } from "./event-filter.ts";

export class FirstRows {
  readonly #keyColumns: readonly string[];
  /** Rows by their keys, both as JSON text. */
  #rows: ReadonlyMap<string, string> = new Map();

  /** None: rows are told apart by their content and an ordinal. */
  constructor(keyColumns: readonly string[]) {
    this.#keyColumns = keyColumns;
  }

  /** These are told from now on; elements of a snapshot's rows. */
  show(rows: readonly string[]): string[] {
    this.#rows = this.#byKey(rows);
    return [...this.#rows].map(([key, row]) => `{"key":${key},"row":${row}}`);
  }

  /** These are told from now on; elements of a step's changes, its deletes first. */
  change(rows: readonly string[]): string[] {
    const before = this.#rows;
    const after = this.#byKey(rows);
    this.#rows = after;
    const changes: string[] = [];
    for (const [key, old] of before)
      if (!after.has(key)) changes.push(`{"op":"delete","key":${key},"old":${old}}`);
    for (const [key, row] of after) {
      const old = before.get(key);
      if (old === undefined) changes.push(`{"op":"insert","key":${key},"row":${row}}`);
      else if (old !== row) changes.push(`{"op":"update","key":${key},"row":${row},"old":${old}}`);
    }
    return changes;
  }

  #byKey(rows: readonly string[]): Map<string, string> {
    const found = new Map<string, string>();
    const ordinals = new Map<string, number>();
    for (const row of rows) found.set(this.#keyOf(row, ordinals), row);
    return found;
  }

  #keyOf(row: string, ordinals: Map<string, number>): string {
    const columns = this.#keyColumns;
    if (columns.length === 0) {
      const hash = contentHash(row);
      const ordinal = ordinals.get(hash) ?? 0;
      ordinals.set(hash, ordinal + 1);
      return `"${hash}:${ordinal}"`;
    }
    const members = membersOf(row);
    const texts = columns.map((name) => members.get(name) as string);
    return texts.length === 1 ? (texts[0] as string) : `[${texts.join(",")}]`;
  }
}
