/** A view's maintained rows as text, and what queries give ad hoc. What they give when all is computed anew: anew.ts. */
import type { Database } from "../../../src/engine/database.ts";
import { readRows } from "../../../src/views/read-rows.ts";

export type TextRow = readonly (string | null)[];

/**
 * The rows the view holds, in its order, or the error reads answer with. No query is run. An acknowledged commit is durable and may not
 * have been stepped yet, so this waits for all of them.
 */
export async function maintained(engine: Database, name: string): Promise<TextRow[] | { sqlstate: string }> {
  await engine.reached({ atLeast: String(engine.core.log.durablePosition) });
  const error = engine.viewFailure(name);
  if (error !== null) return { sqlstate: error.sqlstate };
  const view = [...engine.core.views.all()].find((l) => l.entry.name === name)?.view;
  if (view == null) throw new Error(`view "${name}" is not there`);
  const rows: TextRow[] = [];
  const { epoch } = engine.core.publisher.published;
  for await (const chunk of readRows(view, epoch, {}, (encoder, slot) => encoder.texts(slot), {}))
    rows.push(...chunk);
  return rows;
}

/**
 * The query's answer now, as the database itself gives it. Where it keeps a view that is the same or has a part in common, it answers from what that keeps (src/engine/queries/adhoc.ts): so
 * this says whether queries are answered as views are, and nothing about whether these are right. Something else has to judge both.
 */
export async function adHoc(engine: Database, sql: string): Promise<TextRow[] | { sqlstate: string }> {
  const { results, error } = await engine.sql(sql);
  if (error !== undefined) return { sqlstate: error.sqlstate };
  return (results[0] as (typeof results)[number]).rowsText();
}

/** Null when both hold the same rows, in any order; else what is different. `floats`: columns whose sums may differ in the last digits. */
export function difference(
  ours: readonly TextRow[],
  theirs: readonly TextRow[],
  floats: ReadonlySet<number> = new Set(),
): string | null {
  const a = sorted(ours, floats);
  const b = sorted(theirs, floats);
  if (a.length === b.length && a.every((row, i) => sameRow(row, b[i] as TextRow, floats))) return null;
  const onlyOurs = a.filter((row) => !b.some((other) => sameRow(row, other, floats)));
  const onlyTheirs = b.filter((row) => !a.some((other) => sameRow(row, other, floats)));
  return [
    `${a.length} rows where there should be ${b.length}`,
    ...onlyOurs.slice(0, 5).map((row) => `  wrong   ${JSON.stringify(row)}`),
    ...onlyTheirs.slice(0, 5).map((row) => `  missing ${JSON.stringify(row)}`),
  ].join("\n");
}

function sorted(rows: readonly TextRow[], floats: ReadonlySet<number>): TextRow[] {
  // Floats last and by value, so that nearly equal ones meet.
  const exact = (row: TextRow): string => JSON.stringify(row.filter((_, i) => !floats.has(i)));
  return rows
    .map((row) => ({ row, text: exact(row) }))
    .sort((x, y) => {
      if (x.text !== y.text) return x.text < y.text ? -1 : 1;
      for (const i of floats) {
        const d = orderable(x.row[i] ?? null) - orderable(y.row[i] ?? null);
        if (d !== 0 && !Number.isNaN(d)) return d;
      }
      return 0;
    })
    .map(({ row }) => row);
}

function orderable(text: string | null): number {
  if (text === null) return Number.MAX_VALUE;
  const value = Number(text);
  return Number.isNaN(value) ? Number.MAX_VALUE / 2 : value;
}

function sameRow(a: TextRow, b: TextRow, floats: ReadonlySet<number>): boolean {
  return (
    a.length === b.length &&
    a.every((x, i) => x === b[i] || (floats.has(i) && nearly(x, b[i] as string | null)))
  );
}

function nearly(a: string | null, b: string | null): boolean {
  if (a === null || b === null) return false;
  const x = Number(a);
  const y = Number(b);
  return Math.abs(x - y) <= 1e-12 * Math.max(Math.abs(x), Math.abs(y));
}
