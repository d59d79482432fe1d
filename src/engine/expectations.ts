/**
 * What a transaction expects of the state it is to be stored on, so that it may be decided by what was read before: it is stored if nothing has come
 * in between, and refused otherwise.
 *
 * It is judged when everything before it has been stepped and nothing else can be staged. Of a topic the committer knows when it was last written; of a
 * row, the step that made it, and so between which two commits that was. Mostly this decides. It does not where the step took in commits
 * before and after the position that was read, where the step is too long ago to be known, and for rows that came back from disk. Then the log itself
 * is read for the key, from that position on: while others go on, and then the rest of it while they wait.
 */
import { EvertError } from "../base/errors.ts";
import { datumAt } from "../batch/column.ts";
import type { Datum } from "../batch/convert.ts";
import type { CommitReceipt, TopicBatch } from "../log/log.ts";
import type { AppendOptions, Expectation } from "./api.ts";
import type { TopicEntry } from "./catalog.ts";
import type { Core } from "./core.ts";
import type { Part } from "./part.ts";
import { digestOf } from "./request-digest.ts";
import { keyDatums, keyTopic } from "./request-parts.ts";
import { keyWords, type Row, TableRows } from "./table-rows.ts";

/** How often the log is read with others going on, before they wait for it. */
const ROUNDS_FREE = 2;
const EXPECTATIONS_MAX = 10_000;

/** Commits in which a key may have been written. */
interface Doubt {
  readonly expected: ExpectedVersion;
  readonly to: number;
}

type Expected =
  | { readonly kind: "log"; readonly position: number }
  | { readonly kind: "topic"; readonly topic: TopicEntry; readonly position: number }
  | ExpectedVersion;

interface ExpectedVersion {
  readonly kind: "row";
  readonly topic: TopicEntry;
  readonly table: TableRows;
  readonly key: Row;
  /** Null: there is no such row. Rises as the log is found to have nothing of the key. */
  version: number | null;
  /** What was asked for. */
  readonly asked: number | null;
}

/** Commits the parts if what is expected holds. @throws EvertError conflict: what does not; then nothing is stored. */
export async function commitExpecting(
  core: Core,
  parts: readonly Part[],
  expectations: readonly Expectation[],
  request: AppendOptions,
): Promise<CommitReceipt> {
  const { committer } = core;
  const named = request.idempotencyKey !== undefined && request.requestDigest === undefined;
  const options = named ? { ...request, requestDigest: digestOf(parts, expectations) } : request;
  if (expectations.length > EXPECTATIONS_MAX) {
    throw new EvertError(
      "invalid_request",
      `a transaction may expect ${EXPECTATIONS_MAX} things, not ${expectations.length}`,
    );
  }
  const expected = expectations.map((expectation, i) => expectedOf(core, expectation, `expect[${i}]`));
  for (let round = 0; ; round++) {
    let doubts: readonly Doubt[] = [];
    const receipt = await committer.exclusively(async () => {
      if (committer.known(options) !== null) return parts;
      doubts = await judge(core, expected);
      if (doubts.length > 0 && round < ROUNDS_FREE) return null;
      await clear(core, doubts);
      return parts;
    }, options);
    if (receipt !== null) return receipt;
    await clear(core, doubts);
  }
}

function expectedOf(core: Core, expectation: Expectation, path: string): Expected {
  if (!("topic" in expectation))
    return { kind: "log", position: positionOf(core, expectation.position, path) };
  if (!("key" in expectation)) {
    const topic = core.catalog.topic(expectation.topic);
    return { kind: "topic", topic, position: positionOf(core, expectation.position, path) };
  }
  const topic = keyTopic(core, expectation.topic);
  const version = expectation.version === null ? null : positionOf(core, expectation.version, path);
  // Without its unique constraints: rows are looked for by their key alone.
  const table = new TableRows(topic, core.tableStore(topic.id)!, []);
  return {
    kind: "row",
    topic,
    table,
    key: keyDatums(topic, expectation.key, `${path}.key`),
    version,
    asked: version,
  };
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
async function judge(core: Core, expected: readonly Expected[]): Promise<Doubt[]> {
  const doubts: Doubt[] = [];
  for (const one of expected) {
    if (one.kind === "log") {
      const { lastWritten } = core.committer;
      if (lastWritten > one.position)
        throw conflict("the log was written", one.position, `The last commit is at ${lastWritten}.`);
      continue;
    }
    const last = core.committer.lastWrittenTo(one.topic.id);
    if (one.kind === "row") {
      const doubt = await judgeRow(core, one, last.to);
      if (doubt !== null) doubts.push(doubt);
      continue;
    }
    const { name } = one.topic;
    const detail = `"${name}" was last written at ${last.to}.`;
    if (last.to <= one.position) continue;
    if (last.after >= one.position) throw conflict(`"${name}" was written`, one.position, detail);
    if (await isWritten(core, one.topic, one.position, last.to, () => true))
      throw conflict(
        `"${name}" was written`,
        one.position,
        `It was before this server started, at ${last.to} or earlier.`,
      );
  }
  return doubts;
}

async function judgeRow(core: Core, expected: ExpectedVersion, lastWritten: number): Promise<Doubt | null> {
  const { table, key, version } = expected;
  core.stepper.lookedFor();
  const brought = table.bring(key);
  if (brought !== null) await brought;
  const slot = table.find(key, core.stepper.epoch);
  if (version === null) {
    if (slot < 0) return null;
    throw rowConflict(expected, "is there");
  }
  if (slot < 0) throw rowConflict(expected, "is not there");
  if (lastWritten <= version) return null;
  const { store } = table;
  const birth = store.birthOf(slot);
  // A row that was on disk has forgotten its step.
  const { after, to } = store.cold === null ? core.stepPositions.of(birth) : { after: 0, to: lastWritten };
  if (to <= version) return null;
  if (after >= version) throw rowConflict(expected, "has changed");
  return { expected, to: Math.min(to, lastWritten) };
}

/** Reads the log for what is in doubt. @throws EvertError conflict */
async function clear(core: Core, doubts: readonly Doubt[]): Promise<void> {
  for (const { expected, to } of doubts) {
    const { topic, table, key } = expected;
    const text = table.keyText(key);
    const columns = topic.key as readonly number[];
    const isKey = ({ batch }: TopicBatch, row: number): boolean =>
      table.keyText(columns.map((c) => datumAt(batch.columns[c]!, row))) === text;
    if (await isWritten(core, topic, expected.version as number, to, isKey))
      throw rowConflict(expected, "has changed");
    expected.version = to;
  }
}

/** Whether the topic has such a row in commits (after, to]. */
async function isWritten(
  core: Core,
  topic: TopicEntry,
  after: number,
  to: number,
  isWanted: (batch: TopicBatch, row: number) => boolean,
): Promise<boolean> {
  if (after >= to) return false;
  await core.durable(to);
  const columns = new Set(topic.key ?? []);
  const options = { from: after + 1, to, topics: new Set([topic.id]), columns: () => columns, reuse: true };
  for await (const { commits, batches } of core.log.read(options)) {
    for (const batch of batches) {
      if (batch.topicId !== topic.id) continue;
      const { commitIndexes, commitEnds } = batch;
      let row = 0;
      for (let c = 0; c < commitIndexes.length; c++) {
        const end = commitEnds[c] as number;
        const { position } = commits[commitIndexes[c] as number]!;
        for (; row < end; row++) if (position > after && position <= to && isWanted(batch, row)) return true;
      }
    }
  }
  return false;
}

function rowConflict({ topic, key, asked }: ExpectedVersion, what: string): EvertError {
  const row: Datum[] = topic.schema.fields.map(() => null);
  (topic.key as readonly number[]).forEach((c, i) => {
    row[c] = key[i] as Datum;
  });
  return conflict(
    `a row of "${topic.name}" ${what}`,
    asked,
    `${keyWords(topic, topic.key as readonly number[], row)}.`,
  );
}

function conflict(what: string, position: number | null, detail: string): EvertError {
  const message =
    position === null
      ? `${what}, which the transaction did not expect`
      : `${what}, which the transaction did not expect: it was decided at position ${position}`;
  return new EvertError("conflict", message, {
    detail,
    hint: "Read again, decide anew, and send what you then expect.",
  });
}
