/** The simplest client there can be: it holds what it was told, and minds every word. */
import { decodeUtf8 } from "../../../src/base/bytes.ts";
import { JsonNumber, parseJson } from "../../../src/batch/lossless-json.ts";
import type { SubscribeOptions, SubscribeTarget, SubscriptionEvent } from "../../../src/engine/api.ts";
import type { Database } from "../../../src/engine/database.ts";

/** Key -> row, both JSON text. */
export type Shown = ReadonlyMap<string, string>;

interface Change {
  readonly op: "insert" | "update" | "delete";
  readonly key: unknown;
  readonly row?: unknown;
  readonly old?: unknown;
}

export class Client {
  /** What is on the screen: complete views only. */
  readonly views = new Map<string, Map<string, string>>();
  readonly errors = new Map<string, string>();
  readonly resets: string[] = [];
  snapshots = 0;
  steps = 0;
  position = -1;
  readonly #partial = new Map<string, Map<string, string>>();

  /** Begins with what another client held, as one does that comes back. */
  resume(views: ReadonlyMap<string, Shown>, position: number): this {
    for (const [name, rows] of views) this.views.set(name, new Map(rows));
    this.position = position;
    return this;
  }

  apply(event: SubscriptionEvent): void {
    switch (event.type) {
      case "snapshot":
        this.#snapshot(event);
        return;
      case "step":
        this.#step(event);
        return;
      case "reset":
        this.resets.push(`${event.view}: ${event.reason}`);
        this.views.delete(event.view);
        this.errors.delete(event.view);
        this.#partial.delete(event.view);
        return;
      case "error":
        this.errors.set(event.view, event.error.sqlstate);
    }
  }

  #snapshot(event: Extract<SubscriptionEvent, { type: "snapshot" }>): void {
    this.snapshots++;
    let rows = this.#partial.get(event.view);
    if (rows === undefined) this.#partial.set(event.view, (rows = new Map()));
    for (const json of event.rowsJson) {
      const { key, row } = parseJson(json) as { key: unknown; row: unknown };
      const text = jsonText(key);
      if (rows.has(text)) throw new Error(`the snapshot of ${event.view} has ${text} twice`);
      rows.set(text, jsonText(row));
    }
    if (!event.last) return;
    this.#partial.delete(event.view);
    this.views.set(event.view, rows);
    this.position = Math.max(this.position, Number(event.position));
  }

  #step(event: Extract<SubscriptionEvent, { type: "step" }>): void {
    const position = Number(event.position);
    if (position <= this.position) throw new Error(`step ${position} comes after ${this.position}`);
    this.position = position;
    this.steps++;
    for (const [name, pieces] of event.views) {
      const rows = this.views.get(name);
      if (rows === undefined) throw new Error(`changes of ${name} before its snapshot`);
      const changes = parseJson(`[${pieces.map((piece) => decodeUtf8(piece)).join(",")}]`) as Change[];
      // So that a list of ten is never eleven long.
      const firstOther = changes.findIndex((c) => c.op !== "delete");
      const lastDelete = changes.findLastIndex((c) => c.op === "delete");
      if (firstOther >= 0 && lastDelete > firstOther) throw new Error(`${name}: a row leaves after one came`);
      for (const change of changes) applyChange(rows, change, name);
    }
  }
}

function applyChange(rows: Map<string, string>, change: Change, view: string): void {
  const key = jsonText(change.key);
  const has = rows.get(key);
  if (change.op === "insert") {
    if (has !== undefined) throw new Error(`${view}: ${key} is inserted and there already`);
  } else if (has !== jsonText(change.old)) {
    throw new Error(`${view}: ${change.op} of ${key} says it was ${jsonText(change.old)}, shown is ${has}`);
  }
  if (change.op === "delete") rows.delete(key);
  else rows.set(key, jsonText(change.row));
}

/** JSON text with all digits, as they came. */
export function jsonText(value: unknown): string {
  if (typeof value === "bigint" || value instanceof JsonNumber) return String(value);
  if (Array.isArray(value)) return `[${value.map(jsonText).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined";
  return `{${Object.entries(value)
    .map(([name, v]) => `${JSON.stringify(name)}:${jsonText(v)}`)
    .join(",")}}`;
}

/** The views as a subscription that begins now shows them, all of one moment. */
export async function shownNow(
  db: Database,
  names: readonly string[],
): Promise<{ views: Map<string, Shown>; position: number }> {
  const client = new Client();
  for await (const event of db.subscribe(names.map((view) => ({ view })))) {
    client.apply(event);
    if (client.views.size === names.length) break;
  }
  return { views: client.views, position: client.position };
}

/**
 * A subscription that ends itself: it watches a table of marks too, so that whoever appends a mark knows that everything before it has been
 * applied when finished() resolves.
 */
export class Watcher {
  readonly client: Client;
  readonly #done: Promise<void>;

  constructor(
    db: Database,
    targets: readonly SubscribeTarget[],
    options: SubscribeOptions & {
      readonly client?: Client;
      readonly onEvent?: (client: Client) => void;
    } = {},
  ) {
    this.client = options.client ?? new Client();
    const { client } = this;
    this.#done = (async () => {
      for await (const event of db.subscribe([...targets, { view: "marks" }], options)) {
        client.apply(event);
        options.onEvent?.(client);
        if ((client.views.get("marks")?.size ?? 0) > 0) return;
      }
    })();
    // Whoever awaits finished() hears of it.
    this.#done.catch(() => {});
  }

  finished(): Promise<void> {
    return this.#done;
  }
}

/** Makes what a Watcher waits for. */
export async function defineMarks(db: Database): Promise<void> {
  const { error } = await db.sql(
    "CREATE TABLE mark (n int4 PRIMARY KEY); CREATE MATERIALIZED VIEW marks AS SELECT n FROM mark",
  );
  if (error !== undefined) throw new Error(error.message);
}

export async function mark(db: Database): Promise<void> {
  await db.append("mark", [{ n: 1 }]);
}
