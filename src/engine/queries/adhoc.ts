/**
 * An ad-hoc query: the plan is built like a view's, filled from history at one epoch by the same operators, read, and thrown away.
 */

import { assert } from "../../base/assert.ts";
import { EvertError } from "../../base/errors.ts";
import type { Datum } from "../../batch/convert.ts";
import type { Field } from "../../batch/schema.ts";
import type { Build } from "../../dataflow/circuit.ts";
import { sourcesOf } from "../../plan/inspect.ts";
import { withLookups } from "../../plan/lookup.ts";
import type { Plan, Query } from "../../plan/plan.ts";
import { View } from "../../views/view.ts";
import { fillOnce } from "../builds/backfill.ts";
import { ColumnsRead } from "./columns-read.ts";
import { FewRows, type FlowingRows, flowsThrough, HeldRows, PassingRows, Taker } from "./flowing-rows.ts";
import { type KeyRead, keyReadOf, readByKey } from "./key-read.ts";
import type { QueryContext, QueryResult } from "./query-context.ts";

/** What an answer may be: it is held in memory until it is sent. */
const RESULT_ROWS_MAX = 1_000_000;
const ANSWER_BYTES_MAX = 256 * 2 ** 20;
/** How often a query begins anew because of records that are given up while it reads them. */
const ATTEMPTS_MAX = 10;
/** A query over so many rows is run at once, also where it could be run while it is read. */
const FEW_ROWS = 4_096;
/** What rowsThrough says in place of a row's text: after a thousand of them texts that nobody has any more are let go. */
const ROW_TAKEN = " ".repeat(64);
/** Of a row, and of each of its values, beside the text. */
const VALUE_BYTES = 16;

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

/**
 * `seenAt` null: what readers see now. @throws EvertError of the query itself, of a view it reads, or statement_too_complex for more than a million
 * rows or 256 MiB.
 */
export async function runQuery(
  core: QueryContext,
  asked: Query,
  seenAt: { readonly epoch: number; readonly position: number } | null,
  options: RunOptions = {},
): Promise<QueryResult> {
  const { signal, inspect, room = answerRoom() } = options;
  const query = withLookups(asked, (id) => core.indexes.of(id));
  if (seenAt === null) refuseNoMoment(core, query);
  if (options.skipErrors !== true) core.views.checkReadable(query, seenAt?.epoch);
  const byKey = seenAt === null && inspect === undefined ? keyReadOf(query) : null;
  if (byKey !== null) return oneRow(core, query, byKey, options);
  const filled = await fill(core, query, seenAt ?? core.publisher.published, options);
  try {
    const rows = await rowsOf(core, filled, room, signal);
    inspect?.(filled.build);
    return { fields: filled.fields, rows, position: filled.at.position };
  } finally {
    filled.build.cancel();
    core.stepper.sweep();
  }
}

/**
 * The same for a reader who takes the rows at a pace of its own, however many they are. REQUIRES that the query was planned in this very turn.
 * @throws EvertError of the query, before there are rows; only what goes wrong beneath it comes later.
 */
export async function flowQuery(
  core: QueryContext,
  asked: Query,
  signal: AbortSignal | undefined,
): Promise<FlowingRows> {
  const columns = new ColumnsRead(core.catalog, asked.plan);
  const query = withLookups(asked, (id) => core.indexes.of(id));
  refuseNoMoment(core, query);
  core.views.checkReadable(query);
  const byKey = keyReadOf(query);
  if (byKey !== null) return new FewRows(await oneRow(core, query, byKey, { signal }));
  const at = core.publisher.published;
  const fields = query.plan.schema.fields.slice(0, query.visible);
  if (!flowsThrough(query) || !isLong(core, query.plan)) {
    const { build, view } = await fill(core, query, at, { signal });
    const rows = new HeldRows({ core, build, fields, at, signal }, view);
    const { lost } = columns;
    if (lost === null) return rows;
    rows.close();
    throw lost;
  }
  const taker = new Taker(fields, core.circuit.dictionary);
  const build = core.circuit.build(null, "query", query.plan, { asOf: at.epoch, taker });
  return new PassingRows({ core, build, fields, at, signal }, query.plan, taker, columns);
}

/**
 * All rows of a query that passes its rows on as they are made (flowsThrough), as of a state that need not be told yet. The engine holds none of them, so it is answered where the memory
 * limit has been reached. `kept`: what is to be kept of a row, whose array is used again.
 */
export async function rowsThrough<T>(
  core: QueryContext,
  query: Query,
  at: { readonly epoch: number; readonly position: number },
  kept: (row: readonly Datum[]) => T,
  signal: AbortSignal | undefined,
): Promise<readonly T[]> {
  assert(flowsThrough(query), "the query holds rows");
  const fields = query.plan.schema.fields.slice(0, query.visible);
  const taker = new Taker(fields, core.circuit.dictionary);
  const build = core.circuit.build(null, "query", query.plan, { asOf: at.epoch, taker });
  const columns = new ColumnsRead(core.catalog, query.plan);
  const flow = new PassingRows({ core, build, fields, at, signal }, query.plan, taker, columns);
  const rows: T[] = [];
  const take = (row: readonly Datum[]): string => {
    rows.push(kept(row));
    return ROW_TAKEN;
  };
  for await (const _ of flow.pieces(take));
  return rows;
}

/** Whether the query asks for rows, of which what readers see has to be a moment of the log. */
export function asksForRows({ plan }: Query): boolean {
  return sourcesOf(plan).length > 0;
}

/** Who asks has waited for one by now; in the turn in which it is taken it has to be one still. */
function refuseNoMoment({ publisher: { moments } }: QueryContext, query: Query): void {
  if (!moments.isWhole && asksForRows(query)) throw moments.refusal();
}

/** Whether it reads so much that it should not be kept, and nothing that may be given up while a slow reader has not come to it. */
function isLong(core: QueryContext, plan: Plan): boolean {
  const { log, catalog } = core.backfill;
  let rows = 0;
  for (const source of sourcesOf(plan)) {
    if (source.lookup !== undefined) continue;
    if (source.relation === "stream") {
      const entry = catalog.byId(source.id);
      if (entry?.kind !== "topic" || entry.keeping !== undefined) return false;
      rows += log.topicEnd(source.id);
    } else rows += core.circuit.relation(source).store.live;
  }
  return rows > FEW_ROWS;
}

interface Filled {
  readonly build: Build;
  readonly view: View;
  readonly fields: readonly Field[];
  readonly at: { readonly epoch: number; readonly position: number };
}

/** Runs the query. What readers see is looked up in the turn in which it is held. REQUIRES that the caller cancels the build. */
async function fill(
  core: QueryContext,
  query: Query,
  at: Filled["at"],
  { signal, skipErrors = false }: RunOptions,
): Promise<Filled> {
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
  } catch (error) {
    build.cancel();
    core.stepper.sweep();
    throw error;
  }
  const fields = query.plan.schema.fields.slice(0, query.visible);
  const { order } = query;
  const view = new View({ name: "query", store: build.result, fields, keyColumns: null, order });
  return { build, view, fields, at };
}

async function rowsOf(
  core: QueryContext,
  { view, fields, at }: Filled,
  room: AnswerRoom,
  signal: AbortSignal | undefined,
): Promise<Datum[][]> {
  const rows: Datum[][] = [];
  const take = (slot: number): void => {
    if (rows.length === RESULT_ROWS_MAX) throw tooLarge(`has more than ${RESULT_ROWS_MAX} rows`);
    const row = fields.map((_, i) => view.encoder.datum(slot, i));
    takeRoom(room, row);
    rows.push(row);
  };
  await view.scan(at.epoch, {}, take, { signal, turn: () => core.backfill.turn() });
  return rows;
}

function begun({ circuit, views }: QueryContext, { plan, order }: Query, epoch: number): Build {
  const build = circuit.build(null, "query", plan, { orders: [order], asOf: epoch });
  views.wanted.noteBuild(build, plan);
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
    detail:
      "It is held until it is complete. Over HTTP the rows of a request's last statement, outside BEGIN … COMMIT, are sent as they are made, and may be any number.",
    hint: "Make the query the last statement of its request, COPY it TO STDOUT, or add a LIMIT.",
  });
}
