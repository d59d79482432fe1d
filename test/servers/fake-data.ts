/** What the engine of these tests holds: topics, views that are their newest records by key, and who waits for the next commit. All of it in memory, in plain maps. */
import { type ErrorBody, EvertError } from "../../src/base/errors.ts";
import { BatchBuilder } from "../../src/batch/builder.ts";
import { rowJsonWriter, rowToObject } from "../../src/batch/json.ts";
import { type Schema, schemaOf } from "../../src/batch/schema.ts";
import { bool, float8, int4, int8, numeric, text } from "../../src/batch/types.ts";
import type { AppendResult, TopicRecord } from "../../src/engine/api.ts";

export interface FakeTopic {
  readonly name: string;
  readonly schema: Schema;
  readonly key: readonly string[] | null;
  readonly records: TopicRecord[];
}

export interface FakeView {
  readonly topic: FakeTopic;
  readonly rows: Map<string, string>;
  readonly steps: { position: number; changes: string; keyIds: readonly string[] }[];
  error: ErrorBody | undefined;
}

const songs = schemaOf([
  { name: "id", type: int4, nullable: false },
  { name: "name", type: text, nullable: false },
  { name: "price", type: { ...numeric, precision: 10, scale: 2 }, nullable: true },
]);

const wide = schemaOf([
  { name: "a", type: int8, nullable: false },
  { name: "b", type: text, nullable: false },
  { name: "n", type: numeric, nullable: true },
  { name: "x", type: float8, nullable: true },
  { name: "ok", type: bool, nullable: true },
]);

export class FakeData {
  readonly topics = new Map<string, FakeTopic>();
  readonly views = new Map<string, FakeView>();
  readonly #waiting = new Set<() => void>();
  /** Of the last commit. */
  position = 0;
  /** Ever appended. */
  records = 0;

  constructor() {
    this.#add("songs", songs, ["id"]);
    this.#add("wide", wide, ["a", "b"]);
    this.#add("plays", songs, null);
    for (const name of ["songs", "wide"]) {
      this.views.set(`${name}_view`, {
        topic: this.topic(name),
        rows: new Map(),
        steps: [],
        error: undefined,
      });
    }
  }

  #add(name: string, schema: Schema, key: readonly string[] | null): void {
    this.topics.set(name, { name, schema, key, records: [] });
  }

  topic(name: string): FakeTopic {
    const topic = this.topics.get(name);
    if (topic === undefined) throw new EvertError("undefined_table", `topic "${name}" does not exist`);
    return topic;
  }

  view(name: string): FakeView {
    const view = this.views.get(name);
    if (view === undefined) throw new EvertError("undefined_table", `view "${name}" does not exist`);
    return view;
  }

  commit(topic: FakeTopic, rows: readonly unknown[]): AppendResult {
    const builder = new BatchBuilder(topic.schema);
    for (const [i, row] of rows.entries()) builder.appendRow(row, `records[${i}]`);
    const batch = builder.finish();
    const position = ++this.position;
    const firstOffset = topic.records.length;
    const writer = rowJsonWriter(topic.schema);
    for (let i = 0; i < batch.length; i++) {
      const object = rowToObject(topic.schema, batch, i);
      this.record(
        topic,
        position,
        topic.key === null ? null : topic.key.map((name) => object[name]),
        writer.object(batch, i),
      );
    }
    this.wake();
    return {
      position: String(position),
      count: rows.length,
      firstOffset,
      lastOffset: topic.records.length - 1,
    };
  }

  record(topic: FakeTopic, position: number, key: readonly unknown[] | null, valueJson: string | null): void {
    const keyJson = key === null ? undefined : encode(key.length === 1 ? key[0] : key);
    const timestamp = "2024-05-06T07:08:09+00:00";
    topic.records.push({
      offset: topic.records.length,
      position: String(position),
      timestamp,
      keyJson,
      valueJson,
    });
    this.records++;
    if (keyJson === undefined) return;
    for (const view of this.views.values()) {
      if (view.topic !== topic) continue;
      const old = view.rows.get(keyJson);
      if (valueJson === null) view.rows.delete(keyJson);
      else view.rows.set(keyJson, valueJson);
      const change = changeJson(keyJson, old, valueJson);
      if (change === undefined) continue;
      const step = view.steps.at(-1);
      if (step?.position === position) {
        view.steps[view.steps.length - 1] = {
          position,
          changes: `${step.changes.slice(0, -1)},${change}]`,
          keyIds: [...step.keyIds, keyJson],
        };
      } else view.steps.push({ position, changes: `[${change}]`, keyIds: [keyJson] });
    }
  }

  wake(): void {
    for (const resolve of [...this.#waiting]) resolve();
    this.#waiting.clear();
  }

  /** The next commit, or the signal. */
  next(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        signal?.removeEventListener("abort", done);
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
      signal?.addEventListener("abort", done);
    });
  }
}

/** A key, or a part of one, as JSON. */
export function encode(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(encode).join(",")}]`;
  return typeof value === "bigint" ? String(value) : JSON.stringify(value);
}

function changeJson(key: string, old: string | undefined, row: string | null): string | undefined {
  if (row === null) return old === undefined ? undefined : `{"op":"delete","key":${key},"old":${old}}`;
  if (old === undefined) return `{"op":"insert","key":${key},"row":${row}}`;
  return `{"op":"update","key":${key},"row":${row},"old":${old}}`;
}
