/**
 * An ad-hoc query: the plan is built like a view's, filled from history at one epoch by the same operators, read, and thrown away.
 */

import { EvertError } from "../base/errors.ts";
import type { Datum } from "../batch/convert.ts";
import type { Field } from "../batch/schema.ts";
import type { Build, Circuit } from "../dataflow/circuit.ts";
import { withLookups } from "../plan/lookup.ts";
import type { Query } from "../plan/plan.ts";
import { View } from "../views/view.ts";
import { type BackfillContext, fillOnce } from "./backfill.ts";
import type { Indexes } from "./indexes.ts";
import { type KeyRead, keyReadOf, readByKey } from "./key-read.ts";
import type { LiveViews } from "./live-views.ts";
import type { Publisher } from "./publisher.ts";
import type { Stepper } from "./stepper.ts";

/** What an answer may be: it is held in memory until it is sent. */
const RESULT_ROWS_MAX = 1_000_000;
const ANSWER_BYTES_MAX = 256 * 2 ** 20;
/** How often a query begins anew because of records that are given up while it reads them. */
const ATTEMPTS_MAX = 10;
/** Of a row, and of each of its values, beside the text. */
const VALUE_BYTES = 16;

/** What a query is run on. */
export interface QueryContext {
  readonly circuit: Circuit;
  readonly views: LiveViews;
  readonly stepper: Stepper;
  readonly backfill: BackfillContext;
  readonly publisher: Publisher;
  readonly indexes: Indexes;
}

export interface QueryResult {
  readonly fields: readonly Field[];
  readonly rows: readonly (readonly Datum[])[];
  readonly position: number;
}

/** Bytes that answers may still take. */
export interface AnswerRoom {
  bytes: number;
}

export function answerRoom(): AnswerRoom {
  return { bytes: ANSWER_BYTES_MAX };
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called when all has been read. */
  readonly inspect?: (build: Build) => void;
  /** Rows that fail are left out. */
  readonly skipErrors?: boolean;
  /** What is left for this answer, where several are held together. */
  readonly room?: AnswerRoom;
}

/** `seenAt` null: what readers see now. @throws EvertError of the query itself, of a view it reads, or statement_too_complex for more than a million rows or 256 MiB. */
export async function runQuery(
  core: QueryContext,
  asked: Query,
  seenAt: { readonly epoch: number; readonly position: number } | null,
  options: RunOptions = {},
): Promise<QueryResult> {
  const { signal, inspect, skipErrors = false, room = answerRoom() } = options;
  const query = withLookups(asked, (id) => core.indexes.of(id));
  const byKey = seenAt === null && inspect === undefined ? keyReadOf(query) : null;
  if (byKey !== null) return oneRow(core, query, byKey, options);
  // What readers see is looked up in the turn in which it is held.
  const at = seenAt ?? core.publisher.published;
  let build = begun(core, query, at.epoch);
  try {
    let filled = fillOnce(core.backfill, build, at, signal);
    for (let attempt = 1; !(await isFilled(filled, attempt === ATTEMPTS_MAX)); attempt++) {
      const overtaken = build;
      build = begun(core, query, at.epoch);
      // It holds the rows as they were before the other lets them go.
      filled = fillOnce(core.backfill, build, at, signal);
      overtaken.cancel();
    }
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
      if (rows.length === RESULT_ROWS_MAX) throw tooLarge(`has more than ${RESULT_ROWS_MAX} rows`);
      const row = fields.map((_, i) => view.encoder.datum(slot, i));
      takeRoom(room, row);
      rows.push(row);
    };
    await view.scan(at.epoch, {}, take, { signal, turn: () => core.backfill.turn() });
    inspect?.(build);
    return { fields, rows, position: at.position };
  } finally {
    build.cancel();
    core.stepper.sweep();
  }
}

function begun({ circuit, views }: QueryContext, { plan, order }: Query, epoch: number): Build {
  const build = circuit.build(null, "query", plan, { orders: [order], asOf: epoch });
  views.noteReads(build, plan);
  return build;
}

/** False: retention has overtaken it, and it is to begin anew, where streams begin by now. */
async function isFilled(filled: Promise<void>, isLast: boolean): Promise<boolean> {
  try {
    await filled;
    return true;
  } catch (error) {
    if (isLast || !(error instanceof EvertError) || error.code !== "records_gone") throw error;
    return false;
  }
}

async function oneRow(
  core: QueryContext,
  query: Query,
  byKey: KeyRead,
  { signal, room = answerRoom() }: RunOptions,
): Promise<QueryResult> {
  const { row, position } = await readByKey(core, byKey);
  signal?.throwIfAborted();
  core.stepper.lookedFor();
  if (row !== null) takeRoom(room, row);
  const fields = query.plan.schema.fields.slice(0, query.visible);
  return { fields, rows: row === null ? [] : [row], position };
}

function takeRoom(room: AnswerRoom, row: readonly Datum[]): void {
  room.bytes -= VALUE_BYTES;
  for (const datum of row) room.bytes -= VALUE_BYTES + (typeof datum === "string" ? datum.length : 0);
  if (room.bytes < 0) throw tooLarge(`is larger than ${ANSWER_BYTES_MAX / 2 ** 20} MiB`);
}

function tooLarge(how: string): EvertError {
  return new EvertError("statement_too_complex", `the answer ${how}`, {
    hint: "Add a LIMIT, or read a topic or a view page by page.",
  });
}
