/**
 * What a transaction expects of the state it is to be stored on, so that it may be decided by what was read before: it is stored if nothing has come
 * in between, and refused otherwise.
 *
 * It is judged when everything before it has been stepped and nothing else can be staged. Of a topic the committer knows when it was last written; of
 * a row, the step that made it, and so between which two commits that was. Mostly this decides. It does not where the step took in commits before and
 * after the position that was read, where the step is too long ago to be known, and for rows that came back from a checkpoint or from disk. Then the
 * log itself is read for the keys, from those positions on: while others go on, and at last the little that they have done meanwhile.
 *
 * A row that was written again with the same values may be taken for one that has changed: a step does not note it, the log does. One that has
 * changed is never taken for one that has not.
 */
import { EvertError } from "../../base/errors.ts";
import { datumAt } from "../../batch/column.ts";
import type { Datum } from "../../batch/convert.ts";
import type { CommitReceipt, ReadOptions, TopicBatch } from "../../log/log.ts";
import type { Expectation } from "../api.ts";
import type { TopicEntry } from "../catalog/catalog.ts";
import { CATALOG_TOPIC } from "../catalog/hidden-topics.ts";
import type { Core } from "../core.ts";
import type { CommitRequest } from "../own/rider.ts";
import { Turns } from "../turns.ts";
import type { Part } from "./part.ts";
import { digestOf } from "./request-digest.ts";
import { keyDatums, keyTopic } from "./request-parts.ts";
import { keyWords, type Row, TableRows } from "./table-rows.ts";

/** How often the log is read with others going on, before they wait for it. */
const ROUNDS_FREE = 2;
const EXPECTATIONS_MAX = 10_000;
/** A row that came from a checkpoint or from disk is as old as that: it has forgotten its step. */
const FIRST_EPOCH = 1;

interface ExpectedPosition {
  readonly path: string;
  /** Null: of the whole log. */
  readonly topic: TopicEntry | null;
  readonly position: number;
}

interface ExpectedVersion {
  readonly path: string;
  readonly topic: TopicEntry;
  readonly table: TableRows;
  readonly key: Row;
  /** What was asked for. Null: there is no such row. */
  readonly asked: number | null;
  /** The same. Rises as the log is found to have no change of it. */
  version: number | null;
}

/** Commits, up to `to`, in which the row may have been changed. */
interface Doubt {
  readonly expected: ExpectedVersion;
  readonly to: number;
}

/** Commits the parts if what is expected holds. @throws EvertError conflict: what does not; then nothing is stored. */
export async function commitExpecting(
  core: Core,
  parts: readonly Part[],
  expectations: readonly Expectation[],
  request: CommitRequest,
): Promise<CommitReceipt> {
  const { committer, log } = core;
  const named = request.idempotencyKey !== undefined && request.requestDigest === undefined;
  const options = named ? { ...request, requestDigest: digestOf(parts, expectations) } : request;
  if (expectations.length > EXPECTATIONS_MAX) {
    throw new EvertError(
      "invalid_request",
      `a transaction may expect ${EXPECTATIONS_MAX} things, not ${expectations.length}`,
    );
  }
  let known = committer.known(options);
  const expected = known !== null ? [] : expectations.map((one, i) => expectedOf(core, one, `expect[${i}]`));
  let judgedAt = 0;
  for (let round = 0; known === null; round++) {
    let doubts: readonly Doubt[] = [];
    try {
      const receipt = await committer.exclusively(async () => {
        known = committer.known(options);
        if (known !== null) return null;
        judgedAt = log.lastPosition;
        doubts = await judge(core, expected);
        if (doubts.length > 0 && round < ROUNDS_FREE) return null;
        await clear(core, doubts);
        return parts;
      }, options);
      if (receipt !== null) return receipt;
      if (known === null) await clear(core, doubts);
    } catch (error) {
      // Nobody is told of what is not durable.
      if (error instanceof EvertError && error.code === "conflict") await core.durability.told(judgedAt);
      throw error;
    }
  }
  await known.durable;
  return known;
}

function expectedOf(core: Core, expectation: Expectation, path: string): ExpectedPosition | ExpectedVersion {
  if (!("topic" in expectation))
    return { path, topic: null, position: positionOf(core, expectation.position, path) };
  if (!("key" in expectation)) {
    const topic = core.catalog.topic(expectation.topic);
    return { path, topic, position: positionOf(core, expectation.position, path) };
  }
  const topic = keyTopic(core, expectation.topic);
  const asked = expectation.version === null ? null : positionOf(core, expectation.version, path);
  // Without its unique constraints: rows are looked for by their key alone.
  const table = new TableRows(topic, core.tables.store(topic.id)!, []);
  return { path, topic, table, key: keyDatums(topic, expectation.key, `${path}.key`), asked, version: asked };
}

function positionOf(core: Core, text: string, path: string): number {
  const position = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (position <= core.log.lastPosition) return position;
  const what = Number.isNaN(position) ? "is not a position" : "is a position that the log has not reached";
  throw new EvertError("invalid_request", `${path}: ${JSON.stringify(text.slice(0, 80))} ${what}`, {
    hint: "Give the position of the answer by which the transaction was decided.",
  });
}

/** What has to be looked up in the log. REQUIRES that nothing is staged meanwhile, and all before is stepped. @throws EvertError conflict */
async function judge(
  core: Core,
  expected: readonly (ExpectedPosition | ExpectedVersion)[],
): Promise<Doubt[]> {
  const doubts: Doubt[] = [];
  const turns = new Turns(core.slices);
  for (const one of expected) {
    if (turns.due()) await turns.take();
    const { topic, path } = one;
    if (topic !== null && core.catalog.byId(topic.id) === undefined)
      throw conflict(path, `"${topic.name}" was dropped`, null, "What has its name now is another.");
    if ("key" in one) {
      const doubt = await judgeRow(core, one);
      if (doubt !== null) doubts.push(doubt);
    } else await judgePosition(core, one);
  }
  return doubts;
}

async function judgePosition(core: Core, { path, topic, position }: ExpectedPosition): Promise<void> {
  const { committer } = core;
  const last = topic === null ? committer.lastWritten.decided : committer.lastWritten.of(topic.id);
  if (last.to <= position) return;
  const what = topic === null ? "the log was written" : `"${topic.name}" was written`;
  if (last.after >= position) throw conflict(path, what, position, `It was last written at ${last.to}.`);
  const [from, to] = [position + 1, last.to];
  const at = topic === null ? await decidedIn(core, from, to) : await writtenIn(core, topic.id, from, to);
  if (at !== null)
    throw conflict(path, what, position, `It was written at ${at}, before this server started.`);
}

async function writtenIn(core: Core, topicId: number, from: number, to: number): Promise<number | null> {
  const options = { from, to, topics: new Set([topicId]), columns: () => new Set<number>() };
  for await (const { at } of rowsSince(core, options)) return at;
  return null;
}

/** A commit from..to that somebody decided, or null. One of which all rows have been taken out since may be one. */
async function decidedIn(core: Core, from: number, to: number): Promise<number | null> {
  if (from > to) return null;
  await core.durability.told(to);
  const wanted = topicsWritten(core);
  const options = { from, to, everyGroup: true, columns: () => new Set<number>(), reuse: true };
  for await (const { commits, batches } of core.log.read(options)) {
    const undecided = new Set<number>();
    for (const { topicId, commitIndexes } of batches)
      if (!wanted.has(topicId)) for (const index of commitIndexes) undecided.add(index);
    for (const { topicId, commitIndexes } of batches)
      if (wanted.has(topicId)) for (const index of commitIndexes) undecided.delete(index);
    const found = commits.find(
      ({ position }, index) => position >= from && position <= to && !undecided.has(index),
    );
    if (found !== undefined) return found.position;
  }
  return null;
}

/** Topics that somebody writes to who decides it. */
function topicsWritten(core: Core): Set<number> {
  const topics = new Set(core.catalog.topics().map(({ id }) => id));
  for (const id of topics) if (core.sinks.ownerOf(id) !== null) topics.delete(id);
  return topics.add(CATALOG_TOPIC);
}

async function judgeRow(core: Core, expected: ExpectedVersion): Promise<Doubt | null> {
  const { topic, table, key, version } = expected;
  core.stepper.lookedFor();
  const brought = table.bring(key);
  if (brought !== null) await brought;
  const slot = table.find(key, core.stepPositions.newest.epoch);
  if (version === null) {
    if (slot < 0) return null;
    throw rowConflict(expected, "is there");
  }
  if (slot < 0) throw rowConflict(expected, "is not there");
  const last = core.committer.lastWritten.of(topic.id).to;
  if (last <= version) return null;
  const birth = table.store.birthOf(slot);
  const { after, to } = birth > FIRST_EPOCH ? core.stepPositions.of(birth) : { after: 0, to: last };
  if (to <= version) return null;
  if (after >= version) throw rowConflict(expected, "has changed");
  return { expected, to: Math.min(to, last) };
}

/** Reads the log once for all that is in doubt. @throws EvertError conflict */
async function clear(core: Core, doubts: readonly Doubt[]): Promise<void> {
  if (doubts.length === 0) return;
  const byTopic = new Map<number, { readonly table: TableRows; readonly byKey: Map<string, Doubt[]> }>();
  let [from, to] = [Number.POSITIVE_INFINITY, 0];
  for (const doubt of doubts) {
    const { topic, table, key, version } = doubt.expected;
    let known = byTopic.get(topic.id);
    if (known === undefined) byTopic.set(topic.id, (known = { table, byKey: new Map() }));
    const text = table.keyText(key);
    const same = known.byKey.get(text);
    if (same === undefined) known.byKey.set(text, [doubt]);
    else same.push(doubt);
    from = Math.min(from, (version as number) + 1);
    to = Math.max(to, doubt.to);
  }
  const columns = (id: number): ReadonlySet<number> => new Set(byTopic.get(id)?.table.key);
  const options = { from, to, topics: new Set(byTopic.keys()), columns };
  for await (const { at, batch, row } of rowsSince(core, options)) {
    const { table, byKey } = byTopic.get(batch.topicId)!;
    const key = table.key.map((c) => datumAt(batch.batch.columns[c]!, row));
    for (const doubt of byKey.get(table.keyText(key)) ?? [])
      if (at > (doubt.expected.version as number) && at <= doubt.to)
        throw rowConflict(doubt.expected, "has changed");
  }
  for (const { expected, to: cleared } of doubts) expected.version = cleared;
}

/** Rows of commits from..to, each with its commit's position. Waits until these are durable. */
async function* rowsSince(
  core: Core,
  options: ReadOptions & { readonly from: number; readonly to: number; readonly topics: ReadonlySet<number> },
): AsyncGenerator<{ readonly at: number; readonly batch: TopicBatch; readonly row: number }> {
  const { from, to, topics } = options;
  if (from > to) return;
  await core.durability.told(to);
  for await (const { commits, batches } of core.log.read({ ...options, reuse: true })) {
    for (const batch of batches) {
      if (!topics.has(batch.topicId)) continue;
      const { commitIndexes, commitEnds } = batch;
      let row = 0;
      for (let c = 0; c < commitIndexes.length; c++) {
        const end = commitEnds[c] as number;
        const { position } = commits[commitIndexes[c] as number]!;
        for (; row < end; row++) if (position >= from && position <= to) yield { at: position, batch, row };
      }
    }
  }
}

function rowConflict({ topic, key, asked, path }: ExpectedVersion, what: string): EvertError {
  const row: Datum[] = topic.schema.fields.map(() => null);
  const columns = topic.key as readonly number[];
  columns.forEach((c, i) => {
    row[c] = key[i] as Datum;
  });
  return conflict(path, `a row of "${topic.name}" ${what}`, asked, `${keyWords(topic, columns, row)}.`);
}

function conflict(path: string, what: string, position: number | null, detail: string): EvertError {
  const decided = position === null ? "" : `: it was decided at position ${position}`;
  return new EvertError("conflict", `${path}: ${what}, which the transaction did not expect${decided}`, {
    detail,
    hint: "Read again, decide anew, and send what you then expect.",
  });
}
