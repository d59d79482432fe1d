/**
 * An ad-hoc query: the plan is built like a view's, filled from history at one epoch by the same operators, read, and thrown away.
 */

import { EvertError } from "../base/errors.ts";
import type { Datum } from "../batch/convert.ts";
import type { Field } from "../batch/schema.ts";
import type { Build } from "../dataflow/circuit.ts";
import { withLookups } from "../plan/lookup.ts";
import type { Query } from "../plan/plan.ts";
import { View } from "../views/view.ts";
import { fillOnce } from "./backfill.ts";
import type { Core } from "./core.ts";

/** Rows an answer may have: it is held in memory until it is sent. */
const RESULT_ROWS_MAX = 1_000_000;

export interface QueryResult {
  readonly fields: readonly Field[];
  readonly rows: readonly (readonly Datum[])[];
  readonly position: number;
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called when all has been read. */
  readonly inspect?: (build: Build) => void;
  /** Rows that fail are left out. */
  readonly skipErrors?: boolean;
}

/** `seenAt` null: what readers see now. @throws EvertError of the query itself, of a view it reads, or statement_too_complex for more than a million rows. */
export async function runQuery(
  core: Core,
  asked: Query,
  seenAt: { readonly epoch: number; readonly position: number } | null,
  { signal, inspect, skipErrors = false }: RunOptions = {},
): Promise<QueryResult> {
  const query = withLookups(asked, (id) => core.indexes.of(id));
  const build = core.circuit.build(null, "query", query.plan, { orders: [query.order] });
  try {
    core.views.noteReads(build, query.plan);
    // What readers see is looked up in the turn in which it is held.
    const at = seenAt ?? core.publisher.published;
    await fillOnce(core.backfill, build, at, signal);
    const error = skipErrors ? null : build.firstError();
    if (error !== null) throw error;
    const fields = query.plan.schema.fields.slice(0, query.visible);
    const view = new View({
      name: "query",
      store: build.result,
      fields,
      keyColumns: null,
      order: query.order,
    });
    const rows: Datum[][] = [];
    const take = (slot: number): void => {
      if (rows.length === RESULT_ROWS_MAX) {
        throw new EvertError("statement_too_complex", `the answer has more than ${RESULT_ROWS_MAX} rows`, {
          hint: "Add a LIMIT, or read a topic or a view page by page.",
        });
      }
      rows.push(fields.map((_, i) => view.encoder.datum(slot, i)));
    };
    await view.scan(at.epoch, {}, take, signal);
    inspect?.(build);
    return { fields, rows, position: at.position };
  } finally {
    build.cancel();
    core.stepper.sweep();
  }
}
