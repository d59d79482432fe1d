/**
 * Views as sinks: what a view's rows are is appended to a topic of the log, exactly once.
 *
 *   table topic    upserts and tombstones, by the view's key
 *   stream topic   the rows of an append-only view as they come
 *
 * The topic itself is the memory of how far a sink has come: nobody else may write it, so what it lacks is what the view has and it has not.
 *
 * 1. Behind (at the start, after a rebuild, an error, or when too much has piled up): the difference between view and topic is asked for at one
 *    published moment, by an ordinary query, a bounded piece at a time, and appended. After the last piece the topic shows that moment.
 * 2. Level: the changes of each published step after that moment are queued and appended in order; what waits goes into one commit.
 * 3. Steps are published once they are durable. So what is appended follows from what is in the log for good, and a crash leaves a topic that lacks
 *    some of it: after the start the sink is behind, and 1. appends that and nothing else.
 *
 * A commit of a sink has a record beside its rows that names the view and the position of the step that caused it. Replay appends nothing:
 * what was appended is in the log.
 */
import { assert } from "../base/assert.ts";
import { type ErrorCode, type EvertError, toEvertError } from "../base/errors.ts";
import type { Slices } from "../base/slices.ts";
import type { Datum } from "../batch/convert.ts";
import { exactValue } from "../batch/convert.ts";
import { setProperty } from "../batch/json.ts";
import type { Field } from "../batch/schema.ts";
import { text } from "../batch/types.ts";
import type { Log } from "../log/log.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { castOf } from "../plan/function-casts.ts";
import type { Plan, Query } from "../plan/plan.ts";
import { relationPlan } from "../plan/relation-plan.ts";
import type { Dictionary } from "../state/dictionary.ts";
import { mayPrintDifferently } from "../state/equality.ts";
import { type ChangeTaker, changesOfStep, type Touched } from "../views/step-changes.ts";
import type { PublishedStep } from "../views/subscriptions.ts";
import type { View } from "../views/view.ts";
import type { EngineCatalog, TopicEntry, ViewEntry } from "./catalog/catalog.ts";
import { SINK_ENTRY } from "./catalog/hidden-topics.ts";
import type { Publisher } from "./publisher.ts";
import { runQuery } from "./queries/adhoc.ts";
import type { QueryContext } from "./queries/query-context.ts";
import { Turns } from "./turns.ts";
import { type Committer, NO_MEMORY } from "./write/committer.ts";
import type { Part } from "./write/part.ts";

/** Rows of a difference asked for at once; of long rows fewer, until they fit into one commit. */
const PIECE_ROWS = 100_000;
const PIECE_BYTES = 64 * 2 ** 20;
/** A piece is more than its bytes, than a commit may hold, or than there is memory for. */
const TOO_LARGE: ReadonlySet<ErrorCode> = new Set([
  "statement_too_complex",
  "record_too_large",
  "commit_too_large",
]);
/** Rows that may wait; a sink with more is behind. */
const QUEUE_ROWS_MAX = 100_000;
const ROWS_PER_LOOK = 64;
/** After the first refusal, twice as long after each further one, up to a limit: each attempt asks for the whole difference. */
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 60_000;
const PUBLISHED_MS = 60_000;

export interface SinkContext extends QueryContext {
  readonly dictionary: Dictionary;
  readonly catalog: EngineCatalog;
  readonly committer: Committer;
  readonly publisher: Publisher;
  readonly log: Log;
  readonly slices: Slices;
  /** Why nothing can be appended any more, or null. */
  readonly failure: EvertError | null;
}

type Row = Record<string, unknown>;

interface Change {
  readonly op: "upsert" | "delete";
  readonly key: string;
  readonly row: Row;
}

/** A step whose changes wait to be appended; its rows are held. */
interface Waiting {
  readonly view: View;
  readonly touched: Touched;
  readonly epoch: number;
  readonly pin: { release(): void };
}

export class Sinks {
  readonly #core: SinkContext;
  readonly #report: (message: string) => void;
  readonly #sinks = new Map<number, Sink>();
  /** By topic. */
  readonly #owners = new Map<number, ViewEntry>();
  #running = false;

  constructor(core: SinkContext, report: (message: string) => void) {
    this.#core = core;
    this.#report = report;
  }

  add(entry: ViewEntry): void {
    if (entry.sink === undefined) return;
    this.#owners.set(entry.sink, entry);
    const sink = new Sink(this.#core, entry, this.#report);
    this.#sinks.set(entry.id, sink);
    if (this.#running) sink.start();
  }

  remove(viewId: number): void {
    const sink = this.#sinks.get(viewId);
    if (sink === undefined) return;
    sink.stop();
    this.#sinks.delete(viewId);
    const { sink: topicId = -1 } = sink.entry;
    if (this.#owners.get(topicId)?.id === viewId) this.#owners.delete(topicId);
  }

  /** Before this, history is replayed. */
  start(): void {
    this.#running = true;
    for (const sink of this.#sinks.values()) sink.start();
  }

  stop(): void {
    this.#running = false;
    for (const sink of this.#sinks.values()) sink.stop();
  }

  /** Resolves when no sink has anything to do. */
  async resting(): Promise<void> {
    for (const sink of this.#sinks.values()) await sink.resting();
  }

  publish(step: PublishedStep): void {
    for (const sink of this.#sinks.values()) sink.publish(step);
  }

  /** Why the view's rows are not appended at present, or null. */
  errorOf(viewId: number): EvertError | null {
    return this.#sinks.get(viewId)?.error ?? null;
  }

  /** The view that writes the topic, or null. */
  ownerOf(topicId: number): ViewEntry | null {
    return this.#owners.get(topicId) ?? null;
  }
}

class Sink {
  readonly #core: SinkContext;
  readonly entry: ViewEntry;
  readonly #report: (message: string) => void;
  #running = false;
  #behind = true;
  /** In order. */
  #queue: Waiting[] = [];
  /** Touched by the steps that wait. */
  #queuedRows = 0;
  /** Position of the last step queued. */
  #queuedTo = 0;
  #work: Promise<void> | null = null;
  #again = false;
  /** While it is set, the sink rests. */
  #timer: NodeJS.Timeout | undefined;
  /** Attempts refused in a row. */
  #refusals = 0;
  #pieceRows = PIECE_ROWS;
  /** Rows of the last attempt to append. */
  #attempted = 0;
  /**
   * Since there was no room in memory, and until there is nothing left to append, rows that are gone are a commit of their own: what is deleted needs
   * no room, and makes some.
   */
  #isShort = false;
  /** Why it waits to attempt it again, or null. */
  error: EvertError | null = null;

  constructor(core: SinkContext, entry: ViewEntry, report: (message: string) => void) {
    this.#core = core;
    this.entry = entry;
    this.#report = report;
  }

  start(): void {
    this.#running = true;
    this.#wake();
  }

  stop(): void {
    this.#running = false;
    this.#forget();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.error = null;
  }

  async resting(): Promise<void> {
    while (this.#work !== null) await this.#work;
  }

  publish(step: PublishedStep): void {
    if (!this.#running) return;
    const view = this.#readable();
    // What is no moment of the log is appended to none.
    if (view === null || !this.#core.publisher.moments.isWhole) this.#fallBehind();
    else if (!this.#behind) {
      const touched = step.touched.get(view);
      if (touched === undefined) return;
      const rows = touched.born.length + touched.died.length;
      this.#queuedTo = step.position;
      if (this.#queuedRows + rows > QUEUE_ROWS_MAX) this.#fallBehind();
      else {
        const pin = view.store.pin(step.epoch - 1, true);
        this.#queue.push({ view, touched, epoch: step.epoch, pin });
        this.#queuedRows += rows;
      }
    }
    this.#wake();
  }

  #fallBehind(): void {
    this.#behind = true;
    this.#forget();
  }

  #forget(): void {
    for (const { pin } of this.#takeQueue()) pin.release();
  }

  #takeQueue(): Waiting[] {
    this.#queuedRows = 0;
    return this.#queue.splice(0);
  }

  /** The view's rows, if they are what the view is: neither being made nor with an error. */
  #readable(): View | null {
    const { views } = this.#core;
    const live = views.get(this.entry.id);
    if (live === undefined || live.view === null || views.errorOf(live) !== null) return null;
    return live.readableFrom <= this.#core.publisher.published.epoch ? live.view : null;
  }

  #wake(): void {
    if (!this.#running || this.#timer !== undefined) return;
    if (this.#work !== null) {
      this.#again = true;
      return;
    }
    this.#work = this.#run().then(() => {
      this.#work = null;
      if (!this.#again) return;
      this.#again = false;
      this.#wake();
    });
  }

  async #run(): Promise<void> {
    try {
      // The steps of one turn go together.
      await Promise.resolve();
      while (this.#running && this.#readable() !== null) {
        this.#attempted = 0;
        if (this.#behind) await this.#catchUp();
        else if (this.#queue.length > 0) await this.#appendQueue();
        else break;
      }
      this.#refusals = 0;
      this.error = null;
      this.#isShort = false;
    } catch (thrown) {
      this.#fallBehind();
      if (!this.#running || this.#core.failure !== null) return;
      const error = toEvertError(thrown);
      if (NO_MEMORY.has(error.code)) this.#isShort = true;
      if (TOO_LARGE.has(error.code) && this.#halve()) {
        this.#again = true;
        return;
      }
      // A full disk may have room again, and so may memory.
      this.error = error;
      if (this.#refusals === 0)
        this.#report(`view "${this.entry.name}" could not be appended to its sink: ${error.message}`);
      this.#timer = setTimeout(
        () => {
          this.#timer = undefined;
          this.#wake();
        },
        Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** this.#refusals++),
      );
      this.#timer.unref();
    }
  }

  /** The next piece is half of what was attempted; false: it was a single row. */
  #halve(): boolean {
    const rows = this.#attempted === 0 ? this.#pieceRows : Math.min(this.#attempted, this.#pieceRows);
    this.#pieceRows = Math.max(1, rows >> 1);
    return rows > 1;
  }

  async #appendQueue(): Promise<void> {
    const position = this.#queuedTo;
    const changes = await this.#changesOf(this.#takeQueue());
    const topic = this.#topic();
    if (topic.topicKind === "stream") {
      const rows = changes.flatMap(({ op, row }) => (op === "upsert" ? [row] : []));
      await this.#append(topic, [], rows, position);
      return;
    }
    // Of several changes of a key the last alone counts.
    const last = new Map(changes.map((change) => [change.key, change]));
    const of = (op: Change["op"]): Row[] => [...last.values()].flatMap((c) => (c.op === op ? [c.row] : []));
    const deletes = of("delete").map((row) => keyOf(topic, row));
    await this.#append(topic, deletes, of("upsert"), position);
  }

  /** What the steps changed, in order, found out in turns. */
  async #changesOf(steps: readonly Waiting[]): Promise<Change[]> {
    const changes: Change[] = [];
    const turns = new Turns(this.#core.slices);
    try {
      for (const { view, touched, epoch } of steps) {
        const told = changesOfStep(view, touched, epoch);
        const changed: ChangeTaker["changed"] = (op, before, after, bagKey) => {
          const slot = op === "delete" ? before : after;
          const key = bagKey ?? view.encoder.keyJson(slot);
          changes.push({ op: op === "delete" ? "delete" : "upsert", key, row: this.#rowAt(view, slot) });
          return 1;
        };
        for (let done = false; !done; ) {
          if (turns.due(ROWS_PER_LOOK)) await turns.take();
          done = told.advance(ROWS_PER_LOOK, { changed });
        }
      }
    } finally {
      for (const { pin } of steps) pin.release();
    }
    return changes;
  }

  /** Appends a piece of the difference; level once there is no more of it. */
  async #catchUp(): Promise<void> {
    const { log, publisher } = this.#core;
    // What was appended before counts as there, also by the view in whose place this one was made: from now on that one is refused.
    log.seal();
    await publisher.waitFor(log.lastPosition, PUBLISHED_MS);
    while (!publisher.moments.isWhole) await publisher.moments.wait(PUBLISHED_MS);
    if (this.#readable() === null) return;
    // In one turn: what is published from here on is queued behind what is asked for now.
    const at = publisher.published;
    this.#forget();
    this.#behind = false;
    const topic = this.#topic();
    const isTable = topic.topicKind === "table";
    const [view, records] = this.#sources(topic);
    const missing = this.#missing(view, records, !isTable);
    const pieceRows = this.#pieceRows;
    // Both begin in this turn: what they read is held from then on.
    const [rows, gone] = await Promise.all([
      this.#rowsOf(missing, at),
      isTable ? this.#rowsOf(difference(keysOf(records, topic), keysOf(view, topic), false), at) : [],
    ]);
    const isApart = this.#isShort && gone.length > 0;
    const more = isApart || rows.length === pieceRows || gone.length === pieceRows;
    await this.#append(topic, gone, isApart ? [] : rows, at.position);
    if (more) this.#fallBehind();
  }

  /** The view's rows as the topic has them, and the topic's own. */
  #sources(topic: TopicEntry): [Plan, Plan] {
    const { catalog } = this.#core;
    const view = relationPlan(catalog.relationById(this.entry.id)!);
    const names = view.schema.fields.map((f) => f.name);
    const columns = topic.schema.fields.map((f) => names.indexOf(f.name));
    const records = relationPlan(catalog.relationById(topic.id)!);
    return [build.projectColumns(view, columns), records];
  }

  /** Rows of the view that the topic has not, or has in values that are equal and print differently. */
  #missing(view: Plan, records: Plan, all: boolean): Plan {
    const { dictionary } = this.#core;
    const open = view.schema.fields.flatMap(({ type }, i) =>
      mayPrintDifferently(dictionary, type) ? [i] : [],
    );
    if (open.length === 0) return difference(view, records, all);
    const columns = view.schema.fields.map((_, i) => i);
    const told = difference(withTexts(view, open), withTexts(records, open), all);
    return build.projectColumns(told, columns);
  }

  async #rowsOf(plan: Plan, at: PublishedStep | { epoch: number; position: number }): Promise<Row[]> {
    const piece = build.topK(plan, { partition: [], order: [], limit: this.#pieceRows, offset: 0 });
    const query: Query = { plan: piece, order: [], visible: piece.schema.fields.length };
    const { fields, rows } = await runQuery(this.#core, query, at, { room: { bytes: PIECE_BYTES } });
    return rows.map((row) => objectOf(fields, (i) => row[i] as Datum));
  }

  async #append(topic: TopicEntry, deletes: Row[], upserts: Row[], position: number): Promise<void> {
    if (deletes.length + upserts.length === 0) return;
    this.#attempted = deletes.length + upserts.length;
    const path = topic.name;
    const bySink = this.entry.id;
    const parts: Part[] = [
      ...(deletes.length === 0 ? [] : [{ topic, op: "delete" as const, rows: deletes, path, bySink }]),
      ...(upserts.length === 0 ? [] : [{ topic, op: "upsert" as const, rows: upserts, path, bySink }]),
      {
        topic: SINK_ENTRY,
        op: "upsert",
        rows: [{ view: this.entry.name, position: BigInt(position) }],
        path: "sink",
      },
    ];
    await this.#core.committer.commit(parts);
    this.#refusals = 0;
    this.error = null;
    // What had no room need not lack it for good: a piece of one row would ask for the whole difference for each.
    this.#pieceRows = Math.min(PIECE_ROWS, this.#pieceRows * 2);
  }

  #topic(): TopicEntry {
    return this.#core.catalog.byId(this.entry.sink as number) as TopicEntry;
  }

  #rowAt(view: View, slot: number): Row {
    return objectOf(view.fields, (i) => view.encoder.datum(slot, i));
  }
}

function difference(left: Plan, right: Plan, all: boolean): Plan {
  return build.setOperation({ op: "except", all, left, right });
}

/** The plan's columns, and behind them these once more as text. */
function withTexts(plan: Plan, columns: readonly number[]): Plan {
  const { fields } = plan.schema;
  const texts = columns.map((c): Expr => {
    const cast = castOf(fields[c]!.type, text, "explicit");
    assert(cast !== undefined && cast.fn !== null, "whatever is stored has a text");
    return { kind: "call", fn: cast.fn, args: [build.column(plan, c)], type: text };
  });
  const own = fields.map((_, i) => build.column(plan, i));
  const names = [...fields.map((f) => f.name), ...columns.map((c) => `${fields[c]!.name} as text`)];
  return build.project(plan, [...own, ...texts], names);
}

function keysOf(plan: Plan, topic: TopicEntry): Plan {
  return build.projectColumns(plan, topic.key as readonly number[]);
}

function keyOf({ schema, key }: TopicEntry, row: Row): Row {
  const keyed: Row = {};
  for (const c of key as readonly number[]) {
    const { name } = schema.fields[c]!;
    setProperty(keyed, name, row[name]);
  }
  return keyed;
}

function objectOf(fields: readonly Field[], datum: (column: number) => Datum): Row {
  const row: Row = {};
  for (const [i, { name, type }] of fields.entries()) setProperty(row, name, exactValue(type, datum(i)));
  return row;
}
