/** A world of topics with a history, fed to a circuit, its views compared with the naive answer. */
import { expect } from "vitest";
import { type Field, type Schema, schemaOf } from "../../src/batch/schema.ts";
import { carrierOf, type SqlType } from "../../src/batch/types.ts";
import { CHUNK_ROWS, type Chunk, createChunk } from "../../src/dataflow/chunk.ts";
import type { Build, ViewNode } from "../../src/dataflow/circuit.ts";
import { Circuit } from "../../src/dataflow/circuit.ts";
import { source } from "../../src/plan/build.ts";
import type { Datum } from "../../src/plan/expression.ts";
import type { Plan, SourcePlan } from "../../src/plan/plan.ts";
import { Dictionary, WIDE } from "../../src/state/dictionary.ts";
import type { Store } from "../../src/state/store.ts";
import { answer, type Facts, type Record, type Row } from "./oracle.ts";

export interface TopicSpec {
  readonly name: string;
  readonly fields: readonly Field[];
  /** null: a stream. */
  readonly key: readonly number[] | null;
}

export type Change =
  | { readonly topic: number; readonly row: Row }
  | { readonly topic: number; readonly deleted: Row };

export type Commit = readonly Change[];

export class World {
  readonly topics: readonly TopicSpec[];
  readonly schemas: readonly Schema[];
  readonly commits: Commit[] = [];
  readonly views = new Map<number, Plan>();

  constructor(topics: readonly TopicSpec[]) {
    this.topics = topics;
    this.schemas = topics.map((t) => schemaOf(t.fields));
  }

  source(topic: number): SourcePlan {
    const { name, key } = this.topics[topic]!;
    return source({
      id: topic,
      name,
      kind: key === null ? "stream" : "table",
      schema: this.schemas[topic]!,
      key,
      appendOnly: key === null,
    });
  }

  /** A view as another view reads it. */
  viewSource(id: number): SourcePlan {
    const plan = this.views.get(id)!;
    return source({
      id,
      name: `v${id}`,
      kind: "view",
      schema: plan.schema,
      key: plan.key,
      appendOnly: plan.appendOnly,
    });
  }

  facts(now: number = this.commits.length - 1): Facts {
    return {
      now,
      stream: (id) =>
        this.commits
          .slice(0, now + 1)
          .flatMap((commit, i) =>
            commit.flatMap((c): Record[] =>
              c.topic === id && "row" in c ? [{ row: c.row, commit: i }] : [],
            ),
          ),
      table: (id, at) => this.tableRows(id, at),
      view: (id) => this.views.get(id)!,
    };
  }

  tableRows(id: number, at: number): Row[] {
    const rows = new Map<string, Row>();
    const key = this.topics[id]!.key!;
    const name = (row: Row) => JSON.stringify(key.map((k) => String(row[k])));
    for (const commit of this.commits.slice(0, at + 1)) {
      for (const change of commit) {
        if (change.topic !== id) continue;
        if ("row" in change) rows.set(name(change.row), change.row);
        else rows.delete(name(change.deleted));
      }
    }
    return [...rows.values()];
  }
}

/** A circuit following a world: commits from .. to as one step at a time. */
export class Live {
  readonly world: World;
  readonly dictionary = new Dictionary();
  readonly circuit = new Circuit({ dictionary: this.dictionary });
  readonly views = new Map<number, ViewNode>();
  epoch = 0;
  /** Commits fed. */
  fed = 0;
  /** Epoch -> commits it reflects. */
  readonly commitsAt: number[] = [0];

  constructor(world: World) {
    this.world = world;
    world.topics.forEach((topic, id) => {
      if (topic.key === null) this.circuit.topics.addStream(id, topic.name);
      else this.circuit.topics.addTable(id, topic.name, world.schemas[id]!, topic.key);
    });
  }

  add(id: number, plan: Plan, onError: "fail" | "skip" = "fail"): ViewNode {
    this.world.views.set(id, plan);
    const view = this.circuit.addView(id, `v${id}`, plan, { onError });
    this.views.set(id, view);
    return view;
  }

  /** One step over the next `count` commits of the world. `order`: the topics as they are fed. */
  step(count = 1, order: readonly number[] = this.world.topics.map((_, i) => i)): void {
    const commits = this.world.commits.slice(this.fed, this.fed + count);
    this.circuit.begin(++this.epoch);
    for (const topic of order) {
      for (const { chunk, ops } of chunksOf(this.world, topic, commits, this.dictionary)) {
        if (this.world.topics[topic]!.key === null) this.circuit.topics.feedStream(topic, chunk);
        else this.circuit.topics.feedTable(topic, chunk, ops);
        drain(this.circuit);
      }
    }
    this.circuit.end();
    drain(this.circuit);
    this.fed += commits.length;
    this.commitsAt[this.epoch] = this.fed;
    this.circuit.vacuum(this.epoch - 1);
  }

  /** Every view equals its naive answer. */
  check(): void {
    for (const [id, view] of this.views) {
      expect(view.failed).toBeNull();
      checkView(this.world, this.fed - 1, this.world.views.get(id)!, view.store, this.epoch, view);
    }
  }
}

export function checkView(
  world: World,
  now: number,
  plan: Plan,
  store: Store,
  epoch: number,
  errors: { errorCount(): number; firstError(): Error | null },
): void {
  const expected = answer(plan, world.facts(now));
  const types = plan.schema.fields.map((f) => f.type);
  expect(rowsOf(store, epoch, types)).toEqual(countRows(expected.rows.map((row) => printRow(row, types))));
  // A part of the plan that stands in it twice is computed once, and fails once.
  expect(errors.errorCount() > 0).toBe(expected.errors.length > 0);
  expect(errors.errorCount()).toBeLessThanOrEqual(expected.errors.length);
  if (expected.errors.length > 0) {
    const first = errors.firstError() as Error & { sqlstate: string };
    expect(expected.errors).toContain(`${first.sqlstate} ${first.message}`);
  }
}

/** Runs in many small slices: every work() call is followed by a return to the caller. */
export function drain(runner: { run(deadline: number): boolean }): void {
  while (!runner.run(0));
}

/** Feeds a build what it wants of the commits (from, to], as one step to `epoch`. */
export function feedBuild(build: Build, live: Live, from: number, epoch: number): void {
  const { world, dictionary } = live;
  build.begin(epoch);
  const commits = world.commits.slice(from, live.commitsAt[epoch]!);
  const groups = build.ordered ? cut(commits, 3) : [commits];
  let before = 0;
  for (const group of groups) {
    for (const id of [...build.streams, ...build.tables]) {
      for (const { chunk, ops } of chunksOf(world, id, group, dictionary, before)) {
        if (world.topics[id]!.key === null) build.feedStream(id, chunk);
        else build.feedTable(id, chunk, ops);
        drain(build);
      }
    }
    before += group.length;
    if (build.ordered) {
      build.boundary();
      drain(build);
    }
  }
  build.end();
}

function cut<T>(list: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let i = 0; i < list.length; i += size) parts.push(list.slice(i, i + size));
  return parts;
}

/** A topic's changes of these commits, in chunks. */
export function chunksOf(
  world: World,
  topic: number,
  commits: readonly Commit[],
  dictionary: Dictionary,
  firstCommit = 0,
): { chunk: Chunk; ops: Uint8Array | null }[] {
  const changes = commits.flatMap((commit, i) =>
    commit.filter((c) => c.topic === topic).map((c) => ({ c, commit: firstCommit + i })),
  );
  return cut(changes, CHUNK_ROWS).map((part) => {
    const fields = world.schemas[topic]!.fields;
    const isKey = (i: number) => world.topics[topic]!.key?.includes(i) ?? false;
    const chunk = createChunk(fields);
    const ops = new Uint8Array(part.length);
    part.forEach(({ c, commit }, r) => {
      const row = "row" in c ? c.row : c.deleted;
      ops[r] = "row" in c ? 0 : 1;
      fields.forEach((field, i) => {
        // Only the key of a deletion counts.
        const datum = "row" in c || isKey(i) ? row[i]! : null;
        chunk.columns[i]![r] = physical(datum, field.type, dictionary);
        if (chunk.nulls[i]) chunk.nulls[i]![r] = datum === null ? 1 : 0;
      });
      chunk.weights[r] = 1;
      chunk.commits[r] = commit;
    });
    chunk.length = part.length;
    return { chunk, ops: ops.includes(1) ? ops : null };
  });
}

export function physical(datum: Datum, type: SqlType, dictionary: Dictionary): number {
  if (datum === null) return 0;
  if (typeof datum === "boolean") return datum ? 1 : 0;
  if (typeof datum === "bigint")
    return datum <= BigInt(Number.MAX_SAFE_INTEGER) && datum >= -BigInt(Number.MAX_SAFE_INTEGER)
      ? Number(datum)
      : dictionary.internBigInt(datum);
  if (typeof datum === "string") return dictionary.internString(datum);
  void type;
  return datum;
}

/** Rows visible at an epoch, printed, with how often each is there. */
export function rowsOf(
  store: Store,
  epoch: number,
  types: readonly SqlType[],
): Map<string, number> | { [row: string]: number } {
  const chunk = createChunk(store.layout.columns, 1);
  const rows: string[] = [];
  for (let slot = 0; slot < store.highWater; slot++) {
    if (!store.visible(slot, epoch)) continue;
    store.read(slot, chunk.columns, chunk.nulls, 0);
    const row = types.map(
      (type, i): Datum =>
        chunk.nulls[i]?.[0] === 1 ? null : datumOf(chunk.columns[i]![0]!, type, store.dictionary),
    );
    for (let n = store.weight(slot); n > 0; n--) rows.push(printRow(row, types));
  }
  return countRows(rows);
}

function datumOf(value: number, type: SqlType, dictionary: Dictionary): Datum {
  switch (carrierOf(type)) {
    case "int32":
    case "double":
      return value;
    case "bool":
      return value === 1;
    case "int64":
      return value >= WIDE ? dictionary.bigint(value) : BigInt(value);
    case "string":
      return dictionary.string(value);
  }
}

export function printRow(row: Row, types: readonly SqlType[]): string {
  return row
    .map((d, i) =>
      d === null ? "null" : types[i]!.name === "text" ? JSON.stringify(d) : String(d === 0 ? 0 : d),
    )
    .join(", ");
}

function countRows(rows: readonly string[]): { [row: string]: number } {
  const counts: { [row: string]: number } = {};
  for (const row of [...rows].sort()) counts[row] = (counts[row] ?? 0) + 1;
  return counts;
}
